"""Can the bench tell truth from noise? Studies of a method against itself, and against itself with a planted handicap.

    python benchmarks/harness.py
    python benchmarks/harness.py --recipe recipes/emoji.toml --data-root FOLDER --out harness.md

Every study trains two methods with the bench's own plan, five seeds each, and tests their difference as the bench does.

- Alike: the two differ in nothing but the stream of their seeds. A test at .05 may cry wolf in one study of twenty.
- Alike, each with a search of its own: the settings that the two searches choose differ by chance, and no test of the
  final trainings can see that. How much it adds is shown beside it.
- Handicap: for the second method a share of the training labels is shuffled, about as large as is found four times in
  five. Test classes are drawn anew for each study, with replacement, so that the effect over all of them is the truth;
  the chance of finding it that the studies' own errors promise stands beside how often it was found.

Without a recipe the data are invented pictures: 160 classes around random centres. One core; nothing is
kept.
"""

import argparse
import dataclasses
import statistics
import tempfile
import time
import warnings
from pathlib import Path
from typing import NamedTuple

import torch
from scipy import stats

from isometry.bench.findings import SEPARATED
from isometry.bench.plan import planned
from isometry.bench.readings import Table, readings_of
from isometry.bench.recipe import Recipe, made, read
from isometry.bench.recipe_parts import MethodEntry
from isometry.bench.shelf import Shelf
from isometry.bench.study import Study
from isometry.bench.training import train_cell
from isometry.ops.bootstrap import group_means, percentiles
from isometry.ops.crossed import Crossed, crossed, over_seeds
from isometry.ops.seeds import drawn_mean

METRIC, APART, LEVEL, POWER = "MAPAtR()", 1000, 0.05, 0.8
SHARES = (0.1, 0.2, 0.4, 0.7)
INVENTED = {
    "name": "invented",
    "data": {"source": "arrays"},
    "model": {
        "trunk": "ConvNet(widths=(8, 16), size=8)",
        "pool": "Flatten()",
        "head": "Linear(dim=16)",
        "frozen": True,
    },
    "train": {"sampler": "ClassesTimesInstances(classes=16, instances=4)", "head_lr": 3e-3},
}


def invented(classes: int = 160, each: int = 8) -> tuple[object, object]:
    """Pictures of 8 × 8 and labels: a centre for each class, noise, and six patterns that vary within classes the most.

    These are the same for all classes, so that a head that learned to look past them serves classes that it never saw.
    """
    generator = torch.Generator().manual_seed(0)
    centres = torch.rand(classes, 64, generator=generator) * 255
    y = torch.arange(classes).repeat_interleave(each)
    patterns = torch.randn(6, 64, generator=generator)
    noise = (
        50 * torch.randn(len(y), 64, generator=generator) + 60 * torch.randn(len(y), 6, generator=generator) @ patterns
    )
    return (centres[y] + noise).clamp(0, 255).to(torch.uint8).view(-1, 1, 8, 8).numpy(), y.numpy()


def opened(args: argparse.Namespace, cache: Path) -> Study:
    """The study that all others are made of: one fold, no controls, one metric."""
    recipe = read(args.recipe) if args.recipe else made(INVENTED, "harness")
    recipe = recipe.changed(
        metrics=METRIC,
        metric=METRIC,
        controls=(),
        cards=(),
        methods=(),
        reference="",
        folds=recipe.folds.model_copy(update={"searched": 1, "tested": 1}),
        train=recipe.train.model_copy(update={"budget": args.budget, "validations": 1, "patience": 0}),
        final=recipe.final.model_copy(update={"seeds": args.seeds}),
    )
    data = None if args.recipe else invented()
    return Study.open(recipe, data_root=args.data_root, cache=cache, data=data)


