"""The numbers that a training calculates with."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from accelerate import Accelerator


def accelerator(precision: str, **settings: Any) -> "Accelerator":
    """accelerate's `Accelerator` in this precision ("no", "bf16", "fp16"), whatever was trained in this process before.

    Its state is one for the whole process and refuses a second precision; there is no public way to let go of the first.
    """
    from accelerate import Accelerator
    from accelerate.state import AcceleratorState

    if AcceleratorState._shared_state and AcceleratorState().mixed_precision != precision:
        AcceleratorState._reset_state()
    return Accelerator(mixed_precision=precision, **settings)
