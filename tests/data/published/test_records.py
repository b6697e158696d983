"""Faces to train on, in RecordIO: written here word by word as MXNet writes it."""

import struct

import pytest
import torch

from isometry.data import Unreadable, read
from isometry.data.published.records import MAGIC, read_records
from tests.data.published import trees

WORD = struct.pack("<I", MAGIC)


def cut(data):
    """The parts of a record: the data without the words of magic that lie at multiples of 4."""
    parts, start = [], 0
    for at in range(0, len(data) // 4 * 4, 4):
        if data[at : at + 4] == WORD:
            parts.append(data[start:at])
            start = at + 4
    return [*parts, data[start:]]


def written(data):
    parts = cut(data)
    kinds = [0] if len(parts) == 1 else [1, *[2] * (len(parts) - 2), 3]
    return b"".join(
        WORD + struct.pack("<I", kind << 29 | len(part)) + part + b"\0" * (-len(part) % 4)
        for kind, part in zip(kinds, parts, strict=True)
    )


def packed(labels, picture, key=0):
    """One label lies in the header, several behind it."""
    flag, label = (0, labels[0]) if len(labels) == 1 else (len(labels), 0)
    behind = b"" if len(labels) == 1 else struct.pack(f"<{flag}f", *labels)
    return struct.pack("<IfQQ", flag, label, key, 0) + behind + picture


def put(root, records, name="train"):
    """The file and its index."""
    root.mkdir(parents=True, exist_ok=True)
    content, index = b"", []
    for key, data in enumerate(records):
        index.append(f"{key}\t{len(content)}")
        content += written(data)
    trees.put(root, f"{name}.rec", content)
    trees.text(root, f"{name}.idx", index)
    return root


def with_magic(picture):
    """A picture with the word of magic twice, in a comment, at a multiple of 4 behind the header."""
    start = b"\xff\xfe" + struct.pack(">H", 2 + 12) + b"  " + WORD + WORD + b"  "
    return picture[:2] + start + picture[2:]


PICTURES = [trees.jpeg(8), with_magic(trees.jpeg(9)), trees.jpeg(10), trees.jpeg(11)]
PEOPLE = [[7.0], [7.0], [85741.0, 0.0], [3.0]]


@pytest.fixture
def faces(tmp_path):
    """Record 0 says that pictures end before record 5; then come the people."""
    pictures = [packed(y, picture) for y, picture in zip(PEOPLE, PICTURES, strict=True)]
    return put(tmp_path / "faces_emore", [packed([5, 8], b""), *pictures, packed([1, 3], b""), packed([3, 4], b"")])


def test_records(faces):
    assert len(cut(packed([7.0], PICTURES[1]))) == 3
    data = read(faces)
    assert data.classes == ("3", "7", "85741")
    assert data.labels.tolist() == [1, 1, 2, 0]
    assert [tuple(data.images[i].shape) for i in range(4)] == [(3, 6, width) for width in (8, 9, 10, 11)]
    assert data.select(torch.tensor([3, 1])).images[1].shape == (3, 6, 9)
    assert data.fingerprint() != data.select(torch.tensor([0, 1, 3, 2])).fingerprint()


def test_without_a_record_of_people_all_are_pictures(tmp_path):
    root = put(tmp_path, [packed(y, picture) for y, picture in zip(PEOPLE, PICTURES, strict=True)])
    data = read(f"recordio:{root}")
    assert data.labels.tolist() == [1, 1, 2, 0]
    assert data.images[1].shape == (3, 6, 9)


def test_what_is_damaged_is_told(faces):
    content = (faces / "train.rec").read_bytes()
    offsets = [line.split("\t") for line in (faces / "train.idx").read_text().splitlines()]
    trees.put(faces, "train.rec", content[: int(offsets[4][1]) + 40])
    trees.text(faces, "train.idx", ["\t".join(row) for row in offsets[:5]])
    with pytest.raises(
        Unreadable, match=r"the record at byte [\d,]+ of .*train\.rec cannot be read: the record is not"
    ):
        read_records(faces).images[3]
    trees.text(faces, "train.idx", ["\t".join(row) for row in offsets[:3]])
    with pytest.raises(ValueError, match=r"train\.idx lacks 2 of 4 pictures, first 3"):
        read_records(faces)
    trees.text(faces, "train.idx", ["0\t0", "1\t4", "2\t8", "3\t9", "4\t9"])
    with pytest.raises(ValueError, match=r"no record begins at byte 4, where train\.idx says"):
        read_records(faces)
    trees.text(faces, "train.idx", [f"{i}\t{i * 9999999}" for i in range(5)])
    with pytest.raises(ValueError, match=r"train\.idx looks for records beyond"):
        read_records(faces)
    trees.text(faces, "train.idx", ["0 a"])
    with pytest.raises(ValueError, match="is not 'key offset' in every row"):
        read_records(faces)


@pytest.mark.parametrize("label", [0.5, -1.0, 2.0**24])
def test_labels_that_are_no_whole_numbers_are_refused(tmp_path, label):
    with pytest.raises(ValueError, match="labels are whole numbers from 0 to 16,777,216"):
        read_records(put(tmp_path, [packed([label], PICTURES[0])]))
