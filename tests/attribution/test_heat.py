"""What a heat map adds up to, what it does not depend on, and what it leaves as it was."""

import copy

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from isometry.attribution import Why, why, why_each
from isometry.attribution.path import added, comparison, embedded
from isometry.embedder import Ready
from isometry.model import Embedder
from isometry.ops.blur import blurred, spread
from isometry.similarities import cosine
from isometry.trunks import Timm

SMALL = "ConvNet(widths=(8, 16), size=12)"


def ready(trunk=SMALL, pool="Average()", head="Linear(dim=6)", transform="Same()", similarity="cosine"):
    torch.manual_seed(3)
    return Ready(Embedder.parse(trunk, pool, head), transform, {"similarity": similarity})


def pictures(n=2, channels=1, side=12, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).integers(0, 256, (n, channels, side, side), dtype=np.uint8))


def transformer(**settings):
    """A small vision transformer of timm's as a trunk."""
    trunk = Timm(name="test_vit", pretrained=False, **settings)
    head = Embedder.parse(SMALL, head="Linear(dim=6)").head
    model = Embedder(trunk, Embedder.parse(SMALL).pool, type(head)(in_features=trunk.out_features, dim=6))
    return Ready(model, "Same()", {"similarity": "cosine"})


class Line(nn.Module):
    """A model whose embedding is linear in the pixels."""

    def __init__(self, weights):
        super().__init__()
        self.weights = nn.Parameter(weights)

    def forward(self, images):
        return type("Made", (), {"z": images.flatten(1) @ self.weights})()


def test_of_a_linear_model_and_the_inner_product_it_is_the_exact_share():
    g = torch.Generator().manual_seed(0)
    weights = torch.randn(12, 5, generator=g, dtype=torch.float64)
    x, start, partner = (
        torch.randn(*s, generator=g, dtype=torch.float64) for s in ((2, 3, 2, 2), (2, 3, 2, 2), (2, 5))
    )
    heat = added(Line(weights), comparison("dot"), x, start, partner, steps=1, batch_size=8)
    for n in range(2):
        share = ((x - start)[n].flatten() * (weights @ partner[n])).view(3, 2, 2).sum(0)
        torch.testing.assert_close(heat[n], share)


def test_of_the_cosine_it_is_the_integral_along_the_way():
    """Against a plain integral: 1,000 steps of the gradient, in a loop over the definition."""
    g = torch.Generator().manual_seed(0)
    model = Line(torch.randn(4, 3, generator=g, dtype=torch.float64))
    x, start, partner = (
        torch.randn(*s, generator=g, dtype=torch.float64) for s in ((1, 1, 2, 2), (1, 1, 2, 2), (1, 3))
    )
    heat = added(model, comparison("cosine"), x, start, partner, steps=200, batch_size=256)
    total = torch.zeros_like(x)
    for k in range(1000):
        at = (start + (k + 0.5) / 1000 * (x - start)).requires_grad_()
        total += torch.autograd.grad(nn.functional.cosine_similarity(model(at).z, partner).sum(), at)[0] / 1000
    torch.testing.assert_close(heat, (total * (x - start))[:, 0], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("pool", "head", "similarity"),
    [
        ("Average()", "Linear(dim=6)", "cosine"),
        ("Max()", "Linear(dim=6)", "dot"),
        ("GeM()", "MLP(hidden=(16,), dim=6)", "euclidean"),
        ("AveragePlusMax()", "Linear(dim=6, normalise=True, layer_norm=True)", "squared_euclidean"),
        ("Flatten()", "NICE(dim=6)", "chord"),
        ("Average()", "Levels(dim=6)", "SNR()"),
        ("Average()", "Linear(dim=6)", "Truncated(size=3)"),
    ],
)
def test_heat_adds_up_to_what_the_match_owes_to_the_picture(pool, head, similarity):
    model = ready(pool=pool, head=head, similarity=similarity)
    found = why(model, *pictures(), steps=128)
    z = model(pictures())
    sim = float(comparison(similarity)(z[:1], z[1:]))
    assert found.score == pytest.approx(sim, rel=1e-4, abs=1e-5)
    size = max(float(found.heat_a.abs().sum()), float(found.heat_b.abs().sum()))
    assert abs(found.gap_a) < 0.03 * size
    assert abs(found.gap_b) < 0.03 * size
    assert size > 1e-4


@pytest.mark.parametrize("class_token", [False, True])
def test_transformers_too_with_tokens_or_the_class_token(class_token):
    model = transformer(class_token=class_token)
    side = model.model.trunk.image_size
    found = why(model, *pictures(channels=3, side=side), steps=24)
    assert found.heat_a.shape == (side, side)
    assert abs(found.gap_a) < 0.05 * float(found.heat_a.abs().sum())


def test_the_integral_gets_exacter_with_steps():
    model = ready(pool="GeM()", head="MLP(hidden=(32,), dim=6)")
    few, many = (sum(abs(w.gap_a) for w in why_each(model, pictures(6), pictures(6, seed=1), steps=n)) for n in (2, 64))
    assert many < few / 3


def test_the_other_way_round_it_is_the_same_with_sides_exchanged():
    one, other = why(ready(), *pictures()), why(ready(), *pictures().flip(0))
    torch.testing.assert_close(one.heat_a, other.heat_b)
    assert one.score == pytest.approx(other.score)
    assert one.without_a == pytest.approx(other.without_b)


def test_an_asymmetric_similarity_keeps_its_sides():
    model = ready(similarity="SNR()")
    found, z = why(model, *pictures(), steps=64), model(pictures())
    start = blurred(pictures()[:1] / 255, 12 / 8)
    snr = comparison("SNR()")
    assert found.score == pytest.approx(float(snr(z[:1], z[1:])), rel=1e-4)
    assert found.without_a == pytest.approx(float(snr(embedded(model.model, start, 1), z[1:])), rel=1e-4)
    assert found.without_b != pytest.approx(found.without_a)


