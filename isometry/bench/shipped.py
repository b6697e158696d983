"""The recipes that come with isometry, by name."""

from pathlib import Path

import isometry
from isometry.bench import recipe as recipes
from isometry.bench.recipe import Recipe
from isometry.component import nearest

PACKAGE = Path(isometry.__file__).parent
FOLDERS = (PACKAGE / "bench" / "recipes", PACKAGE.parent / "recipes")
"""Where an installed package has them, and where the repository has."""


def read(given: str | Path) -> Recipe:
    """The recipe in a file, or the shipped one of that name: "glyphs", "recipes/glyphs.toml".

    Raises:
        FileNotFoundError, ValueError: in one line.
    """
    path = Path(given)
    if path.is_file():
        return recipes.read(path)
    known = shipped()
    if path.suffix in ("", ".toml") and path.parent in (Path("."), Path("recipes")) and path.stem in known:
        return recipes.read(known[path.stem])
    beside = sorted(str(file) for file in path.parent.glob("*.toml"))
    meant = nearest(str(given), beside) or nearest(path.stem, known) or f" Shipped are {', '.join(known)}."
    raise FileNotFoundError(f"There is no recipe {given}.{meant}")


def shipped() -> dict[str, Path]:
    """Name to file."""
    return {path.stem: path for folder in reversed(FOLDERS) for path in sorted(folder.glob("*.toml"))}
