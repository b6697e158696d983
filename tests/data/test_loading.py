import pickle
import random

import numpy as np
import pytest
import torch
from torch import Tensor

from isometry.data import Unreadable, loader, read
from isometry.samplers import ClassesTimesInstances, Plain


class Noisy:
    """A transform that draws from every source of random numbers."""

    def __init__(self, batched: bool = False) -> None:
        self.batched = batched

    def __call__(self, images: Tensor) -> Tensor:
        noise = torch.rand(images.shape) + np.random.rand() + random.random()  # noqa: NPY002
        return images.float() / 255 + noise


def to_float(image: Tensor) -> Tensor:
    return image.float() / 255


@pytest.fixture
def damaged(folder):
    """A class that lost one of its pictures, one that lost all, and an empty file."""
    (folder / "c" / "1.png").write_text("nothing")
    for i in range(3):
        (folder / "e" / f"{i}.png").write_bytes(b"")
    return read(folder)


@pytest.mark.parametrize("workers", [0, 2])
def test_in_order_every_readable_picture_comes_once(damaged, workers):
    batches = loader(damaged, to_float, batch_size=5, workers=workers)
    for _ in range(2):
        seen = list(batches)
        index = torch.cat([batch.index for batch in seen])
        assert index.tolist() == [i for i in range(24) if i not in (7, 12, 13, 14)]
        assert torch.equal(torch.cat([batch.labels for batch in seen]), damaged.labels[index])
        assert all(
            torch.equal(image, damaged.images[i].float() / 255)
            for batch in seen
            for image, i in zip(batch.images, batch.index.tolist(), strict=True)
        )
    assert sorted(batches.unreadable) == [7, 12, 13, 14]
    assert "birds" in batches.unreadable[7].path
    assert batches.unreadable[12].why == "the file is empty"


@pytest.mark.parametrize("workers", [0, 2])
def test_training_goes_on_with_another_picture_of_the_class(damaged, workers):
    sampler = ClassesTimesInstances(classes=8, instances=2).bind(damaged.labels)
    batches = loader(damaged, to_float, batch_sampler=sampler, workers=workers)
    for _ in range(3):
        for batch in batches:
            assert torch.bincount(batch.labels, minlength=8).tolist() == [2, 2, 2, 2, 0, 2, 2, 2]
            assert not {7, 12, 13, 14} & set(batch.index.tolist())
            assert len(set(batch.index.tolist())) == len(batch.index)
    assert set(batches.unreadable) == {7, 12, 13, 14}


def test_two_lost_pictures_of_a_class_get_two_others(draw, tmp_path):
    for i in range(8):
        draw(f"a/{i}.png")
    for i in (0, 1, 2):
        (tmp_path / "a" / f"{i}.png").write_bytes(b"")
    (batch,) = loader(read(tmp_path), to_float, batch_sampler=OneBatch([[0, 1, 3]]), workers=0)
    assert len(set(batch.index.tolist()) - {0, 1, 2}) == 3


@pytest.mark.parametrize("workers", [0, 1])
def test_strict_stops_with_one_line(damaged, workers):
    with pytest.raises(Unreadable) as caught:
        list(loader(damaged, to_float, batch_size=5, workers=workers, strict=True))
    assert str(caught.value).endswith("1.png cannot be read: it is not a picture in a known format.")


def test_nothing_readable_is_an_error(folder):
    for path in folder.rglob("*.png"):
        path.write_text("nothing")
    data = read(folder)
    for arguments in ({"batch_size": 5}, {"batch_sampler": Plain(batch_size=5).bind(data.labels)}):
        with pytest.raises(Unreadable, match="and so for all"):
            list(loader(data, to_float, workers=0, **arguments))


def test_random_numbers_do_not_depend_on_the_workers(folder):
    data = read(folder)
    runs = []
    for workers in (0, 2):
        sampler = Plain(batch_size=6).bind(data.labels)
        batches = loader(data, Noisy(), batch_sampler=sampler, workers=workers, seed=3)
        runs.append([batch.images for _ in range(2) for batch in batches])
    for other in runs[1:]:
        assert all(torch.equal(a, b) for a, b in zip(runs[0], other, strict=True))
    assert not torch.equal(runs[0][0], runs[0][4])


@pytest.mark.parametrize(("workers", "stop"), [(0, 1), (0, 4), (0, 7), (2, 5)])
def test_resumes_bit_for_bit_whatever_was_read_ahead(folder, workers, stop):
    data = read(folder)

    def start():
        sampler = ClassesTimesInstances(classes=3, instances=2).bind(data.labels)
        return loader(data, Noisy(), batch_sampler=sampler, workers=workers, prefetch=3)

    def run(batches, steps):
        taken = []
        while len(taken) < steps:
            for batch in batches:
                taken.append(batch)
                if len(taken) == steps:
                    break
        return taken

    whole = run(start(), 11)
    first = start()
    before = run(first, stop)
    state = pickle.loads(pickle.dumps(first.state_dict()))
    second = start()
    second.load_state_dict(state)
    assert state == second.state_dict()
    after = run(second, 11 - stop)
    for expected, found in zip(whole, before + after, strict=True):
        assert torch.equal(expected.images, found.images)
        assert torch.equal(expected.ids, found.ids)


def test_batched_transform_of_pictures_in_memory():
    data = read("glyphs").part("test")
    sampler = ClassesTimesInstances(classes=8).bind(data.labels)
    batches = loader(data, Noisy(batched=True), batch_sampler=sampler, channels=3)
    before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002 (beartype draws from random)
    batch = next(iter(batches))
    assert batch.images.shape == (32, 3, 32, 32)
    assert torch.equal(data.labels[batch.index], batch.labels)
    assert torch.equal(data.ids[batch.index], batch.ids)
    assert torch.equal(before[0], torch.get_rng_state())
    assert np.array_equal(before[1], np.random.get_state()[1])  # noqa: NPY002
    assert torch.equal(batch.images, next(iter(batches)).images)


def test_a_copy_in_the_batch_looks_different(folder):
    data = read(folder)
    (batch,) = loader(data, Noisy(), batch_sampler=OneBatch([[0, 0]]), workers=0)
    assert not torch.equal(*batch.images)


class OneBatch:
    """The least that a batch sampler has to offer."""

    def __init__(self, batches):
        self.batches, self.position = batches, 0

    def __len__(self):
        return len(self.batches)

    def __iter__(self):
        return iter(self.batches[self.position :])

    def state_dict(self):
        return {"epoch": 0, "position": self.position}

    def load_state_dict(self, state):
        self.position = state["position"]


@pytest.mark.parametrize("workers", [0, 1])
def test_sizes_must_agree_after_the_transform(draw, tmp_path, workers):
    draw("a/1.png", size=(8, 6))
    draw("a/2.png", size=(6, 8))
    with pytest.raises(ValueError, match="it must give one size") as refused:
        list(loader(read(tmp_path), to_float, batch_size=2, workers=workers))
    assert "Traceback" not in str(refused.value)


def test_data_travel_to_workers_on_every_system(folder):
    data = pickle.loads(pickle.dumps(read(folder)))
    assert data.fingerprint() == read(folder).fingerprint()
    assert torch.equal(data.images[3], read(folder).images[3])


def test_one_of_batch_sampler_and_batch_size(folder):
    data = read(folder)
    with pytest.raises(ValueError, match="either a batch_sampler"):
        loader(data, to_float)
    with pytest.raises(ValueError, match="batch_size=0"):
        loader(data, to_float, batch_size=0)
