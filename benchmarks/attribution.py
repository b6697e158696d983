"""Are heat maps right? The deletion and the insertion test on real pairs, beside maps that know less.

    python benchmarks/attribution.py --data glyphs
    python benchmarks/attribution.py --data emoji --root FOLDER        # the packages emoji-datasource-*
    python benchmarks/attribution.py --data glyphs --draw docs/images/why.png

Pairs are two pictures of one class, one pair a class, of classes that the model has not seen. From the first picture the
fifth that a map calls most important is taken out, and the cosine falls; or nothing but that fifth is put into a
picture in which nothing is to be seen. What is taken out is filled with blur, or with the mean colour. Intervals are of the
paired differences to random places, over pairs. The letters' net trains for 400 steps; for emoji a linear head trains on
EfficientNet-lite0, which stays as it is.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

import isometry
from isometry.attribution import drawn, why_each
from isometry.attribution.deletion import FILLS, alone, speckles, without
from isometry.attribution.drawing import written
from isometry.attribution.heat import BLUR, SMOOTH
from isometry.attribution.path import added, comparison, embedded
from isometry.data import Data, loader, read, split
from isometry.embedder import Ready
from isometry.model import Embedder
from isometry.ops.blur import blurred, spread
from isometry.ops.bootstrap import group_bootstrap

SHARE, DRAWS, BATCH = 0.2, 2, 32
COSINE = comparison("cosine")
Map = Callable[["Pairs"], Tensor]


class Pairs:
    """Pictures `[n c h w]` with their partners, and the model that compares them."""

    def __init__(self, net: Embedder, a: Tensor, b: Tensor) -> None:
        self.net, self.a, self.b = net, a, b
        self.partners = embedded(net, b, BATCH)
        self.scores = COSINE(embedded(net, a, BATCH), self.partners)
        self.side = min(a.shape[-2:])


def drawn_pairs(ready: Ready, data: Data, count: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Two prepared pictures of each of so many classes, all drawn at random."""
    generator = torch.Generator().manual_seed(seed)
    first, second = [], []
    for label in data.present()[torch.randperm(len(data.present()), generator=generator)]:
        rows = (data.labels == label).nonzero()[:, 0]
        if len(rows) > 1 and len(first) < count:
            one, other = rows[torch.randperm(len(rows), generator=generator)][:2].tolist()
            first.append(one)
            second.append(other)
    channels = int(ready.model.trunk.in_channels)  # type: ignore[arg-type]

    def side(rows: list[int]) -> Tensor:
        batches = loader(data.select(torch.tensor(rows)), ready.transform, batch_size=64, workers=0, channels=channels)
        images = torch.cat([batch.images for batch in batches])
        return images.float() / 255 if images.dtype == torch.uint8 else images

    return side(first), side(second)


def emoji_model(data: Data, classes: int, steps: int) -> Ready:
    """EfficientNet-lite0 as it is, under a linear head that has seen some emoji."""
    torch.manual_seed(0)
    net = Embedder.parse("EfficientNetLite0(freeze_batch_norm=True)", "Average()", "Linear(dim=128)").eval()
    ready = Ready(net, "CentreCrop(size=96, resize=96)", {"similarity": "cosine"})
    data = data.select(torch.isin(data.labels, data.present()[:classes]).nonzero()[:, 0])
    with torch.no_grad():
        batches = loader(data, ready.transform, batch_size=64, workers=0, channels=3)
        h = torch.cat([net.pool(net.trunk(net.normalised(batch.images))) for batch in batches])
    loss, generator = isometry.parse("SupCon(temperature=0.1)"), torch.Generator().manual_seed(0)
    optimiser = torch.optim.AdamW(net.head.parameters(), lr=1e-3)
    for _ in range(steps):
        chosen = data.present()[torch.randperm(len(data.present()), generator=generator)[:48]]
        rows = torch.isin(data.labels, chosen).nonzero()[:, 0]
        optimiser.zero_grad()
        loss(net.head(h[rows]), data.labels[rows]).backward()
        optimiser.step()
    return ready


def glyph_model(steps: int) -> Ready:
    """The letters' net."""
    with tempfile.TemporaryDirectory() as folder:
        run = isometry.train(
            "glyphs", loss="SupCon(temperature=0.1)", budget=f"{steps} steps", validate=steps, tracker="none", report=False,
            out=Path(folder) / "run",
        )  # fmt: skip
        return run.embedder()


