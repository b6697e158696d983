"""Draws what a loss does to a pair: its force over the similarity of a positive and of a negative.

A row with one positive at s_p and one negative at s_n costs `loss.objective(sim, rel)`; training moves the two similarities along
minus its gradient. No embeddings are needed, so any loss of the catalogue is drawn by itself.
"""

import io
import math
from pathlib import Path

import torch
from matplotlib import colors, patheffects
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor

from isometry.component import fields, show
from isometry.cost import divide
from isometry.loss import Loss
from isometry.miners import all_pairs
from isometry.relation import Relation

FINE, COARSE = 81, 17  # points a side: of the colour field, of the arrows
UNBOUNDED = 2.0  # an unbounded similarity is shown from −2
RATIO = 16.0  # ratios are shown from 1/16 to 16
WEAK = 0.01  # a force below this share of the largest is next to none
LEAST = 0.01  # smallest share of the square that is worth a word
INK, MUTED, LINE = "#14213d", "#5c677d", "#8d99ae"
FRAME = (0.115, 0.095, 0.735, 0.784)  # square: the figure is 6.4 × 6
PAPER = colors.LinearSegmentedColormap.from_list("paper", ["#f6f8fc", "#cfe0f3", "#8fbbe0", "#4f8fc6", "#2b5f9e"])


def draw(loss: Loss, path: Path) -> str:
    """Draws the field of `loss` to a PNG file, and returns in words what is seen."""
    ratios = getattr(loss.relate, "reads", "labels") == "targets" and math.isinf(loss.similarity.bounds[0])
    figure = Figure(figsize=(6.4, 6.0), dpi=144, facecolor="white")
    axes = figure.add_axes(FRAME)
    words = _draw_ratios(loss, figure, axes) if ratios else _draw_pairs(loss, figure, axes)
    for side in axes.spines.values():
        side.set_color("#c5ccd8")
    axes.tick_params(colors=MUTED, labelsize=9, length=3)
    figure.text(FRAME[0], 0.945, repr(loss), color=INK, fontsize=15, fontweight="bold")
    figure.text(FRAME[0], 0.9, _settings(loss), color=MUTED, fontsize=9.5)
    _save(figure, path)
    return words


