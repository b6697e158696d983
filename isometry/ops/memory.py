"""Memory sizes as text."""

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