def smooth(heat: Tensor, share: float = SMOOTH) -> Tensor:
    return spread(heat[:, None], share * min(heat.shape[-2:]))[:, 0]


def large(maps: Tensor, like: Tensor) -> Tensor:
    """A trunk's map over the pixels."""
    return functional.interpolate(maps[:, None], like.shape[-2:], mode="bilinear")[:, 0]


def our_heat(pairs: Pairs, net: Embedder | None = None) -> Tensor:
    """What `why` gives."""
    net = net or pairs.net
    starts, partners = blurred(pairs.a, BLUR * pairs.side), embedded(net, pairs.b, BATCH)
    return smooth(added(net, COSINE, pairs.a, starts, partners, steps=8, batch_size=BATCH))


def own_heat(pairs: Pairs) -> Tensor:
    """The same of each picture with itself: without its partner."""
    starts = blurred(pairs.a, BLUR * pairs.side)
    itself = embedded(pairs.net, pairs.a, BATCH)
    return smooth(added(pairs.net, COSINE, pairs.a, starts, itself, steps=8, batch_size=BATCH))


def plain_gradient(pairs: Pairs) -> Tensor:
    """Σ_c |∂s/∂x|."""
    return smooth(_slopes(pairs, pairs.a, lambda x: pairs.net(x).z).abs().sum(1))


def by_features(pairs: Pairs) -> Tensor:
    """What each place of the trunk's last map adds to the cosine: gradient times features, lengths held."""
    features = _features(pairs)
    return large((_slopes(pairs, features, _above(pairs), hold=True) * features).sum(1), pairs.a)


def grad_cam(pairs: Pairs) -> Tensor:
    """Features weighted by their mean gradient, the negative cut off (Selvaraju et al., ICCV 2017), of the cosine."""
    features = _features(pairs)
    weights = _slopes(pairs, features, _above(pairs)).mean((2, 3), keepdim=True)
    return large((weights * features).sum(1).clamp_min(0), pairs.a)


def energy(pairs: Pairs) -> Tensor:
    """How strong the features are, of the one picture."""
    return large(_features(pairs).square().sum(1), pairs.a)


def contrast(pairs: Pairs) -> Tensor:
    """Where the picture differs most from its blur: no model."""
    return smooth((pairs.a - blurred(pairs.a, BLUR * pairs.side)).abs().sum(1))


def centre(pairs: Pairs) -> Tensor:
    """The middle first: no model."""
    h, w = pairs.a.shape[-2:]
    y, x = (torch.arange(n) + 0.5 - n / 2 for n in (h, w))
    return -(y[:, None].square() + x.square()).expand(len(pairs.a), h, w)


def other_weights(pairs: Pairs) -> Tensor:
    """`why` of a model of the same build whose weights are random (Adebayo et al., NeurIPS 2018)."""
    torch.manual_seed(1)
    texts = {name: text.replace("EfficientNetLite0(", "EfficientNetLite0(pretrained=False, ") for name, text in
             pairs.net.texts.items()}  # fmt: skip
    return our_heat(pairs, Embedder.parse(**texts).eval())


def _features(pairs: Pairs) -> Tensor:
    with torch.no_grad():
        return torch.cat([pairs.net.trunk(pairs.net.normalised(x)) for x in pairs.a.split(BATCH)])


def _above(pairs: Pairs) -> Callable[[Tensor], Tensor]:
    return lambda features: pairs.net.head(pairs.net.pool(features))


def _slopes(pairs: Pairs, inputs: Tensor, embed: Callable[[Tensor], Tensor], *, hold: bool = False) -> Tensor:
    """Gradients of the cosine; with the length of the embedding held if `hold`."""
    found = []
    for x, partner in zip(inputs.split(BATCH), pairs.partners.split(BATCH), strict=True):
        leaf = x.clone().requires_grad_()
        z = embed(leaf)
        length = z.norm(dim=1, keepdim=True)
        cosine = (z / (length.detach() if hold else length) * functional.normalize(partner)).sum()
        found.append(torch.autograd.grad(cosine, leaf)[0])
    return torch.cat(found)


MAPS: dict[str, Map] = {
    "`why`": our_heat,
    "`why`, partner left out": own_heat,
    "`why`, random weights": other_weights,
    "places of the trunk's map": by_features,
    "Grad-CAM of the pair": grad_cam,
    "plain gradient": plain_gradient,
    "strength of features": energy,
    "contrast (no model)": contrast,
    "centre (no model)": centre,
}


