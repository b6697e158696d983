import os

import numpy as np
import pytest
import torch

from isometry.data import poses as module
from isometry.data import read, split
from isometry.data.canvas import Stream
from isometry.data.poses import draw, mirrored
from isometry.data.poses_actions import LEAST, MOST, drawn_angles, mirrored_angles
from isometry.data.poses_body import AT, BONES, JOINTS, View, drawn_builds, drawn_views, mirrored_views, seen, skeleton
from isometry.data.poses_picture import pictures
from isometry.relations import joints


@pytest.fixture(scope="module")
def figures():
    return draw(512, seed=3)


@pytest.fixture
def few(monkeypatch, tmp_path):
    """A data set of 36 figures, in a cache of its own."""
    monkeypatch.setenv("ISOMETRY_CACHE", str(tmp_path))
    monkeypatch.setattr(module, "PARTS", {"train": 20, "validation": 6, "test": 10})
    monkeypatch.setattr(module, "QUERIES", 4)
    return tmp_path


def bodies(seed, count=64):
    stream = Stream(seed, 0, count)
    angles, _ = drawn_angles(stream)
    return angles, drawn_builds(stream), drawn_views(stream)


def test_first_figures_of_many_are_those_of_few(figures):
    again, other = draw(70, seed=3), draw(70, seed=4)
    for name in ("images", "joints", "actions"):
        assert torch.equal(getattr(again, name), getattr(figures, name)[:70])
    assert not torch.equal(other.joints, again.joints)
    assert len(draw(0).images) == 0


@pytest.mark.parametrize("given", [{"count": -1}, {"count": 2, "seed": -1}])
def test_numbers_below_nought_are_refused(given):
    with pytest.raises(ValueError, match="from 0 on; got"):
        draw(**given)


def test_figures_are_cropped_alike(figures):
    low, high = figures.joints.amin(1), figures.joints.amax(1)
    assert figures.joints.min() > -0.05
    assert figures.joints.max() < 1.05
    extent = (high - low).amax(1)
    assert extent.min() > 0.68
    assert extent.max() < 0.88
    assert ((high + low) / 2 - 0.5).abs().max() < 0.06


def test_angles_keep_to_their_limits():
    angles = np.degrees(bodies(1, 4000)[0])
    assert (angles >= np.minimum(LEAST, -MOST) - 1e-9).all()  # turns to a side have limits that are alike
    assert (angles <= np.maximum(MOST, -LEAST) + 1e-9).all()
    assert (angles.std(0) > 1).all()


def test_bones_have_the_lengths_of_the_body():
    angles, build, _ = bodies(2)
    at = skeleton(angles, build)
    for upper, lower, length in (
        ("left hip", "left knee", build.thigh), ("right knee", "right ankle", build.shin),
        ("right shoulder", "right elbow", build.upper), ("left elbow", "left wrist", build.fore),
        ("left hip", "right hip", 2 * build.hips), ("left shoulder", "right shoulder", 2 * build.shoulders),
    ):  # fmt: skip
        assert np.linalg.norm(at[:, AT[upper]] - at[:, AT[lower]], axis=1) == pytest.approx(length, abs=1e-12)


def test_seen_from_far_away_a_bone_is_as_long_as_its_slope_says():
    angles, build, view = bodies(3)
    at = skeleton(angles, build)
    far = View(**{**vars(view), "distance": np.full(64, 1e7)})
    flat, depth, metre = seen(at, far)
    for one, other in BONES:
        a, b = AT[one], AT[other]
        length = np.linalg.norm(at[:, a] - at[:, b], axis=1)
        aside = np.linalg.norm(flat[:, a] - flat[:, b], axis=1) / metre[:, 0]
        assert np.hypot(aside, depth[:, a] - depth[:, b]) == pytest.approx(length, rel=1e-5)


def test_what_is_near_is_larger():
    angles, build, view = bodies(4)
    _, depth, metre = seen(skeleton(angles, build), view)
    order = np.argsort(depth, 1)
    assert (np.diff(np.take_along_axis(metre, order, 1), axis=1) >= 0).all()


def test_a_mirrored_figure_has_mirrored_joints():
    angles, build, view = bodies(5)
    plain = seen(skeleton(angles, build), view)[0][:, : len(JOINTS)]
    glass = seen(skeleton(mirrored_angles(angles), build), mirrored_views(view))[0][:, : len(JOINTS)]
    assert torch.allclose(mirrored(torch.from_numpy(plain)), torch.from_numpy(glass), atol=1e-9)
    assert not np.allclose(plain, glass, atol=0.1)
    assert JOINTS[3] == "right shoulder"
    assert torch.allclose(mirrored(torch.from_numpy(plain))[:, 2, 0], 1 - torch.from_numpy(plain)[:, 3, 0])


