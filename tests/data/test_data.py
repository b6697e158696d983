import os

import numpy as np
import pytest
import torch

from isometry.data import Data, read

RNG = np.random.default_rng(0)


def pictures(n=6):
    return RNG.integers(0, 256, (n, 4, 4), dtype=np.uint8)


def test_selection_keeps_what_belongs_together(folder):
    data = read(folder)
    some = data.select(torch.tensor([20, 3, 4]))
    assert some.ids.tolist() == [20, 3, 4]
    assert some.labels.tolist() == [6, 1, 1]
    assert some.paths == ("g/2.png", "b/0.png", "b/1.png")
    assert torch.equal(some.images[1], data.images[3])
    assert some.classes == data.classes
    again = some.select(some.labels == 1)
    assert again.ids.tolist() == [3, 4]
    with pytest.raises(ValueError, match="24 entries; got 3"):
        data.select(torch.ones(3, dtype=torch.bool))


def test_every_item_has_everything():
    data = read((pictures(), np.arange(6)))
    with pytest.raises(ValueError, match="6 images and 5 paths"):
        Data(data.images, data.labels, data.classes, data.ids, paths=tuple("abcde"))


def test_a_part(folder):
    data = read(folder)
    with pytest.raises(ValueError, match="no part 'test': it has none"):
        data.part("test")


def test_fingerprint_changes_with_an_array_value_or_a_label():
    x, y = pictures(), np.array([0, 0, 1, 1, 2, 2])
    first = read((x, y)).fingerprint()
    assert read((x.copy(), y)).fingerprint() == first
    for i in (0, 5):
        other = x.copy()
        other[i, 3, 3] ^= 1
        assert read((other, y)).fingerprint() != first
    assert read((x, np.array([0, 0, 1, 1, 2, 1]))).fingerprint() != first
    assert read((x, y + 1)).fingerprint() != first
    assert read((x, y)).select(torch.arange(5)).fingerprint() != first


def test_fingerprint_changes_with_a_path_or_a_size(folder, tmp_path):
    first = read(folder).fingerprint()
    folder = folder.rename(tmp_path / "elsewhere")
    assert read(folder).fingerprint() == first
    os.rename(folder / "a" / "0.png", folder / "a" / "00.png")
    second = read(folder).fingerprint()
    assert second != first
    with open(folder / "a" / "00.png", "ab") as file:
        file.write(b"\0")
    assert read(folder).fingerprint() not in (first, second)


def test_glyphs():
    data = read("glyphs")
    assert data.channels == 1
    assert data.levels == ("script", "letter", "case")
    assert len(data.part("train").present()) == 939
    assert torch.equal(data.labels.unique(), torch.arange(len(data.classes)))
