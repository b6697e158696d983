"""What a terminal shows while a study runs, and of a plan."""

import statistics
import sys
import time
from collections.abc import Iterable
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table

from isometry.bench.cell import Outcome
from isometry.bench.plan import Plan, Planned

QUIET = 20.0
"""Seconds between lines where there is no terminal."""


class Silent:
    """Takes what is told of a study while it runs, and shows nothing."""

    def say(self, text: str) -> None:
        """Something that happened, in a line."""

    def update(self, plan: Plan, at_once: int) -> None:
        """The plan as it stands, and how many trainings run at once."""

    def close(self) -> None:
        """It is over."""


class Shown(Silent):
    """A bar with trainings done, methods done, failures and time left; plain lines where there is no terminal."""

    def __init__(self) -> None:
        self.console = Console(stderr=True, highlight=False, soft_wrap=True)
        self.bar: Progress | None = None
        self.task: Any = None
        self.last = 0.0

    def say(self, text: str) -> None:
        self.console.print(text, markup=False)

    def update(self, plan: Plan, at_once: int) -> None:
        text = f"{plan.done} of {plan.planned} trainings  {state(plan)}  {duration(seconds_left(plan, at_once))} left"
        if not self.console.is_terminal:
            if time.monotonic() - self.last > QUIET:
                self.last = time.monotonic()
                self.say(text)
            return
        if self.bar is None:
            self.bar = Progress(BarColumn(), TextColumn("{task.description}"), console=self.console)
            self.task = self.bar.add_task(text, total=plan.planned)
            self.bar.start()
        self.bar.update(self.task, completed=plan.done, total=plan.planned, description=text)

    def close(self) -> None:
        if self.bar:
            self.bar.stop()
            self.bar = None


def state(plan: Plan) -> str:
    """Methods done, and failures, in words."""
    methods = sum(method.over for method in plan.methods)
    failed = sum(outcome.state != "done" for outcome in plan.outcomes().values())
    said = f"{methods} of {len(plan.methods)} methods"
    return said + (f"  {failed} failed" if failed else "")


def seconds_left(plan: Plan, at_once: int) -> float | None:
    """Time until all is done, from the median of each method's trainings, or of all where it has none; None: not known."""
    overall = median(plan.outcomes().values())
    if overall is None:
        return None
    left = 0.0
    for method in plan.methods:
        own = median(outcome for _, outcome in method.known() if outcome is not None)
        left += (sum(method.wanted) - sum(method.ran)) * (overall if own is None else own)
    return left / max(1, at_once)


def median(outcomes: Iterable[Outcome]) -> float | None:
    """Of the seconds by the clock that trainings took."""
    walls = [outcome.wall for outcome in outcomes if outcome.wall > 0]
    return statistics.median(walls) if walls else None


def duration(seconds: float | None) -> str:
    """
    >>> duration(None), duration(42), duration(700), duration(9000)
    ('unknown time', '42 s', '12 min', '2 h 30 min')
    """
    if seconds is None:
        return "unknown time"
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60:02d} min"


def show_plan(plan: Plan, workers: int) -> None:
    """The table of `--plan`: a method a row."""
    table = Table(box=None, pad_edge=False)
    for title in ("method", "search", "final", "best so far", "a training"):
        table.add_column(title, justify="left" if title == "method" else "right", no_wrap=True)
    for method in plan.methods:
        table.add_row(*_row(method))
    Console(highlight=False, width=None if sys.stdout.isatty() else 160).print(table)
    print(f"{plan.done} of {plan.planned} trainings done; {len(plan.todo)} can start now.")
    print(f"Time left with {workers} workers: {duration(seconds_left(plan, workers))}.")


def _row(method: Planned) -> tuple[str, ...]:
    (tried, tested), (trials, finals) = method.ran, method.wanted
    known = [outcome for _, outcome in method.known() if outcome is not None]
    best = max((trial.value for trial in method.trials if trial.value == trial.value), default=None)
    seconds = median(known)
    return (
        method.name,
        f"{tried}/{trials}",
        f"{tested}/{finals}",
        "–" if best is None else f"{best:.4f}",
        "–" if seconds is None else f"{seconds:.1f} s",
    )
