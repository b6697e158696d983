"""What an audit says on the terminal."""

from typing import Any

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from isometry.audit.audit import Audit
from isometry.audit.findings import KINDS


class Seeing:
    """A bar of the pictures seen, on a terminal only."""

    def __enter__(self) -> "Seeing":
        console = Console(stderr=True)
        self.bar = Progress(console=console, transient=True, disable=not console.is_terminal)
        self.task = self.bar.add_task("pictures", total=None)
        self.bar.start()
        return self

    def row(self, done: int, total: int) -> None:
        """So many of so many."""
        self.bar.update(self.task, completed=done, total=total)

    def __exit__(self, *_: Any) -> None:
        self.bar.stop()


def summary(found: Audit) -> None:
    """What was found, how many times, and how bad it is; and what it rests on."""
    console = Console()
    print(f"{len(found.data):,} pictures of {len(found.data.present()):,} classes; {found.rule}")
    counts = found.counts()
    if counts:
        table = Table(box=None, pad_edge=False)
        for column, side in (("finding", "left"), ("severity", "left"), ("number", "right"), ("what it is", "left")):
            table.add_column(column, justify=side)  # type: ignore[arg-type]
        for kind, severity, count in counts:
            table.add_row(kind, severity, f"{count:,}", KINDS[kind])
        console.print(table)
    else:
        print("nothing was found")
    made = ", ".join(f"{name} {hit} of {count}" for name, (hit, count) in found.copies.found.items())
    if made:
        print(f"copies made of these pictures to see whether they are found: {made}")
    print(f"embedded by: {found.embedding or 'nothing, so nothing is said of labels and outliers'}")
    if found.mislabels is not None:
        print(f"labels that may be wrong: {found.mislabels.said}")