def test_a_forearm_is_drawn_where_its_joints_are():
    angles, build, view = bodies(6)
    at, depth, metre = seen(skeleton(angles, build), view)
    moved = at.copy()
    moved[:, [AT["left wrist"], AT["left hand"]]] = moved[:, [AT["left elbow"]]]  # the forearm shrinks into the elbow
    one, other = (pictures(Stream(6, 1, 64), build, p, depth, metre, 48).astype(int) for p in (at, moved))
    changed = np.abs(one - other).max(1) > 0
    y, x = (np.mgrid[:48, :48] + 0.5) / 48
    a, b = at[:, AT["left elbow"]], at[:, AT["left hand"]]
    run = (b - a)[:, :, None, None]
    along = ((x - a[:, 0, None, None]) * run[:, 0] + (y - a[:, 1, None, None]) * run[:, 1]) / (run**2).sum(1)
    along = np.clip(along, 0, 1)
    off = np.hypot(x - a[:, 0, None, None] - along * run[:, 0], y - a[:, 1, None, None] - along * run[:, 1])
    assert off[changed].max() < 0.07 * metre.max() + 3 / 48  # half a broad forearm and a pixel or two of blur
    place = np.clip((at[:, AT["left wrist"]] * 48).astype(int), 0, 47)
    assert changed[np.arange(64), place[:, 1], place[:, 0]].mean() > 0.6  # the others are behind something


def test_looks_tell_nothing_of_the_pose():
    angles, build, view = bodies(7)
    body = seen(skeleton(angles, build), view)
    one, other = (pictures(Stream(7, batch, 64), build, *body, 48).reshape(64, -1).astype(float) for batch in (1, 2))
    alike = [np.corrcoef(a, b)[0, 1] for a, b in zip(one, other, strict=True)]
    assert abs(np.mean(alike)) < 0.15


def test_like_poses_are_of_like_actions(figures):
    apart = joints.metric.distances(figures.joints, figures.joints).fill_diagonal_(torch.inf)
    nearest = figures.actions[apart.argmin(1)] == figures.actions
    chance = (figures.actions[:, None] == figures.actions).float().mean()
    assert nearest.float().mean() > 3 * chance


def test_nobody_is_in_two_parts(few):
    data = read("poses")
    parts = split(data)
    assert [len(part) for part in (parts.train, parts.validation, parts.test)] == [20, 6, 10]
    assert parts.test.is_query.sum() == 4
    assert torch.equal(parts.test.is_query, ~parts.test.is_gallery)
    assert parts.validation.is_query.all()
    assert parts.validation.is_gallery.all()
    assert len(data.images.tensor.flatten(1).unique(dim=0)) == len(data.targets.unique(dim=0)) == 36
    assert data.targets.shape == (36, 28)
    assert data.targets.dtype == torch.float32
    assert not len(data.present())
    assert data.category.max() < len(data.categories)


def test_the_published_parts_add_up_to_22_000():
    assert sum(module.PARTS.values()) == 22_000
    assert module.PARTS["test"] > module.QUERIES


def test_a_damaged_cache_is_drawn_anew(few):
    drawn, cached = read("poses"), read("poses")
    (file,) = few.iterdir()
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    for other in (cached, read("poses")):
        assert other.fingerprint() == drawn.fingerprint()
    assert file.read_bytes() == whole
    assert os.listdir(few) == [file.name]  # nothing half-written is left


def test_a_cache_that_cannot_be_written_to_is_not_fatal(few, monkeypatch):
    (few / "file").write_text("in the way")
    monkeypatch.setenv("ISOMETRY_CACHE", str(few / "file"))
    assert len(read("poses")) == 36


def test_a_folder_of_that_name_is_read_by_its_path(tmp_path, monkeypatch):
    from PIL import Image

    for name in ("a", "b"):
        (tmp_path / "poses" / name).mkdir(parents=True)
        Image.new("RGB", (8, 8)).save(tmp_path / "poses" / name / "1.png")
    monkeypatch.chdir(tmp_path)
    assert read("./poses").classes == read("folder:poses").classes == ("a", "b")


def test_what_is_near_hides_what_is_behind_it():
    angles, build, view = bodies(8)
    at, depth, metre = seen(skeleton(angles, build), view)
    wrist, hand = AT["left wrist"], AT["left hand"]
    at[:, [wrist, hand]] = at[:, [AT["chest"]]]  # the same hand, before the chest and behind it
    shown = []
    for place in (1.0, -1.0):
        there = depth.copy()
        there[:, [wrist, hand, AT["left elbow"]]] = depth.mean(1)[:, None] + place
        picture = pictures(Stream(8, 1, 64), build, at, there, metre, 48).astype(int)
        y, x = np.clip((at[:, AT["chest"]] * 48).astype(int).T[::-1], 0, 47)
        shown.append(picture[np.arange(64), :, y, x])
    assert (np.abs(shown[0] - shown[1]).max(1) > 20).mean() > 0.6
