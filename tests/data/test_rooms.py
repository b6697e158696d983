import os

import numpy as np
import pytest
import torch

from isometry.data import read, split
from isometry.data import rooms as module
from isometry.data.canvas import Stream
from isometry.data.rooms import TYPES, draw, types
from isometry.data.rooms_view import (
    CEILING,
    CENTRE,
    FLOOR,
    LEFT,
    RIGHT,
    SURFACES,
    Scene,
    drawn_scene,
    met,
    rays,
    regions,
)


@pytest.fixture(scope="module")
def rooms():
    return draw(256, seed=3)


@pytest.fixture
def few(monkeypatch, tmp_path):
    """A data set of 36 rooms, in a cache of its own."""
    monkeypatch.setenv("ISOMETRY_CACHE", str(tmp_path))
    monkeypatch.setattr(module, "PARTS", {"train": 20, "validation": 6, "test": 10})
    monkeypatch.setattr(module, "QUERIES", 4)
    return tmp_path


def scene(**given):
    """A room two metres wide, high and long, seen from the middle of its back."""
    values = {"half": 1, "height": 2, "long": 1, "x": 0, "y": 1, "z": -1, "yaw": 0, "pitch": 0, "roll": 0, "wide": 1}
    return Scene(**{name: np.array([value], dtype=float) for name, value in {**values, **given}.items()})


def test_a_cube_from_the_middle_of_its_back():
    # The wall ahead is at distance 2 and the picture 4 wide there: it takes the middle quarter.
    (found,) = regions(scene(), 16)
    assert (found[4:12, 4:12] == CENTRE).all()
    assert [(found == s).sum() for s in (CENTRE, LEFT, RIGHT)] == [64, (found == RIGHT).sum(), (found == LEFT).sum()]
    lines = found[[0, -1], 8].tolist(), found[8, [0, -1]].tolist()
    assert lines == ([CEILING, FLOOR], [LEFT, RIGHT])


def test_a_camera_that_turns_right_and_up_sees_more_of_there():
    plain = regions(scene(), 32)
    assert (
        (regions(scene(yaw=0.4), 32) == RIGHT).sum()
        > (plain == RIGHT).sum()
        > (regions(scene(yaw=-0.4), 32) == RIGHT).sum()
    )
    assert (regions(scene(pitch=0.3), 32) == CEILING).sum() > (plain == CEILING).sum()
    assert (regions(scene(pitch=-0.3), 32) == FLOOR).sum() > (plain == FLOOR).sum()


def test_a_mirrored_camera_sees_the_mirrored_map():
    swap = np.array([FLOOR, CEILING, RIGHT, CENTRE, LEFT])
    one, other = ({"x": s * 0.3, "yaw": s * 0.35, "roll": s * 0.05, "y": 0.8, "pitch": 0.1} for s in (1, -1))
    assert (swap[regions(scene(**one), 16)][..., ::-1] == regions(scene(**other), 16)).mean() > 0.99


def test_rays_end_on_the_surface_that_they_meet():
    room = drawn_scene(Stream(1, 0, 32))
    x, y, z = rays(room, 16)
    surface, far = met(room, x, y, z)
    ends = [getattr(room, name)[:, None, None] + far * ray for name, ray in (("x", x), ("y", y), ("z", z))]
    for number, axis, place in (
        (FLOOR, 1, 0 * room.half), (CEILING, 1, room.height), (LEFT, 0, -room.half), (RIGHT, 0, room.half),
        (CENTRE, 2, room.long),
    ):  # fmt: skip
        here = surface == number
        assert here.any()
        assert ends[axis][here] == pytest.approx(np.broadcast_to(place[:, None, None], here.shape)[here], abs=1e-3)


def test_first_rooms_of_many_are_those_of_few(rooms):
    again, other = draw(20, seed=3), draw(20, seed=4)
    assert torch.equal(again.images, rooms.images[:20])
    assert torch.equal(again.maps, rooms.maps[:20])
    assert not torch.equal(other.maps, again.maps)


def test_numbers_below_nought_are_refused():
    with pytest.raises(ValueError, match="from 0 on; got -1"):
        draw(-1)


def test_every_room_shows_two_surfaces_or_more(rooms):
    assert all(2 <= len(found.unique()) <= 5 for found in rooms.maps)
    assert rooms.maps.unique().tolist() == list(range(len(SURFACES)))


def test_pictures_change_where_surfaces_meet(rooms):
    fine = rooms.maps.repeat_interleave(3, 1).repeat_interleave(3, 2)
    step = (rooms.images[..., 1:].int() - rooms.images[..., :-1].int()).abs().float().mean(1)
    meet = fine[..., 1:] != fine[..., :-1]
    assert step[meet].mean() > 1.5 * step[~meet].mean()


def test_there_are_eleven_types(rooms):
    assert len(set(TYPES)) == 11
    found = types(rooms.maps)
    assert len(found.unique()) >= 8
    whole = torch.tensor([len(one.unique()) == 5 for one in rooms.maps])
    assert torch.equal(found == TYPES.index("3 walls, floor, ceiling"), whole)


def test_no_room_is_in_two_parts(few):
    data = read("rooms")
    parts = split(data)
    assert [len(part) for part in (parts.train, parts.validation, parts.test)] == [20, 6, 10]
    assert parts.test.is_query.sum() == 4
    assert torch.equal(parts.test.is_query, ~parts.test.is_gallery)
    assert len(data.images.tensor.flatten(1).unique(dim=0)) == 36
    assert data.targets.shape == (36, 256)
    assert not len(data.present())


def test_a_damaged_cache_is_drawn_anew(few):
    drawn = read("rooms")
    (file,) = few.iterdir()
    whole = file.read_bytes()
    file.write_bytes(b"not a file of tensors")
    assert read("rooms").fingerprint() == drawn.fingerprint()
    assert file.read_bytes() == whole
    assert os.listdir(few) == [file.name]
