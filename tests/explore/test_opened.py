"""What is opened: kept and made anew, whatever it is made of; truth and places on the map."""

import sys

import pytest
import torch

from isometry import index
from isometry.bundle import write
from isometry.cli import main
from isometry.explore import Items, Part, opened
from isometry.explore.layout import places
from isometry.explore.shown import Mates
from isometry.explore.truth import verdicts
from isometry.ops.ranking import inner


def test_what_takes_long_is_done_once(runs, shown):
    said = []
    again = opened(*runs, workers=0, say=said.append)
    assert said == []
    for one, other in zip(again.spaces, shown.spaces, strict=True):
        assert torch.equal(one.z, other.z)
        assert torch.equal(one.xy, other.xy)
        assert torch.equal(one.right, other.right)


def test_a_damaged_file_is_made_anew(runs, shown):
    kept = sorted((runs[0] / "explore").glob("map-*"))
    before = kept[0].read_bytes()
    kept[0].write_bytes(before[:100])
    said = []
    opened(*runs, workers=0, say=said.append)
    assert any("map" in line for line in said)
    assert kept[0].read_bytes() == before


def test_rows_are_in_the_order_of_parts(shown, table):
    names = [part.name for part in shown.items.parts]
    assert names == ["train", "validation", "test"]
    rows = table.read_text().splitlines()[1:]
    for row in range(0, 240, 13):
        path, label, part = rows[int(shown.items.ids[row])].split(",")
        assert shown.items.names[row].endswith(path)
        assert shown.items.classes[int(shown.items.labels[row])] == label
        assert shown.items.part_of(row).name == part


def test_other_pictures_than_the_runs_own(runs, table):
    images = [torch.randint(0, 255, (1, 8, 8), dtype=torch.uint8) for _ in range(9)]
    shown = opened(runs[0], data=(torch.stack(images), ["a", "b", "c"] * 3), workers=0, say=lambda line: None)
    assert len(shown.items) == 9
    assert shown.items.classes == ("a", "b", "c")
    assert [part.name for part in shown.items.parts] == ["all"]


def test_unreadable_pictures_are_left_out(runs, table, tmp_path):
    (tmp_path / "a").mkdir()
    for i in range(3):
        (tmp_path / "a" / f"{i}.png").write_bytes((table.parent / f"{i}.png").read_bytes() if i else b"no picture")
    shown = opened(runs[0], data=str(tmp_path), workers=0, say=lambda line: None)
    assert shown.items.ids.tolist() == [1, 2]


@pytest.fixture(scope="module")
def gallery(runs, table, tmp_path_factory):
    out = tmp_path_factory.mktemp("gallery")
    for run in runs:
        write(run, out / f"{run.name}.isom", thresholds=False)
        index.build(out / f"{run.name}.isom", str(table), out / run.name, kind="Flat()", workers=0)
    return out


def test_a_gallery_is_shown_as_it_is(gallery, runs):
    shown = opened(gallery / "first", workers=0, say=lambda line: None)
    assert len(shown.items) == 240
    assert {part.name: part.stop - part.start for part in shown.items.parts} == {
        "train": 96,
        "validation": 48,
        "test": 96,
    }
    row = 100
    picture = shown.items.picture(row)
    z = shown.spaces[0].ready(shown.spaces[0].model([picture]))
    assert shown.spaces[0].find(z, slice(0, 240), 1)[1] == [row]


def test_two_galleries_are_compared_on_what_both_have(gallery):
    first, second = index.read(gallery / "first"), index.read(gallery / "second")
    assert len(first) == len(second) == 240
    shown = opened(gallery / "first", gallery / "second", workers=0, say=lambda line: None)
    assert [space.name for space in shown.spaces] == ["first", "second"]
    assert len(shown.items) == 240
    with pytest.raises(ValueError, match="compared with another gallery"):
        opened(gallery / "first", gallery / "second.isom", workers=0, say=lambda line: None)


def test_a_bundle_needs_pictures(gallery, runs, table, tmp_path):
    with pytest.raises(ValueError, match="carries no pictures"):
        opened(gallery / "first.isom", workers=0, say=lambda line: None)
    write(runs[0], tmp_path / "with.isom", index=str(table), thresholds=False)
    shown = opened(tmp_path / "with.isom", workers=0, say=lambda line: None)
    assert len(shown.items) == 240
    assert shown.items.picture(0) is None


