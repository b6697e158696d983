"""The dry run: every method of a recipe for two steps, on its own data, so that a long study does not fail in the night."""

import tempfile
from pathlib import Path

from isometry.bench import runner
from isometry.bench.progress import Silent
from isometry.bench.recipe import Recipe


def run(recipe: Recipe, *, data_root: Path | None, workers: int | None, show: Silent) -> int:
    """Prints what works and what does not; 0 when all does, else 1. Nothing is kept."""
    small = recipe.shrunk()
    with tempfile.TemporaryDirectory(prefix="isometry-dry-run-") as folder:
        out = Path(folder) / "out"
        cache = Path(folder) / "cache"
        findings = runner.run(small, data_root=data_root, out=out, cache=cache, workers=workers, show=show)
    wrong = [(method.name, line) for method in findings.methods for line in method.failures]
    for method in findings.methods:
        said = [line for name, line in wrong if name == method.name]
        print(f"{'fails' if said else 'works'}  {method.name}{': ' + said[0] if said else ''}")
    works = len(findings.methods) - len({name for name, _ in wrong})
    print(f"{works} of {len(findings.methods)} methods work. Nothing was kept: the numbers of a dry run mean nothing.")
    return 1 if wrong else 0
