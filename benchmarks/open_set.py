"""Do calibrated thresholds keep their rate on classes that nobody has seen? Letters, over many divisions of the test classes.

    python benchmarks/open_set.py runs/demo
    python benchmarks/open_set.py runs/demo --splits 50 --rates 0.05 0.1

Each division draws a quarter of the test classes of glyphs as a gallery (two thirds of their pictures; the others are known
probes), half of them to calibrate with, and a quarter that are new. Asked: how many pictures of new classes may be named.
Reached: how many are, classes weighing alike, averaged over divisions, with its standard error; and the share of divisions
above the rate. DIR: known probes named right.

- gallery: one threshold, hierarchical conformal; on average, and with a confidence of .9.
- class: a threshold a class of the gallery; half of the calibration classes say how similar strangers are to each.
- pooled: the conformal quantile of all pictures of calibration, as if they were independent.
- bundle: the threshold that accepts so many of the different-class pairs of the validation classes: of pairs, not of a search.
"""

import argparse
import statistics
from collections.abc import Callable

import torch
from torch import Tensor

import isometry
from isometry import openset
from isometry.bundle import calibrate as of_pairs
from isometry.data import read
from isometry.evaluation import embed
from isometry.openset.scoring import best
from isometry.ops.conformal import Tail, TooFew, budget

CONFIDENCE = 0.9


def held(z: Tensor, labels: list[str], rows: Tensor) -> openset.Held:
    """Some of the letters."""
    return openset.Held(
        z[rows], [labels[i] for i in rows.tolist()], torch.empty(0, 2, dtype=torch.int64), name="glyphs"
    )


def divided(y: Tensor, seed: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Rows of the gallery, of known probes, of calibration and of new classes."""
    g = torch.Generator().manual_seed(seed)
    classes = y.unique()
    enrolled, calibration, new = classes[torch.randperm(len(classes), generator=g)].split(
        [len(classes) // 4, len(classes) // 2, len(classes) - len(classes) // 4 - len(classes) // 2]
    )
    probe = torch.rand(len(y), generator=g) < 1 / 3
    inside = torch.isin(y, enrolled)
    parts = (inside & ~probe, inside & probe, torch.isin(y, calibration), torch.isin(y, new))
    return tuple(part.nonzero()[:, 0] for part in parts)  # type: ignore[return-value]


def tried(gallery, known, new, scales, threshold) -> tuple[float, float]:
    """The rate among new classes, and DIR, of a threshold on scores."""
    found = best(gallery, new.z, scales)
    tail = Tail.of(found.score, new.codes()[1])
    rate = float(tail.at(torch.tensor([threshold]))) / tail.groups
    mine = best(gallery, known.z, scales)
    right = [a == b and s >= threshold for a, b, s in zip(mine.label, known.labels, mine.score.tolist(), strict=True)]
    return rate, sum(right) / len(right)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("run")
    parser.add_argument("--splits", type=int, default=30)
    parser.add_argument("--rates", type=float, nargs="+", default=[0.02, 0.05, 0.1])
    args = parser.parse_args()
    model, data = isometry.load(args.run), read("glyphs")
    test, validation = (embed(model, data.part(part), workers=0) for part in ("test", "validation"))
    z, y = test.z, test.data.labels
    labels = [test.data.classes[i] for i in y.tolist()]
    pairs = of_pairs(validation, rates=args.rates)
    print(f"{len(y):,} letters of {len(y.unique())} classes, {args.splits} divisions")
    print(f"{'asked':>6}  {'threshold':22} {'reached':>16}  {'above':>5}  {'DIR':>5}")
    for rate in args.rates:
        found: dict[str, list[tuple[float, float]]] = {}
        for seed in range(args.splits):
            at, known, calibration, new = divided(y, seed)
            gallery = openset.Vectors(z[at], [labels[i] for i in at.tolist()])
            strangers, probes, others = (held(z, labels, rows) for rows in (calibration, known, new))

            def conformal(
                confidence: float | None, per_class: bool, gallery=gallery, strangers=strangers, rate=rate, seed=seed
            ) -> tuple[object, float]:
                made = openset.calibrate(
                    gallery, strangers, rate=rate, confidence=confidence, per_class=per_class, seed=seed
                )
                return made.scales, made.threshold

            def pooled(gallery=gallery, strangers=strangers, rate=rate) -> tuple[object, float]:
                flat = Tail.of(best(gallery, strangers.z).score, torch.arange(len(strangers)))
                return None, flat.threshold(budget(flat, rate))

            ways: dict[str, Callable[[], tuple[object, float]]] = {
                "gallery": lambda: conformal(None, False),
                f"gallery, confidence {CONFIDENCE}": lambda: conformal(CONFIDENCE, False),
                "class": lambda: conformal(None, True),
                "pooled": pooled,
                "bundle": lambda rate=rate: (None, pairs.at(rate).score),
            }
            for name, way in ways.items():
                try:
                    scales, threshold = way()
                except TooFew as error:
                    found.setdefault(f"{name}: from {error.smallest:.3g} on", [])
                    continue
                found.setdefault(name, []).append(tried(gallery, probes, others, scales, threshold))
        for name, rows in found.items():
            if not rows:
                print(f"{rate:6g}  {name}")
                continue
            rates, dirs = zip(*rows, strict=True)
            error = statistics.stdev(rates) / len(rates) ** 0.5
            above = sum(r > rate for r in rates) / len(rates)
            print(
                f"{rate:6g}  {name:22} {statistics.mean(rates):7.4f} ± {error:.4f}  {above:5.2f}  {statistics.mean(dirs):5.3f}"
            )


if __name__ == "__main__":
    main()
