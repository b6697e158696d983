"""Checks of the expressions in a recipe, before anything is trained or loaded."""

import ast
import functools
import re
from typing import Any

import numpy as np

from isometry.component import checked, default_text, fields, nearest, show, unknown_field
from isometry.expression import names, parse

WIDTH = 2048
"""Dimensions for which a loss is built where it is only looked at: as many as any prefix that it may name."""


def dim_of(head: str) -> int:
    """Dimensions of the embeddings of a head. It is not made: how many features it reads is not known here.

    Raises:
        ValueError: for what is no head.
    """
    made, given = _looked_at(head, "head")
    if "dim" not in fields(made) or "in_features" not in fields(made):
        raise ValueError(f"{head!r} is no head. See `isometry list heads`.")
    return int(given.get("dim", fields(made)["dim"].default))


@functools.cache
def batch_size(sampler: str) -> int:
    """Items in a batch of a sampler.

    Raises:
        ValueError: for what is no sampler.
    """
    made = parse(sampler)
    if not hasattr(made, "bind"):
        raise ValueError(f"{sampler!r} is no sampler. See `isometry list samplers`.")
    if hasattr(made, "batch_size"):
        return int(made.batch_size)
    return int(made.plan(np.repeat(np.arange(2048), 16)).size)


def check_pool(text: str) -> None:
    """Raises a ValueError for what is no pool."""
    if not hasattr(_looked_at(text, "pool")[0], "keeps_places"):
        raise ValueError(f"{text!r} is no pool: write Average(), AveragePlusMax(), GeM(), Max() or Flatten().")


def check_transform(text: str) -> None:
    """Raises a ValueError for what changes no pictures."""
    if not hasattr(parse(text), "batched"):
        raise ValueError(f"{text!r} changes no pictures. See `isometry list transforms`.")


def check_trunk(text: str) -> None:
    """Checks a trunk's name and fields without making it: that could load, or look for, weights.

    Raises:
        ValueError: for what is no trunk.
    """
    if re.fullmatch(r"[\w.\-]+", text.strip()) and text.strip() not in names():
        from isometry.trunks.timm import knows, nearest_models

        if not knows(text.strip()):
            raise ValueError(f"There is no trunk {text!r}, here or in timm.{nearest_models(text)}")
        return
    if not hasattr(_looked_at(text, "trunk")[0], "ends"):
        raise ValueError(f"{text!r} is no trunk. See `isometry list trunks`.")


def has_field(text: str, name: str) -> bool:
    """Whether the component that a call names has such a field."""
    return name in fields(_looked_at(text, "component")[0])


def with_fields(text: str, values: dict[str, Any]) -> str:
    """The call in `text` with these of its fields set, where the component has them.

    >>> with_fields("Timm(name='resnet50')", {"pretrained": False, "classes": 2})
    "Timm(name='resnet50', pretrained=False)"
    """
    call, known = _call(text), fields(_looked_at(text, "component")[0])
    kept = {str(k.arg): ast.unparse(k.value) for k in call.keywords}
    for name, value in values.items():
        kept.pop(name, None)
        if name in known and show(value) != default_text(known[name]):
            kept[name] = show(value)
    return f"{ast.unparse(call.func)}({', '.join(f'{n}={v}' for n, v in kept.items())})"


def _looked_at(text: str, kind: str) -> tuple[Any, dict[str, Any]]:
    """The component that a call names, and the values given to its fields, checked by name and type."""
    call = _call(text)
    name = call.func.id if isinstance(call.func, ast.Name) else ast.unparse(call.func)
    made = names().get(name)
    if made is None:
        raise ValueError(f"There is no {kind} {name!r}.{nearest(name, names())}")
    given = {}
    for keyword in call.keywords:
        if keyword.arg not in fields(made):
            raise ValueError(unknown_field(made, str(keyword.arg)))
        given[keyword.arg] = checked(made, fields(made)[keyword.arg], _literal(keyword.value, text))
    return made, given


def _literal(node: ast.expr, text: str) -> Any:
    try:
        return ast.literal_eval(node)
    except ValueError:
        raise ValueError(f"{ast.unparse(node)!r} in {text!r} is neither a number nor text.") from None


def _call(text: str) -> ast.Call:
    try:
        node = ast.parse(text.strip(), mode="eval").body
    except SyntaxError as error:
        raise ValueError(f"{text!r} is no expression: {error.msg}. Write Name(field=value, …).") from None
    if isinstance(node, ast.Name):
        return ast.Call(node, [], [])
    if not isinstance(node, ast.Call) or node.args:
        raise ValueError(f"{text!r} is no expression: write Name(field=value, …).")
    return node
