"""Galleries: pictures to search, in a folder that can be added to and deleted from, and survives whatever happens to it."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from isometry.bundle import Match, Refused
    from isometry.index.building import Built, build
    from isometry.index.given import vectors
    from isometry.index.index import Index, read
    from isometry.index.items import Items
    from isometry.index.lock import InUse

__all__ = ["Built", "InUse", "Index", "Items", "Match", "Refused", "build", "read", "vectors"]

HOMES = {
    "building": ("Built", "build"), "index": ("Index", "read"), "items": ("Items",), "lock": ("InUse",),
    "given": ("vectors",),
}  # fmt: skip


def __getattr__(name: str) -> Any:
    """Loads what is asked for: kinds are in the catalogue, and reading an expression need not load the rest."""
    if name in ("Match", "Refused"):
        return getattr(importlib.import_module("isometry.bundle"), name)
    home = next((home for home, names in HOMES.items() if name in names), None)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{home}"), name)
