"""Controls are what they are called, and only those that make sense are there."""

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from torch.nn import functional

from isometry.bench.controls import controls, principal
from tests.bench.studies import opened


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return opened(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def made(study):
    return controls(study)


def test_a_frozen_trunk_without_published_weights_has_all_but_a_pretrained_one(made, study):
    assert list(made) == ["raw pixels", "untrained trunk", "random linear", "PCA", "whitening"]
    assert {name: z.shape for name, z in made.items()} == {
        "raw pixels": (80, 64), "untrained trunk": (80, 256), "random linear": (80, 8), "PCA": (80, 8), "whitening": (80, 8),
    }  # fmt: skip
    assert torch.equal(made["raw pixels"], study.test.images.tensor.flatten(1) / 255)
    assert torch.equal(made["untrained trunk"], study.rows[study.test_rows])


def test_principal_components_are_those_of_the_training_classes(made, study):
    train = torch.cat([study.part(0).train_rows, study.part(0).validation_rows])
    rows = functional.normalize(study.rows, dim=1).double().numpy()
    oracle = PCA(8, svd_solver="full").fit(rows[train])
    expected = oracle.transform(rows[study.test_rows])
    signs = np.sign((made["PCA"].numpy() * expected).sum(0))
    np.testing.assert_allclose(made["PCA"].numpy() * signs, expected, atol=1e-5)
    variance = oracle.explained_variance_ * (len(train) - 1) / len(train)
    np.testing.assert_allclose(
        made["whitening"].numpy() * signs, expected / np.sqrt(variance + 1e-6 * variance[0]), atol=1e-3
    )


def test_whitened_training_features_have_unit_covariance():
    rows = torch.randn(300, 6) @ torch.randn(6, 6)
    mean, axes, variance = principal(rows, torch.arange(300), 6)
    white = ((functional.normalize(rows, dim=1) - mean) @ axes) / variance.sqrt()
    torch.testing.assert_close(white.T @ white / 300, torch.eye(6), atol=1e-3, rtol=0)


def test_no_more_components_than_features():
    mean, axes, variance = principal(torch.randn(20, 3), torch.arange(20), 8)
    assert (mean.shape, axes.shape, variance.shape) == ((3,), (3, 3), (3,))


def test_they_are_the_same_each_time(made, study):
    assert all(torch.equal(z, made[name]) for name, z in controls(study).items())


def test_a_recipe_that_trains_from_scratch_has_pixels_and_an_untrained_model(tmp_path):
    study = opened(tmp_path, frozen=False)
    found = controls(study)
    assert {name: z.shape for name, z in found.items()} == {"raw pixels": (80, 64), "untrained trunk": (80, 8)}


def test_only_those_that_the_recipe_asks_for(study, tmp_path):
    from isometry.bench.study import Study
    from tests.small import digits

    recipe = study.recipe.model_copy(update={"controls": ("PCA",)})
    assert list(controls(Study.open(recipe, cache=study.cache, data=digits(per_class=8)))) == ["PCA"]
