"""The loop: learns, resumes bit for bit, refuses to go on with NaN, and leaves a folder that can be used."""

import json
import os
import signal

import numpy as np
import pytest
import torch

import isometry
from isometry import api, checkpoint, config
from isometry.training import STATE, Diverged, Interrupted
from tests.small import COLOUR, SETTINGS, digits, folder, same, state_of


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return isometry.train(digits(), loss="SupCon()", out=tmp_path_factory.mktemp("runs") / "one", **SETTINGS)


def test_a_runs_folder_holds_what_is_promised(run):
    names = {p.name for p in run.folder.iterdir()}
    assert names >= {"config.toml", "model.safetensors", "metrics.json", "log.jsonl", "report.html", STATE}
    assert not [n for n in names if n.endswith(".part")]
    metrics = json.loads((run.folder / "metrics.json").read_text())
    assert metrics["test"].keys() == {"Recall(k=1)", "MAPAtR()"}
    for found in (metrics["test"], metrics["validation"], *metrics["baselines"].values()):
        for result in found.values():
            assert 0 <= result["low"] <= result["value"] <= result["high"] <= 1
    assert metrics["baselines"].keys() == {"raw pixels", "untrained"}
    assert metrics["fingerprint"]
    assert metrics["seconds"] > 0


def test_it_learns():
    longer = {**SETTINGS, "budget": "80 steps", "validate": 40}
    found = isometry.train(digits(), loss="SupCon()", out=None or _out(), **longer).metrics
    assert found["test"]["MAPAtR()"]["value"] > found["baselines"]["untrained"]["MAPAtR()"]["value"] + 0.05


def _out():
    import tempfile

    return os.path.join(tempfile.mkdtemp(), "run")


def test_the_model_is_the_one_that_was_measured(run):
    images, _ = digits()
    embedder = isometry.load(run.folder)
    z = embedder(torch.from_numpy(images[:7])[:, None])
    assert z.shape == (7, 8)
    torch.testing.assert_close(embedder(list(images[:7])), z)
    again = isometry.load(run.folder / "model.safetensors")
    assert torch.equal(again(torch.from_numpy(images[:7])[:, None]), z)


HARD = {"sampler": "HardClasses(anchors=2, hard=1, instances=5)"}


@pytest.mark.parametrize(
    ("loss", "more"),
    [
        ("SupCon()", {}),
        ("Contrastive(reference=Memory(size=64)) + 0.1 * ProxyAnchor()", {}),
        ("Triplet(select=DistanceWeighted()) + NormSoftmax()", HARD),
        ("DynamicSoftMargin()", {}),
    ],
)
def test_an_interrupted_run_resumes_bit_for_bit(tmp_path, loss, more):
    settings = {**SETTINGS, **more}
    whole = isometry.train(digits(), loss=loss, out=tmp_path / "whole", **settings)

    def interrupt(row):
        if row.get("step") == 4 and "validation" in row:
            signal.raise_signal(signal.SIGINT)

    # Stops after the step that follows the signal: between two validations, in the middle of an epoch.
    with pytest.raises(Interrupted, match="Stopped at step 4"):
        isometry.train(digits(), loss=loss, out=tmp_path / "broken", show=interrupt, **settings)
    resumed = isometry.train(digits(), out=tmp_path / "broken", resume=True)
    assert same(state_of(whole.folder / STATE), state_of(resumed.folder / STATE))
    assert same(state_of(whole.folder / "model.safetensors"), state_of(resumed.folder / "model.safetensors"))
    assert whole.metrics["test"] == resumed.metrics["test"]
    steps = [json.loads(line)["step"] for line in (resumed.folder / "log.jsonl").read_text().splitlines()]
    assert steps == sorted(steps)


def test_a_config_replays_its_run(run, tmp_path):
    chosen = api.replay(run.folder / "config.toml")
    chosen.pop("data")
    again = isometry.train(digits(), out=tmp_path / "again", **chosen)
    assert same(state_of(run.folder / "model.safetensors"), state_of(again.folder / "model.safetensors"))