@pytest.mark.parametrize("wrong", [["nowhere"], ["TABLE"], ["RUN", "nowhere"], ["RUN", "--data", "nowhere"]])
def test_wrong_input_is_one_line_and_exit_code_2(runs, table, wrong, monkeypatch, capsys):
    given = [{"RUN": str(runs[0]), "TABLE": str(table)}.get(word, word) for word in wrong]
    monkeypatch.setattr(sys, "argv", ["isometry", "explore", *given])
    with pytest.raises(SystemExit) as stopped:
        main()
    said = capsys.readouterr()
    assert stopped.value.code == 2
    assert said.out == ""
    assert len(said.err.splitlines()) == 1
    assert said.err.startswith("isometry: ")


def test_nothing_is_written_into_a_folder_of_pictures(tmp_path):
    (tmp_path / "cats").mkdir()
    with pytest.raises(ValueError, match=r"no run .* no gallery and no bundle: pictures are named with --data"):
        opened(tmp_path, workers=0)
    assert [path.name for path in tmp_path.iterdir()] == ["cats"]


def items(labels, **more):
    return Items(
        ids=torch.arange(len(labels)), labels=torch.tensor(labels), classes=("a", "b", "c"), picture=lambda row: None,
        **{"parts": (Part("all", 0, len(labels)),), **more},
    )  # fmt: skip


LINE = torch.nn.functional.normalize(
    torch.tensor([[1.0, 0.0], [1.0, 0.1], [1.0, 0.21], [1.0, 0.33], [1.0, 0.46]]), dim=1
)


def test_a_class_that_is_nowhere_else_has_no_verdict():
    assert verdicts(LINE, items([0, 0, 1, -1, 1]), inner).tolist() == [1, 1, 0, -1, -1]


def test_pictures_without_a_class_are_nobody_s_like():
    assert verdicts(LINE, items([0, -1, 1, 1, -1]), inner).tolist() == [-1, -1, -1, 1, -1]


def test_only_queries_have_verdicts_and_they_search_the_gallery():
    roles = (Mates(torch.tensor([0, 3]), torch.tensor([1, 2, 4])),)
    assert verdicts(LINE, items([0, 1, 0, 1, 1], roles=roles), inner).tolist() == [0, -1, -1, 0, -1]
    roles = (Mates(torch.tensor([0, 3]), torch.tensor([2, 4])),)
    assert verdicts(LINE, items([0, 1, 0, 1, 1], roles=roles), inner).tolist() == [1, -1, -1, 0, -1]


def test_the_query_s_own_camera_is_left_out():
    shots = torch.tensor([0, 0, 1, 1, 1])
    assert verdicts(LINE, items([0, 0, 1, 0, 1]), inner)[0] == 1
    assert verdicts(LINE, items([0, 0, 1, 0, 1], sequence=shots), inner)[0] == 0


def test_parts_are_searched_apart():
    parts = (Part("train", 0, 2), Part("test", 2, 5))
    assert verdicts(LINE, items([0, 0, 1, 0, 1], parts=parts), inner).tolist() == [1, 1, 0, -1, 0]


def test_of_too_many_pictures_a_share_has_verdicts():
    noise = torch.Generator().manual_seed(0)
    z = torch.nn.functional.normalize(torch.randn(1000, 4, generator=noise), dim=1)
    labels = torch.randint(0, 3, (1000,), generator=noise).tolist()
    every, some = verdicts(z, items(labels), inner), verdicts(z, items(labels), inner, pairs=100_000)
    known = some >= 0
    assert int(known.sum()) == 100
    assert torch.equal(some[known], every[known])


def test_pictures_outside_the_sample_lie_with_their_like():
    noise = torch.Generator().manual_seed(0)
    centres = torch.nn.functional.normalize(torch.randn(12, 16, generator=noise), dim=1)
    labels = torch.arange(2400) % 12
    z = torch.nn.functional.normalize(centres[labels] + 0.05 * torch.randn(2400, 16, generator=noise), dim=1)
    xy, how = places(z, labels, inner, size=240)
    assert "240 of 2,400" in how
    assert xy.min() >= 0
    assert xy.max() <= 1
    middle = torch.stack([xy[labels == c].median(0).values for c in range(12)])
    assert (torch.cdist(xy, middle).argmin(1) == labels).float().mean() > 0.98
    assert len(torch.unique(xy, dim=0)) > 2300
