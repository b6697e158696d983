"""Stopped gradients, all through one gate, so that tests can hold them constant."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch
from torch import Tensor

_TAPE: ContextVar["Tape | None"] = ContextVar("tape", default=None)


def stop(x: Tensor) -> Tensor:
    """x as a constant: its value now, and no gradient through it. The docstring of who uses it names the paper's reason."""
    if torch.compiler.is_compiling():
        return x.detach()
    tape = _TAPE.get()
    return x.detach() if tape is None else tape.pass_on(x.detach())


class Tape:
    """Records what was stopped in one evaluation, and replays it in others: then the gradient is that of the value."""

    def __init__(self) -> None:
        self.values: list[Tensor] = []
        self.place: int | None = None

    def pass_on(self, x: Tensor) -> Tensor:
        """Records x, or gives what stood in its place."""
        if self.place is None:
            self.values.append(x.clone())
            return x
        self.place += 1
        return self.values[self.place - 1]

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Inside, stopped values are recorded."""
        self.values.clear()
        self.place = None
        with self._set():
            yield

    @contextmanager
    def replaying(self) -> Iterator[None]:
        """Inside, stopped values are the recorded ones, in order."""
        self.place = 0
        with self._set():
            yield

    @contextmanager
    def _set(self) -> Iterator[None]:
        token = _TAPE.set(self)
        try:
            yield
        finally:
            _TAPE.reset(token)
