"""Data that come as packages: Fashion-MNIST and emoji."""

import dataclasses
import gzip
import io
import json
import struct

import numpy as np
import pytest
import torch
from PIL import Image

from isometry.data import read
from isometry.data.published import BENCHMARKS
from isometry.data.published.emoji import read_emoji
from isometry.data.published.fashion_mnist import idx, read_fashion_mnist, read_fashion_mnist_classes
from tests.data.published import trees

PIXELS = {"train": np.arange(20 * 4 * 3, dtype=np.uint8).reshape(20, 4, 3), "t10k": np.full((5, 4, 3), 9, np.uint8)}
LABELS = {"train": np.arange(20, dtype=np.uint8) % 10, "t10k": np.array([9, 0, 4, 5, 0], np.uint8)}


def idx_bytes(values):
    return bytes([0, 0, 8, values.ndim]) + struct.pack(f">{values.ndim}I", *values.shape) + values.tobytes()


def fashion(root, packed=True, dot="-"):
    for part in PIXELS:
        for what, values in (("images", PIXELS[part]), ("labels", LABELS[part])):
            data = idx_bytes(values)
            name = f"{part}-{what}{dot}idx{values.ndim}-ubyte"
            trees.put(root, f"{name}.gz" if packed else name, gzip.compress(data) if packed else data)
    return root


@pytest.mark.parametrize(("packed", "dot"), [(True, "-"), (False, "-"), (False, ".")])
def test_fashion_mnist(tmp_path, packed, dot):
    data = read_fashion_mnist(fashion(tmp_path, packed, dot))
    assert data.classes[9] == "Ankle boot"
    assert data.labels.tolist() == [*LABELS["train"].tolist(), 9, 0, 4, 5, 0]
    assert data.split == ("train",) * 20 + ("test",) * 5
    assert torch.equal(data.images[3], torch.from_numpy(PIXELS["train"][3])[None])
    assert data.images[24].unique().tolist() == [9]
    apart = read_fashion_mnist_classes(tmp_path)
    assert [part == "train" for part in apart.split] == (data.labels < 5).tolist()


def test_fashion_mnist_by_its_name_alone(tmp_path, monkeypatch):
    for name in ("fashion_mnist", "fashion_mnist_classes"):
        small = dataclasses.replace(BENCHMARKS[name], verified={}, place=str(tmp_path / "fashion-mnist"))
        monkeypatch.setitem(BENCHMARKS, name, small)
    with pytest.raises(FileNotFoundError, match=r"no folder .*fashion-mnist\. It is published as the Debian package"):
        read("fashion-mnist")
    fashion(tmp_path / "fashion-mnist")
    assert len(read("fashion-mnist")) == len(read("Fashion_MNIST")) == len(read(f"fashion-mnist:{tmp_path}")) == 25
    assert read("fashion-mnist-classes").name == "Fashion-MNIST, five classes to train and five to test"
    monkeypatch.chdir(tmp_path / "fashion-mnist")
    trees.put(tmp_path, "fashion-mnist/fashion-mnist/a/1.jpg")
    assert read("fashion-mnist").classes == ("a",)  # what exists is a path


def test_counts_of_fashion_mnist_are_checked(tmp_path):
    with pytest.raises(ValueError, match=r"expected 60,000 train images and 10,000 test images .*, found 20"):
        read(f"fashion_mnist:{fashion(tmp_path)}")
    assert len(read(f"subset:fashion_mnist:{tmp_path}")) == 25


def test_damaged_idx(tmp_path):
    whole = idx_bytes(PIXELS["t10k"])
    for damaged, words in (
        (whole[:-1], "is not whole: it says 5 × 4 × 3 values and holds 59"),
        (whole + b"\0", "is not whole"),
        (whole[:9], "is no IDX file of bytes with 3 axes"),
        (b"", "is no IDX file"),
        (b"\0\0\x0d" + whole[3:], "is no IDX file"),
        (gzip.compress(whole)[:-9], "cannot be unpacked"),
        (gzip.compress(whole)[:20] + b"\xff" * 20, "cannot be unpacked"),
        (gzip.compress(whole)[:15] + b"\xff" * 20, "cannot be unpacked"),
    ):
        with pytest.raises(ValueError, match=words) as error:
            idx(trees.put(tmp_path, "x", damaged), 3)
        assert "\n" not in str(error.value)
    assert idx(trees.put(tmp_path, "x", gzip.compress(whole)), 3).shape == (5, 4, 3)  # whatever the name says


