"""Memory: sizes as text, and what a processor's allocator keeps."""

from functools import cache

import torch

UNITS = {"B": 1, "KB": 2**10, "MB": 2**20, "GB": 2**30}


def in_bytes(size: str | int) -> int:
    """Reads a memory size: "256 MB", or a number of bytes.

    >>> in_bytes("1.5 KB")
    1536

    Raises:
        ValueError: for text that is no size, or a size below one byte.
    """
    number, _, unit = str(size).strip().partition(" ")
    try:
        count = int(float(number) * UNITS[unit.strip().upper() or "B"])
    except (KeyError, ValueError):
        count = 0
    if count < 1:
        raise ValueError(f"A memory size is written like '256 MB'; got {size!r}.")
    return count


@cache
def keep_freed_memory() -> None:
    """Lets the allocator keep what one step freed for the next; once a process.

    glibc takes blocks above a threshold from the system and gives them back at once, and a page that comes new costs as much as
    several passes over it. The threshold is the largest such block that was freed so far, up to 32 MB: a net's first step
    raises it, and here one block does that nobody writes to. Up to twice as much stays with the process.
    """
    torch.empty(31 * 2**20, dtype=torch.uint8)
