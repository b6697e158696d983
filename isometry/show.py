"""What a terminal shows while training, and the table at the end."""

import sys
import time
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeRemainingColumn  # fmt: skip
from rich.progress import Progress as Bar
from rich.table import Table

if TYPE_CHECKING:
    from isometry.comparison import Comparison


class Progress:
    """A bar with loss, images a second, share of time waiting for data, and time left; plain lines where there is no terminal."""

    def __init__(self) -> None:
        self.console = Console(stderr=not sys.stdout.isatty(), highlight=False, soft_wrap=not sys.stdout.isatty())
        self.bar: Bar | None = None
        self.task: Any = None
        self.last = 0.0

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *_: object) -> None:
        if self.bar:
            self.bar.stop()

    def row(self, row: dict[str, Any]) -> None:
        """Takes one row of the log."""
        if "note" in row:
            self.say(row["note"])
        elif "validation" in row:
            shown = "  ".join(f"{name} {value:.4f}" for name, value in row["validation"].items())
            self.say(f"step {row['step']:>6}  validation  {shown}")
        else:
            self.training(row)

    def say(self, text: str) -> None:
        (self.bar.console if self.bar else self.console).print(text, markup=False)

    def training(self, row: dict[str, Any]) -> None:
        text = f"loss {row['loss']:.4f}  {row['images_per_second']:,.0f} images/s  waiting {row['data_wait']:.0%}"
        if not self.console.is_terminal:
            if time.monotonic() - self.last > 10 or row["step"] == row["total"]:
                self.last = time.monotonic()
                self.say(f"step {row['step']:>6} of {row['total']}  {text}")
            return
        if self.bar is None:
            columns = (
                TextColumn("step {task.completed} of {task.total}"),
                BarColumn(),
                TextColumn("{task.description}"),
            )
            self.bar = Bar(*columns, TimeRemainingColumn(), console=self.console)
            self.task = self.bar.add_task(text, total=row["total"])
            self.bar.start()
        self.bar.update(self.task, completed=row["step"], description=text)

    def result(self, metrics: dict[str, Any]) -> None:
        """The table: a metric a row, with its interval, beside the baselines."""
        table = Table(box=None, pad_edge=False)
        columns = {"test": metrics["test"], **metrics.get("baselines", {})}
        table.add_column("metric")
        for name in columns:
            table.add_column(name, justify="right")
        for metric in metrics["test"]:
            table.add_row(metric, *(_cell(found.get(metric)) for found in columns.values()))
        Console(highlight=False, width=None if sys.stdout.isatty() else 160).print(table)

    def besides(self, found: dict[str, Any]) -> None:
        """Tables of what is measured besides: categories, re-rankings, codes."""
        names = list(found["test"])
        if found.get("categories"):
            self._table("category", [(name, part) for name, part in found["categories"].items()], names)
        if found.get("reranked"):
            self._table("re-ranked by", list(found["reranked"].items()), names)
        if found.get("codes"):
            rows = [
                (f"{row['code']}, {row['bytes']} bytes, {row['neighbours kept']:.1%} of neighbours", row["metrics"])
                for row in found["codes"]
            ]
            self._table("gallery as", rows, names)

    def _table(self, title: str, rows: list[tuple[str, dict[str, Any]]], names: list[str]) -> None:
        names = [name for name in names if any(name in values for _, values in rows)]
        table = Table(box=None, pad_edge=False)
        table.add_column(title)
        for name in names:
            table.add_column(name, justify="right")
        for row, values in rows:
            table.add_row(row, *(_cell(values.get(name)) for name in names))
        console = Console(highlight=False, width=None if sys.stdout.isatty() else 160)
        console.print()
        console.print(table)


def comparison(found: "Comparison", *, seeds: bool = False) -> None:
    """The table of a comparison, and its notes."""
    titles, rows = found.table(seeds=seeds)
    table = Table(box=None, pad_edge=False)
    for title in titles:
        left = title in ("metric", "run")
        table.add_column(title, justify="left" if left else "right", no_wrap=True)
    previous = ""
    for metric, *cells in rows:
        table.add_row(metric if metric != previous else "", *cells)
        previous = metric
    console = Console(highlight=False, width=1000, soft_wrap=True)  # a narrow terminal wraps lines, and cuts no number
    console.print(table)
    for note in (*found.notes, found.measured()):
        console.print(note, markup=False)


def _cell(result: dict[str, Any] | None) -> str:
    if result is None:
        return "–"
    low, high = (result["low"], result["high"])
    return f"{result['value']:.4f}" + ("" if low is None or high is None else f" [{low:.3f}, {high:.3f}]")
