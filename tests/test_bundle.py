"""A bundle gives back what went into it, bit for bit; and what cannot be made leaves everything as it was."""

import dataclasses
import hashlib
import json
import os
import shutil
import subprocess
import sys
import zipfile

import numpy as np
import pytest
import torch

import isometry
from isometry import use
from isometry.bundle import Bundle, Refused, archive, write
from isometry.cli import main
from isometry.data import read
from isometry.embedder import Ready
from tests.small import COLOUR, folder, spots

NAMES = (archive.MANIFEST, *archive.KNOWN)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A run, and its bundle with a gallery."""
    root = tmp_path_factory.mktemp("bundle")
    folder(root / "data", classes=12, each=5)
    isometry.train(root / "data", loss="Triplet()", out=root / "run", report=False, **COLOUR)
    write(root / "run", root / "thing.isom", index=root / "data", purpose="Sorting tiles by colour.")
    return root


@pytest.fixture(scope="module")
def thing(root):
    return isometry.load(root / "thing.isom")


def pictures(n=7):
    return torch.from_numpy(np.random.default_rng(3).integers(0, 256, (n, 3, 24, 24), dtype=np.uint8))


def entries(path):
    with zipfile.ZipFile(path) as held:
        return {name: held.read(name) for name in held.namelist()}


# what comes back


def test_embeddings_are_those_of_the_run_bit_for_bit(root, thing):
    assert isinstance(thing, Ready)
    assert torch.equal(thing(pictures()), isometry.load(root / "run")(pictures()))


def test_evaluating_a_bundle_wants_data(root, thing, tmp_path):
    thing.save(tmp_path)
    with pytest.raises(ValueError, match=r"a model without config\.toml beside it, which has no data of its own"):
        use.evaluate(tmp_path / "model.safetensors")
    for name in ("thing.isom", "run/config.toml"):  # a run's configuration beside it is not its own
        shutil.copy(root / name, tmp_path)
        with pytest.raises(
            ValueError, match=r"thing\.isom is a bundle, which has no data of its own: name some with --data"
        ):
            use.evaluate(tmp_path / "thing.isom")


def test_it_knows_what_the_run_knew(root, thing):
    metrics = json.loads((root / "run" / "metrics.json").read_text())
    for part in ("test", "validation", "baselines", "fingerprint", "protocol"):
        assert thing.metrics[part] == metrics[part]
    items = read(root / "data")
    trained = isometry.data.split(items, seed=0).train
    assert thing.classes == tuple(items.classes[c] for c in trained.present().tolist())
    assert thing.settings["loss"] == "Triplet()"
    assert thing.similarity == "cosine"
    assert str(root) not in json.dumps(thing.settings)  # where the data lay is nobody's business
    assert thing.digest == hashlib.sha256(entries(root / "thing.isom")[archive.MANIFEST]).hexdigest()


def test_a_bundle_is_measured_and_embeds_like_its_run(root, tmp_path):
    by_run, by_bundle = (
        use.evaluate(root / name, str(root / "data"), metrics="Recall(k=1), MAPAtR()", part="all", workers=0)
        for name in ("run", "thing.isom")
    )
    assert by_bundle["test"] == by_run["test"]
    assert by_bundle["fingerprint"] == by_run["fingerprint"]
    for name in ("run", "thing.isom"):
        use.embed(root / name, str(root / "data"), tmp_path / f"{name}.npy", workers=0)
    assert (tmp_path / "run.npy").read_bytes() == (tmp_path / "thing.isom.npy").read_bytes()


def test_the_gallery_is_searched_exactly(root, thing):
    items = read(root / "data")
    z = torch.nn.functional.normalize(thing(pictures()).double(), dim=1)
    g = torch.nn.functional.normalize(isometry.load(root / "run").embed(items, workers=0)[0].double(), dim=1)
    score, index = (z @ g.T).topk(4, dim=1)
    found = thing.search(pictures(), k=4)
    assert [[match.id for match in one] for one in found] == index.tolist()
    np.testing.assert_allclose([[match.score for match in one] for one in found], score, atol=1e-6)
    assert found[0][0].label == items.classes[items.labels[index[0, 0]]]
    assert found[0][0].path == items.paths[index[0, 0]]
    assert [len(one) for one in thing.search(pictures(1), k=1000)] == [len(items)]
    with pytest.raises(ValueError, match="1 or more"):
        thing.search(pictures(1), k=0)


def test_a_gallery_in_half_precision_is_half_as_large(root, tmp_path):
    write(root / "run", tmp_path / "half.isom", index=root / "data", half=True, thresholds=False)
    half, whole = isometry.load(tmp_path / "half.isom").gallery, isometry.load(root / "thing.isom").gallery
    assert half.z.dtype == torch.float16
    assert torch.equal(half.z, whole.z.half())


def test_names_that_are_no_text_and_markup_in_names_do_no_harm(root, tmp_path):
    """A folder's name may be any bytes."""
    items = dataclasses.replace(read(root / "data"), name="*a\udcffb* | <b>")
    items = dataclasses.replace(items, classes=tuple(f"{c}\udcff" for c in items.classes))
    write(root / "run", tmp_path / "odd.isom", index=items, thresholds=False, name="a|b")
    odd = isometry.load(tmp_path / "odd.isom")
    assert odd.gallery.classes == items.classes
    assert "\\*a?b\\* \\| \\<b\\>" in odd.card
    assert "# a\\|b" in odd.card


