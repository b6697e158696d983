"""The recipes that are shipped: each reads, fits the layout of its data, and trains."""

import functools
import re
from pathlib import Path

import pytest

from isometry.bench.cell import Cell
from isometry.bench.folds import divided
from isometry.bench.recipe import defaults_of, read, setting_of, space_of
from isometry.bench.space import Choice
from isometry.bench.study import Study
from isometry.bench.training import train_cell
from isometry.data import read as read_data
from tests.data.published.photos import SIDES, annotations, class_names, matlab
from tests.data.published.trees import cub, put, text

SHIPPED = sorted((Path(__file__).parents[2] / "recipes").glob("*.toml"))
LANES = [path for path in SHIPPED if re.match(r"reality-check|roth|proxy-anchor|vit-s", path.name)]


def birds(root):
    cub(root / "CUB_200_2011", classes=(1, 2, 3, 50, 99, 100, 101, 150, 200))


def cars(root):
    folder = root / "stanford_cars"
    items = []
    for number in (1, 2, 3, 50, 97, 98, 99, 150, 196):
        for k in range(2):
            items.append((f"car_ims/{number:03d}{k}00.jpg", 1, 1, 5, 6, number, k % 2))
            put(folder, items[-1][0])
    found = annotations(items, "relative_im_path", *SIDES, "class", "test")
    matlab(folder, "cars_annos.mat", annotations=found, class_names=class_names())


def products(root):
    folder = root / "Stanford_Online_Products"
    for part, first, many in (("train", 1, 5), ("test", 11319, 2)):
        lines = ["image_id class_id super_class_id path"]
        for number in range(first, first + many):
            for k in range(2):
                path = f"chair_final/11{number}_{k}.JPG"
                put(folder, path)
                lines.append(f"{len(lines)} {number} 4 {path}")
        text(folder, f"Ebay_{part}.txt", lines)


def clothes(root):
    folder = root / "In-shop Clothes Retrieval Benchmark"
    items = [(number, status) for number in range(1, 6) for status in ("train", "train")]
    items += [(number, status) for number in (7, 8) for status in ("query", "gallery")]
    rows = []
    for k, (number, status) in enumerate(items):
        name = f"MEN/Denim/id_{number:08d}/{k:02d}_1_front.jpg"
        put(folder, f"img/{name}")
        rows.append(f"img/{name} id_{number:08d} {status}")
    text(folder, "Eval/list_eval_partition.txt", [str(len(rows)), "image_name item_id evaluation_status", *rows])


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """The small trees, in the layouts in which the data are published."""
    folder = tmp_path_factory.mktemp("published")
    for build in (birds, cars, products, clothes):
        build(folder)
    return folder


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """Checksums are written to a folder of the test's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


tree = functools.cache(read_data)


def small(path):
    """The dry run of a recipe, which does not ask for all of the data."""
    recipe = read(path)
    return recipe.changed(data=recipe.data.model_copy(update={"source": f"subset:{recipe.data.source}"})).shrunk()


def test_all_lanes_are_shipped():
    lanes = {"reality-check": ("cub", "cars", "sop"), "roth": ("cub", "cars", "sop")}
    lanes |= dict.fromkeys(("proxy-anchor", "vit-s"), ("cub", "cars", "sop", "in-shop"))
    assert {p.stem for p in LANES} == {f"{lane}-{data}" for lane, sets in lanes.items() for data in sets}
    assert {"glyphs", "emoji", "fashion-mnist"} <= {p.stem for p in SHIPPED}


@pytest.mark.parametrize("path", SHIPPED, ids=lambda p: p.stem)
@pytest.mark.parametrize("step", [3, pytest.param(1, marks=pytest.mark.slow)])
def test_every_trial_of_a_shipped_recipe_is_a_loss(path, step):
    """Of every third method; of all where there is time."""
    recipe = read(path)
    for entry in recipe.methods[::step]:
        space, first = space_of(recipe, entry), defaults_of(recipe, entry)
        assert space.keys() == first.keys()
        ends = [found.values if isinstance(found, Choice) else (found.low, found.high) for found in space.values()]
        lowest, highest = (dict(zip(space, (end[k] for end in ends), strict=True)) for k in (0, -1))
        settings = {setting_of(recipe, entry, values) for values in (first, lowest, highest)}
        held = all(isinstance(found, Choice) and len(found.values) == 1 for found in space.values())
        assert (len(settings) == 1) == held


@pytest.mark.parametrize("name", ["glyphs", "fashion-mnist", "roth-cub", "reality-check-sop"])
def test_a_shipped_recipe_is_written_and_read_back(name, tmp_path):
    recipe = read(SHIPPED[0].with_name(f"{name}.toml"))
    (tmp_path / f"{name}.toml").write_text(recipe.to_toml())
    assert read(tmp_path / f"{name}.toml") == recipe


@pytest.mark.parametrize("path", LANES, ids=lambda p: p.stem)
def test_a_lane_reads_the_published_layout_and_cuts_its_folds(path, root):
    recipe = small(path)
    data = tree(recipe.source(root))
    division = divided(data, recipe.folds.count, recipe.folds.windows)
    for fold in range(recipe.folds.count):
        splits = division.splits(data, fold)
        parts = [set(part.labels.tolist()) for part in (splits.train, splits.validation, splits.test)]
        assert all(len(part) >= 2 for part in parts)
        assert not (parts[0] & parts[1])
        assert not (parts[0] & parts[2])
        assert not (parts[1] & parts[2])


def test_the_whole_data_are_asked_for_where_the_recipe_is_not_a_dry_run(root):
    with pytest.raises(ValueError, match="subset"):
        read_data(read(LANES[0]).source(root))


@pytest.mark.slow
@pytest.mark.parametrize("path", LANES, ids=lambda p: p.stem)
def test_a_lane_trains_in_the_dry_run(path, root, tmp_path):
    recipe = small(path)
    study = Study.open(recipe, data_root=root, cache=tmp_path / "cache")
    for entry in (recipe.methods[0], recipe.methods[-1]):
        setting = setting_of(recipe, entry, defaults_of(recipe, entry))
        cell = Cell(held=study.held_hash, setting=setting, fold=0, seed=0, tested=True)
        outcome, tensors = train_cell(study, cell, tmp_path / cell.key)
        assert outcome.state in ("done", "collapsed"), outcome.message
        assert outcome.state == "collapsed" or len(tensors["z"]) == len(study.test)
