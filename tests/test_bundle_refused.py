"""What was changed, cut off, made to do harm or is of another kind is refused in one line; a killed write loses nothing."""

import hashlib
import json
import os
import signal
import sys
import time
import zipfile

import numpy as np
import pytest
import torch

import isometry
from isometry.bundle import Refused, Thresholds, archive
from isometry.bundle.gallery import Gallery
from isometry.cli import main
from isometry.embedder import Ready
from isometry.model import Embedder

NAMES = (archive.MANIFEST, *archive.KNOWN)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A bundle, made by hand."""
    root = tmp_path_factory.mktemp("refused")
    Ready(Embedder.parse("ConvNet(widths=(8, 16), size=8)", "Average()", "Linear(dim=4)"), "Same()").save(root)
    config = {"name": "thing", "classes": ["a", "b"], "similarity": "cosine", "relate": "", "training": {}}
    gallery = Gallery(z=torch.eye(4), ids=torch.arange(4), labels=torch.tensor([0, 1, 1, -1]), classes=("a", "b"))
    content = {
        archive.CARD: b"# thing\n",
        archive.CONFIG: json.dumps(config).encode(),
        archive.EVALUATION: json.dumps({"test": {}}).encode(),
        archive.THRESHOLDS: json.dumps(Thresholds().as_json()).encode(),
        archive.WEIGHTS: (root / "model.safetensors").read_bytes(),
        **gallery.members(),
    }
    archive.write(root / "thing.isom", content)
    assert len(isometry.load(root / "thing.isom").gallery) == 4
    return root


def stated(content):
    """A manifest that fits these members."""
    members = {n: {"size": len(x), "sha256": hashlib.sha256(x).hexdigest()} for n, x in content.items()}
    return {"bundle": "isometry", "format": archive.FORMAT, "members": members}


def zipped(path, members, compression=zipfile.ZIP_STORED):
    """An archive of `(name, bytes)`, as anybody can make one."""
    with zipfile.ZipFile(path, "w", compression) as made:
        for name, content in members:
            made.writestr(name, content)
    return path


def entries(path):
    with zipfile.ZipFile(path) as held:
        return {name: held.read(name) for name in held.namelist()}


@pytest.mark.parametrize("name", NAMES)
def test_a_changed_member_is_refused(root, tmp_path, name):
    members = entries(root / "thing.isom")
    for at in (0, len(members[name]) // 2, len(members[name]) - 2):
        changed = bytearray(members[name])
        changed[at] ^= 1
        path = zipped(tmp_path / "changed.isom", {**members, name: bytes(changed)}.items())
        with pytest.raises(
            Refused, match=name if name != archive.MANIFEST else "manifest|changed|damaged|lacks|no bundle"
        ):
            isometry.load(path)
    path = zipped(tmp_path / "longer.isom", {**members, name: members[name] + b" {"}.items())
    with pytest.raises(Refused, match=name):
        isometry.load(path)


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_member_is_refused(root, tmp_path, name):
    members = entries(root / "thing.isom")
    path = zipped(tmp_path / "less.isom", [(n, x) for n, x in members.items() if n != name])
    with pytest.raises(Refused, match=name):
        isometry.load(path)


@pytest.mark.parametrize("share", [0.0, 0.001, 0.3, 0.9, 0.99])
def test_a_truncated_file_is_refused(root, tmp_path, share):
    whole = (root / "thing.isom").read_bytes()
    for length in {int(share * len(whole)), len(whole) - 1, len(whole) - 22}:
        (tmp_path / "cut.isom").write_bytes(whole[:length])
        with pytest.raises(Refused, match=r"truncated"):
            isometry.load(tmp_path / "cut.isom")


def test_a_flipped_bit_anywhere_is_refused_or_changes_nothing(root, tmp_path):
    whole = (root / "thing.isom").read_bytes()
    content, g = archive.read(root / "thing.isom").content, np.random.default_rng(0)
    end = np.arange(len(whole) - 700, len(whole))  # the directory, which says where everything is
    refused = []
    for at in {*g.integers(0, len(whole), 150).tolist(), *g.choice(end, 250).tolist()}:
        flipped = bytearray(whole)
        flipped[at] ^= 1 << int(g.integers(8))
        (tmp_path / "flipped.isom").write_bytes(flipped)
        try:
            assert archive.read(tmp_path / "flipped.isom").content == content
        except Refused as error:
            refused.append(str(error))
    assert len(refused) > 150
    assert not any("\n" in said for said in refused)


def odd(root, members, case):
    """Members of archives that no bundle is."""
    content = {n: x for n, x in members.items() if n != archive.MANIFEST}
    manifest = stated(content)
    return {
        "newer": {**members, archive.MANIFEST: json.dumps({**manifest, "format": 2})},
        "of something else": {**members, archive.MANIFEST: '{"format": 1}'},
        "no json": {**members, archive.MANIFEST: "[" * 100_000},
        "a path": {**members, "../../evil.txt": b"x"},
        "an absolute path": {**members, "/tmp/evil.txt": b"x"},
        "a path in the manifest": {**members, archive.MANIFEST: json.dumps(stated({**content, "../evil": b"x"}))},
        "added": {**members, "evil.py": b"x"},
        "an honest manifest of other weights": {
            **content,
            archive.WEIGHTS: b"x" * 100,
            archive.MANIFEST: json.dumps(stated({**content, archive.WEIGHTS: b"x" * 100})),
        },
        "an honest manifest of another config": {
            **content,
            archive.CONFIG: b"[]",
            archive.MANIFEST: json.dumps(stated({**content, archive.CONFIG: b"[]"})),
        },
    }[case]


ODD = {
    "newer": "format 2.*upgrade",
    "of something else": "no bundle of isometry",
    "no json": "no JSON",
    "a path": "is a path",
    "an absolute path": "is a path",
    "a path in the manifest": "no member|lacks",
    "added": "evil.py",
    "an honest manifest of other weights": "weights .* cannot be read",
    "an honest manifest of another config": "no bundle of this format",
}


@pytest.mark.parametrize("case", ODD)
def test_what_is_no_bundle_is_refused_in_one_line(root, tmp_path, case, monkeypatch, capsys):
    path = zipped(tmp_path / "odd.isom", odd(root, entries(root / "thing.isom"), case).items())
    before = sorted(tmp_path.parent.rglob("*"))
    with pytest.raises(Refused, match=ODD[case]):
        isometry.load(path)
    monkeypatch.setattr(sys, "argv", ["isometry", "embed", str(path), "glyphs", "-o", str(tmp_path / "z.npy")])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert sorted(tmp_path.parent.rglob("*")) == before  # nothing was unpacked anywhere


def test_compression_doubles_and_hidden_bytes_are_refused(root, tmp_path):
    members, whole = entries(root / "thing.isom"), (root / "thing.isom").read_bytes()
    bomb = {**members, archive.CARD: bytes(20_000_000)}
    with pytest.raises(Refused, match="compressed"):
        isometry.load(zipped(tmp_path / "bomb.isom", bomb.items(), zipfile.ZIP_DEFLATED))
    with pytest.warns(UserWarning, match="Duplicate"):
        zipped(tmp_path / "twice.isom", [*members.items(), (archive.CARD, b"another")])
    with pytest.raises(Refused, match="twice"):
        isometry.load(tmp_path / "twice.isom")
    for name, content in (("before", b"#!/bin/sh\n" + whole), ("behind", whole + b"more")):
        (tmp_path / f"{name}.isom").write_bytes(content)
        with pytest.raises(Refused, match=r"before or behind|damaged"):
            isometry.load(tmp_path / f"{name}.isom")
    claims = bytearray(whole)
    for at in (i for i in range(len(whole)) if whole[i : i + 4] == b"PK\x01\x02"):
        claims[at + 20 : at + 28] = b"\xff\xff\xff\x7f" * 2  # two gigabytes a member
    (tmp_path / "claims.isom").write_bytes(claims)
    with pytest.raises(Refused, match="claim more bytes"):
        isometry.load(tmp_path / "claims.isom")
    (tmp_path / "empty.isom").write_bytes(b"")
    with pytest.raises(Refused, match="no bundle"):
        isometry.load(tmp_path / "empty.isom")
    with pytest.raises(FileNotFoundError, match=r"gone\.isom"):
        isometry.load(tmp_path / "gone.isom")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes cannot fork here")
def test_killed_at_any_moment_it_leaves_a_whole_bundle(root, tmp_path):
    old = archive.read(root / "thing.isom").content
    new = {**old, archive.VECTORS: bytes(3_000_000)}
    path, waits = tmp_path / "thing.isom", np.random.default_rng(0).uniform(0.001, 0.06, 20)
    archive.write(path, old)
    seen = []
    for wait in waits:
        child = os.fork()
        if not child:
            while True:
                archive.write(path, new)
                archive.write(path, old)
        time.sleep(wait)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        seen.append(archive.read(path).content)
    assert all(content in (old, new) for content in seen)