def test_a_loss_that_overflows_at_once_stops_and_saves_nothing(tmp_path):
    with pytest.raises(Diverged, match=r"(inf|nan) at step 1\b"):
        isometry.train(digits(), loss="Contrastive(positive=1e38, power=2.0)", out=tmp_path / "run", **SETTINGS)
    assert not (tmp_path / "run" / STATE).exists()


def test_a_loss_that_becomes_nan_stops_with_its_step_and_keeps_the_last_good_checkpoint(tmp_path, monkeypatch):
    sound = isometry.losses.Contrastive.objective

    def poisoned(self, sim, rel):
        return sound(self, sim * torch.nan, rel)

    def watch(row):
        if "validation" in row and row["step"] == 4:
            monkeypatch.setattr(isometry.losses.Contrastive, "objective", poisoned)

    with pytest.raises(Diverged, match=r"nan at step 5\b"):
        isometry.train(digits(), loss="Contrastive()", out=tmp_path / "run", show=watch, **SETTINGS)
    tensors, note = checkpoint.load(tmp_path / "run" / STATE)
    assert note["step"] == 4
    assert all(torch.isfinite(t).all() for t in tensors.values() if t.is_floating_point())


@pytest.mark.parametrize("loss", ["ProxyAnchor()", "NormSoftmax()"])
def test_proxies_learn_with_the_defaults(tmp_path, loss):
    settings = {k: v for k, v in SETTINGS.items() if k not in ("sampler", "lr")}
    longer = {**settings, "budget": "120 steps", "validate": 60}
    run = isometry.train(digits(), loss=loss, out=tmp_path / "run", report=False, **longer)
    assert run.metrics["test"]["MAPAtR()"]["value"] > run.metrics["baselines"]["untrained"]["MAPAtR()"]["value"] + 0.05
    assert config.read(run.folder / "config.toml").sampler.startswith("Plain(")


@pytest.mark.parametrize(
    ("loss", "pairs"),
    [
        ("SupCon()", True),
        ("Contrastive(reference=Memory())", True),
        ("ProxyAnchor()", False),
        ("NormSoftmax() + 0.1 * KoLeo()", False),
        ("ProxyAnchor() + SupCon()", True),
        ("KoLeo()", True),
        ("Matryoshka(loss=NormSoftmax(), dims=(64, 32))", False),
    ],
)
def test_batches_hold_several_of_a_class_where_the_loss_needs_them(loss, pairs):
    assert api.wants_pairs(loss) is pairs


def test_chunks_and_accumulation_train(tmp_path):
    for name, more in (("chunk", {"chunk": 7}), ("accumulate", {"accumulate": 2, "budget": "4 steps"})):
        metrics = isometry.train(digits(), out=tmp_path / name, loss="SupCon()", **{**SETTINGS, **more}).metrics
        assert np.isfinite(metrics["test"]["MAPAtR()"]["value"])


def test_trainings_of_one_process_may_differ_in_precision(tmp_path):
    weights = {}
    for name, precision in (("a", "no"), ("b", "bf16"), ("c", "no")):
        settings = {**SETTINGS, "precision": precision, "budget": "4 steps"}
        run = isometry.train(digits(), out=tmp_path / name, loss="SupCon()", report=False, **settings)
        weights[name] = state_of(run.folder / "model.safetensors")
    assert same(weights["a"], weights["c"])
    assert not same(weights["a"], weights["b"])


