import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import ConcatDataset, Dataset, Subset, TensorDataset

from isometry.data import Arrays, read

PICTURES = np.random.default_rng(0).integers(0, 256, (6, 5, 7, 3), dtype=np.uint8)
FIRST = torch.from_numpy(PICTURES).permute(0, 3, 1, 2)
LABELS = [4, 4, 2, 2, 9, 9]


class Items(Dataset):
    """Counts how many of its items are decoded."""

    def __init__(self, made, **attributes):
        self.made, self.decoded = made, 0
        self.__dict__.update(attributes)

    def __len__(self):
        return len(LABELS)

    def __getitem__(self, index):
        self.decoded += 1
        return self.made(index)


@pytest.mark.parametrize("labels", [LABELS, np.array(LABELS), torch.tensor(LABELS), [str(y) for y in LABELS]])
@pytest.mark.parametrize(
    "pictures", [PICTURES, FIRST, FIRST / 255, list(PICTURES), [Image.fromarray(p) for p in PICTURES]]
)
def test_images_and_labels(pictures, labels):
    data = read((pictures, labels))
    assert isinstance(data.images, Arrays)
    assert torch.equal(data.images.tensor, FIRST)
    assert data.labels.tolist() == [1, 1, 0, 0, 2, 2]
    assert data.classes == ("2", "4", "9")


def test_labels_from_zero_stay_as_they_are():
    y = torch.tensor([2, 0, 1, -1, 1, 0])
    assert torch.equal(read((PICTURES, y)).labels, y)


def test_labels_beyond_the_exact_range_of_floats():
    y = np.array([2**53 + 1, 2**53, 2**63 - 1] * 2)
    data = read((PICTURES, y))
    assert [int(data.classes[label]) for label in data.labels] == y.tolist()
    assert len(data.present()) == 3
    y = np.array([2**64 - 1, 2**64 - 2] * 3, dtype=np.uint64)
    assert [int(read((PICTURES, y)).classes[c]) for c in (0, 1)] == [2**64 - 2, 2**64 - 1]


def test_paths_and_pictures_of_many_sizes(draw):
    paths = [draw(f"{i}.png", size=(4 + i, 5)) for i in range(3)]
    data = read((paths, ["a", "a", "b"]))
    assert data.paths == tuple(map(str, paths))
    other = read(([Image.open(path) for path in paths], ["a", "a", "b"]))
    assert [other.images[i].shape for i in range(3)] == [(3, 5, 4), (3, 5, 5), (3, 5, 6)]
    assert all(torch.equal(other.images[i], data.images[i]) for i in range(3))


def test_labels_that_are_more_than_a_class():
    sets = read((PICTURES, np.eye(6, 3, dtype=bool)))
    assert sets.multi.shape == (6, 3)
    assert sets.labels.tolist() == [0, 1, 2, -1, -1, -1]
    path = read((PICTURES, np.array([[7, 1], [7, 2], [8, 1], [8, 1], [7, 1], [8, 3]])))
    assert path.hierarchy.tolist() == [[0, 0], [0, 1], [1, 2], [1, 2], [0, 0], [1, 3]]
    targets = read((PICTURES, torch.rand(6, 2)))
    assert targets.targets.shape == (6, 2)
    assert len(targets.present()) == 0


@pytest.mark.parametrize(
    "made",
    [
        lambda i: (PICTURES[i], LABELS[i]),
        lambda i: (Image.fromarray(PICTURES[i]), torch.tensor(LABELS[i])),
        lambda i: (FIRST[i] / 255, np.int64(LABELS[i])),
        lambda i: {"image": FIRST[i], "label": LABELS[i]},
        lambda i: {"input_tensors": FIRST[i], "labels": LABELS[i], "idx": i},
    ],
)
def test_items_of_a_dataset(made):
    data = read(Items(made))
    assert data.labels.tolist() == [1, 1, 0, 0, 2, 2]
    assert torch.equal(data.images[5], FIRST[5])


@pytest.mark.parametrize("name", ["targets", "labels"])
def test_labels_are_read_without_decoding(name):
    items = Items(lambda i: (PICTURES[i], -5), **{name: LABELS, "classes": [f"class {i}" for i in range(10)]})
    data = read(items)
    assert items.decoded == 1
    assert data.labels.tolist() == LABELS
    assert data.classes[4] == "class 4"
    halves = ConcatDataset([Subset(items, [5, 0]), Subset(items, [2])])
    data = read(halves)
    assert items.decoded == 2
    assert data.labels.tolist() == [9, 4, 2]
    assert torch.equal(data.images[1], FIRST[0])


def test_samples_name_the_files():
    items = Items(lambda i: (PICTURES[i], 0), samples=[(f"{i}.jpg", y) for i, y in enumerate(LABELS)])
    data = read(items)
    assert data.paths[2] == "2.jpg"
    assert data.labels.tolist() == [1, 1, 0, 0, 2, 2]


def test_target_transform_counts():
    items = Items(lambda i: (PICTURES[i], LABELS[i] % 2), targets=LABELS, target_transform=lambda y: y % 2)
    assert read(items).labels.tolist() == [0, 0, 0, 0, 1, 1]


def test_tensors_are_arrays():
    data = read(TensorDataset(FIRST, torch.tensor(LABELS)))
    assert isinstance(data.images, Arrays)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ((PICTURES, LABELS[:5]), "6 images and 5 labels"),
        ((PICTURES, torch.tensor(LABELS).float()), "give classes as integers"),
        ((PICTURES, np.zeros((6, 2, 2))), r"\[n\] or \[n k\]"),
        ((PICTURES, torch.full((6,), torch.nan)), "finite"),
        (Items(lambda i: PICTURES[i]), r"\(image, label\) or a dict"),
        (Items(lambda i: {"image": PICTURES[i]}), "no label"),
        (Items(lambda i: {"photo": PICTURES[i], "label": 1}), "no picture"),
        (Items(lambda i: (torch.randn(3, 5, 5), 1)), "before they are normalised"),
        (3, "got int"),
    ],
)
def test_errors_on_one_line(source, words):
    with pytest.raises(ValueError, match=words) as caught:
        read(source)
    assert "\n" not in str(caught.value)
