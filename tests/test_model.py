import pytest
import torch
from torch import nn

from isometry import parse
from isometry.model import EMA, Embedder, parameter_groups, parse_trunk
from isometry.trunks import unfilled


@pytest.fixture
def model():
    torch.manual_seed(0)
    return Embedder.parse("ConvNet(widths=(8, 16))", "GeM()", "Linear(dim=4, layer_norm=True)")


def test_text_rebuilds_the_model(model):
    again = Embedder.parse(**model.texts)
    again.load_state_dict(model.state_dict())
    images = torch.rand(3, 1, 32, 32)
    assert torch.equal(again.embed(images), model.embed(images))
    assert again.texts == model.texts


def test_texts_do_not_say_where_weights_lay():
    for path in ("/data/somebody/a.pth", r"C:\data\somebody\a.pth"):
        with unfilled():
            text = Embedder.parse(f"Timm(name='resnet18', weights={path!r})").texts["trunk"]
            assert "weights='a.pth'" in text
            assert "somebody" not in text
            assert Embedder.parse(text).texts["trunk"] == text


def test_it_returns_the_embedding_and_what_the_head_was_given(model):
    out = model.eval()(torch.rand(3, 1, 32, 32))
    assert out.z.shape == (3, model.dim)
    assert torch.equal(model.head(out.h), out.z)


def test_embed_is_evaluation_without_gradient_and_puts_the_mode_back(model):
    model.train()
    images = torch.rand(4, 1, 32, 32)
    state = {k: v.clone() for k, v in model.state_dict().items()}
    z = model.embed(images)
    assert not z.requires_grad
    assert model.training
    assert all(torch.equal(v, state[k]) for k, v in model.state_dict().items())
    assert torch.allclose(model.embed(images[:1]), z[:1], atol=1e-6)  # no batch statistics


def test_bytes_are_the_same_pictures(model):
    images = torch.randint(0, 256, (2, 1, 32, 32), dtype=torch.uint8)
    assert torch.allclose(model.embed(images), model.embed(images / 255), atol=1e-6)


def test_the_trunks_own_mean_and_deviation_are_applied():
    model = Embedder.parse("Timm(name='resnet18', pretrained=False)")
    mean, std = torch.tensor(model.trunk.mean).view(3, 1, 1), torch.tensor(model.trunk.std).view(3, 1, 1)
    grey = torch.rand(2, 1, 8, 8)
    assert torch.allclose(model.normalised(grey), (grey - mean) / std)
    assert "mean" not in model.state_dict()


def test_wrong_pictures_are_met_with_a_line(model):
    for wrong in (torch.zeros(2, 3, 32, 32), torch.zeros(1, 32, 32)):
        with pytest.raises(ValueError, match=r"\[b 1 h w\]"):
            model(wrong)


def test_a_trunk_can_be_a_bare_name():
    assert repr(parse_trunk("ConvNet")) == "ConvNet()"
    for wrong in ("resnet51", "Average()", "ConvNett()"):
        with pytest.raises(ValueError, match=r"resnet50|no trunk|ConvNet"):
            parse_trunk(wrong)


def test_the_head_is_made_for_what_the_pool_gives():
    model = Embedder.parse("ConvNet(widths=(8, 16))", "Flatten()", "Linear(dim=4)")
    assert model.embed(torch.rand(2, 1, 32, 32)).shape == (2, 4)
    assert model.head.in_features == 16 * 16 * 16
    assert model.trunk.training
    assert not any(b.any() for n, b in model.named_buffers() if "running_mean" in n)


def test_every_parameter_is_in_one_group_at_its_rate(model):
    loss = parse("ProxyAnchor()", num_classes=5, dim=4)
    groups = parameter_groups(model, loss, lr=1.0, trunk_lr=0.1, weight_decay=0.5)
    assert sum(len(g["params"]) for g in groups) == len([*model.parameters(), *loss.parameters()])
    rates = {name: {g["lr"] for g in groups if g["name"] == name} for name in ("trunk", "head", "loss")}
    assert rates == {"trunk": {0.1}, "head": {1.0}, "loss": {loss.reference.lr_multiple}}
    decayed = {id(p) for g in groups if g["weight_decay"] for p in g["params"]}
    weights = [m.weight for m in model.modules() if isinstance(m, (nn.Conv2d, nn.Linear))]
    assert decayed == {id(w) for w in weights}
    torch.optim.AdamW(groups)


def test_frozen_parameters_are_in_no_group():
    model = Embedder.parse("Timm(name='resnet18', pretrained=False, freeze_batch_norm=True)")
    free = sum(p.requires_grad for p in model.parameters())
    assert sum(len(g["params"]) for g in parameter_groups(model, lr=1.0)) == free < len([*model.parameters()])


def test_the_average_follows_weights_and_buffers_by_its_formula(model):
    ema = EMA(model, decay=0.5)
    norm, averaged = model.trunk.layers[0][1], ema.module.trunk.layers[0][1]
    expected = {}
    for step in range(1, 16):
        with torch.no_grad():
            norm.weight.fill_(float(step))
            norm.running_mean.fill_(-float(step))
            norm.num_batches_tracked.fill_(step)
        ema.update_parameters(model)
        keep = min(0.5, (step - 1) / (step - 1 + 10))
        expected = {k: keep * expected.get(k, v) + (1 - keep) * v for k, v in (("w", step), ("m", -step))}
    assert averaged.weight[0].item() == pytest.approx(expected["w"])
    assert averaged.running_mean[0].item() == pytest.approx(expected["m"])
    assert averaged.num_batches_tracked.item() == 15
    assert not any(p.requires_grad for p in ema.parameters())
    with pytest.raises(ValueError, match="decay"):
        EMA(model, decay=1.0)