def test_an_existing_folder_is_refused_and_a_typo_leaves_nothing(tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thing").write_text("mine")
    with pytest.raises(FileExistsError, match="--resume"):
        isometry.train(digits(), out=tmp_path / "full", **SETTINGS)
    for wrong, says in (
        ({"loss": "Contrastve()"}, "Did you mean 'Contrastive'"),
        ({"metrics": "Recal(k=1)"}, "Did you mean 'Recall'"),
        ({"budget": "many"}, "400 steps"),
        ({"trunk": "resnet5O"}, "resnet50"),
        ({"lrr": 3.0}, "Did you mean 'lr'"),
        ({"sampler": "ClassesTimesInstances(classes=500)"}, "500"),
        ({"precision": "int8"}, "bf16"),
    ):
        with pytest.raises(ValueError, match=r".") as caught:
            isometry.train(digits(), out=tmp_path / "new", **{**SETTINGS, **wrong})
        assert says in str(caught.value)
        assert not (tmp_path / "new").exists()


def test_pictures_that_cannot_be_read_are_reported_and_left_out(tmp_path):
    root = folder(tmp_path / "data", classes=8, each=5)
    (root / "class_0" / "0.png").write_text("no picture")
    rows = []
    run = isometry.train(root, out=tmp_path / "run", show=rows.append, **COLOUR)
    notes = [r["note"] for r in rows if "left out" in r.get("note", "")]
    assert any("could not be read: 1 (" in n and "class_0/0.png" in n for n in notes)
    assert np.isfinite(run.metrics["test"]["MAPAtR()"]["value"])
    with pytest.raises((ValueError, OSError), match=r"0\.png"):
        isometry.train(root, out=tmp_path / "strict", strict=True, **COLOUR)


def test_label_paths_reach_a_loss_that_reads_them(tmp_path):
    images, labels = digits()
    import pandas as pd
    from PIL import Image

    rows = []
    for i in range(0, len(images), 3):
        Image.fromarray(images[i]).save(tmp_path / f"{i}.png")
        rows.append({"path": f"{i}.png", "tone": str(labels[i] // 10), "digit": str(labels[i])})
    pd.DataFrame(rows).to_csv(tmp_path / "table.csv", index=False)
    settings = {**COLOUR, "label": "tone,digit", "loss": "LogRatio(relate=label_tree, nearest=0.1)"}
    run = isometry.train(tmp_path / "table.csv", out=tmp_path / "run", **settings)
    assert np.isfinite(run.metrics["test"]["MAPAtR()"]["value"])


def test_a_truncated_or_newer_checkpoint_is_refused(run, tmp_path):
    path = tmp_path / "model.safetensors"
    whole = (run.folder / "model.safetensors").read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match="damaged"):
        isometry.load(path)
    tensors, note = checkpoint.load(run.folder / "model.safetensors")
    checkpoint.save(path, tensors, {**note, "format": checkpoint.FORMAT + 1})
    with pytest.raises(ValueError, match="upgrade isometry"):
        isometry.load(path)
    with pytest.raises(FileNotFoundError, match=r"model\.safetensors"):
        isometry.load(tmp_path / "nothing")


def test_a_full_disk_leaves_what_was_there(tmp_path, monkeypatch):
    import errno

    path = tmp_path / "file"
    path.write_text("before")

    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="disk is full"):
        checkpoint.write(path, "after")
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_settings_are_read_back_as_they_were_written(tmp_path):
    chosen = config.Config(loss="SupCon(temperature=0.5)", lr=3e-4, seed=7)
    (tmp_path / "config.toml").write_text(chosen.to_toml())
    assert config.read(tmp_path / "config.toml") == chosen
    (tmp_path / "config.toml").write_text("learning_rate = 3")
    with pytest.raises(ValueError, match="no setting 'learning_rate'"):
        config.read(tmp_path / "config.toml")
    (tmp_path / "config.toml").write_text('lr = "fast"')
    with pytest.raises(ValueError, match=r"lr of .* is float"):
        config.read(tmp_path / "config.toml")


def test_hard_classes_follow_what_the_proxies_have_learned(tmp_path):
    loss = "Triplet(select=Hardest()) + NormSoftmax()"
    settings = {**SETTINGS, **HARD, "budget": "24 steps", "validate": 12}
    run = isometry.train(digits(), loss=loss, out=tmp_path / "run", report=False, **settings)
    tensors, note = checkpoint.load(run.folder / STATE)
    kept = checkpoint.unpack(note["parts"]["sampler"], tensors)
    assert (kept["near"][1] >= 0).all()  # neighbours were found, and are saved
    with pytest.raises(ValueError, match="needs a vector for each class"):
        isometry.train(digits(), loss="Triplet()", out=tmp_path / "none", **settings)


def test_a_sampler_is_bound_to_the_labels_that_it_reads(tmp_path):
    with pytest.raises(ValueError, match="CategoryBatches reads hierarchy"):
        isometry.train(digits(), out=tmp_path / "none", **{**SETTINGS, "sampler": "CategoryBatches(batch_size=8)"})
