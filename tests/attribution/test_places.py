"""Pairs of places add up to the similarity, lie where the trunk looks, and point to what matches."""

import pytest
import torch
from torch import nn

from isometry.attribution import places
from isometry.attribution.pairs import first_place, parts
from isometry.embedder import Ready
from isometry.heads import Average, Linear
from isometry.model import Embedder
from isometry.trunks import Timm
from tests.attribution.test_heat import pictures, ready, transformer


@pytest.mark.parametrize("pool", ["Average()", "Max()", "AveragePlusMax()", "GeM()", "Flatten()"])
@pytest.mark.parametrize("similarity", ["cosine", "dot"])
def test_without_a_bias_pairs_of_places_are_all_of_the_similarity(pool, similarity):
    model = ready(pool=pool, similarity=similarity)
    nn.init.zeros_(model.model.head.layer.bias)
    z = model(pictures())
    found = places(model, *pictures())
    size = z.norm(dim=1).prod() if similarity == "cosine" else 1.0
    assert found.score == pytest.approx(float(z[0] @ z[1] / size), rel=1e-4)
    assert abs(found.rest) < 1e-4 * float(found.match.abs().sum())


def test_against_the_double_sum_of_the_paper():
    """An average and a linear head: s = Σ_ij (W F_i / p)ᵀ (W F_j / p), term by term."""
    model = ready(similarity="dot")
    net = model.model
    with torch.no_grad():
        f = net.trunk(net.normalised(pictures() / 255)).flatten(2)
    u = torch.einsum("dc,ncp->ndp", net.head.layer.weight, f) / f.shape[2]
    expected = torch.einsum("dp,dq->pq", u[0], u[1])
    torch.testing.assert_close(places(model, *pictures()).match.flatten(0, 1).flatten(1), expected.detach())


@pytest.mark.parametrize(
    "head", ["MLP(hidden=(16,), dim=6)", "Linear(dim=6, layer_norm=True, normalise=True)", "NICE(dim=6)"]
)
def test_the_rest_is_stated_for_other_heads(head):
    model = ready(head=head)
    found, z = places(model, *pictures()), model(pictures())
    assert found.score == pytest.approx(float(nn.functional.cosine_similarity(z[:1], z[1:])), rel=1e-4)
    assert float(found.match.double().sum()) + found.rest == pytest.approx(found.score, rel=1e-5)
    assert float(found.match.abs().sum()) > 1e-3


def test_a_layer_norm_leaves_the_places_their_share():
    """With the norm held, the features less their mean over channels are all there is: nothing rests but the bias."""
    model = ready(head="Linear(dim=6, layer_norm=True)", similarity="dot")
    nn.init.zeros_(model.model.head.layer.bias)
    found = places(model, *pictures())
    assert abs(found.rest) < 1e-4 * float(found.match.abs().sum())


def test_parts_add_up_to_the_embedding_in_any_number_of_pieces(monkeypatch):
    model = ready(pool="GeM()")
    nn.init.zeros_(model.model.head.layer.bias)
    images = pictures(1) / 255
    whole = parts(model.model, images)
    torch.testing.assert_close(whole.of_places.sum((1, 2)), whole.z.detach(), rtol=1e-4, atol=1e-5)
    monkeypatch.setattr("isometry.attribution.pairs.ROOM", 1)
    torch.testing.assert_close(parts(model.model, images).of_places, whole.of_places)


class Mean(nn.Module):
    """A trunk that averages squares of four pixels: its places lie in their middle."""

    mean, std, in_channels, out_features, image_size = (0.0,), (1.0,), 1, 1, 16

    def forward(self, images):
        return nn.functional.avg_pool2d(images, 4)


def test_places_lie_where_the_trunk_looks():
    net = Embedder(Mean(), Average(), Linear(in_features=1, dim=2))
    assert first_place(net, torch.Size((1, 16, 24))) == pytest.approx((1.5, 1.5), abs=0.2)


def test_strides_with_padding_look_further_left():
    """ConvNet's place i is centred on pixel 4i and not on the middle of four pixels."""
    torch.manual_seed(0)
    net = Embedder.parse("ConvNet(widths=(8, 8, 8))").eval()
    assert first_place(net, torch.Size((1, 48, 48))) == pytest.approx((0.0, 0.0), abs=0.7)


def test_a_spot_is_pointed_to_where_it_has_gone():
    """One bright spot in either picture, elsewhere: from the spot in a the map of b is highest at its spot."""
    a, b = torch.zeros(1, 48, 48), torch.zeros(1, 48, 48)
    a[0, 8:12, 8:12], b[0, 28:32, 36:40] = 1, 1
    torch.manual_seed(0)
    model = Ready(Embedder.parse("ConvNet(widths=(8, 8))"), "Same()", {"similarity": "cosine"})
    found = places(model, a, b)
    there, back = found.from_a(10, 10), found.from_b(38, 30)
    y, x = divmod(int(there.argmax()), 48)
    assert abs(y - 30) <= 4
    assert abs(x - 38) <= 4
    y, x = divmod(int(back.argmax()), 48)
    assert abs(y - 10) <= 4
    assert abs(x - 10) <= 4


def test_tokens_are_places():
    model = transformer()
    side = model.model.trunk.image_size
    found = places(model, *pictures(channels=3, side=side))
    y, x, v, u = found.match.shape
    assert y == x == v == u > 1
    assert found.from_a(3, 5).shape == (side, side)


def test_pictures_that_are_not_square_have_more_places_along_the_longer_side():
    a, b = pictures(1, side=12)[0], torch.cat([pictures(1, side=12)[0]] * 2, 2)
    found = places(ready(), a, b)
    assert found.match.shape == (6, 6, 6, 12)
    assert found.from_a(1, 1).shape == (12, 24)
    assert found.from_b(23, 1).shape == (12, 12)


def test_a_class_token_has_no_places():
    model = transformer(class_token=True)
    with pytest.raises(ValueError, match="no places to pair"):
        places(model, *pictures(channels=3, side=model.model.trunk.image_size))


def test_a_point_outside_is_refused():
    found = places(ready(), *pictures())
    with pytest.raises(ValueError, match="lies outside"):
        found.from_a(12, 3)


def test_the_model_is_left_as_it_was():
    model = ready(head="MLP(hidden=(16,), dim=6)")
    model.model.train()
    places(model, *pictures())
    assert model.model.training
    assert all(p.grad is None for p in model.model.parameters())


def test_an_untrained_network_of_timm():
    net = Embedder(Timm(name="resnet18", pretrained=False), Average(), Linear(in_features=512, dim=4))
    found = places(Ready(net, "Same()"), *pictures(channels=3, side=64))
    assert found.match.shape == (2, 2, 2, 2)
    assert float(found.match.double().sum()) + found.rest == pytest.approx(found.score, rel=1e-5)
