"""Tars of WebDataset: made here with `tarfile` in every format that it writes."""

import io
import json
import tarfile

import pytest
import torch
from PIL import Image

from isometry.data import Unreadable, read, split
from isometry.data.tars import members
from isometry.data.web import read_web
from tests.data.published import trees


def tar(path, files, kind=tarfile.USTAR_FORMAT, mode="w"):
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, mode, format=kind) as made:
        for name, content in files:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            made.addfile(info, io.BytesIO(content))
    return path


def labelled(first, n, **more):
    """Samples with a label of three classes."""
    files = []
    for i in range(first, first + n):
        files += [(f"{i:04d}.jpg", trees.jpeg(8 + i)), (f"{i:04d}.cls", f"{i % 3}\n".encode())]
        files += [(f"{i:04d}.{kind}", content) for kind, content in more.items()]
    return files


@pytest.mark.parametrize("kind", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_members_lie_where_tarfile_says(tmp_path, kind):
    long = ["e" * 99 + ".jpg", "folder" * 30 + "/é" + "x" * 90 + ".jpg"]
    names = ["a.jpg", "b/c.cls", "ü.txt", "f" * 120 + "/g.jpg"] + long * (kind != tarfile.USTAR_FORMAT)
    files = [(name, bytes([i]) * (i * 300)) for i, name in enumerate(names)]
    path = tar(tmp_path / "x.tar", files, kind)
    with tarfile.open(path) as given:
        expected = [(m.name, m.offset_data, m.size) for m in given]
    assert [tuple(member) for member in members(path, path.read_bytes())] == expected


def test_folders_and_links_are_left_out(tmp_path):
    with tarfile.open(tmp_path / "x.tar", "w") as made:
        for kind in (tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE):
            info = tarfile.TarInfo("y" * 120)
            info.type, info.linkname = kind, "z" * 120
            made.addfile(info)
        info = tarfile.TarInfo("a.jpg")
        made.addfile(info, io.BytesIO())
    content = (tmp_path / "x.tar").read_bytes()
    assert [member.name for member in members(tmp_path / "x.tar", content)] == ["a.jpg"]


def test_tars_by_braces(tmp_path):
    for i in range(3):
        tar(tmp_path / f"{i:03d}.tar", labelled(4 * i, 4))
    data = read(f"web:{tmp_path}/{{000..002}}.tar")
    assert data.labels.tolist() == [i % 3 for i in range(12)]
    assert data.classes == ("0", "1", "2")
    assert [data.images[i].shape[-1] for i in range(12)] == [8 + i for i in range(12)]
    assert data.paths[5] == "001.tar/0005.jpg"
    part = data.select(torch.tensor([11, 0]))
    assert [part.images[i].shape[-1] for i in range(2)] == [19, 8]
    assert part.images.where(0) == f"0011.jpg in {tmp_path}/002.tar"
    for same in (f"web:{tmp_path}", f"WEB:{tmp_path}/*.tar", f"web:{tmp_path}/{{000,001,002}}.tar"):
        assert read(same).fingerprint() == data.fingerprint()
    assert len(read(tmp_path / "001.tar")) == 4
    assert part.fingerprint() != data.fingerprint()


def test_samples_by_their_keys(tmp_path):
    files = [
        ("./a/1.jpg", trees.jpeg(9)), ("b/1.png", trees.jpeg(10)), ("a/1.json", b'{"label": 4, "size": 1}'),
        ("a/1.mask.png", trees.jpeg(2)), ("b/1.JSON", b'{"label": 5}'), ("c.image.webp", trees.jpeg(11)),
        ("c.mask.png", trees.jpeg(2)), ("d.json", b"{}"), ("__meta__/x.jpg", b""), ("._a.jpg", b""), ("e.npy", b"1" * 600),
    ]  # fmt: skip
    data = read_web(str(tar(tmp_path / "x.tar", files)))
    assert data.paths == ("x.tar/a/1.jpg", "x.tar/b/1.png", "x.tar/c.image.webp")
    assert data.labels.tolist() == [0, 1, -1]
    assert [data.images[i].shape[-1] for i in range(3)] == [9, 10, 11]
    assert data.notes == ("2 samples without a picture were left out", "1 samples have no label")


@pytest.mark.parametrize(
    ("labels", "name", "check"),
    [
        ([{"label": "owl"}, {"label": "duck"}], "label", lambda d: d.classes == ("duck", "owl")),
        ([{"breed": 3}, {"breed": 10}], "breed", lambda d: d.classes == ("3", "10") and d.labels.tolist() == [0, 1]),
        ([{"a": "x", "b": 1}, {"a": "x", "b": 2}], "a,b", lambda d: d.hierarchy.tolist() == [[0, 0], [0, 1]]),
        ([{"labels": ["p", "q"]}, {"labels": ["q"]}], "label", lambda d: d.multi.tolist() == [[True] * 2, [False, True]]),
        ([{"label": [1, 2]}, {"label": []}], "label", lambda d: d.multi.tolist() == [[True] * 2, [False] * 2]),
        ([{"label": 0.5}, {"label": 0.25}], "label", lambda d: d.targets[:, 0].tolist() == [0.5, 0.25]),
        ([{"label": 7}, {}], "label", lambda d: d.labels.tolist() == [0, -1]),
        ([7, 8], "label", lambda d: d.classes == ("7", "8")),
        ([{"label": 1, "caption": "a dog"}, {"label": 1}], "label", lambda d: d.captions == (("a dog",), ())),
        ([{"captions": ["a", "b"]}, {"caption": ""}], "label", lambda d: d.captions == (("a", "b"), ())),
    ],
)  # fmt: skip
def test_labels_in_json(tmp_path, labels, name, check):
    files = [
        file
        for i, y in enumerate(labels)
        for file in ((f"{i}.jpg", trees.jpeg()), (f"{i}.json", json.dumps(y).encode()))
    ]
    assert check(read(f"web:{tar(tmp_path / 'x.tar', files)}", label=name))


def test_captions_and_no_labels(tmp_path):
    files = [("1.jpg", trees.jpeg()), ("1.txt", "a café\n".encode()), ("2.jpg", trees.jpeg())]
    data = read_web(str(tar(tmp_path / "x.tar", files)))
    assert data.captions == (("a café",), ())
    assert len(data.present()) == 0


def test_parts_and_names_of_classes(tmp_path):
    tar(tmp_path / "train/0.tar", labelled(0, 18))
    tar(tmp_path / "test/0.tar", labelled(0, 6))
    trees.text(tmp_path, "classnames.txt", ["red", "green", "blue"])
    data = read(f"web:{tmp_path}")
    assert data.split == ("test",) * 6 + ("train",) * 18
    assert data.classes == ("red", "green", "blue")
    assert data.paths[6] == "train/0.tar/0000.jpg"
    assert len(split(data).test) == 6
    assert read(f"web:{tmp_path}/train").split is None
    assert read(f"web:{tmp_path}/{{train,test}}/0.tar").labels[:3].tolist() == [0, 1, 2]


@pytest.mark.parametrize("packed", ["gz", "bz2", "xz"])
def test_packed_tars_are_refused(tmp_path, packed):
    path = tar(tmp_path / f"x.tar.{packed}", labelled(0, 2), mode=f"w:{packed}")
    with pytest.raises(ValueError, match="packed: pictures can be reached in a plain tar only"):
        read(f"web:{tmp_path}")
    with pytest.raises(ValueError, match=r"packed with (gzip|bzip2|xz): its pictures"):
        read(f"web:{path}")


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda data: b"", "is not whole: it has 0 bytes"),
        (lambda data: data[:300], "is not whole: it has 300 bytes"),
        (lambda data: data[:600], r"is not whole: it ends inside 0000\.jpg"),
        (lambda data: b"hello" * 300, "is no tar, or damaged: no file's header lies at byte 0"),
        (lambda data: data[:8] + b"?" + data[9:], "is no tar, or damaged"),
        (lambda data: data[:124] + b"zzz" + data[127:], "is no tar, or damaged"),
        (lambda data: data[:1536] + b"\xff" * 512 + data[2048:], "no file's header lies at byte 1,536"),
    ],
)
def test_damaged_tars(tmp_path, damage, words):
    path = tar(tmp_path / "x.tar", labelled(0, 2))
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(ValueError, match=words) as error:
        read(f"web:{path}")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ([("1.jpg", b"x"), ("1.jpg", b"x")], r"holds 1\.jpg twice: no two samples"),
        ([("1.left.jpg", b"x"), ("1.right.jpg", b"x")], "has 2 pictures, and one is expected: left.jpg, right.jpg"),
        ([("1.jpg", b"x"), ("1.json", b"{")], r"tar/1 has a label or caption that cannot be read: Expecting"),
        ([("1.jpg", b"x"), ("1.cls", b"\xff\xfe\xff")], "has a label or caption that cannot be read"),
        ([("1.jpg", b"x"), ("1.json", b'{"label": {"a": 1}}')], "label with entries of its own: name the one"),
        ([("1.cls", b"1")], "holds no pictures in 1 tars"),
    ],
)
def test_samples_that_cannot_be_read(tmp_path, files, words):
    path = tar(tmp_path / "x.tar", files)
    with pytest.raises(ValueError, match=words) as error:
        read(f"web:{path}")
    assert "\n" not in str(error.value)


