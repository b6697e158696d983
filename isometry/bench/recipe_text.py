"""A recipe as text: TOML out of it, and one line out of what is wrong with it."""

import json
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from isometry.component import nearest

KINDS = {
    "int": "a whole number", "float": "a number", "string": "text", "bool": "true or false", "tuple": "a list",
    "model": "a table", "dict": "a table",
}  # fmt: skip
UNSAID = ("relate", "similarity", "any_dim", "rates")
"""Keys that are written where they are given: texts of recipes that have none of them stay as they were."""


def tuples(value: Any) -> Any:
    """Lists, at any depth, as tuples."""
    if isinstance(value, dict):
        return {key: tuples(inner) for key, inner in value.items()}
    return tuple(map(tuples, value)) if isinstance(value, (list, tuple)) else value


def toml(recipe: BaseModel) -> str:
    """Every key of every section but those of `UNSAID`; of methods and cards, what differs from the defaults."""
    plain, sections, lists = [], [], []
    for name in type(recipe).model_fields:
        value = getattr(recipe, name)
        if isinstance(value, BaseModel):
            given = {k: v for k, v in value.model_dump().items() if k not in UNSAID or v}
            sections.append(f"\n[{name}]\n" + _lines(given))
        elif isinstance(value, tuple) and value and isinstance(value[0], BaseModel):
            lists += [f"\n[[{name}]]\n" + _lines(entry.model_dump(exclude_defaults=True)) for entry in value]
        elif name not in UNSAID or value != type(recipe).model_fields[name].default:
            plain.append(_lines({name: value}))
    return "".join(plain + sections + lists)


def _lines(values: Mapping[str, Any]) -> str:
    return "".join(f"{key} = {_text(value)}\n" for key, value in values.items())


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{json.dumps(str(k), ensure_ascii=False)} = {_text(v)}" for k, v in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_text, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def said(error: ValidationError, root: type[BaseModel]) -> str:
    """The first thing that is wrong, in a line: where it stands, what was given, what is expected."""
    first = min(error.errors(), key=lambda found: found["type"] != "extra_forbidden")  # a typo explains what is missing
    path, keys = first["loc"], [part for part in first["loc"] if isinstance(part, str)]
    kind, given = first["type"], first.get("input")
    at, last = place(path, given), (keys[-1] if keys else "")
    if kind == "value_error":
        where = f"[{keys[0]}] " if keys else ""
        return where + str(first.get("ctx", {}).get("error"))
    if kind == "extra_forbidden":
        return f"{place(path[:-1])} has no {last!r}.{nearest(last, known(root, keys[:-1]))}"
    if kind == "missing" and not isinstance(given, tuple):
        return f"{place(path[:-1])} needs {last!r}, and it is left out."
    if "space" in keys:
        return f'{at} is [low, high], [low, high, "log"] or {{choices = […]}}; got {_shown(given)}.'
    if keys and keys[-1].startswith("tuple["):  # a member of a union
        return f"{at} is [low, high]; got {_shown(given)}."
    if kind in ("too_long", "too_short", "missing"):
        return f"{at} is [low, high]; got {_shown(given)}."
    wanted = KINDS.get(kind.removesuffix("_type").removesuffix("_parsing"))
    if wanted:
        return f"{at} is {wanted}; got {_shown(given)}."
    return f"{at}: {first['msg'].lower()}; got {_shown(given)}."


def place(path: tuple[Any, ...], given: Any = None) -> str:
    """Where a key stands, as it is written in TOML: "[train] budget", "[[methods]] 3 loss"."""
    parts = [p for p in path if not (isinstance(p, str) and ("[" in p or p == "is-instance"))]
    if not parts:
        return "the recipe"
    if len(parts) > 1 and isinstance(parts[1], int):
        return " ".join([f"[[{parts[0]}]]", str(parts[1] + 1), *map(str, parts[2:3]), *map(str, parts[3:4])])
    inside = [p for p in parts[1:] if isinstance(p, str)]
    return f"[{parts[0]}] {'.'.join(inside)}".strip() if len(parts) > 1 or given is None else str(parts[0])


def known(root: type[BaseModel], keys: list[str]) -> list[str]:
    """The keys that a section of the recipe has."""
    model = root
    for key in keys:
        kind = model.model_fields[key].annotation
        inner = (getattr(kind, "__args__", ()) or (kind,))[0]
        if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
            return []
        model = inner
    return list(model.model_fields)


def _shown(value: Any) -> str:
    text = repr(list(value)) if isinstance(value, tuple) else repr(value)
    return text if len(text) <= 60 else text[:57] + "…"