def test_fashion_mnist_that_does_not_fit_together(tmp_path):
    fashion(tmp_path, packed=False)
    trees.put(tmp_path, "t10k-labels-idx1-ubyte", idx_bytes(LABELS["t10k"][:4]))
    with pytest.raises(ValueError, match=r"holds 5 pictures and .* 4 labels"):
        read_fashion_mnist(tmp_path)
    trees.put(tmp_path, "t10k-labels-idx1-ubyte", idx_bytes(LABELS["t10k"] + 1))
    with pytest.raises(ValueError, match="has the label 10; labels are 0 to 9"):
        read_fashion_mnist(tmp_path)
    trees.put(tmp_path, "t10k-labels-idx1-ubyte", idx_bytes(LABELS["t10k"]))
    trees.put(tmp_path, "t10k-images-idx3-ubyte", idx_bytes(PIXELS["t10k"][:, :3]))
    with pytest.raises(ValueError, match=r"pictures of 2 sizes to train and to test: \[\(3, 3\), \(4, 3\)\]"):
        read_fashion_mnist(tmp_path)
    (tmp_path / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(FileNotFoundError, match=r"t10k-labels-idx1-ubyte or .*\.gz is missing"):
        read_fashion_mnist(tmp_path)


def see_through():
    """A red dot on nothing."""
    file, picture = io.BytesIO(), Image.new("RGBA", (4, 4), (0, 0, 0, 0))
    picture.putpixel((1, 1), (255, 0, 0, 255))
    picture.save(file, "png")
    return file.getvalue()


THUMBS = ("-1", ["-1", "thumbsdown"], "THUMBS DOWN SIGN", "People & Body", "hand-fingers-closed")
KINDS = [
    ("zebra", ["zebra_face"], "ZEBRA FACE", "Animals & Nature", "animal-mammal"),
    ("grinning", ["grinning"], "GRINNING FACE", "Smileys & Emotion", "face-smiling"),
    ("smiley", ["smiley"], None, "Smileys & Emotion", "face-smiling"),
    THUMBS,
    ("hash", ["hash"], "HASH KEY", "Symbols", "keycap"),
]


def package(root, vendors=("google",), lacks=(), kinds=KINDS):
    """An unpacked package; `sort_order` is not the order of the file."""
    listed = []
    for i, (short, shorts, name, category, subcategory) in enumerate(kinds):
        image = f"1f60{i}.png"
        has = {f"has_img_{v}": (v, short) not in lacks for v in ("apple", "google", "twitter", "facebook")}
        listed.append({
            "name": name, "short_name": short, "short_names": shorts, "category": category, "image": image,
            "subcategory": subcategory, "sort_order": 100 - i, **has,
            "skin_variations": {"1F3FB": {"image": f"1f60{i}-1f3fb.png"}},
        })  # fmt: skip
        for vendor in vendors:
            trees.put(root, f"img/{vendor}/64/1f60{i}-1f3fb.png", see_through())
            if has[f"has_img_{vendor}"]:
                trees.put(root, f"img/{vendor}/64/{image}", see_through())
    trees.put(root, "img/google/sheets/32.png", see_through())
    trees.put(root, "emoji.json", json.dumps(listed).encode())
    return root


def test_emoji_of_two_packages(tmp_path):
    package(tmp_path / "emoji-datasource-google")
    package(tmp_path / "emoji-datasource-twitter", ["twitter"], lacks=[("twitter", "hash")])
    data = read(f"subset:emoji:{tmp_path}")
    assert [data.classes[y].split("/")[-1] for y in data.labels.tolist()] == [
        "hash", *("thumbsdown",) * 2, *("smiley",) * 2, *("grinning",) * 2, *("zebra",) * 2,
    ]  # fmt: skip
    assert data.split == ("train",) * 3 + ("test",) * 6
    assert data.levels == ("category", "subcategory", "emoji")
    assert data.hierarchy[3:7].tolist() == [[2, 2, 3]] * 2 + [[2, 2, 2]] * 2
    assert data.categories == ("Animals & Nature", "People & Body", "Smileys & Emotion", "Symbols")
    assert data.captions[0] == ("hash key",)
    assert data.captions[3] == ("smiley",)
    assert data.paths[1:3] == tuple(f"emoji-datasource-{v}/img/{v}/64/1f603.png" for v in ("google", "twitter"))
    assert data.images[1][:, 0, 0].tolist() == [255, 255, 255]
    assert data.images[1][:, 1, 1].tolist() == [255, 0, 0]
    assert data.select(torch.tensor([3])).captions == (("smiley",),)
    assert "only one vendor" not in " ".join(data.notes)


def test_vendors_of_one_package(tmp_path):
    package(tmp_path / "x/package", ["google", "apple"])
    data = read_emoji(tmp_path / "x")
    assert len(data) == 10
    assert data.fingerprint() != dataclasses.replace(data, captions=(("other",),) * 10).fingerprint()


def test_one_vendor_is_noted_and_counts_are_checked(tmp_path):
    package(tmp_path)
    assert "only one vendor's drawings are there" in read_emoji(tmp_path).notes[0]
    with pytest.raises(ValueError, match=r"expected 955 train classes.* counts of version 16\.0\.0"):
        read(tmp_path)
    (tmp_path / "img/google/64/1f602.png").unlink()
    with pytest.raises(FileNotFoundError, match=r"1 of 5 pictures are missing: .*1f602\.png"):
        read(f"emoji:{tmp_path}")


def test_what_is_wrong_with_emoji(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"emoji\.json beside img/google/64 is missing; looked in"):
        read(f"emoji:{tmp_path}")
    package(tmp_path)
    trees.put(tmp_path, "emoji.json", b"[{")
    with pytest.raises(ValueError, match=r"emoji\.json is no JSON that can be read"):
        read_emoji(tmp_path)
    trees.put(tmp_path, "emoji.json", b'{"a": 1}')
    with pytest.raises(ValueError, match=r"emoji\.json is no list of emoji"):
        read_emoji(tmp_path)
    trees.put(tmp_path, "emoji.json", b'[{"short_name": "a"}]')
    with pytest.raises(ValueError, match=r"describes an emoji without a proper 'sort_order'"):
        read_emoji(tmp_path)
    for file in (tmp_path / "img/google/64").iterdir():
        file.unlink()
    (tmp_path / "img/google/64").rmdir()
    with pytest.raises(FileNotFoundError, match=r"img/apple/64 or .* is missing; looked in"):
        read_emoji(tmp_path)
