"""What is asked of new pictures, each a two-sample test with an effect and a p value."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from isometry.openset.held import Held
from isometry.openset.samples import Pair
from isometry.ops import two_sample


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One question about new pictures.

    Attributes:
        name: what is compared. effect: how far apart it is, as `unit` says. before, after: the two values in words.
        p: chance of so large an effect where nothing has changed. corrected: by Holm, for all questions; NaN if not asked.
    """

    name: str
    effect: float
    unit: str
    before: str
    after: str
    p: float
    corrected: float = math.nan


def scores(pair: Pair) -> Finding:
    """Of the best match in the gallery."""
    values = pair.both(lambda side: side.found.similarity)
    return _by_ranks(pair, values, "best-match similarity", "mean {:.3f}", "{:.3f}")


def unknowns(pair: Pair, threshold: float) -> Finding:
    """How many get no name."""
    values = pair.both(lambda side: (side.found.score < threshold).float())
    far = two_sample.shift(values[:, None], pair.unit, pair.weights)
    a, b = pair.means(values)
    return Finding(name="share of unknowns", effect=b - a, unit="difference of shares", before=f"{a:.3f}", after=f"{b:.3f}",
                p=two_sample.p_value(far))  # fmt: skip


def embeddings(pair: Pair, embed: Callable[[Tensor], Tensor]) -> list[Finding]:
    """As the similarity compares them, all at once and by their mean; and their length as the model gives it."""
    z = pair.both(lambda side: embed(side.held.z))
    between = two_sample.distances(z, pair.unit, pair.weights.shape[1])
    share = two_sample.energy_share(between, pair.weights[0])
    apart = Finding(
        name="embeddings", effect=share, unit="energy coefficient, 0 … 1", before="0", after=f"{share:.3f}",
        p=two_sample.p_value(two_sample.energy(between, pair.weights)),
    )  # fmt: skip
    first = two_sample.unit_means(z[: len(pair.before.unit)], pair.before.unit, pair.before.units)
    spread = float((first - first.mean(0)).square().sum(1).mean().sqrt()) or 1.0
    moved = two_sample.shift(z, pair.unit, pair.weights)
    centre = Finding(
        name="centre of embeddings", effect=float(moved[0]) / spread, unit="spreads of calibration",
        before="0", after=f"{float(moved[0]) / spread:.2f} spreads", p=two_sample.p_value(moved),
    )  # fmt: skip
    length = torch.linalg.vector_norm(pair.both(lambda side: side.held.z), dim=1)
    norm = _by_ranks(pair, length, "length of embeddings", "mean {:.3g}", "{:.3g}")
    return [apart, centre, norm]


def sizes_and_shapes(pair: Pair) -> list[Finding]:
    """Of pictures as they were before they were prepared, where that is known."""
    if not len(pair.before.held.sizes) or not len(pair.after.held.sizes):
        return []
    width, height = pair.both(lambda side: side.held.sizes).double().clamp_min(1).unbind(1)
    side, shape = (width * height).sqrt().float(), (width / height).float()
    return [
        _by_ranks(pair, side, "size of pictures", "mean side {:.0f} px", "{:.0f} px"),
        _by_ranks(pair, shape, "shape of pictures", "mean width / height {:.2f}", "{:.2f}"),
    ]


def _by_ranks(pair: Pair, values: Tensor, name: str, before: str, after: str) -> Finding:
    """The Kolmogorov–Smirnov test of one number a picture."""
    far = two_sample.kolmogorov_smirnov(values, pair.unit, pair.weights)
    a, b = pair.means(values)
    return Finding(
        name=name, effect=float(far[0]), unit="Kolmogorov–Smirnov distance", before=before.format(a),
        after=after.format(b), p=two_sample.p_value(far),
    )  # fmt: skip


def unreadable(held: Held, new: Held) -> Finding:
    """Fisher's exact test: files are taken for independent."""
    from scipy.stats import fisher_exact

    table = [[one.unreadable, len(one)] for one in (held, new)]
    chance: Any = fisher_exact(table)[1]
    a, b = (bad / max(bad + good, 1) for bad, good in table)
    return Finding(name="share of unreadable files", effect=b - a, unit="difference of shares", before=f"{a:.4f}",
                after=f"{b:.4f}", p=float(chance))  # fmt: skip
