"""What an evaluation gives: values with intervals, the values of every query, and views of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from isometry.expression import parse
from isometry.ops.bootstrap import group_bootstrap


@dataclass(frozen=True)
class Result:
    """A metric's value.

    Attributes:
        value: mean over the queries that are scored; or the value of the whole space, for a statistic.
        low, high: its interval, from drawing classes with replacement; NaN where there are fewer than two classes.
        per_query: float32 `[n]` on the CPU, in the order the queries were given; NaN for those not scored. Empty
            for a statistic of the whole space.
        least, most: what the value would be if, wherever similarities are equal, matches came last, or first. Both are
            the value where no tie matters.
    """

    value: float
    low: float
    high: float
    per_query: Tensor = field(default_factory=lambda: torch.empty(0))
    least: float = float("nan")
    most: float = float("nan")

    def __float__(self) -> float:
        return self.value

    def __repr__(self) -> str:
        return f"{self.value:.4f} [{self.low:.4f}, {self.high:.4f}]"


@dataclass(frozen=True)
class Resampling:
    """How intervals are drawn."""

    samples: int = 1000
    confidence: float = 0.95
    seed: int = 0

    def interval(self, values: Tensor, groups: Tensor) -> tuple[Tensor, Tensor]:
        """Of the means of the columns, drawing whole groups of rows."""
        return group_bootstrap(values, groups, samples=self.samples, confidence=self.confidence, seed=self.seed)


class Results(dict[str, Result]):
    """Results by the text of their metric, in any spelling that parses to it.

    Attributes:
        classes: the class of each query, as a number; what intervals draw.
        resampling: how intervals are drawn.
    """

    classes: Tensor
    resampling: Resampling

    def __missing__(self, text: str) -> Result:
        name = repr(parse(text))
        if name not in self:
            raise KeyError(f"{text} was not evaluated; there are {', '.join(self)}")
        return self[name]

    def macro(self) -> "Results":
        """The same with every class counting alike: means of the means of classes. Statistics are left out."""
        names, values = self._table()
        scored = ~values.isnan().all(1)
        code = torch.unique(self.classes[scored], return_inverse=True)[1]
        count = int(code.max()) + 1 if len(code) else 0
        kept = values[scored].double()
        known = ~kept.isnan()
        total = torch.zeros(count, len(names), dtype=torch.float64).index_add_(0, code, kept.nan_to_num())
        means = total / torch.zeros_like(total).index_add_(0, code, known.double())
        return summed_up(names, means, torch.arange(count), self.resampling, per_query=values)

    def within(self, keep: Bool[Tensor, " n"]) -> "Results":
        """The same over some of the queries. Statistics are left out."""
        names, values = self._table()
        return summed_up(names, values[keep], self.classes[keep], self.resampling)

    def by(self, groups: Int[Tensor, " n"], names: Sequence[str] = ()) -> dict[str, "Results"]:
        """Results of each group of queries that has a scored one, under its name or number; −1 is no group.

        >>> import isometry
        >>> z = torch.tensor([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0], [0.8, 0.2]])
        >>> found = isometry.evaluate(z, torch.tensor([0, 1, 1, 0]), "Recall(k=1)", samples=0)
        >>> {name: round(float(part["Recall(k=1)"]), 2) for name, part in found.by(torch.tensor([0, 0, 1, 1])).items()}
        {'0': 0.0, '1': 0.0}
        """
        groups = torch.as_tensor(groups).cpu()
        found = {}
        for group in torch.unique(groups[groups >= 0]).tolist():
            part = self.within(groups == group)
            if any(result.value == result.value for result in part.values()):
                found[names[group] if names else str(group)] = part
        return found

    def _table(self) -> tuple[list[str], Tensor]:
        held = {name: result.per_query for name, result in self.items() if len(result.per_query)}
        return list(held), torch.stack(list(held.values()), 1) if held else torch.empty(len(self.classes), 0)


def summed_up(
    names: list[str],
    values: Tensor,
    classes: Tensor,
    resampling: Resampling,
    *,
    per_query: Tensor | None = None,
    least: Tensor | None = None,
    most: Tensor | None = None,
) -> Results:
    """Means and intervals of the columns of values `[n s]`, over the rows that are scored."""

    def mean(table: Tensor | None) -> list[float]:
        return [float("nan")] * len(names) if table is None else table.double().nanmean(0).tolist()

    found = Results()
    found.classes, found.resampling = classes, resampling
    low, high = _intervals(values, classes, resampling)
    columns = zip(names, mean(values), low, high, mean(least), mean(most), strict=True)
    kept = values if per_query is None else per_query
    for i, (name, value, lower, upper, worst, best) in enumerate(columns):
        found[name] = Result(value, lower, upper, kept[:, i].clone(), worst, best)
    return found


def _intervals(values: Tensor, classes: Tensor, resampling: Resampling) -> tuple[list[float], list[float]]:
    """Intervals of each column; columns that are scored for the same queries are drawn together."""
    low, high = torch.full((2, values.shape[1]), torch.nan, dtype=torch.float64)
    scored = ~values.isnan()
    left = list(range(values.shape[1]))
    while left:
        same = [i for i in left if torch.equal(scored[:, i], scored[:, left[0]])]
        rows = scored[:, left[0]]
        low[same], high[same] = resampling.interval(values[rows][:, same], classes[rows])
        left = [i for i in left if i not in same]
    return low.tolist(), high.tolist()


def with_statistics(results: Results, order: Sequence[str], made: dict[str, Callable[[], Result]]) -> Results:
    """Results in the order asked for, the statistics' made now."""
    found = Results()
    found.classes, found.resampling = results.classes, results.resampling
    for name in order:
        found[name] = made[name]() if name in made else results[name]
    return found
