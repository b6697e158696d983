"""Figures of the pages on continuous labels."""

import math

from continuous_answers import NDCG, NEAR
from continuous_grid import CENTRE, DIMS, LENGTHS, LOSSES, MINED, decoded
from matplotlib import rc_context
from matplotlib.figure import Figure

from isometry.bench.findings import SEPARATED, Findings, Row

COLOURS = dict(zip(LOSSES, ("#111111", "#c1440e", "#b8860b", "#2b5f9e", "#008b8b", "#7b3fa0", "#2e8b57"), strict=True))
STYLE = {"svg.hashsalt": "isometry", "svg.fonttype": "none", "font.family": "sans-serif", "font.size": 9}
PANELS = ((NDCG, "nDCG@100, higher is better"), (NEAR, "mean label distance of 10 neighbours, lower is better"))


def rows_by(findings: Findings):
    """Where each cell of the grid stands, by cell and metric."""
    named = ((decoded(row.method), row) for row in findings.rows if row.reading == SEPARATED)
    return {(cell, row.metric): row for cell, row in named if cell and math.isfinite(row.value)}


def dimension_figure(findings: Findings) -> Figure | None:
    """Quality against dimension, with and without normalisation; None where fewer than two dimensions were run."""
    known = rows_by(findings)
    lines = {
        (loss, length): [(d, CENTRE._replace(loss=loss, dim=d, length=length)) for d in DIMS]
        for loss in LOSSES for length in LENGTHS
    }  # fmt: skip
    lines = {key: [(d, cell) for d, cell in own if (cell, NDCG) in known] for key, own in lines.items()}
    return _drawn(
        known, {key: own for key, own in lines.items() if len(own) > 1}, "dimensions of the embedding", DIMS, "log"
    )


def mining_figure(findings: Findings) -> Figure | None:
    """Quality against the neighbours in a batch, for each loss; None where fewer than two ways of mining were run."""
    known = rows_by(findings)
    lines = {(loss, "free"): [(k, CENTRE._replace(loss=loss, mined=k)) for k in MINED] for loss in LOSSES}
    lines = {key: [(k, cell) for k, cell in own if (cell, NDCG) in known] for key, own in lines.items()}
    what = "label-space neighbours of every anchor in a batch (0: random)"
    return _drawn(known, {key: own for key, own in lines.items() if len(own) > 1}, what, MINED, "symlog")


def _drawn(known, lines, what: str, ticks: tuple[int, ...], scale: str) -> Figure | None:
    if not lines:
        return None
    with rc_context(STYLE):
        figure = Figure(figsize=(11, 4.6), facecolor="white", layout="constrained")
        for axes, (metric, label) in zip(figure.subplots(1, 2), PANELS, strict=True):
            for (loss, length), cells in lines.items():
                style = "-" if length == "free" else "--"
                name = loss if length == "free" else f"{loss}, length 1"
                rows = [known[cell, metric] for _, cell in cells]
                at = [x for x, _ in cells]
                axes.plot(
                    at,
                    [r.value for r in rows],
                    f"o{style}",
                    color=COLOURS[loss],
                    linewidth=1.2,
                    markersize=4,
                    label=name,
                )
                for x, row in zip(at, rows, strict=True):
                    _interval(axes, x, row, COLOURS[loss])
            axes.set_xscale(scale, **({"base": 2} if scale == "log" else {"linthresh": 1}))
            axes.set_xticks(ticks, [str(t) for t in ticks])
            axes.minorticks_off()
            axes.set_xlabel(what)
            axes.set_ylabel(label)
            axes.spines[["top", "right"]].set_visible(False)
        figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=4, frameon=False)
    return figure


def _interval(axes, x: float, row: Row, colour: str) -> None:
    if math.isfinite(row.low):
        axes.plot([x, x], [row.low, row.high], color=colour, linewidth=0.8, alpha=0.6)
