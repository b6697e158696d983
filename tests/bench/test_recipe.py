"""Recipes: what is read, what is filled in, and what is refused, in one line."""

import re
from pathlib import Path

import pytest

from isometry.bench.recipe import Recipe, defaults_of, made, read, setting_of

GOOD = """
[data]
source = "glyphs"

[[methods]]
loss = "SupCon(temperature=0.1)"
"""


def written(folder, text):
    path = folder / "mine.toml"
    path.write_text(text)
    return path


def test_a_recipe_needs_data_and_nothing_else(tmp_path):
    recipe = read(written(tmp_path, '[data]\nsource = "glyphs"\n'))
    assert recipe.name == "mine"
    assert [m.name for m in recipe.methods] == ["tuned contrastive", "tuned normalised softmax"]
    assert recipe.reference == "tuned contrastive"
    assert recipe.method("tuned normalised softmax").sampler == "Plain(batch_size=128)"
    assert len(recipe.controls) == 6


def test_mandatory_methods_are_added_only_where_absent(tmp_path):
    text = GOOD + '[[methods]]\nloss = "Contrastive(negative=0.3)"\n[[methods]]\nname = "NS"\nloss = "NormSoftmax()"\n'
    recipe = read(written(tmp_path, text))
    assert [m.name for m in recipe.methods] == ["SupCon(temperature=0.1)", "Contrastive(negative=0.3)", "NS"]
    assert recipe.reference == "Contrastive(negative=0.3)"


def test_a_recipe_is_written_and_read_back(tmp_path):
    text = GOOD + 'space = { temperature = [0.01, 1.0, "log"], similarity = { choices = ["cosine", "dot"] } }\n'
    recipe = read(written(tmp_path, text + 'note = "a \\"quoted\\" word, 0.1°"\n')).changed(about="two\nlines")
    assert read(written(tmp_path, recipe.to_toml())) == recipe


def test_values_cannot_be_changed(tmp_path):
    recipe = read(written(tmp_path, GOOD))
    with pytest.raises(ValueError, match=r"frozen"):
        recipe.train.budget = "9 steps"


def test_methods_are_added_and_chosen(tmp_path):
    recipe = read(written(tmp_path, GOOD)).adding("Circle()").adding("Circle(gamma=256.0)", name="sharp")
    assert [m.name for m in recipe.methods][-2:] == ["Circle", "sharp"]
    assert {m.name for m in recipe.only(["sharp"]).methods} == {
        "sharp",
        "tuned contrastive",
        "tuned normalised softmax",
    }
    with pytest.raises(ValueError, match=r"no method 'shrap'. Did you mean 'sharp'"):
        recipe.only(["shrap"])
    with pytest.raises(ValueError, match=r"Two methods are named 'sharp'"):
        recipe.adding("Triplet()", name="sharp")
    with pytest.raises(ValueError, match=r"There is no 'Cirle'. Did you mean 'Circle'"):
        recipe.adding("Cirle()")


@pytest.mark.parametrize(
    ("loss", "sampler"),
    [
        ("CosFace()", "Plain(batch_size=128)"),
        ("SoftTriple()", "Plain(batch_size=128)"),
        ("Margin()", ""),  # learns a boundary a class, and compares images
        ("NormSoftmax() + Triplet()", ""),
    ],
)
def test_an_added_loss_of_class_proxies_gets_batches_drawn_evenly(tmp_path, loss, sampler):
    recipe = read(written(tmp_path, GOOD)).adding(loss)
    assert recipe.methods[-1].sampler == sampler
    assert read(written(tmp_path, recipe.to_toml())) == recipe


