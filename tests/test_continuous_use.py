"""Runs of continuous labels put to use: which labels are read, what compares them, what is drawn together, what is said."""

import dataclasses
import json
import sys

import numpy as np
import pytest
import torch

import isometry
from isometry import api, config, use
from isometry.cli import main
from isometry.config import Config
from isometry.data import read
from isometry.data.table import read_table
from isometry.evaluation import Embeddings, measure
from isometry.label_space import graded
from isometry.supervision import measured_by, refuse_unfit, relation
from tests.small import digits, folder, spots

SMALL = {
    "trunk": "ConvNet(widths=(8, 16), channels=3, size=16)",
    "head": "Linear(dim=8)",
    "pool": "Flatten()",
    "augment": "Same()",
    "transform": "Same()",
    "budget": "2 steps",
    "tracker": "none",
    "workers": 0,
}
GRADED = "NDCG(k=10, gain=DistanceGain())"


def say(monkeypatch, *words):
    """The command in this process; its exit code."""
    monkeypatch.setattr(sys, "argv", ["isometry", *map(str, words)])
    with pytest.raises(SystemExit) as stopped:
        main()
    return stopped.value.code


def ages(n=24):
    """Pictures of classes of four, with a number each."""
    images = np.random.default_rng(0).integers(0, 255, (n, 8, 8)).astype(np.uint8)
    data = read((images, np.arange(n) // 4))
    return dataclasses.replace(data, targets=torch.arange(n)[:, None].float())


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A table with words besides numbers, and a run that was trained on its places."""
    place = tmp_path_factory.mktemp("use")
    table = spots(place / "data")
    rows = table.read_text().splitlines()
    kinds = [f"{row},{'abcd'[i % 4]}" for i, row in enumerate(rows[1:])]
    table.write_text("\n".join([f"{rows[0]},label", *kinds]) + "\n")
    asked = {**SMALL, "label_columns": "x0:y0", "relate": "Joints(radius=3)"}
    isometry.train(table, out=place / "run", report=False, **asked)
    return place


class TestTheLabelsOfAnEvaluation:
    def test_are_those_named_and_else_those_of_the_run(self, root):
        own = use.evaluate(root / "run")
        with pytest.warns(UserWarning, match="have 1: they are compared by close_targets"):
            aged = use.evaluate(root / "run", label_columns="age")
        assert own["protocol"]["relation"] == "Joints()"
        assert aged["protocol"]["relation"] == "CloseTargets()"
        assert aged["counts"] == own["counts"]  # pictures that were not trained on, whatever their labels
        assert aged["test"] != own["test"]

    def test_keep_the_relation_of_the_run_where_they_are_as_wide(self, root):
        other = use.evaluate(root / "run", label_columns="x0,age")
        assert other["protocol"]["relation"] == "Joints()"
        elsewhere = spots(root / "others", seed=1)
        assert use.evaluate(root / "run", elsewhere, label_columns="x0:y0")["protocol"]["relation"] == "Joints()"

    def test_of_another_width_are_compared_anew_with_a_word(self, root):
        with pytest.warns(UserWarning, match=r"Joints\(radius=3\) of 2 numbers"):
            found = use.evaluate(root / "run", spots(root / "more", seed=2), label_columns="age")
        assert found["labels compared by"] == "close_targets"

    def test_that_are_classes_have_metrics_of_classes(self, root):
        for found in (
            use.evaluate(root / "run", label="label"),
            use.evaluate(root / "run", folder(root / "folders", side=16)),
        ):
            assert list(found["test"]) == list(measured_names(Config.metrics))
            assert found["labels compared by"] == ""

    def test_are_said_below_the_table(self, root, monkeypatch, capsys):
        assert say(monkeypatch, "evaluate", root / "run") == 0
        assert "labels compared by Joints(radius=3)" in capsys.readouterr().out


def measured_names(text):
    return [repr(metric) for metric in isometry.parse(text)]


class TestIntervals:
    def test_draw_pictures_of_one_class_together(self):
        data = ages()
        z = torch.randn(24, 3, generator=torch.Generator().manual_seed(0))
        found = measure(Embeddings(z, data), GRADED, relate="close_targets")
        assert found.classes.tolist() == data.labels.tolist()
        by_hand = isometry.evaluate(z, data.targets, GRADED, relate="close_targets", groups=data.labels)
        assert repr(by_hand) == repr(found)
        alone = isometry.evaluate(z, data.targets, GRADED, relate="close_targets")
        assert float(alone[GRADED]) == float(found[GRADED])
        assert alone[GRADED].low != found[GRADED].low

    def test_draw_each_of_unknown_class_alone(self):
        data = ages()
        data = dataclasses.replace(data, labels=torch.where(torch.arange(24) < 8, data.labels, -1))
        found = measure(Embeddings(torch.randn(24, 3), data), GRADED, relate="close_targets", samples=0)
        assert torch.unique(found.classes[:8]).tolist() == [0, 1]
        assert len(torch.unique(found.classes)) == 2 + 16

    def test_groups_are_one_for_each_query(self):
        with pytest.raises(ValueError, match=r"groups are a number for each of 24 queries; got \[3\]"):
            isometry.evaluate(torch.randn(24, 2), torch.arange(24) // 4, "MRR()", groups=torch.arange(3))


class TestARandomOrder:
    def test_has_the_mean_gain_at_every_place(self):
        data = read((np.zeros((9, 8, 8), np.uint8), np.array([0.5, 1, 2, 4, 4.5, 7, 9, 9.5, 12])))
        found = measure(Embeddings(torch.ones(9, 2), data), "NDCG(k=3, gain=DistanceGain())", samples=0)
        gain = 1 / (1 + torch.cdist(data.targets, data.targets).double())
        gain.fill_diagonal_(0)
        discount = 1 / torch.log2(torch.arange(2, 5, dtype=torch.float64))
        expected = gain.sum(1) / 8 * discount.sum() / (gain.topk(3, dim=1).values @ discount)
        assert float(next(iter(found.values()))) == pytest.approx(float(expected.mean()), rel=1e-6)


class TestDataWithARelationOfTheirOwn:
    def drawn(self):
        images = np.random.default_rng(0).integers(0, 255, (32, 8, 8)).astype(np.uint8)
        targets = torch.rand(32, 4, generator=torch.Generator().manual_seed(0))
        return dataclasses.replace(read((images, targets.numpy())), relate="joints")

    def test_train_by_it_unless_told_otherwise(self):
        assert api.defaults(self.drawn()).relate == "joints"
        assert api.defaults(self.drawn(), relate="close_targets").relate == "close_targets"
        assert api.defaults(dataclasses.replace(self.drawn(), relate="")).relate == ""

    def test_write_it_into_their_run(self, tmp_path):
        asked = {"budget": "1 step", "tracker": "none", "report": False}
        run = isometry.train(self.drawn(), out=tmp_path / "own", **asked)
        assert run.config.relate == "joints"
        run = isometry.train(self.drawn(), out=tmp_path / "told", relate="close_targets", **asked)
        assert run.config.relate == "close_targets"

    def test_are_no_other_data_for_it(self):
        drawn = self.drawn()
        assert drawn.fingerprint() == dataclasses.replace(drawn, relate="").fingerprint()
        assert drawn.select(torch.arange(3)).relate == "joints"


def test_a_folder_that_is_called_like_drawn_data_is_told_of(tmp_path, monkeypatch):
    folder(tmp_path / "glyphs", classes=2, each=2)
    monkeypatch.chdir(tmp_path)
    with pytest.warns(UserWarning, match=r"'\./glyphs' or 'folder:glyphs'"):
        assert len(read("glyphs")) > 4
    assert len(read("./glyphs")) == len(read("folder:glyphs")) == 4


class TestALabelBesidesLabelColumns:
    def test_is_read_also_where_it_is_called_label(self, root):
        table = root / "data" / "spots.csv"
        assert read(table, label="label", label_columns="x0:y0").classes == ("a", "b", "c", "d")
        assert read_table(table, "label", "x0:y0").classes == ("a", "b", "c", "d")
        assert read(table, label_columns="x0:y0").classes == ()

    def test_is_kept_in_the_settings_and_none_is_not(self, root, tmp_path):
        assert config.read(root / "run" / "config.toml").label == ""
        asked = {**SMALL, "label_columns": "x0:y0", "label": "label", "report": False}
        run = isometry.train(root / "data" / "spots.csv", out=tmp_path / "run", **asked)
        assert run.config.label == "label"
        assert (
            isometry.train(digits(4), out=tmp_path / "c", budget="1 step", tracker="none", report=False).config.label
            == "label"
        )


WRONG = {
    "proxies for numbers": (["--loss", "ProxyAnchor()"], "ProxyAnchor() has a vector for each class"),
    "classes of numbers": (["--relate", "same_class"], "same_class reads classes"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_does_not_fit_the_labels_is_said(root, case, monkeypatch, capsys, tmp_path):
    words, says = WRONG[case]
    small = [x for k, v in SMALL.items() for x in (f"--{k}", str(v))]
    table = root / "data" / "spots.csv"
    out = tmp_path / "made"
    assert say(monkeypatch, "train", table, *small, "--label-columns", "x0:y0", *words, "--out", out) == 2
    said = capsys.readouterr().err
    assert says in said
    assert "labels of spots.csv are numbers" in said
    assert not out.exists()


def test_a_loss_that_reads_classes_is_refused_for_numbers():
    numbers = read((np.zeros((4, 8, 8), np.uint8), [0.5, 1.5, 2.5, 3.5]))
    for loss in ("Triplet()", "KoLeo() + Contrastive()"):
        with pytest.raises(ValueError, match="same_class reads classes, and the labels of arrays are numbers"):
            refuse_unfit(numbers, loss, None)
        refuse_unfit(numbers, loss, relation("close_targets"))
    refuse_unfit(ages(), "ProxyAnchor()", None)
    with pytest.raises(ValueError, match="has a vector for each class"):
        refuse_unfit(ages(), "LogRatio() + ProxyAnchor()", relation("joints"))


@pytest.mark.parametrize("text", [",", "x0,,y0", "x0,"])
def test_an_empty_name_among_label_columns_is_said(root, text):
    with pytest.raises(ValueError, match="has an empty name"):
        read(root / "data" / "spots.csv", label_columns=text)


@pytest.mark.parametrize("wide", [3, 60])
def test_the_axis_of_the_labels_is_the_same_in_every_report(wide):
    g = torch.Generator().manual_seed(0)
    y = torch.randn(40, wide, generator=g) * torch.linspace(1, 3, wide)
    data = read((np.zeros((40, 8, 8), np.uint8), y.numpy()))
    found = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        before = torch.get_rng_state()
        found.append(graded(Embeddings(y, data), "close_targets", "euclidean", {}))
        assert torch.equal(torch.get_rng_state(), before)
    assert found[0].groups.tolist() == found[1].groups.tolist()
    values = torch.linalg.svdvals((y - y.mean(0)).double()).square()
    assert f"({float(values[0] / values.sum()):.0%} of their variance)" in found[0].axis


def test_the_default_metrics_of_a_run_read_distances_alone(root):
    assert list(json.loads((root / "run" / "metrics.json").read_text())["test"]) == measured_names(measured_by())