def test_without_thresholds_and_gallery_it_says_so(root, tmp_path):
    write(root / "run", tmp_path / "bare.isom", thresholds=False)
    bare = isometry.load(tmp_path / "bare.isom")
    assert bare.classes == ()
    assert bare.thresholds.notes == ("no thresholds: they were not asked for",)
    assert bare.thresholds.notes[0][1:] in bare.card
    with pytest.raises(ValueError, match="no gallery"):
        bare.search(pictures(1))
    with pytest.raises(ValueError, match="there is none"):
        bare.thresholds.at(0.1)


def test_the_same_run_gives_the_same_bytes(root, tmp_path):
    write(root / "run", tmp_path / "again.isom", index=root / "data", purpose="Sorting tiles by colour.")
    again = (tmp_path / "again.isom").read_bytes()
    assert again == (root / "thing.isom").read_bytes()
    archive.write(tmp_path / "once more.isom", archive.read(tmp_path / "again.isom").content)
    assert (tmp_path / "once more.isom").read_bytes() == again


def test_the_card_holds_the_evaluation_and_what_it_is_for(root, thing):
    for column in (thing.metrics["test"], *thing.metrics["baselines"].values()):
        for name, found in column.items():
            row = next(line for line in thing.card.splitlines() if line.startswith(f"| `{name}` |"))
            assert f"{found['value']:.4f} [{found['low']:.4f}, {found['high']:.4f}]" in row
    for said in (thing.metrics["fingerprint"], "Sorting tiles by colour.", "| loss | `Triplet()` |", "| torch | "):
        assert said in thing.card
    for row in thing.thresholds.rows:
        assert f"| {row.rate:g} | {row.score:.6g} | {row.fmr:.4g} | {row.tar:.4g} |" in thing.card


def test_the_hub_can_read_the_card(thing):
    hub = pytest.importorskip("huggingface_hub", reason="huggingface_hub is not installed")
    data = hub.ModelCard(thing.card).data
    assert data.library_name == "isometry"
    values = {result.metric_type: result.metric_value for result in data.eval_results}
    assert values == {name: found["value"] for name, found in thing.metrics["test"].items()}


def test_continuous_labels_have_no_thresholds(tmp_path):
    table = spots(tmp_path / "spots", n=40)
    settings = {**COLOUR, "sampler": "DenseTriplets(batch_size=8, neighbours=3)", "metrics": "LabelDistance(k=1)"}
    run = isometry.train(table, label_columns="x0,y0", out=tmp_path / "run", report=False, **settings)
    made = write(run.folder, tmp_path / "spots.isom")
    assert made.thresholds.rows == ()
    found = isometry.load(made.path)
    assert "labels lie at a distance" in found.thresholds.notes[0]
    assert "abels lie at a distance" in found.card
    assert found.relate == run.config.relate != ""


# what fails leaves nothing

