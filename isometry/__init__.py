"""isometry: deep metric learning, from labelled data to search that works."""

import importlib
from typing import TYPE_CHECKING, Any

from isometry.version import __version__

if TYPE_CHECKING:
    from isometry import (
        codes,
        data,
        heads,
        losses,
        metrics,
        miners,
        references,
        regularisers,
        rerank,
        samplers,
        similarities,
        trunks,
    )
    from isometry.api import load, train
    from isometry.comparison import compare
    from isometry.component import Component
    from isometry.embedded import Embedded
    from isometry.engine import memory_budget
    from isometry.expression import parse
    from isometry.protocols.retrieval import evaluate
    from isometry.relation import Relation

_HOME = {
    "parse": "expression", "Component": "component", "Relation": "relation", "Embedded": "embedded",
    "memory_budget": "engine", "evaluate": "protocols.retrieval", "train": "api", "load": "api",
    "compare": "comparison",
}  # fmt: skip
_PACKAGES = ("data", "heads", "losses", "metrics", "miners", "references", "regularisers", "samplers", "schemes",
             "similarities", "trunks", "rerank", "codes", "relation", "relations", "ops", "protocols", "report", "bundle",
             "lite", "index", "export", "attribution", "openset", "audit")  # fmt: skip


def __getattr__(name: str) -> Any:
    """Loads what is asked for when it is asked for: `import isometry` costs next to nothing."""
    if name in _HOME:
        value = getattr(importlib.import_module(f"isometry.{_HOME[name]}"), name)
    elif name in _PACKAGES:
        value = importlib.import_module(f"isometry.{name}")
    else:
        raise AttributeError(f"module 'isometry' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME, *_PACKAGES})


__all__ = [
    "Component", "Embedded", "Relation", "__version__", "codes", "compare", "data", "evaluate", "heads", "load", "losses",
    "memory_budget", "metrics", "miners", "parse", "references", "regularisers", "rerank", "samplers", "similarities", "train",
    "trunks",
]  # fmt: skip