def test_exif_turns_a_picture(tmp_path):
    file, exif = io.BytesIO(), Image.Exif()
    exif[0x0112] = 6  # turn it by 90 degrees
    Image.new("RGB", (10, 6)).save(file, "jpeg", exif=exif)
    assert read(tar(tmp_path / "x.tar", [("1.jpg", file.getvalue())])).images[0].shape == (3, 10, 6)


def test_a_damaged_picture_is_told_when_it_is_asked_for(tmp_path):
    path = tar(tmp_path / "x.tar", [("1.jpg", b"x"), ("2.jpg", trees.jpeg())])
    with pytest.raises(Unreadable, match=r"1\.jpg in .*x\.tar cannot be read: it is not a picture in a known format"):
        read(path).images[0]


def test_tars_that_are_not_there(tmp_path):
    tar(tmp_path / "000.tar", labelled(0, 1))
    with pytest.raises(FileNotFoundError, match=r"2 of 3 tars are missing; the first is .*001\.tar"):
        read(f"web:{tmp_path}/{{000..002}}.tar")
    with pytest.raises(FileNotFoundError, match=r"There are no tars in"):
        read(f"web:{(tmp_path / 'empty').mkdir() or tmp_path / 'empty'}")
    with pytest.raises(FileNotFoundError, match=r"1 of 1 tars are missing; the first is .*\*\.tar"):
        read(f"web:{tmp_path}/nothing/*.tar")
    with pytest.raises(ValueError, match="counts down from 9 to 1"):
        read(f"web:{tmp_path}/{{9..1}}.tar")
    with pytest.raises(ValueError, match="is not on this machine"):
        read("web:s3://bucket/1.tar")
    with pytest.raises(ValueError, match="has no label breed in any sample"):
        read(f"web:{tmp_path}", label="breed")
