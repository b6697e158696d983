"""Components written as text: `parse(repr(c))` rebuilds `c`. Nothing is evaluated."""

import ast
import functools
import importlib
import inspect
from importlib.metadata import entry_points
from types import ModuleType
from typing import Any

from isometry.component import Component, checked, data_fields, fields, missing_field, nearest, unknown_field

CATALOGUE = ("losses", "regularisers", "miners", "references", "similarities", "relations", "metrics", "samplers",
             "heads", "trunks", "optimizers", "schedules", "rerank", "codes", "index.kinds", "data.transforms")  # fmt: skip
PLUGINS = "isometry.components"


def catalogue(package: ModuleType) -> dict[str, Any]:
    """The public, named things that a package defines: the registry *is* the namespace."""
    home = package.__name__
    exported = getattr(package, "__all__", vars(package))
    own = ((name, vars(package)[name]) for name in exported)
    return {n: o for n, o in own if _public(n, o) and getattr(o, "__module__", "").startswith(home)}


def _public(name: str, thing: Any) -> bool:
    return not name.startswith("_") and callable(thing) and not inspect.isabstract(thing)


@functools.cache
def names() -> dict[str, Any]:
    """Everything that can be written in an expression, plug-ins (entry points `isometry.components`) included."""
    found: dict[str, Any] = {}
    for package in CATALOGUE:
        found.update(catalogue(importlib.import_module(f"isometry.{package}")))
    for plugin in entry_points(group=PLUGINS):
        found[plugin.name] = plugin.load()
    return found


def parse(text: str, **data: Any) -> Any:
    """Builds the component written in `text`; fields that the data decides are filled from `data` by name.

    Keyword arguments only. `+` and `*` add and scale losses; several components separated by commas give a tuple.

    >>> parse("ProxyAnchor(alpha=16)", num_classes=10, dim=8)
    ProxyAnchor(alpha=16.0)
    >>> parse("Contrastive() + 0.1*KoLeo()")
    Contrastive() + 0.1 * KoLeo()

    Raises:
        ValueError: for text that is no expression, an unknown name (with the nearest one) or a wrong value.
    """
    if not isinstance(text, str):
        raise ValueError(f"An expression is text, such as 'Contrastive()'; got {type(text).__name__}.")
    try:
        node = ast.parse(text.strip(), mode="eval").body
    except SyntaxError as error:
        at = error.offset or 1
        raise ValueError(
            f"{text!r} is no expression: {error.msg} at column {at}. Write Name(field=value, …)."
        ) from None
    return _build(node, text, data)


def _build(node: ast.expr, text: str, data: dict[str, Any]) -> Any:
    match node:
        case ast.Call(func=ast.Name(name), args=[], keywords=keywords) if all(k.arg for k in keywords):
            thing = _look_up(name, text, node)
            return _call(thing, {str(k.arg): _build(k.value, text, data) for k in keywords}, data)
        case ast.Call(func=ast.Name(name)):
            raise ValueError(f"{name} takes keyword arguments only{_at(text, node)}: write {name}(field=value, …).")
        case ast.Name(name):
            thing = _look_up(name, text, node)
            return _call(thing, {}, data) if inspect.isclass(thing) else thing
        case ast.BinOp(left, ast.Add(), right):
            return _combine(text, node, lambda: _build(left, text, data) + _build(right, text, data))
        case ast.BinOp(left, ast.Mult(), right):
            return _combine(text, node, lambda: _build(left, text, data) * _build(right, text, data))
        case ast.Tuple(elements) | ast.List(elements):
            return tuple(_build(e, text, data) for e in elements)
        case _:
            try:
                return ast.literal_eval(node)
            except ValueError:
                shown = ast.unparse(node)
                raise ValueError(f"{shown!r} cannot be written in an expression{_at(text, node)}.") from None


def _combine(text: str, node: ast.expr, build: Any) -> Any:
    try:
        return build()
    except TypeError:
        raise ValueError(
            f"{ast.unparse(node)!r} cannot be added or scaled{_at(text, node)}: only losses can."
        ) from None


def _look_up(name: str, text: str, node: ast.expr) -> Any:
    if name not in names():
        raise ValueError(f"There is no {name!r}{_at(text, node)}.{nearest(name, names())} See `isometry list`.")
    return names()[name]


def _at(text: str, node: ast.expr) -> str:
    return f" at column {node.col_offset + 1} of {text!r}" if node.col_offset else ""


def _call(thing: Any, given: dict[str, Any], data: dict[str, Any]) -> Any:
    """Calls `thing` with what is given, and with what it wants from the data."""
    if not (inspect.isclass(thing) and issubclass(thing, Component)):
        return thing(**given) if given or inspect.isclass(thing) else thing
    for name in given:
        if name not in fields(thing):
            raise ValueError(unknown_field(thing, name))
        given[name] = checked(thing, fields(thing)[name], given[name])
    wanted = {n: data[n] for n in data_fields(thing) & data.keys() - given.keys()}
    for name in fields(thing).keys() & data_fields(thing) - given.keys() - wanted.keys():
        raise ValueError(missing_field(thing, name))
    replaced = {n for n in given if "fresh" in fields(thing)[n].metadata}  # their data went into them already
    if replaced:
        still = set()
        for n, f in fields(thing).items():
            still |= {n} if "from_data" in f.metadata else set()
            if "fresh" in f.metadata and n not in replaced:
                still |= data_fields(f.metadata["fresh"][0])
        wanted = {n: v for n, v in wanted.items() if n in still}
    return thing(**given, **wanted)
