import pytest
import torch

from isometry import parse


@pytest.mark.parametrize(
    "text", ["Linear()", "Linear(dim=8, layer_norm=True)", "MLP(hidden=(16, 8), dim=4)", "MLP(hidden=())"]
)
def test_text_rebuilds_a_head(text):
    head = parse(text, in_features=32)
    assert head(torch.randn(3, 32)).shape == (3, head.dim)
    assert parse(repr(head), in_features=32).state_dict().keys() == head.state_dict().keys()


def test_layer_norm_takes_scale_and_offset_out_and_has_no_weights():
    head = parse("Linear(dim=8, layer_norm=True)", in_features=32).double()
    h = torch.randn(3, 32, dtype=torch.float64)
    assert torch.allclose(head(1_000 * h + 7), head(h), atol=1e-4)
    assert set(head.state_dict()) == {"layer.weight", "layer.bias"}


def test_the_embedding_is_not_normalised():
    head = parse("Linear(dim=8)", in_features=4)
    h = torch.randn(1, 4)
    zero = head(torch.zeros(1, 4))
    assert torch.allclose(head(3 * h) - zero, 3 * (head(h) - zero), atol=1e-5)


@pytest.mark.parametrize("text", ["Average()", "Max()", "AveragePlusMax()", "GeM()"])
def test_a_pool_does_not_care_about_places(text):
    pool, maps = parse(text), torch.randn(2, 5, 3, 4)
    tokens = maps.flatten(2).transpose(1, 2)
    assert torch.allclose(pool(maps), pool(tokens))
    assert torch.allclose(pool(tokens[:, torch.randperm(12)]), pool(tokens), atol=1e-6)


def test_a_generalised_mean_lies_between_mean_and_maximum():
    maps = torch.rand(4, 6, 5, 5, dtype=torch.float64)
    mean, top = parse("Average()")(maps), parse("Max()")(maps)
    gem = {p: parse(f"GeM(p={p})").double()(maps) for p in (1, 3, 400)}
    assert torch.allclose(gem[1], mean)
    assert (gem[3] > mean).all()
    assert (gem[3] < top).all()
    assert torch.allclose(gem[400], top, rtol=0.01)
    assert torch.allclose(parse("AveragePlusMax()")(maps), mean + top)


def test_flattening_keeps_every_place_in_the_order_of_tokens():
    maps = torch.randn(2, 5, 3, 4)
    assert torch.equal(parse("Flatten()")(maps), maps.permute(0, 2, 3, 1).reshape(2, 60))


@pytest.mark.parametrize("learned", [True, False])
def test_generalised_mean_has_finite_gradients_at_zero(learned):
    pool = parse(f"GeM(learned={learned})")
    maps = torch.zeros(1, 2, 3, 3, requires_grad=True)
    pool(maps).sum().backward()
    assert maps.grad.isfinite().all()
    assert (pool.exponent.grad is not None) == learned


@pytest.mark.parametrize("text", ["Linear(dim=0)", "MLP(hidden=(0,))", "GeM(p=0)"])
def test_impossible_settings_are_refused(text):
    with pytest.raises(ValueError, match=r"at least 1|positive"):
        parse(text, **({} if "GeM" in text else {"in_features": 4}))
