"""The table of methods beside their ablated twins: what is written there can be trained, and is measured alike."""

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from isometry.config import Config
from isometry.expression import parse

ROOT = Path(__file__).parents[2]
GIVEN = {"loss": {"num_classes": 939, "dim": 126}, "head": {"in_features": 320}}


@pytest.fixture(scope="module")
def glyphs():
    sys.path.insert(0, str(ROOT / "benchmarks"))
    yield importlib.import_module("glyphs")
    sys.path.remove(str(ROOT / "benchmarks"))


@pytest.fixture(scope="module")
def letters(glyphs):
    return glyphs.letters().part("train")


def test_a_method_and_its_twin_are_two_that_are_measured_alike(glyphs):
    for method, twin in glyphs.TWINS:
        assert method != twin
        assert method.similarity == twin.similarity
        sizes = [parse(m.head, in_features=320).dim if m.head else 0 for m in (method, twin)]
        assert sizes[0] == sizes[1]
        assert all(sizes) or not any(sizes)


def test_what_is_written_is_settings_of_a_run(glyphs):
    for method in {method for pair in glyphs.TWINS for method in pair}:
        Config().replace(**method.settings)
        for name, text in method.settings.items():
            parse(text, **GIVEN.get(name, {}))
            assert f"`{text}`" in str(method)


def test_a_part_of_a_text_chooses_pairs_whole(glyphs):
    methods, pairs = glyphs.chosen("HardClasses", twins=True)
    assert set(methods) == {method for pair in pairs for method in pair}
    assert len(pairs) == 1
    every, of_all = glyphs.chosen("", twins=False)
    assert of_all == glyphs.TWINS
    assert len(set(every)) == len(every)
    assert {glyphs.Method(f"{name}()") for name in ("SupCon", "ProxyAnchor")} <= set(every)


def test_a_category_is_what_accents_stand_on(letters):
    drawn = [letters.classes[y] for y in letters.labels.tolist()]
    category = dict(zip(drawn, letters.hierarchy[:, 0].tolist(), strict=True))
    assert len({category[c] for c in "eEéÈ"}) == 1
    assert len({category[c] for c in "aeo"}) == 3
    counts = letters.hierarchy[:, 0].bincount()
    assert counts[counts > 0].min() >= 64
    assert torch.equal(letters.hierarchy[:, 1], letters.labels)


def test_a_batch_of_categories_is_half_one_and_half_another_with_no_picture_twice(glyphs, letters):
    (sampler,) = {m.sampler for pair in glyphs.TWINS for m in pair if m.sampler.startswith("CategoryBatches")}
    for batch in list(parse(sampler).bind(letters.hierarchy))[:50]:
        assert len(set(batch)) == len(batch) == 128
        assert np.unique(letters.hierarchy[batch, 0], return_counts=True)[1].tolist() == [64, 64]


@pytest.mark.slow
def test_a_method_trains_with_its_settings_and_its_data(glyphs):
    (method,) = {m for pair in glyphs.TWINS for m in pair if m.sampler.startswith("CategoryBatches")}
    found = glyphs.trained(method, steps=2, seed=0)
    assert set(found) == set(glyphs.METRICS)
    assert all(0 < value < 1 for value in found.values())
