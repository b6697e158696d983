from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def draw(tmp_path: Path) -> Callable[..., Path]:
    """Writes a small picture of noise below the temporary folder."""
    rng = np.random.default_rng(0)

    def write(name: str, size: tuple[int, int] = (8, 6)) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)).save(path)
        return path

    return write


@pytest.fixture
def folder(draw: Callable[..., Path], tmp_path: Path) -> Path:
    """Eight classes of three pictures."""
    for name in "abcdefgh":
        for i in range(3):
            draw(f"birds/{name}/{i}.png")
    return tmp_path / "birds"