def pair_field(loss: Loss, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Costs `[n]` of rows with one positive at x and one negative at y, and the forces on both `[n 2]`."""
    sim = torch.stack([x, y], 1).double().requires_grad_()
    pos = torch.tensor([[True, False]]).expand(len(x), 2)
    rel = Relation(pos=lambda: pos, neg=lambda: ~pos, affinity=lambda: pos.double(), gap=lambda: (~pos).double())
    rel.ids = (torch.arange(len(x)), torch.arange(len(x), len(x) + 2))
    return _forces(loss, sim, loss.miner(sim.detach(), rel))


def ratio_field(loss: Loss, embedded: Tensor, labelled: Tensor) -> tuple[Tensor, Tensor]:
    """Costs and forces on (−D_i, −D_j) of rows with two references, by the ratio D_i/D_j in the embedding and of the labels."""
    sim = -torch.stack([embedded, torch.ones_like(embedded)], 1).double()
    gap = torch.stack([labelled, torch.ones_like(labelled)], 1).double()
    both = torch.ones_like(sim, dtype=torch.bool)
    rel = Relation(pos=lambda: both, neg=lambda: ~both, gap=lambda: gap, affinity=lambda: 1 - gap)
    return _forces(loss, sim.requires_grad_(), rel)


def _forces(loss: Loss, sim: Tensor, rel: Relation) -> tuple[Tensor, Tensor]:
    terms = loss.objective(sim, rel)
    value = loss.finish({name: divide(t, c.reshape(-1, *[1] * (t.ndim - 1))) for name, (t, c) in terms.items()})
    (gradient,) = torch.autograd.grad(value.sum(), sim)
    return value.detach(), -gradient


def _draw_pairs(loss: Loss, figure: Figure, axes: Axes) -> str:
    low, high = loss.similarity.bounds
    low, high = (-UNBOUNDED if math.isinf(low) else low), (UNBOUNDED if math.isinf(high) else high)
    half = (high - low) / FINE / 2
    x, y = _grid(low + half, high - half, FINE)
    value, force = pair_field(loss, x.flatten(), y.flatten())
    size = force.norm(dim=1)
    _colours(figure, axes, value.view(FINE, FINE), (low, high, low, high))
    _weak(axes, x, y, size.view(FINE, FINE))
    axes.plot([low, high], [low, high], color=INK, linewidth=1, linestyle=(0, (5, 4)), alpha=0.75)
    at = low + 0.14 * (high - low)
    _label(axes, at, at, "$s_p = s_n$", rotation=45, va="bottom")
    step = (high - low) / COARSE
    x, y = _grid(low + step / 2, high - step / 2, COARSE)
    _arrows(axes, x, y, pair_field(loss, x.flatten(), y.flatten())[1], step, float(size.max()))
    _label(
        axes, high - 0.02 * (high - low), low + 0.03 * (high - low), "wanted", ha="right", va="bottom", weight="bold"
    )
    ticks = [low + k * (high - low) / 4 for k in range(5)]
    axes.set_xticks(ticks, [f"{t:g}".replace("-", "−") for t in ticks])
    axes.set_yticks(ticks, [f"{t:g}".replace("-", "−") for t in ticks])
    axes.set_xlabel("similarity of the positive, $s_p$", color=INK, fontsize=11)
    axes.set_ylabel("similarity of the negative, $s_n$", color=INK, fontsize=11)
    return _in_words(loss, size, math.isinf(loss.similarity.bounds[0]))


def _draw_ratios(loss: Loss, figure: Figure, axes: Axes) -> str:
    end = math.log2(RATIO)
    x, y = _grid(-end * (1 - 1 / FINE), end * (1 - 1 / FINE), FINE)
    value, _ = ratio_field(loss, (2**x).flatten(), (2**y).flatten())
    _colours(figure, axes, value.view(FINE, FINE), (-end, end, -end, end))
    axes.plot([-end, end], [-end, end], color=INK, linewidth=1, linestyle=(0, (5, 4)), alpha=0.75)
    _label(axes, 0.62 * end, 0.62 * end, "equal ratios: no force", rotation=45, va="bottom")
    step = 2 * end / COARSE
    x, y = _grid(-end + step / 2, end - step / 2, COARSE)
    # The force on log D_i is −D_i times that on −D_i; on a ratio it is what the two distances feel, moved apart.
    force = ratio_field(loss, (2**x).flatten(), (2**y).flatten())[1]
    along = torch.stack([-force[:, 0] * (2**x).flatten(), torch.zeros(len(force), dtype=torch.float64)], 1)
    _arrows(axes, x, y, along, step, float(along.abs().max()))
    ticks = range(-int(end), int(end) + 1, 2)
    names = [f"1/{2**-t}" if t < 0 else str(2**t) for t in ticks]
    axes.set_xticks(list(ticks), names)
    axes.set_yticks(list(ticks), names)
    axes.set_xlabel("ratio of embedding distances, $D_f(a,i)\\,/\\,D_f(a,j)$", color=INK, fontsize=11)
    axes.set_ylabel("ratio of label distances, $D_y(a,i)\\,/\\,D_y(a,j)$", color=INK, fontsize=11)
    return (
        "This loss has no positives and negatives. For an anchor a and two others, the colour is the cost and the arrows "
        "show how the ratio of embedding distances is moved: towards the ratio of the label distances, from both sides."
    )


def _grid(low: float, high: float, many: int) -> tuple[Tensor, Tensor]:
    line = torch.linspace(low, high, many, dtype=torch.float64)
    x, y = torch.meshgrid(line, line, indexing="xy")
    return x, y


def _colours(figure: Figure, axes: Axes, value: Tensor, extent: tuple[float, ...]) -> None:
    shown = axes.imshow(value, origin="lower", extent=extent, cmap=PAPER, interpolation="bilinear", aspect="equal")
    bar = figure.colorbar(shown, cax=figure.add_axes((0.875, FRAME[1], 0.02, FRAME[3])))
    bar.set_label("loss", color=INK, fontsize=11)
    bar.outline.set_edgecolor("#c5ccd8")
    bar.ax.tick_params(colors=MUTED, labelsize=8.5, length=2)


def _weak(axes: Axes, x: Tensor, y: Tensor, size: Tensor) -> None:
    """Hatches where there is no force at all; where there is some everywhere, draws the line below which it is weak."""
    none, weak = (size == 0).double(), (size < WEAK * size.max()).double()
    if float(none.mean()) > LEAST:
        hatched = axes.contourf(x, y, none, levels=[0.5, 1.5], colors=["#eef1f6"], hatches=["///"])
        hatched.set_edgecolor("#aab4c5")
        hatched.set_linewidth(0)
        axes.contour(x, y, none, levels=[0.5], colors=[LINE], linewidths=1.2)
        _label(axes, *_deepest(x, y, none), "no force", weight="bold")
    elif float(weak.mean()) > LEAST:
        axes.contour(x, y, size, levels=[WEAK * float(size.max())], colors=[LINE], linewidths=1.2)
        _label(axes, *_deepest(x, y, weak), f"force below {WEAK:.0%}\nof the largest")


def _deepest(x: Tensor, y: Tensor, inside: Tensor) -> tuple[float, float]:
    """The point of a region that is farthest from its edge."""
    depth, layer = inside.clone(), inside
    while bool(layer.any()):
        framed = torch.nn.functional.pad(layer[None, None], (1, 1, 1, 1))
        layer = -torch.nn.functional.max_pool2d(-framed, 3, stride=1)[0, 0]
        depth += layer
    at = int(depth.argmax())
    return float(x.flatten()[at]), float(y.flatten()[at])


def _arrows(axes: Axes, x: Tensor, y: Tensor, force: Tensor, step: float, largest: float) -> None:
    """Arrows whose length is the square root of the force, so that a weak one is still seen; dots where there is none."""
    size = force.norm(dim=1)
    length = 0.92 * step * (size / max(largest, 1e-12)).sqrt().clamp_max(1)
    seen = length > 0.1 * step
    along = force / size.clamp_min(1e-30)[:, None] * length[:, None]
    at = torch.stack([x.flatten(), y.flatten()], 1) - along / 2
    scale = {"angles": "xy", "scale_units": "xy", "scale": 1, "units": "width", "width": 0.0042}
    axes.quiver(
        *at[seen].T,
        *along[seen].T,
        color=INK,
        headwidth=4.2,
        headlength=4.6,
        headaxislength=4.1,
        minlength=0.6,
        **scale,
    )
    still = ~seen & (size > 0)
    axes.plot(x.flatten()[still], y.flatten()[still], ".", color=LINE, markersize=2.2)


def _label(axes: Axes, x: float, y: float, text: str, **how: object) -> None:
    how = {"ha": "center", "va": "center", "rotation_mode": "anchor", **how}
    halo = [patheffects.withStroke(linewidth=3.5, foreground="white", alpha=0.92)]
    axes.text(x, y, text, color=INK, fontsize=10, path_effects=halo, zorder=5, **how)


def _settings(loss: Loss) -> str:
    """The loss's own numbers, its geometry, and its miner where it has one."""
    own = [name for name in fields(type(loss)) if name not in fields(Loss)]
    numbers = [f"{n} = {getattr(loss, n):g}" for n in own if isinstance(getattr(loss, n), (int, float))]
    parts = [*numbers, show(loss.similarity), *([] if loss.miner is all_pairs else [show(loss.miner)])]
    return "  ·  ".join(parts)


def _in_words(loss: Loss, size: Tensor, unbounded: bool) -> str:
    none = float((size == 0).double().mean())
    row = "A row is a proxy here: it has" if loss.by_reference else "A row has"
    parts = [
        f"{row} one positive at s_p and one negative at s_n. The colour is the cost; the arrows show where training pushes the "
        "two similarities: minus the gradient, an arrow's length being the square root of its size "
        f"(at most {float(size.max()):.3g})."
    ]
    if none > LEAST:
        parts.append(f"In the hatched part, {none:.0%} of the square, there is no force: such a row teaches nothing.")
    elif float((size < WEAK * size.max()).double().mean()) > LEAST:
        parts.append("The force fades but never ends: no row is ever quite done.")
    else:
        parts.append("The force does not fade as a row gets better: it stops at the corner.")
    if unbounded:
        parts.append(f"The similarity has no lower end; it is shown from −{UNBOUNDED:g}.")
    return " ".join(parts)


def _save(figure: Figure, path: Path) -> None:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    picture = Image.open(buffer).convert("RGB").quantize(128, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    picture.save(path, optimize=True)
