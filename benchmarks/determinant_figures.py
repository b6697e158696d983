"""Figures of the pages on determinant regularisation."""

import math

from determinant_claims import HOSTS, MAP, OURS, PAIRS, PAPER, R1, RATIO, TWINS, WHOLE, pooled, twin_of
from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from isometry.bench.findings import SEPARATED, Findings
from isometry.bench.page.sections.geometry import measure_name

COLOURS = {
    "plain": "#8a8a8a", "flow": "#111111", "log-det": "#2b5f9e", "dueling": "#7b3fa0", "spherical": "#c1440e",
    "Frobenius": "#2e8b57", "whole Frobenius": "#b8860b", "largest stretch": "#cc3377",
    "even stretch": "#008b8b", "anisotropy": "#6b8e23",
}  # fmt: skip
STYLE = {"svg.hashsalt": "isometry", "svg.fonttype": "none", "font.family": "sans-serif", "font.size": 9}
FORMS = (*PAPER, *OURS, *TWINS)
SHOWN = (MAP, R1, RATIO, WHOLE)


def effects_figure(findings: Findings) -> Figure | None:
    """A panel a measure: differences from λ = 0 of each form, for each loss and over all; None where there are none."""
    known = {
        (e.method, e.measure): e
        for e in findings.effects
        if e.twin.endswith(f", {twin_of(e.method.rpartition(', ')[2])}") and math.isfinite(e.difference)
    }
    forms = [f for f in FORMS if any((f"{h}, {f}", m) in known for h in HOSTS for m in SHOWN)]
    hosts = [h for h in HOSTS if any((f"{h}, {f}", m) in known for f in forms for m in SHOWN)]
    if not forms:
        return None
    with rc_context(STYLE):
        figure = Figure(figsize=(13, 1.6 + 0.62 * (len(hosts) + 1)), facecolor="white", layout="constrained")
        panels = figure.subplots(1, len(SHOWN), sharey=True)
        for axes, measure in zip(panels, SHOWN, strict=True):
            axes.axvline(0, color="#999999", linewidth=0.8)
            for k, form in enumerate(forms):
                shift = 0.7 * (k / max(1, len(forms) - 1) - 0.5) if len(forms) > 1 else 0.0
                for at, host in enumerate(hosts):
                    _interval(axes, known.get((f"{host}, {form}", measure)), at + shift, COLOURS[form], "o")
                _interval(axes, pooled(findings, measure, form, twin_of(form)), len(hosts) + shift, COLOURS[form], "D")
            axes.axhline(len(hosts) - 0.5, color="#cccccc", linewidth=0.8)
            axes.set_xlabel(f"{measure_name(measure)}, difference from λ = 0")
            axes.spines[["top", "right"]].set_visible(False)
            axes.locator_params(axis="x", nbins=5)
        panels[0].set_yticks(range(len(hosts) + 1), [*hosts, "over losses"])
        panels[0].invert_yaxis()
        marks = [Line2D([], [], color=COLOURS[f], marker="o", linewidth=1.2, label=f) for f in forms]
        figure.legend(handles=marks, loc="outside upper center", ncols=len(forms), frameon=False)
    return figure


def _interval(axes, effect, at, colour, mark):
    if effect is None:
        return
    if math.isfinite(effect.low):
        axes.plot([effect.low, effect.high], [at, at], color=colour, linewidth=1.2)
    axes.plot([effect.difference], [at], mark, color=colour, markersize=4 + (mark == "D"))


def stretch_figure(findings: Findings) -> Figure | None:
    """Every trained method: its stretch from input to embedding, and how it ranks new classes; a line leads from λ = 0."""
    values = {(r.method, r.metric): r.value for r in (*findings.rows, *findings.geometry) if r.reading == SEPARATED}
    spots = {
        (host, form): (values[name, WHOLE], values[name, MAP])
        for host in HOSTS for form in COLOURS
        if {((name := f"{host}, {form}"), WHOLE), (name, MAP)} <= values.keys()
    }  # fmt: skip
    if not spots:
        return None
    with rc_context(STYLE):
        figure = Figure(figsize=(8, 5.2), facecolor="white", layout="constrained")
        axes = figure.subplots()
        for (host, form), (x, y) in spots.items():
            if form not in ("plain", "flow") and (host, "flow") in spots:
                axes.plot(*zip(spots[host, "flow"], (x, y), strict=True), color=COLOURS[form], linewidth=0.7, alpha=0.6)
            axes.plot([x], [y], "o" if host in PAIRS else "s", color=COLOURS[form], markersize=6)
            if form == "flow":
                axes.annotate(host, (x, y), xytext=(6, 4), textcoords="offset points", fontsize=8, color="#444444")
        axes.set_xlabel("L95: stretch from input to embedding, 95th percentile over pairs")
        axes.set_ylabel("MAP@R of new classes")
        axes.spines[["top", "right"]].set_visible(False)
        forms = dict.fromkeys(form for _, form in spots)
        marks = [Line2D([], [], color=COLOURS[f], marker="o", linestyle="", label=f) for f in COLOURS if f in forms]
        marks.append(
            Line2D([], [], color="#444444", marker="s", linestyle="", markerfacecolor="none", label="with proxies")
        )
        axes.legend(handles=marks, frameon=False, loc="best")
    return figure
