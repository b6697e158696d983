import pytest
import torch

import isometry
from isometry import parse
from isometry.model import Embedder
from tests.small import SETTINGS, digits


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


def test_pictures_of_another_size_are_told_in_one_line():
    model = Embedder.parse("ConvNet(widths=(4, 6), size=8)", "Flatten()", "Linear(dim=3)")
    with pytest.raises(
        ValueError, match=r"takes 96 features of a picture and got 216: give pictures of the size of those"
    ):
        model.embed(torch.zeros(2, 1, 12, 12))


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


def test_heads_at_several_depths_see_their_own_features_only():
    head = parse("Levels(parts=(4, 8), dim=6)", in_features=12)
    h = torch.randn(3, 12)
    other = h.clone()
    other[:, 4:] += 1
    low, high = head.branches(h)
    assert torch.equal(head.branches(other)[0], low)
    assert not torch.allclose(head.branches(other)[1], high)
    unit = torch.nn.functional.normalize
    torch.testing.assert_close(head(h), torch.cat([unit(low), unit(high)], 1))
    with pytest.raises(ValueError, match="add up to the features"):
        parse("Levels(parts=(4, 4), dim=6)", in_features=12)


DEPTHS = {"trunk": "ConvNet(widths=(8, 16), levels=2, size=8)", "pool": "Average()"}


@pytest.mark.parametrize(
    ("loss", "settings"),
    [
        ("EachBranch(loss=RankedList())", {**DEPTHS, "head": "Levels(parts=(8, 16), dim=8)"}),
        ("S2SD()", {"head": "Beside(dim=8, dims=(16, 32))"}),
    ],
)
def test_branches_are_trained_and_left_out_of_use(tmp_path, loss, settings):
    run = isometry.train(digits(), loss=loss, out=tmp_path / "run", report=False, **{**SETTINGS, **settings})
    embedder = isometry.load(run.folder)
    assert embedder(torch.zeros(2, 1, 8, 8, dtype=torch.uint8)).shape == (2, 8)
    before = parse(settings["head"], in_features=embedder.model.head.in_features).state_dict()
    assert all(not torch.equal(t, before[name]) for name, t in embedder.model.head.state_dict().items())
