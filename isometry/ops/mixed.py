"""Numerics that stay in single precision when a model runs in half."""

import contextlib
from contextlib import AbstractContextManager

import torch
from torch import Tensor


def single(x: Tensor) -> Tensor:
    """x in float32; float64 stays."""
    return x if x.dtype == torch.float64 else x.float()


def full_precision(x: Tensor) -> AbstractContextManager[object]:
    """No autocast on the device of x; nothing at all in an export, whose graph stays plain."""
    if torch.compiler.is_exporting():
        return contextlib.nullcontext()
    if torch.compiler.is_compiling() or torch.is_autocast_enabled(x.device.type):
        return torch.autocast(x.device.type, enabled=False)
    return contextlib.nullcontext()