WRONG = {
    "no run": (["bundle", "{root}/data", "-o", "{out}/x.isom"], "metrics.json"),
    "another kind of file": (["bundle", "{root}/run", "-o", "{out}/x.zip"], ".isom"),
    "no such folder": (["bundle", "{root}/run", "-o", "{out}/none/x.isom"], "no folder"),
    "a folder that is not empty": (["bundle", "{root}/run", "-o", "{root}/run"], "not an empty folder"),
    "a gallery that is not there": (["bundle", "{root}/run", "-o", "{out}/old.isom", "--index", "{out}/n"], "no folder or file"),
    "data that have moved": (["bundle", "{root}/run", "-o", "{out}/old.isom", "--data", "{out}/n"], "--no-thresholds"),
    "data that have changed": (["bundle", "{root}/run", "-o", "{out}/old.isom", "--data", "{out}/other"], "measured on"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_wrong_input_is_one_line_and_leaves_what_was_there(root, tmp_path, case, monkeypatch, capsys):
    folder(tmp_path / "other", classes=12, each=4, seed=7)
    (tmp_path / "old.isom").write_bytes(b"an older bundle")
    before = {path: path.stat().st_mtime_ns for place in (root, tmp_path) for path in place.rglob("*")}
    words, says = WRONG[case]
    monkeypatch.setattr(sys, "argv", ["isometry", *(w.format(root=root, out=tmp_path) for w in words)])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 2
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1
    assert says in said[0]
    assert {path: path.stat().st_mtime_ns for place in (root, tmp_path) for path in place.rglob("*")} == before


# folders and the Hub


def test_a_folder_is_laid_out_for_the_hub_and_loads(root, thing, tmp_path):
    write(root / "run", tmp_path / "v1.5", index=root / "data", purpose="Sorting tiles by colour.", name="run")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["v1.5"]
    assert sorted(p.name for p in (tmp_path / "v1.5").iterdir()) == sorted(NAMES)
    found = isometry.load(f"{tmp_path / 'v1.5'}/")
    assert isinstance(found, Bundle)
    assert found.digest == thing.digest
    assert torch.equal(found(pictures()), thing(pictures()))
    (tmp_path / "v1.5" / "README.md").write_text("edited on the Hub")
    (tmp_path / "v1.5" / ".gitattributes").write_text("* text")
    assert isometry.load(tmp_path / "v1.5").card == "edited on the Hub"
    (tmp_path / "v1.5" / "config.json").write_text("{}")
    with pytest.raises(Refused, match=r"config\.json"):
        isometry.load(tmp_path / "v1.5")


def test_the_command_writes_a_bundle_that_is_read_from_the_hubs_cache(root, tmp_path, monkeypatch, capsys):
    """As it was downloaded: the client finds the repository in its cache, without a network."""
    place = tmp_path / "hub" / "models--owner--tiles"
    (place / "refs").mkdir(parents=True)
    (place / "snapshots").mkdir()
    (place / "refs" / "main").write_text("0" * 40)
    written = place / "snapshots" / ("0" * 40)
    words = ["bundle", str(root / "run"), "-o", str(written), "--index", str(root / "data"), "--name", "tiles"]
    monkeypatch.setattr(sys, "argv", ["isometry", *words])
    with pytest.raises(SystemExit) as stopped:
        main()
    said = capsys.readouterr().out
    assert stopped.value.code == 0
    made = isometry.load(written)
    for line in (f"sha256 {made.digest}", f"bundle: {written}", "carries 60 pictures to search"):
        assert line in said.splitlines()
    assert "false matches ≤ 0.1: cosine ≥ " in said
    words = ["embed", "hf:owner/tiles", str(root / "data"), "-o", str(tmp_path / "z.npy"), "--workers", "0"]
    settings = {**os.environ, "HF_HUB_CACHE": str(tmp_path / "hub"), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "isometry.cli", *words], capture_output=True, text=True, timeout=300, env=settings
    )
    assert done.returncode == 0, done.stderr
    assert "60 embeddings of 8 dimensions" in done.stdout
    expected = isometry.load(root / "run").embed(read(root / "data"), workers=0)[0]
    np.testing.assert_array_equal(np.load(tmp_path / "z.npy"), expected.numpy())


def test_a_name_that_no_repository_has_is_a_line():
    with pytest.raises(ValueError, match="hf:owner/name"):
        isometry.load("hf:tiles")
