"""Continuous labels from a table of numbers to a search: training, selection, evaluation, the report, wrong input."""

import json
import signal
import sys

import numpy as np
import pytest
import torch

import isometry
from isometry import api, checkpoint, config, use
from isometry.cli import main
from isometry.comparison import compare
from isometry.data import read
from isometry.evaluation import Embeddings
from isometry.expression import parse
from isometry.label_space import graded
from isometry.scheme import Supervised
from isometry.supervision import GRADED_BY, SELECTED_BY, give, is_continuous, labels, relation, selected_by
from isometry.training import STATE, Interrupted
from tests.small import same, spots, state_of

SMALL = {
    "trunk": "ConvNet(widths=(8, 16), channels=3, size=16)",
    "head": "Linear(dim=8)",
    "pool": "Flatten()",
    "augment": "Same()",
    "transform": "Same()",
    "sampler": "DenseTriplets(batch_size=8, neighbours=2)",
    "budget": "8 steps",
    "validate": 2,
    "tracker": "none",
    "workers": 0,
    "lr": 3e-3,
}
WORDS = [x for k, v in SMALL.items() for x in (f"--{k.replace('_', '-')}", str(v))]


def say(monkeypatch, *words):
    """The command in this process; its exit code."""
    monkeypatch.setattr(sys, "argv", ["isometry", *map(str, words)])
    with pytest.raises(SystemExit) as stopped:
        main()
    return stopped.value.code


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A table, and a run that the command line has trained on it."""
    place = tmp_path_factory.mktemp("continuous")
    table = spots(place / "data")
    with pytest.MonkeyPatch.context() as patch:
        asked = ["--label-columns", "x0:y0", "--relate", "Joints(radius=3)"]
        assert say(patch, "train", table, *WORDS, *asked, "--out", place / "run") == 0
    return place


def metrics_of(root):
    return json.loads((root / "run" / "metrics.json").read_text())


def test_the_settings_suit_continuous_labels(root):
    chosen = config.read(root / "run" / "config.toml")
    assert (chosen.loss, chosen.relate, chosen.similarity) == ("LogRatio()", "Joints(radius=3)", "euclidean")
    assert chosen.label_columns == "x0:y0"
    found = metrics_of(root)
    assert found["test"].keys() >= {GRADED_BY, "LabelDistance(k=1)", "LabelDistance(k=10)"}
    assert found["baselines"].keys() == {"raw pixels", "untrained", "random order"}


def test_the_best_weights_are_those_of_the_largest_gain(root):
    rows = [json.loads(line) for line in (root / "run" / "log.jsonl").read_text().splitlines()]
    checks = {row["step"]: row["validation"] for row in rows if "validation" in row}
    assert all(found.keys() == {GRADED_BY, "LabelDistance(k=1)", "LabelDistance(k=10)"} for found in checks.values())
    best = max(checks, key=lambda step: checks[step][GRADED_BY])
    note = isometry.load(root / "run").note
    assert note["step"] == best
    assert note["similarity"] == "euclidean"
    assert not any("geometry" in row for row in rows)


def test_random_order_is_the_mean_over_all_orders(root):
    data = read(root / "data" / "spots.csv", label_columns="x0:y0")
    test = use.chosen_part(data, "test", 0)[0]
    gap = torch.cdist(test.targets, test.targets)
    mean = float(gap.sum() / (len(test) * (len(test) - 1)))
    assert metrics_of(root)["baselines"]["random order"]["LabelDistance(k=1)"]["value"] == pytest.approx(mean, rel=1e-5)


def test_the_protocol_says_how_labels_and_embeddings_are_compared(root):
    protocol = metrics_of(root)["protocol"]
    assert (protocol["relation"], protocol["similarity"]) == ("Joints()", "euclidean")


def test_a_run_is_measured_again_as_it_was(root):
    found, own = use.evaluate(root / "run"), metrics_of(root)
    assert found["test"] == own["test"]
    assert found["fingerprint"] == own["fingerprint"]
    again = use.evaluate(
        root / "run", root / "data" / "spots.csv", label_columns="x0:y0", relate="joints()", part="test"
    )
    assert again["test"] == own["test"]  # the radius changes positives, and these metrics read distances alone
    assert again["fingerprint"] == own["fingerprint"]
    other = use.evaluate(root / "run", similarity="cosine")
    assert other["protocol"]["similarity"] == "cosine"
    assert other["fingerprint"] != own["fingerprint"]


def test_runs_are_compared_where_they_were_measured_alike(root, tmp_path):
    asked = {**SMALL, "label_columns": "x0:y0", "relate": "Joints(radius=3)"}
    other = isometry.train(root / "data" / "spots.csv", loss="LogRatio(label_power=1)", out=tmp_path / "other", **asked)
    rows = [row for row in compare([root / "run", other.folder]).table()[1] if row[0] == "LabelDistance(k=1)"]
    assert len(rows) == 2
    use.evaluate(other.folder, similarity="cosine", out=tmp_path / "cosine")
    with pytest.raises(ValueError, match="similarity: euclidean against cosine"):
        compare([root / "run", tmp_path / "cosine"])
    assert 'id="distance"' in (tmp_path / "cosine" / "report.html").read_text()


def test_embeddings_come_with_labels_and_what_compares_them(root):
    n, dim, _ = use.embed(root / "run", root / "data" / "spots.csv", root / "z.npz", label_columns="x0:y0")
    kept = np.load(root / "z.npz")
    assert kept["z"].shape == (n, dim) == (64, 8)
    assert kept["targets"].shape == (64, 2)
    assert str(kept["similarity"]) == "euclidean"


def test_the_report_shows_label_distances_and_no_classes(root):
    page = (root / "run" / "report.html").read_text()
    assert all(f'id="{name}"' in page for name in ("gallery", "map", "distance", "ranks", "agreement", "distances"))
    assert all(f'id="{name}"' not in page for name in ("classes", "similarity", "geometry"))
    assert "nDCG@100" in page
    assert "random order" in page
    assert "label distance" in page
    assert page.count('class="which">by label') == 18  # six queries in each of three tabs
    assert "Joints(radius=3)" in page


@pytest.mark.parametrize("loss", ["LogRatio()", "LogRatio() + 0.1 * Triplet(relate=CloseTargets(radius=2))"])
def test_an_interrupted_run_resumes_bit_for_bit(root, tmp_path, loss):
    asked = {**SMALL, "label_columns": "x0,y0", "relate": "joints()"}
    table = root / "data" / "spots.csv"
    whole = isometry.train(table, loss=loss, out=tmp_path / "whole", report=False, **asked)

    def interrupt(row):
        if row.get("step") == 4 and "validation" in row:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(Interrupted, match="Stopped at step 4"):
        isometry.train(table, loss=loss, out=tmp_path / "broken", show=interrupt, report=False, **asked)
    resumed = isometry.train(out=tmp_path / "broken", resume=True, report=False)
    assert same(state_of(whole.folder / STATE), state_of(resumed.folder / STATE))
    assert whole.metrics["test"] == resumed.metrics["test"]


def test_arrays_train_with_settings_of_their_own(tmp_path):
    g = np.random.default_rng(0)
    images = g.integers(0, 255, (64, 12, 12)).astype(np.uint8)
    ages = images.mean((1, 2)) / 10 + 0.05
    chosen = api.defaults(read((images, ages)))
    assert chosen.sampler.startswith("DenseTriplets(batch_size=8")
    assert (chosen.similarity, chosen.augment) == ("euclidean", "Same()")
    run = isometry.train((images, ages), out=tmp_path / "run", budget="2 steps", tracker="none", report=False)
    assert GRADED_BY in run.metrics["test"]
    assert run.metrics["protocol"]["relation"] == "that of the labels"


def test_losses_of_directions_are_compared_by_cosine():
    data = read((np.zeros((16, 8, 8), np.uint8), np.arange(16) + 0.5))
    assert api.defaults(data, "Triplet()").similarity == "cosine"
    assert api.defaults(data, "Triplet(similarity=euclidean)").similarity == "euclidean"


def test_damaged_notes_do_not_decide_the_similarity_of_old_runs(root):
    tensors, note = checkpoint.load(root / "run" / "model.safetensors")
    del note["similarity"]
    checkpoint.save(root / "run" / "old.safetensors", tensors, {k: v for k, v in note.items() if k != "format"})
    table = root / "data" / "spots.csv"
    found = use.evaluate(root / "run" / "old.safetensors", table, label_columns="x0:y0", part="test")
    assert found["protocol"]["similarity"] == "cosine"


class TestTheRelationNamedOnce:
    def test_goes_where_the_default_is_and_leaves_choices_alone(self):
        loss = parse("LogRatio() + Triplet() + Triplet(relate=CloseTargets(radius=9))")
        give(loss, relation("Joints(radius=2)"))
        assert [repr(term.relate) for term in loss.terms] == [
            "Joints(radius=2.0)",
            "Joints(radius=2.0)",
            "CloseTargets(radius=9.0)",
        ]

    def test_reaches_losses_inside_of_others(self):
        loss = parse("Both(loss=Triplet())")
        give(loss, relation("label_tree"))
        assert loss.relate is relation("label_tree")

    def test_is_what_the_scheme_reads(self):
        loss = parse("KoLeo() + LogRatio()")
        give(loss, relation("joints()"))
        assert Supervised(loss=loss).relate is relation("joints()")
        assert Supervised(loss=loss).reads == "targets"

    @pytest.mark.parametrize("text", ["MAPAtR()", "cosine", "3", "Joints"])
    def test_must_be_a_relation(self, text):
        if text == "Joints":
            assert isinstance(relation(text), isometry.relations.Joints)
            return
        with pytest.raises(ValueError, match="relate is a relation of labels"):
            relation(text)

    def test_decides_what_selects(self):
        classes = read((np.zeros((4, 8, 8), np.uint8), [0, 0, 1, 1]))
        ages = read((np.zeros((4, 8, 8), np.uint8), [0.5, 1.5, 2.5, 3.5]))
        assert selected_by(classes) == SELECTED_BY == "MAPAtR()"
        assert selected_by(classes, relation("label_tree")) == SELECTED_BY
        assert selected_by(ages) == GRADED_BY
        assert selected_by(classes, relation("joints()")) == GRADED_BY
        assert is_continuous(ages)
        assert not is_continuous(classes)

    def test_reads_the_labels_that_its_metric_names(self):
        ages = read((np.zeros((4, 8, 8), np.uint8), [0.5, 1.5, 2.5, 3.5]))
        assert torch.equal(labels(ages, relation("close_targets"), "x"), ages.targets)
        with pytest.raises(ValueError, match="x reads hierarchy, and arrays has none"):
            labels(ages, relation("label_tree"), "x")


class TestLabelSpace:
    def test_an_isometry_has_the_curve_of_the_labels_and_full_agreement(self):
        g = torch.Generator().manual_seed(0)
        data = read((np.zeros((30, 8, 8), np.uint8), torch.rand(30, 3, generator=g).numpy()))
        found = graded(Embeddings(data.targets, data), "close_targets", "euclidean", {})
        torch.testing.assert_close(found.curves["this model"], found.curves["the nearest by label"])
        assert found.agreement == pytest.approx(1.0)
        torch.testing.assert_close(found.embedded, found.labelled, atol=1e-5, rtol=1e-5)
        gap = torch.cdist(data.targets, data.targets)
        assert found.typical == pytest.approx(float(gap.sum() / (30 * 29)), rel=1e-5)
        assert found.curves["this model"][0] == pytest.approx(
            float(gap.fill_diagonal_(torch.inf).min(1).values.mean()), rel=1e-5
        )
        assert found.apart(4)[4] == torch.inf

    def test_classes_have_none(self):
        data = read((np.zeros((4, 8, 8), np.uint8), [0, 0, 1, 1]))
        assert graded(Embeddings(torch.rand(4, 2), data), "", "cosine", {}) is None

    def test_colours_are_tenths_of_a_single_number(self):
        data = read((np.zeros((40, 8, 8), np.uint8), np.linspace(0.5, 9.75, 40)))
        found = graded(Embeddings(torch.rand(40, 2), data), "", "cosine", {})
        assert torch.bincount(found.groups).tolist() == [4] * 10
        assert found.groups.tolist() == sorted(found.groups.tolist())


WRONG = {
    "an unknown column": (["--label-columns", "x0:y9"], "no column 'y9'"),
    "a column of words": (["--label-columns", "path"], "no finite number: row 1 (path is '0.png')"),
    "half a joint": (["--label-columns", "x0:age", "--relate", "joints()"], "no multiple"),
    "one value everywhere": (["--label-columns", "flat"], "labels are equal (7)"),
    "a gap": (["--label-columns", "holes"], "row 3 (holes is '')"),
    "no relation": (["--label-columns", "x0", "--relate", "MAPAtR()"], "relate is a relation of labels"),
    "an unknown relation": (["--label-columns", "x0", "--relate", "joint()"], "Did you mean 'joints'"),
    "an unknown similarity": (["--label-columns", "x0", "--similarity", "euclidian"], "Did you mean 'euclidean'"),
    "no similarity": (["--label-columns", "x0", "--similarity", "joints"], "similarity is one of"),
    "labels that are not there": (["--label-columns", "x0", "--relate", "label_tree"], "reads hierarchy"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_labels_are_one_line_and_leave_nothing(root, case, monkeypatch, capsys):
    rows = (root / "data" / "spots.csv").read_text().splitlines()
    more = [f"{row},7,{'' if i == 3 else i}" for i, row in enumerate(rows[1:], 1)]
    (root / "data" / "odd.csv").write_text("\n".join([rows[0] + ",flat,holes", *more]) + "\n")
    words, says = WRONG[case]
    before = sorted(path.name for path in root.iterdir())
    assert say(monkeypatch, "train", root / "data" / "odd.csv", *WORDS, *words, "--out", root / "made") == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if line and not line.startswith("note:")]
    assert len(lines) == 1, lines
    assert says in lines[0]
    assert sorted(path.name for path in root.iterdir()) == before
