"""JSON files, as plain Python values."""

import json
from pathlib import Path
from typing import Any

from isometry.data.pixels import one_line
from isometry.data.published.layout import Missing


def load_json(path: Path) -> Any:
    """What the file holds.

    Raises:
        ValueError: for a file that is not JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except IsADirectoryError:
        raise Missing(f"{path} is a folder, and a JSON file is expected there.") from None
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is no JSON that can be read: {one_line(error)}.") from None


def entries(found: Any, path: Path, what: str) -> list[dict[str, Any]]:
    """A list of entries with names, not empty.

    Raises:
        ValueError: for anything else.
    """
    if not isinstance(found, list) or not found or not all(isinstance(entry, dict) for entry in found):
        raise ValueError(f"{path} is no list of {what}.")
    return found
