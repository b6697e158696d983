"""The value of every query is kept, and everything in metrics.json can be computed again from it."""

import dataclasses
import json

import numpy as np
import pandas as pd
import pytest
import torch

import isometry
from isometry import use
from isometry.comparison import read_queries
from isometry.evaluation import Embeddings, measure
from isometry.fingerprint import from_json
from isometry.queries import QUERIES, Measured, write_queries
from isometry.run import as_json
from tests.measured import TEXTS, embedded, folder, pictures, protocol
from tests.small import COLOUR
from tests.small import folder as photographs


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    root = tmp_path_factory.mktemp("queries")
    photographs(root / "data", classes=8, each=5)
    return isometry.train(str(root / "data"), loss="Triplet()", out=root / "run", report=False, **COLOUR)


def test_all_of_a_runs_metrics_can_be_computed_again(run):
    found = read_queries(run.folder)
    assert as_json(found.of().results()) == run.metrics["test"]
    assert as_json(found.of(part="validation").results()) == run.metrics["validation"]
    for name, results in run.metrics["baselines"].items():
        assert as_json(found.of(name).results()) == results
    assert found.protocol == from_json(run.metrics["protocol"])
    assert found.version == isometry.__version__


def test_the_rows_say_who_they_are(run):
    table = read_queries(run.folder).of().table
    assert len(table) == run.metrics["counts"]["test"]
    data = isometry.data.read(run.folder.parent / "data")
    for row in table.itertuples():
        assert data.paths[row.id] == row.path
        assert data.classes[data.labels[row.id]] == row[table.columns.get_loc("class") + 1]
    assert table["category"].isna().all()
    assert not list(run.folder.glob(".*part"))


def test_pandas_alone_reads_them(run):
    table = pd.read_parquet(run.folder / QUERIES)
    assert list(table.columns[:7]) == ["model", "part", "id", "path", "class", "label", "category"]
    own = table[(table["model"] == "run") & (table["part"] == "test")]
    assert own["MAPAtR()"].mean() == pytest.approx(run.metrics["test"]["MAPAtR()"]["value"], abs=1e-6)


def test_an_evaluation_keeps_them_as_well(run, tmp_path):
    found = use.evaluate(run.folder, metrics="MRR()", part="train", out=tmp_path / "out")
    kept = read_queries(tmp_path / "out")
    assert kept.protocol.part == "train"
    assert as_json(kept.of().results()) == found["test"]
    assert json.loads((tmp_path / "out" / "metrics.json").read_text())["settings"]["loss"] == "Triplet()"


def kept(tmp_path, data, z=None):
    test = embedded(data, 1.0) if z is None else Embeddings(z, data)
    results = measure(test, TEXTS)
    write_queries(tmp_path, [Measured(test, results)], protocol(data, results))
    return results, read_queries(tmp_path)


def test_queries_that_are_not_scored_are_empty_and_do_not_count(tmp_path):
    data = pictures(6, 4)
    labels = data.labels.clone()
    labels[:3] = -1  # three unknown, one alone
    with pytest.warns(UserWarning, match="no match"):
        results, found = kept(tmp_path, dataclasses.replace(data, labels=labels))
    table = found.table
    assert table["MAPAtR()"].isna().tolist() == [True] * 4 + [False] * 20
    assert table["class"].isna().tolist() == [True] * 3 + [False] * 21
    again = found.results()
    assert again["MAPAtR()"].value == pytest.approx(results["MAPAtR()"].value)
    assert (again["MAPAtR()"].low, again["MAPAtR()"].high) == (results["MAPAtR()"].low, results["MAPAtR()"].high)


def test_only_queries_have_rows_where_data_have_roles(tmp_path):
    data = pictures(6, 4)
    roles = dataclasses.replace(data, is_query=data.ids % 4 == 1, is_gallery=data.ids % 4 != 1)
    results, found = kept(tmp_path, roles)
    assert found.table["id"].tolist() == [1, 5, 9, 13, 17, 21]
    np.testing.assert_array_equal(found.table["MAPAtR()"], results["MAPAtR()"].per_query)


def test_label_sets_are_drawn_as_they_were(tmp_path):
    data = pictures(6, 4)
    random = torch.Generator().manual_seed(0)
    multi = torch.rand(24, 3, generator=random) < 0.5
    multi[:, 0] |= ~multi.any(1)
    results, found = kept(tmp_path, dataclasses.replace(data, multi=multi, tags=("a", "b", "c")))
    assert as_json(found.results()) == as_json(results)


def test_categories_large_ids_and_names_that_are_no_text_are_kept(tmp_path):
    data = pictures(6, 4)
    odd = dataclasses.replace(
        data,
        ids=data.ids + 2**60,
        paths=("caf\udce9.png", *["é|,\n.png"] * 23),
        category=data.labels % 2 - (data.labels == 5) * 2,
        categories=("even", "odd"),
    )
    table = kept(tmp_path, odd)[1].table
    assert table["id"].tolist() == odd.ids.tolist()
    assert table["path"].tolist()[:2] == ["caf�.png", "é|,\n.png"]
    assert table["category"].tolist()[:20] == (["even"] * 4 + ["odd"] * 4) * 2 + ["even"] * 4
    assert table["category"][20:].isna().all()


def test_statistics_of_the_whole_space_have_no_column(tmp_path):
    place = folder(tmp_path / "one", whole=["Recall(k=1)"])
    assert read_queries(place).metrics == ("MAPAtR()",)
    none = read_queries(folder(tmp_path / "two", whole=["Recall(k=1)", "MAPAtR()"]))
    assert len(none.table) == 144
    assert none.results() == {}


def test_what_is_missing_damaged_or_not_ours_is_one_line(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"There is no queries\.parquet"):
        read_queries(tmp_path)
    place = folder(tmp_path / "one")
    whole = (place / QUERIES).read_bytes()
    (place / QUERIES).write_bytes(whole[:-50])
    with pytest.raises(ValueError, match="damaged") as refused:
        read_queries(place)
    assert "\n" not in str(refused.value)
    pd.DataFrame({"a": [1]}).to_parquet(place / QUERIES)
    with pytest.raises(ValueError, match="not written by isometry"):
        read_queries(place)