@pytest.mark.parametrize(("stream", "loss", "fits"), [
    (1, "Circle()", False), (5, "Circle(gamma=80.0)", False), (6, "Circle()", True), (1000, "Circle()", True),
    (1, "Circle(gamma=64.0)", True), (0, "Circle()", True),
])  # fmt: skip
def test_streams_of_one_method_share_no_seed(stream, loss, fits):
    given = {"name": "x", "data": {"source": "glyphs"}, "methods": [
        {"loss": "Circle()"}, {"name": "again", "loss": loss, "stream": stream}]}  # fmt: skip
    if fits:
        assert made(given, "x").method("again").stream == stream
        return
    with pytest.raises(ValueError, match=rf"'Circle' and 'again' are one method with seeds {stream} apart") as caught:
        made(given, "x")
    assert "stream = 1000" in str(caught.value)


def test_the_dry_run_is_small_and_fetches_nothing():
    recipe = made({"name": "x", "data": {"source": "glyphs"}, "model": {"trunk": "Timm(name='resnet50')"}, "methods": [
        {"loss": "ArcFace()", "sampler": "Plain(batch_size=128)"}]}, "x").shrunk()  # fmt: skip
    assert recipe.model.trunk == "Timm(name='resnet50', pretrained=False)"
    assert (recipe.folds.count, recipe.search.trials, recipe.final.seeds) == (2, 1, 1)
    assert recipe.train.budget == "2 steps"
    assert recipe.train.sampler == "ClassesTimesInstances(classes=2, instances=2)"
    assert recipe.method("ArcFace").sampler == "Plain(batch_size=4)"


