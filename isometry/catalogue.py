"""The catalogue as text: what there is, and what is known of each entry. Read from the code, so it cannot go stale."""

import functools
import importlib
import inspect
from types import ModuleType
from typing import Any

from isometry.component import default_text, fields, nearest
from isometry.expression import CATALOGUE, catalogue, names

CALLED = {"index.kinds": "indexes"}


def entries(kind: str) -> dict[str, Any]:
    """The exported entries of one kind, by name."""
    return catalogue(importlib.import_module(f"isometry.{kind}"))


@functools.cache
def kinds() -> dict[str, str]:
    """What can be listed, and the package that holds it."""
    return {CALLED.get(path, path.split(".")[-1]): path for path in CATALOGUE}


def summary(thing: Any) -> str:
    """The first sentence of what it does."""
    first = (inspect.getdoc(getattr(thing, "__wrapped__", thing)) or "").strip().split("\n\n")[0]
    return " ".join(first.split())


def listing(kind: str = "") -> str:
    """A line for each entry of a kind; of every kind when none is named.

    Raises:
        ValueError: for a kind that does not exist.
    """
    if kind and kind not in kinds():
        raise ValueError(f"There is no kind {kind!r}.{nearest(kind, kinds())} There are {', '.join(kinds())}.")
    parts = []
    for name, path in kinds().items():
        if kind in ("", name):
            found = entries(path)
            wide = max(map(len, found), default=0)
            lines = (f"  {entry:<{wide}}  {summary(found[entry])}" for entry in sorted(found, key=str.lower))
            parts.append("\n".join([name, *lines]))
    return "\n\n".join(parts)


def page(name: str) -> str:
    """Everything about one entry: source, docstring, fields.

    Raises:
        ValueError: for a name that does not exist, with the nearest one.
    """
    if name not in names():
        raise ValueError(f"There is no {name!r}.{nearest(name, names())} See `isometry list`.")
    thing = names()[name]
    source = inspect.getmodule(getattr(thing, "__wrapped__", thing))
    parts = [name, inspect.getdoc(thing) or ""]
    if isinstance(source, ModuleType) and source.__doc__:
        parts.insert(1, source.__doc__.strip())
    lines = [f"  {n} = {shown(f)}" for n, f in fields(thing).items()]
    if lines:
        parts.append("Fields\n" + "\n".join(lines))
    return "\n\n".join(parts)


def shown(field: Any) -> str:
    """A field's default, or where its value comes from."""
    if "from_data" in field.metadata:
        return "(from the data)"
    return default_text(field) or "(required)"
