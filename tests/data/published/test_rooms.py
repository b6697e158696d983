"""Rooms by their layout, and the maps of it."""

import numpy as np
import pytest
from scipy.io import savemat

from isometry.data import read
from isometry.data.published.lsun_layout import layouts, read_lsun_layout
from isometry.label_check import check
from isometry.relations import Layouts
from tests.data.published import trees


def rooms(root):
    fields = [("image", object), ("scene", object), ("type", object), ("point", object), ("resolution", object)]
    for part, names in (("training", ["aa", "bb", "cc"]), ("validation", ["dd"])):
        made = np.empty((1, len(names)), dtype=fields)
        for i, name in enumerate(names):
            made[0, i] = (name, ["bedroom", "kitchen"][i % 2], 10 - i, np.zeros((4, 2)), np.array([[6, 8]]))
            trees.put(root, f"images/{name}.jpg")
            regions = np.ones((6, 8), np.uint8)
            regions[:, 4:], regions[5] = 2, 5
            trees.put(root, f"layout_seg/{name}.mat", b"")
            savemat(root / f"layout_seg/{name}.mat", {"layout": regions})
        savemat(root / f"{part}.mat", {part: made})
    return root


def test_rooms(tmp_path):
    rooms(tmp_path / "lsun_room")
    with pytest.warns(UserWarning, match="expected 4,000 train images and 394 test images, found 3 and 1"):
        data = read(tmp_path)
    assert [data.classes[y] for y in data.labels] == ["type 10", "type 9", "type 8", "type 10"]
    assert [data.categories[c] for c in data.category] == ["bedroom", "kitchen", "bedroom", "bedroom"]
    assert data.split == ("train",) * 3 + ("test",)
    maps = layouts(tmp_path / "lsun_room", data.paths, side=2)
    assert maps.tolist() == [[[1, 2], [1, 2]]] * 4
    assert layouts(tmp_path / "lsun_room", data.paths[3:], side=6)[0, :, 0].tolist() == [1, 1, 1, 1, 1, 5]
    assert layouts(tmp_path, []).shape == (0, 64, 64)


def test_maps_as_continuous_labels(tmp_path):
    rooms(tmp_path)
    other = np.full((6, 8), 9, np.uint8)
    other[:, :4], other[5] = 4, 1
    savemat(tmp_path / "layout_seg/dd.mat", {"layout": other})  # the same regions under other numbers
    data = read(f"subset:lsun_layout_maps:{tmp_path}")
    assert data.targets.shape == (4, 32 * 32)
    assert len(data.present()) == 0
    assert data.split == ("train",) * 3 + ("test",)
    assert [data.categories[c] for c in data.category] == ["bedroom", "kitchen", "bedroom", "bedroom"]
    shares = [(data.targets == region).float().mean(1).tolist() for region in range(3)]
    assert [share[0] for share in shares] == pytest.approx([27 / 64, 27 / 64, 10 / 64])  # 5 of 32 rows are the floor
    assert [share[3] for share in shares] == pytest.approx([10 / 64, 27 / 64, 27 / 64])
    metric = Layouts(regions=5, matched=True)
    assert metric.distances(data.targets, data.targets).abs().max() < 1e-6
    assert Layouts(regions=5).distances(data.targets[:1], data.targets[3:]).item() > 0.5
    assert metric.faults(data.targets) == {}
    with pytest.raises(ValueError, match="all 3 labels are equal"):
        check(data.part("train"), metric)


def test_rooms_that_cannot_be_read(tmp_path):
    rooms(tmp_path)
    savemat(tmp_path / "layout_seg/aa.mat", {"layout": np.full((4, 4), 300)})
    with pytest.raises(ValueError, match=r"aa\.mat holds no map \[h w\] of regions from 0 to 255"):
        layouts(tmp_path, ["images/aa.jpg"])
    with pytest.raises(FileNotFoundError, match=r"layout_seg/zz\.mat is missing"):
        layouts(tmp_path, ["images/zz.jpg"])
    savemat(tmp_path / "training.mat", {"training": np.array([(1,)], dtype=[("image", object)])})
    with pytest.raises(ValueError, match=r"training\.mat has no scene, type of its pictures; it has image"):
        read_lsun_layout(tmp_path)
    savemat(tmp_path / "training.mat", {"training": 3})
    with pytest.raises(ValueError, match="holds no records called 'training'"):
        read_lsun_layout(tmp_path)
