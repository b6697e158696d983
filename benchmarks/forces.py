"""What the search among pair weightings found: a study's family of splines beside every published loss.

    isometry bench forces-glyphs                 # and: isometry bench forces-emoji --data-root …
    python benchmarks/forces.py runs/forces-glyphs [--draw docs/images/forces-glyphs.png]

The table is of a study's findings: what was chosen on validation classes, its test value, and its difference from each other
method, paired by class and seed. The picture has the forces of the chosen spline beside those of multi-similarity.
"""

import argparse
import json
import sys
from pathlib import Path

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import isometry

sys.path.insert(0, str(Path(__file__).parents[1] / "docs"))

from force_field import INK, LINE, MUTED, pair_field

FAMILY, BESIDE = "splines", "multi-similarity, all pairs"
STARTS = {FAMILY: "GeneralPairWeighting(weigh=SplineWeights())", BESIDE: "MultiSimilarity(miner=all_pairs)"}
COARSE = 17  # arrows a side
LEAST = 1e-4  # the smallest share of the largest force that is shown


def found_in(folder):
    """The findings of a study that was run."""
    path = folder / "findings.json"
    if not path.is_file():
        sys.exit(f"There are no findings in {folder}: run `isometry bench {folder.name}` first.")
    found = json.loads(path.read_text(encoding="utf-8"))
    if FAMILY not in {method["name"] for method in found["methods"]}:
        sys.exit(f"{folder} has no method {FAMILY!r}: it is no study of forces.")
    return found


def table(found):
    """Lines of Markdown: all methods, the best first."""
    standing = {row["method"]: row for row in found["rows"] if is_main(found, row) and not row["control"]}
    methods = {method["name"]: method for method in found["methods"] if method["name"] in standing}
    yield f"| method | chosen on validation classes | trials | validation | test {found['metric']} | {FAMILY} − it |"
    yield "|---|---|---|---|---|---|"
    for name in sorted(methods, key=lambda name: -(standing[name]["value"] or 0)):
        row, method = standing[name], methods[name]
        value = f"{number(row['value'])} [{number(row['low'])}, {number(row['high'])}]"
        chosen = f"`{method['setting']['loss']}`" if method["setting"] else "–"
        trials = f"{method['trials']} of {method['planned_trials']}"
        yield f"| {name} | {chosen} | {trials} | {number(method['validation'])} | {value} | {against(found, name)} |"


def is_main(found, row):
    """Whether a row is of the study's own metric, each model by itself."""
    return row["metric"] == found["metric"] and row["reading"] == "separated"


def against(found, name):
    """The family's test value less that of another method, with its interval and corrected p."""
    for pair in found["pairs"]:
        sign = {(FAMILY, name): 1, (name, FAMILY): -1}.get((pair["first"], pair["second"]))
        if sign and pair["difference"] is not None:
            ends = sorted(sign * end for end in (pair["low"], pair["high"]))
            return f"{sign * pair['difference']:+.4f} [{ends[0]:+.4f}, {ends[1]:+.4f}], p = {number(pair['p_holm'])}"
    return "–"


def number(value):
    """Four digits; a dash for what is not known."""
    return "–" if value is None else f"{value:.4f}"


def chosen(found):
    """The losses of the family and of multi-similarity as the study chose them."""
    settings = {method["name"]: method["setting"] for method in found["methods"]}
    texts = [settings[name]["loss"] if settings.get(name) else start for name, start in STARTS.items()]
    return [isometry.parse(text) for text in texts]


def draw(found, path):
    """Three panels: the two fields of force, and the weights of single pairs by their cosine."""
    ours, known = chosen(found)
    figure = Figure(figsize=(14.4, 5.2), dpi=110, facecolor="white", layout="constrained")
    axes = figure.subplots(1, 3)
    arrows(axes[0], ours, "the spline that was found")
    arrows(axes[1], known, "multi-similarity, tuned alike")
    weights(axes[2], ours, known)
    figure.savefig(path)


def arrows(axes: Axes, loss, title):
    """Where a row with one positive and one negative is moved; an arrow's length is the square root of the force."""
    step = 2 / COARSE
    line = torch.linspace(-1 + step / 2, 1 - step / 2, COARSE, dtype=torch.float64)
    x, y = (side.flatten() for side in torch.meshgrid(line, line, indexing="xy"))
    force = pair_field(loss, x, y)[1]
    size = force.norm(dim=1, keepdim=True)
    along = force / size.clamp_min(1e-30) * (size / size.max()).sqrt() * 0.92 * step
    at = torch.stack([x, y], 1) - along / 2
    axes.quiver(*at.T, *along.T, color=INK, angles="xy", scale_units="xy", scale=1, width=0.0042)
    axes.plot([-1, 1], [-1, 1], color=LINE, linewidth=1, linestyle=(0, (5, 4)))
    axes.set(xlim=(-1, 1), ylim=(-1, 1), aspect="equal", title=title)
    axes.set_xlabel("cosine of the positive", color=MUTED)
    axes.set_ylabel("cosine of the negative", color=MUTED)


def weights(axes: Axes, ours, known):
    """The forces on a positive and on a negative, each alone in its row, as shares of the loss's largest."""
    line = torch.linspace(-1, 1, 401, dtype=torch.float64)
    for loss, style, name in ((ours, "-", "found"), (known, "--", "multi-similarity")):
        force = pair_field(loss, line, line)[1].abs()
        for side, colour, kind in ((0, "#2b5f9e", "pull"), (1, "#c1440e", "push")):
            axes.plot(line, force[:, side] / force.max(), style, color=colour, label=f"{kind}, {name}")
    axes.set(yscale="log", xlim=(-1, 1), ylim=(LEAST, 1.5), box_aspect=1, title="force on a pair alone in its row")
    axes.set_xlabel("cosine", color=MUTED)
    axes.set_ylabel("share of the largest", color=MUTED)
    axes.legend(frameon=False, fontsize=9)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", type=Path, help="the folder of a study that was run")
    parser.add_argument("--draw", type=Path, help="a PNG file")
    given = parser.parse_args()
    found = found_in(given.study)
    print(*table(found), sep="\n")
    if given.draw:
        given.draw.parent.mkdir(parents=True, exist_ok=True)
        draw(found, given.draw)


if __name__ == "__main__":
    main()