def table(pairs: Pairs) -> None:
    """Prints falls and rises, and the paired differences to random places."""
    generator = torch.Generator().manual_seed(0)
    print(f"cosine of the pairs {float(pairs.scores.mean()):.3f}\n")
    columns = (f"{what}, {fill} | above random" for what in ("falls", "kept") for fill in FILLS)
    print(f"| map | {' | '.join(columns)} |")
    print("|---|---|---|---|---|---|---|---|---|")
    fine = both(pairs, lambda: speckles(pairs.a, SMOOTH, generator))
    coarse = both(pairs, lambda: speckles(pairs.a, 1 / 8, generator))
    random = torch.where(fine.mean(0) > coarse.mean(0), fine, coarse)  # the harder to beat
    row("random, fine pieces", fine, None)
    row("random, large pieces", coarse, None)
    ours = None
    for name, make in MAPS.items():
        heat = make(pairs)
        ours = heat if ours is None else ours
        row(name, measured(pairs, heat), random)
        print(f"    {name}: rank correlation with `why` {alike(heat, ours):.2f}", flush=True)


def measured(pairs: Pairs, heat: Tensor) -> Tensor:
    """By how much scores fall without the hottest share, and what they are with nothing else."""
    given = pairs.net, COSINE, pairs.a, pairs.partners, heat, SHARE, BATCH
    return torch.cat([pairs.scores[:, None] - without(*given), alone(*given)], 1)


def both(pairs: Pairs, draw: Callable[[], Tensor]) -> Tensor:
    return torch.stack([measured(pairs, draw()) for _ in range(DRAWS)]).mean(0)


def row(name: str, values: Tensor, random: Tensor | None) -> None:
    cells = []
    low, high = (None, None) if random is None else group_bootstrap(
        values - random, torch.arange(len(values)), samples=2000, confidence=0.95, seed=0
    )  # fmt: skip
    for k, mean in enumerate(values.mean(0).tolist()):
        cells += [f"{mean:.3f}", "" if low is None or high is None else f"[{low[k]:+.3f}, {high[k]:+.3f}]"]
    print(f"| {name} | " + " | ".join(cells) + " |", flush=True)


def alike(one: Tensor, other: Tensor) -> float:
    """The mean rank correlation of maps, pixel by pixel."""
    ranks = [x.flatten(1).argsort(1).argsort(1).double() for x in (one, other)]
    ranks = [functional.normalize(r - r.mean(1, keepdim=True)) for r in ranks]
    return float((ranks[0] * ranks[1]).sum(1).mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", choices=("glyphs", "emoji"), default="glyphs")
    parser.add_argument("--root", default=".", help="where the emoji lie")
    parser.add_argument("--model", default="", help="a run or a bundle, in place of training one")
    parser.add_argument("--pairs", type=int, default=200)
    parser.add_argument("--steps", type=int, default=400, help="of training")
    parser.add_argument("--part", choices=("validation", "test"), default="test")
    parser.add_argument("--save", type=Path, help="a folder to keep the trained model in")
    parser.add_argument("--draw", type=Path, help="only draw one pair, to this .png file")
    parser.add_argument("--pair", type=int, default=0, help="which pair is drawn")
    asked = parser.parse_args()
    start = time.perf_counter()
    parts = split(read("glyphs" if asked.data == "glyphs" else f"emoji:{asked.root}"))
    if asked.model:
        ready = isometry.load(asked.model)
    else:
        ready = glyph_model(asked.steps) if asked.data == "glyphs" else emoji_model(parts.train, 250, asked.steps)
    if asked.save:
        asked.save.mkdir(parents=True, exist_ok=True)
        ready.save(asked.save)
    a, b = drawn_pairs(ready, getattr(parts, asked.part), asked.pairs)
    if asked.draw:
        one = slice(asked.pair, asked.pair + 1)
        written(drawn(why_each(ready, a[one], b[one], steps=32)[0], side=200), asked.draw)
        return
    print(f"{asked.data}, {len(a)} pairs of the {asked.part} classes, {list(a.shape[1:])}, {ready.model.texts}\n")
    table(Pairs(ready.model, a, b))
    print(f"\n{time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
