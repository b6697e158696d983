"""The commands do what they say."""

import json

from isometry import index
from tests.index.test_refused import command


def test_from_pictures_to_a_match(root, tmp_path, monkeypatch, capsys):
    gallery, picture = tmp_path / "gallery", root / "data" / "class_3" / "1.png"

    def run(*words):
        assert command(monkeypatch, *words) == 0
        return capsys.readouterr().out

    assert "60 pictures, searched by Flat()" in run("index", root / "thing.isom", root / "data", "-o", gallery)
    head, first, *_ = run("search", gallery, picture, "-k", "3").splitlines()
    assert head.split() == ["rank", "score", "label", "id", "path"]
    assert first.split() == ["1", "1.0000", "class_3", "26", "class_3/1.png"]
    run("add", gallery, picture, "--class", "new")
    found = json.loads(run("search", gallery, picture, "-k", "2", "--exact", "--json"))
    assert found["picture"] == str(picture)
    assert {(m["id"], m["label"]) for m in found["matches"]} == {(26, "class_3"), (60, "new")}
    assert "added 60" in run("add", gallery, root / "data")
    run("update", gallery, "0", picture, "--class", "renamed")
    run("delete", gallery, "26", "60")
    assert len(index.read(gallery)) == 119
    run("compact", gallery)
    assert f"{gallery} is whole" in run("verify", gallery)
    assert index.read(gallery).items([0]).labels == ("renamed",)
    run("index", root / "thing.isom", root / "data", "-o", gallery, "--replace", "--thumbnails", "0")
    assert len(index.read(gallery)) == 60


def test_a_bundle_with_pictures_is_searched(root, tmp_path, monkeypatch, capsys):
    from isometry.bundle import archive
    from isometry.bundle.gallery import gallery_of
    from isometry.data import read
    from isometry.embedder import load
    from isometry.evaluation import embed

    members = archive.read(root / "thing.isom").content
    own = gallery_of(embed(load(root / "thing.isom"), read(root / "data"), workers=0))
    archive.write(tmp_path / "with.isom", {**members, **own.members()})
    assert command(monkeypatch, "search", tmp_path / "with.isom", root / "data" / "class_3" / "1.png", "-k", "2") == 0
    assert capsys.readouterr().out.splitlines()[1].split()[-2:] == ["26", "class_3/1.png"]