def trained(study: Study, loss: str, stream: int, trials: int = 1) -> Table:
    """One method of a study, by the bench's own plan: its columns have one name, "method"."""
    entry = MethodEntry(name="method", loss=loss, stream=APART * stream)
    search = study.recipe.search.model_copy(update={"trials": trials, "round": max(1, trials // 2)})
    changed: Recipe = study.recipe.model_copy(update={"methods": (entry,), "reference": "method", "search": search})
    own = dataclasses.replace(study, recipe=changed)
    with tempfile.TemporaryDirectory() as folder:
        shelf = Shelf(Path(folder))
        plan = planned(own, shelf)
        while plan.todo:
            for cell in plan.todo:
                shelf.put(cell.key, *train_cell(own, cell, Path(folder)))
            plan = planned(own, shelf, plan)
        return readings_of(own, shelf, plan).tables[SEPARATED, METRIC]


def against(first: Table, second: Table) -> Table:
    """Two methods in one table, with the seeds, by their place, that left embeddings for both.

    Raises:
        ValueError: where there are none.
    """
    both = sorted(set(first.seeds["method"]) & set(second.seeds["method"]))
    if not both:
        raise ValueError("All trainings of a method failed: there is nothing to compare. Give a larger --budget.")
    columns = {
        name: table.columns["method"][:, [table.seeds["method"].index(seed) for seed in both]]
        for name, table in (("first", first), ("second", second))
    }
    seeds = dict.fromkeys(columns, tuple(both))
    return Table(columns=columns, classes=first.classes, fixed=frozenset(), seeds=seeds, statistic=False)


def handicapped(study: Study, share: float) -> Study:
    """The study with the labels of this share of the training pictures shuffled among themselves."""
    generator = torch.Generator().manual_seed(0)
    side = (study.division.fold != -2).nonzero()[:, 0]
    some = side[torch.randperm(len(side), generator=generator)[: round(share * len(side))]]
    labels = study.data.labels.clone()
    labels[some] = labels[some[torch.randperm(len(some), generator=generator)]]
    return dataclasses.replace(study, data=dataclasses.replace(study.data, labels=labels))


class Tests(NamedTuple):
    """What each test says of one study: whether it finds a difference."""

    crossed: bool
    seeds: bool
    classes: bool
    bootstrap: bool


NAMES = Tests._make(
    (
        "seeds and classes crossed (the bench's)",
        "paired t over seeds alone",
        "classes alone, seeds averaged",
        "percentiles of a bootstrap of classes and seeds",
    )  # type: ignore[arg-type]
)


def tests_of(table: Table) -> tuple[Crossed, Tests]:
    """The bench's test of a study, and the simpler ones."""
    found = table.difference("second", "first")
    assert found is not None  # both have a column
    means, sizes = table.by_class
    gap = means["second"] - means["first"]
    rows = table.columns["second"] - table.columns["first"]
    drawn = group_means(rows[~rows.isnan().any(1)], table.classes[~rows.isnan().any(1)], samples=1000, seed=0)
    low, high = percentiles(drawn_mean(drawn, seed=0)[:, None], 1 - LEVEL)
    return found, Tests(
        crossed=float(found.p) < LEVEL,
        seeds=float(over_seeds((gap * sizes).sum(1)[None] / sizes.sum()).p) < LEVEL,
        classes=float(crossed(gap.mean(0)[None, None], sizes).p) < LEVEL,
        bootstrap=bool((low > 0) | (high < 0)),
    )


def alike(study: Study, args: argparse.Namespace, studies: int, trials: int, first: int) -> tuple[list[str], float]:
    """Rows of the table for studies of a method against itself, and the typical smallest detectable difference."""
    found = []
    for number in range(studies):
        pair = [trained(study, args.loss, first + 2 * number + side, trials) for side in (0, 1)]
        found.append(tests_of(against(*pair)))
    what = f"alike, each with a search of {trials} trials" if trials > 1 else "alike"
    names = zip(NAMES, zip(*(tests for _, tests in found), strict=True), strict=True)
    rows = [row(what, str(name), sum(hits), studies, f"at most {100 * LEVEL:.0f} %") for name, hits in names]
    return rows, statistics.median(float(one.detectable) for one, _ in found)


def handicap(study: Study, args: argparse.Namespace, first: int) -> list[str]:
    """The row of the table for studies with a handicap that is found four times in five, going by a first look."""
    generator = torch.Generator().manual_seed(0)
    clean, powers = trained(study, args.loss, first), [LEVEL]
    for share in SHARES:
        table = against(clean, trained(handicapped(study, share), args.loss, first))
        effect = float((table.values("second") - table.values("first")).mean())
        powers.append(statistics.fmean(power_of(effect, redrawn(table, generator)) for _ in range(20)))
    share = interpolated((0.0, *SHARES), powers, POWER)
    worse = handicapped(study, share)
    gaps, hits, promised = [], 0, []
    for number in range(1, args.handicaps + 1):
        table = against(trained(study, args.loss, first + number), trained(worse, args.loss, first + number))
        found = redrawn(table, generator)
        gaps.append((table.values("second") - table.values("first")).mean())
        hits += int(float(found.p) < LEVEL and float(found.difference) < 0)
        promised.append(found)
    truth = torch.stack(gaps)
    power = statistics.fmean(power_of(float(truth.mean()), one) for one in promised)
    spread = float(truth.std()) / len(truth) ** 0.5 if len(truth) > 1 else float("nan")
    what = f"{100 * share:.0f} % of the labels shuffled: {float(truth.mean()):+.4f} ± {spread:.4f} MAP@R"
    return [row(what, NAMES.crossed, hits, args.handicaps, f"{100 * power:.0f} % promised")]  # type: ignore[arg-type]


def redrawn(table: Table, generator: torch.Generator) -> Crossed:
    """The bench's test of second − first, on as many test classes drawn with replacement."""
    means, sizes = table.by_class
    at = torch.randint(len(sizes), (len(sizes),), generator=generator)
    return crossed((means["second"] - means["first"])[None][:, :, at], sizes[at])


def interpolated(shares: tuple[float, ...], found: list[float], wanted: float) -> float:
    """The share that gives what is wanted, on straight lines between those tried; the largest if none is enough."""
    for i in range(1, len(shares)):
        if found[i] >= wanted:
            part = (wanted - found[i - 1]) / (found[i] - found[i - 1])
            return shares[i - 1] + max(0.0, part) * (shares[i] - shares[i - 1])
    return shares[-1]


def power_of(effect: float, found: Crossed) -> float:
    """The chance that Student's test with this error and freedom finds an effect, on its own side of 0."""
    error, freedom = float(found.error), float(found.freedom)
    return float(stats.nct.sf(stats.t.ppf(1 - LEVEL / 2, freedom), freedom, abs(effect) / error))


def row(what: str, test: str, hits: int, count: int, expected: str) -> str:
    """A line of the table; the interval is Clopper and Pearson's."""
    ends = stats.binomtest(hits, count).proportion_ci()
    share = f"{100 * hits / count:.1f} % [{100 * ends.low:.1f}, {100 * ends.high:.1f}]"
    return f"| {what} | {test} | {hits} of {count} | {share} | {expected} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--recipe", default="", help="features of its frozen trunk are used (default: invented pictures)"
    )
    parser.add_argument("--data-root", type=Path)
    parser.add_argument("--loss", default="Contrastive()")
    parser.add_argument("--budget", default="20 steps")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--studies", type=int, default=200, help="of a method against itself")
    parser.add_argument("--searched", type=int, default=20, help="the same with a search of its own for each")
    parser.add_argument("--trials", type=int, default=4, help="of such a search")
    parser.add_argument("--handicaps", type=int, default=60, help="studies with a handicap")
    parser.add_argument(
        "--cache", type=Path, help="keeps the features of a recipe's trunk (default: a folder that is removed)"
    )
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")  # of queries without a match, and of ties
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as cache:
        study = opened(args, args.cache or Path(cache))
        rows, least = alike(study, args, args.studies, 1, 1)
        first = 1 + 2 * args.studies
        if args.searched:
            rows += alike(study, args, args.searched, args.trials, first)[0]
        if args.handicaps:
            rows += handicap(study, args, first + 2 * args.searched)
    lines = [
        f"{study.data!r}: {args.loss}, {args.budget}, {args.seeds} seeds, {len(study.test.present())} test classes. "
        f"Smallest detectable difference of one study (median): {least:.4f} MAP@R. "
        f"{time.perf_counter() - start:.0f} s.",
        "",
        "| Methods | Test | Finds a difference | Share [95 %] | Expected |",
        "|---|---|---|---|---|",
        *rows,
    ]
    print("\n".join(lines))
    if args.out:
        args.out.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
