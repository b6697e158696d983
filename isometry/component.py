"""A component is a dataclass that is also an `nn.Module`.

Its fields are its hyper-parameters, its repr, its config, its command-line form, its row in a results table and its
cache key. `isometry.parse(repr(component))` rebuilds it.
"""

import dataclasses
import difflib
import types
import typing
from abc import ABC
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar, dataclass_transform

from torch import nn


def fresh(make: Callable[..., Any], **settings: Any) -> Any:
    """A field whose default is built anew for each instance: `reference: Proxies = fresh(Proxies)`.

    Anything with weights or state needs it: a default shared by two losses would share their proxies.
    """
    return dataclasses.field(metadata={"fresh": (make, settings)})


def from_data(default: Any = dataclasses.MISSING) -> Any:
    """A field that the data decides (`num_classes`, `dim`): filled by name, and not printed."""
    return dataclasses.field(default=default, metadata={"from_data": True})


@dataclass_transform(kw_only_default=True)
class Component(nn.Module, ABC):
    """Base of everything that has hyper-parameters or learned state.

    Subclass it and annotate fields; there is no `__init__` to write. Sub-layers are made in `__post_init__`.

    Raises:
        ValueError: for a field that does not exist, is missing, or has a value of the wrong type.
    """

    __dataclass_fields__: ClassVar[dict[str, dataclasses.Field]]

    lr_multiple: ClassVar[float] = 1.0
    """How many times the base learning rate the parameters held directly by this component are trained with."""
    revision: ClassVar[int] = 0
    """Raised when the same text means another thing than before, such as by a new default: no kept result is taken for it."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        dataclasses.dataclass(init=False, eq=False, repr=False, kw_only=True)(cls)
        for name in fields(cls).keys() & vars(cls).keys():
            if isinstance(vars(cls)[name], nn.Module):
                raise TypeError(f"{cls.__name__}.{name} has a shared default with state; write fresh(...) instead.")
            delattr(cls, name)  # nn.Module finds sub-modules through __getattr__: a class attribute would hide them

    def __init__(self, **given: Any) -> None:
        super().__init__()
        cls = type(self)
        data = {name: given.pop(name) for name in data_fields(cls) & given.keys() - fields(cls).keys()}
        for name in given:
            if name not in fields(cls):
                raise ValueError(unknown_field(cls, name))
        for name, field in fields(cls).items():
            if name in given:
                value = checked(cls, field, given[name])
            elif "fresh" in field.metadata:
                make, settings = field.metadata["fresh"]
                value = make(**settings, **{k: v for k, v in data.items() if k in data_fields(make)})
            elif field.default is not dataclasses.MISSING:
                value = field.default
            else:
                raise ValueError(missing_field(cls, name))
            setattr(self, name, value)
        self.__post_init__()

    def __post_init__(self) -> None:
        """Makes sub-layers and checks values that depend on each other."""

    def __repr__(self) -> str:
        printed = {name: getattr(self, name) for name, f in fields(type(self)).items() if "from_data" not in f.metadata}
        return call_text(type(self), printed)


def fields(cls: Any) -> dict[str, dataclasses.Field]:
    """The hyper-parameters of a component class, by name."""
    return {f.name: f for f in dataclasses.fields(cls)} if dataclasses.is_dataclass(cls) else {}


def data_fields(cls: Any) -> set[str]:
    """Names that `cls`, or a default inside it, takes from the data."""
    names = set()
    for name, field in fields(cls).items():
        if "from_data" in field.metadata:
            names.add(name)
        elif "fresh" in field.metadata:
            names |= data_fields(field.metadata["fresh"][0])
    return names


def call_text(cls: Any, values: Mapping[str, Any]) -> str:
    """`Name(field=value, …)` with the fields that differ from their defaults."""
    changed = (f"{n}={show(v)}" for n, v in values.items() if show(v) != default_text(fields(cls)[n]))
    return f"{cls.__name__}({', '.join(changed)})"


def default_text(field: dataclasses.Field) -> str | None:
    """The text of a field's default; None when it has none."""
    if "fresh" in field.metadata:
        make, settings = field.metadata["fresh"]
        return call_text(make, settings)
    return None if field.default is dataclasses.MISSING else show(field.default)


def show(value: Any) -> str:
    """The source text that rebuilds `value`."""
    if isinstance(value, tuple):
        return "(" + ", ".join(map(show, value)) + ("," if len(value) == 1 else "") + ")"
    if callable(value) and not isinstance(value, nn.Module) and hasattr(value, "__name__"):
        return value.__name__
    return repr(value)


def nearest(name: str, known: Iterable[str]) -> str:
    """' Did you mean …?' or nothing."""
    by_case = {k.lower(): k for k in known}
    close = difflib.get_close_matches(name.lower(), by_case, n=1, cutoff=0.6)
    return f" Did you mean {by_case[close[0]]!r}?" if close else ""


def unknown_field(cls: Any, name: str) -> str:
    """The message for a field that does not exist."""
    takes = ", ".join(fields(cls)) or "no parameters"
    return f"{cls.__name__} has no parameter {name!r}.{nearest(name, fields(cls))} It takes {takes}."


def missing_field(cls: Any, name: str) -> str:
    """The message for a required field that nothing supplies."""
    return f"{cls.__name__} needs {name!r} and nothing supplies it: write {cls.__name__}({name}=…)."


def checked(cls: Any, field: dataclasses.Field, value: Any) -> Any:
    """`value` if the field's annotation admits it (integers become floats where floats are meant)."""
    kinds = _kinds(field.type)
    if kinds and not any(_is_a(value, kind) for kind in kinds):
        expected = " or ".join("None" if k is types.NoneType else getattr(k, "__name__", str(k)) for k in kinds)
        raise ValueError(f"{cls.__name__}.{field.name} is {expected}, and {value!r} is not.")
    if isinstance(value, int) and not isinstance(value, bool) and float in kinds and int not in kinds:
        return float(value)
    return value


def _kinds(annotation: Any) -> tuple[Any, ...]:
    """The classes an annotation admits; empty when it is not a matter of classes (callables, type variables)."""
    members = typing.get_args(annotation) if isinstance(annotation, types.UnionType) else (annotation,)
    members = tuple(typing.get_origin(m) or m for m in members)
    return members if all(isinstance(m, type) and m not in (object, Any) for m in members) else ()


def _is_a(value: Any, kind: type) -> bool:
    if kind is float:
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    if kind is int:
        return isinstance(value, int) and not isinstance(value, bool)
    if getattr(kind, "_is_protocol", False) or kind is Callable or kind.__module__ == "collections.abc":
        return True
    return isinstance(value, kind)