def test_the_folder_of_the_data_lies_in_the_root(tmp_path):
    def source(text, root):
        return made({"name": "x", "data": {"source": text}}, "x").source(root)

    (tmp_path / "birds").mkdir()
    assert source("glyphs", None) == "glyphs"
    assert source("cub:birds", tmp_path) == f"cub:{tmp_path}/birds"
    assert source("subset:cub:birds", str(tmp_path)) == f"subset:cub:{tmp_path}/birds"
    assert source("emoji:.", tmp_path) == f"emoji:{tmp_path}"
    assert source("birds", tmp_path) == str(tmp_path / "birds")
    assert source(f"cub:{tmp_path}/birds", None) == f"cub:{tmp_path}/birds"
    assert source("hf:owner/name", tmp_path) == "hf:owner/name"
    with pytest.raises(FileNotFoundError, match=r"x reads 'emoji:.', and .* --data-root names"):
        source("emoji:.", None)
    with pytest.raises(FileNotFoundError, match=r"there is no .*bees: is --data-root .* right"):
        source("cub:bees", tmp_path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[train]\naugmnt = 'Same()'", "[train] has no 'augmnt'. Did you mean 'augment'?"),
        ("[trian]\nbudget = '9 steps'", "the recipe has no 'trian'. Did you mean 'train'?"),
        ("[[methods]]\nlos = 'SupCon()'", "[[methods]] 1 has no 'los'. Did you mean 'loss'?"),
        ("[[methods]]\nname = 'a'", "[[methods]] 1 needs 'loss'"),
        ("[search]\ntrials = 'ten'", "[search] trials is a whole number; got 'ten'."),
        ("[search]\ntrials = 2.5", "[search] trials is a whole number; got 2.5."),
        ("[search]\ntrials = 0", "[search] trials"),
        ("[search]\nhead_lr = [0.1]", "[search] head_lr is [low, high]; got [0.1]."),
        ("[train]\nwarmup = true", "[train] warmup is a number; got True."),
        ("[train]\nbudget = 'long'", "A budget is written '400 steps' or '10 epochs'; got 'long'."),
        ("[train]\nprecision = 'fp8'", "[train] precision"),
        ("[train]\noptimizer = 'Adan()'", "There is no 'Adan'. Did you mean 'Adam'"),
        ("[train]\noptimizer = 'Cosine()'", "'Cosine()' is no optimizer"),
        ("[train]\nschedule = 'AdamW()'", "'AdamW()' is no schedule"),
        ("[train]\naugment = 'Average()'", "'Average()' changes no pictures"),
        ("[train]\nsampler = 'Same()'", "'Same()' is no sampler"),
        ("[train]\nhead_lr = 1.0", "[search] head_lr = [0.0001, 0.01] does not hold the first trial's, 1"),
        ("[model]\ntrunk = 'ConvNett()'", "There is no trunk 'ConvNett'. Did you mean 'ConvNet'?"),
        ("[model]\ntrunk = 'ConvNet(width=3)'", "ConvNet has no parameter 'width'"),
        ("[model]\ntrunk = 'Average()'", "'Average()' is no trunk"),
        ("[model]\nhead = 'Average()'", "'Average()' is no head"),
        ("[model]\npool = 'Linear()'", "'Linear()' is no pool"),
        ("[folds]\ncount = 1", "[folds] count"),
        ("[folds]\nsearched = 5", "[folds] searched = 5 folds of 4"),
        ("[[methods]]\nloss = 'SupCon(temp=1)'", "SupCon has no parameter 'temp'"),
        ("[[methods]]\nloss = 'SupCon('", "is no expression"),
        ("[[methods]]\nloss = 'Average()'", "'Average()' is no loss"),
        ("[[methods]]\nloss = 3", "[[methods]] 1 loss is text; got 3."),
        ("[[methods]]\nloss = 'SupCon()'\nsampler = 'Plain(batch_size=64)'", "batches of 64, the study's of 128"),
        ("[[methods]]\nloss = 'SupCon()'\nhead = 'Linear(dim=64)'", "its head has 64 dimensions, the study's 128"),
        ("[[methods]]\nloss = 'SupCon()'\nspace = { temperature = 3 }", "temperature is [low, high]"),
        ("[[methods]]\nloss = 'SupCon()'\n[[methods]]\nloss = 'SupCon()'", "Two methods are named 'SupCon'"),
        ("[[cards]]\nsystem = 's'\nclaim = 'c'\nsource = 'p'\nmethod = 'tuned contrastive'\ntwin = 'tuned contrast'",
         "The card of 's' names no method: 'tuned contrast'. Did you mean 'tuned contrastive'?"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_in_one_line_that_names_the_file(tmp_path, text, said):
    path = written(tmp_path, '[data]\nsource = "glyphs"\n' + text)
    with pytest.raises(ValueError, match=re.escape(said)) as caught:
        read(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("head", "said"),
    [
        ('controls = ["raw pixel"]', "There is no control 'raw pixel'. Did you mean 'raw pixels'?"),
        ('reference = "contrastive"', "reference = 'contrastive' is no method. Did you mean 'tuned contrastive'?"),
        ('metric = "MRR()"', "metric = 'MRR()' is not among metrics"),
        ("name = 3", "name is text; got 3."),
        ("data = 3", "data is a table; got 3."),
    ],
)
def test_what_is_wrong_above_all_sections(tmp_path, head, said):
    path = written(tmp_path, head + ("" if head.startswith("data") else '\n[data]\nsource = "glyphs"\n'))
    with pytest.raises(ValueError, match=re.escape(said)) as caught:
        read(path)
    assert str(caught.value).startswith(f"{path}: ")


def test_files_that_are_no_recipes(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"There is no recipe .*mien.toml. Did you mean 'mine.toml'"):
        read(written(tmp_path, GOOD).with_name("mien.toml"))
    with pytest.raises(ValueError, match=r"is no TOML"):
        read(written(tmp_path, "= 3"))
    with pytest.raises(ValueError, match=r"mine.toml: the recipe needs 'data'"):
        read(written(tmp_path, "name = 'x'"))


def test_a_setting_rebuilds_from_the_recipe_alone(tmp_path):
    """The same text gives the same settings, whatever random numbers were drawn before."""
    import torch

    path = written(tmp_path, GOOD)
    torch.manual_seed(0)
    state = torch.get_rng_state()
    first, again = read(path), read(Path(path))
    assert torch.equal(torch.get_rng_state(), state)
    for entry in first.methods:
        assert setting_of(first, entry, defaults_of(first, entry)) == setting_of(
            again, entry, defaults_of(again, entry)
        )
    assert isinstance(first, Recipe)