def test_many_pairs_are_as_one_by_one_whatever_the_batch():
    a, b = pictures(5), pictures(5, seed=1)
    together = why_each(ready(), a, b, batch_size=7)
    for i, one in enumerate(together):
        torch.testing.assert_close(one.heat_b, why(ready(), a[i], b[i]).heat_b)


def test_sizes_may_differ_within_and_between_sides():
    a = [pictures(1, side=side)[0] for side in (12, 16, 12)]
    b = [pictures(1, side=side, seed=1)[0] for side in (20, 12, 16)]
    found = why_each(ready(), a, b)
    assert [tuple(w.heat_a.shape) for w in found] == [(12, 12), (16, 16), (12, 12)]
    assert [tuple(w.heat_b.shape) for w in found] == [(20, 20), (12, 12), (16, 16)]
    torch.testing.assert_close(found[2].heat_a, why(ready(), a[2], b[2]).heat_a)


def test_the_same_again_bit_for_bit():
    one, other = (why(ready(), *pictures()) for _ in range(2))
    assert torch.equal(one.heat_a, other.heat_a)
    assert torch.equal(one.heat_b, other.heat_b)


def test_what_cannot_be_seen_has_no_heat():
    """A picture of one colour is its own blur: it explains nothing, and nothing of the score."""
    found = why(ready(), torch.full((1, 12, 12), 0.5), pictures()[1])
    assert float(found.heat_a.abs().max()) < 1e-5
    assert found.without_a == pytest.approx(found.score, abs=1e-5)


def test_the_model_is_left_as_it_was():
    model = ready(pool="GeM()")
    net = model.model.train()
    before = copy.deepcopy(net.state_dict())
    why(model, *pictures())
    assert net.training
    assert net.pool.training
    assert all(p.grad is None and p.requires_grad for p in net.parameters())
    assert all(torch.equal(before[name], value) for name, value in net.state_dict().items())


def test_after_an_error_too():
    model = ready(similarity="hamming")
    model.model.train()
    with pytest.raises(ValueError, match="has no gradient"):
        why(model, *pictures())
    assert model.model.training
    assert all(p.grad is None for p in model.model.parameters())


@pytest.mark.parametrize("surroundings", [torch.no_grad, torch.inference_mode])
def test_it_works_where_gradients_are_off(surroundings):
    expected = why(ready(), *pictures()).heat_a
    with surroundings():
        found = why(ready(), *pictures()).heat_a
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_models_of_other_precisions(dtype):
    model = ready()
    expected = why(model, *pictures()).heat_a
    model.model.to(dtype)
    found = why(model, *pictures())
    assert next(model.model.parameters()).dtype == dtype
    torch.testing.assert_close(found.heat_a.float(), expected, rtol=0.1, atol=0.05 * float(expected.abs().max()))


def test_under_autocast_it_is_in_single_precision():
    expected = why(ready(), *pictures()).heat_a
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = why(ready(), *pictures()).heat_a
    torch.testing.assert_close(found, expected)


def test_grey_pictures_for_a_model_that_wants_colours_and_the_other_way_round():
    grey, colour = pictures(), pictures(channels=3)
    assert why(ready("ConvNet(widths=(8,), channels=3)"), *grey).heat_a.shape == (12, 12)
    assert why(ready(), *colour).seen_a.shape == (1, 12, 12)


def test_kinds_of_pictures(tmp_path):
    array = pictures()[0, 0].numpy()
    Image.fromarray(array).save(tmp_path / "a.png")
    expected = why(ready(), pictures()[0], pictures()[1]).heat_a
    for kind in (tmp_path / "a.png", str(tmp_path / "a.png"), Image.fromarray(array), array):
        torch.testing.assert_close(why(ready(), kind, pictures()[1]).heat_a, expected)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"a": "nowhere.png"}, "nowhere.png"),
        ({"steps": 0}, "at least 1"),
        ({"batch_size": 0}, "at least 1"),
        ({"similarity": "Triplet()"}, "is no similarity"),
        ({"similarity": "cosin"}, "Did you mean"),
    ],
)
def test_bad_input_is_one_line(given, says):
    with pytest.raises((ValueError, OSError), match=says) as error:
        why(**{"model": ready(), "a": pictures()[0], "b": pictures()[1], **given})
    assert "\n" not in str(error.value)


def test_sides_of_different_lengths_are_refused():
    with pytest.raises(ValueError, match="as many pictures"):
        why_each(ready(), pictures(3), pictures(2))
    assert why_each(ready(), [], []) == []


def test_spreading_keeps_the_sum_and_blurring_the_constants():
    x = torch.rand(2, 3, 9, 14, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for sigma in (0.0, 0.7, 3.0, 40.0):
        torch.testing.assert_close(spread(x, sigma).sum((2, 3)), x.sum((2, 3)))
        torch.testing.assert_close(blurred(torch.full_like(x, 0.3), sigma), torch.full_like(x, 0.3))
        assert float((spread(x, sigma) * x).sum() - (x * blurred(x, sigma)).sum()) == pytest.approx(0, abs=1e-9)


def test_it_says_what_it_is_compared_by():
    assert why(ready(similarity="euclidean"), *pictures()).similarity == "euclidean"
    found = why(ready(similarity="euclidean"), *pictures(), similarity="cosine")
    z = ready()(pictures())
    assert found.score == pytest.approx(float(cosine(z[:1], z[1:])), rel=1e-4)
    assert isinstance(found, Why)
