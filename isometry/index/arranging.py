"""How the base of a gallery is searched: as it was asked for, or as measuring says."""

from collections.abc import Callable
from typing import Any

from torch import Tensor

from isometry.expression import parse
from isometry.index.kinds import Flat
from isometry.index.kinds.kind import Kind
from isometry.index.manifest import Manifest
from isometry.index.segment import SEARCHER
from isometry.index.writing import Writing


def kind_of(manifest: Manifest) -> Kind:
    """How the base is searched."""
    return read_kind(manifest.kind or "Flat()")


def read_kind(text: str) -> Kind:
    """The kind that a text stands for.

    Raises:
        ValueError: when it is none.
    """
    if text.replace(" ", "") in ("Flat()", "Flat"):
        return Flat()
    kind = parse(text)
    if not isinstance(kind, Kind):
        raise ValueError(f"{text!r} is no kind of index; one is written like Flat(), HNSW(links=32) or IVF().")
    return kind


def arranged(
    new: Writing, asked: str, recall: float, compare: Callable[[Tensor, Tensor], Tensor], tell: Callable[[str], None]
) -> tuple[str, tuple[dict[str, Any], ...]]:
    """Writes the index of a new base, where its kind has one; how it is searched, and what was measured.

    Args:
        asked: the kind; "" for one that is chosen.
        tell: is called with what was measured, as text.
    """
    from isometry.index.choice import choose

    z = new.vectors()
    if asked:
        kind = read_kind(asked)
        if not isinstance(kind, Flat):
            kind.build(z, compare=compare).write(new.path / SEARCHER)
        return repr(kind), ()
    chosen = choose(z, compare=compare, recall=recall)
    tell(str(chosen))
    if not isinstance(chosen.kind, Flat):
        chosen.searcher.write(new.path / SEARCHER)
    return repr(chosen.kind), chosen.measured
