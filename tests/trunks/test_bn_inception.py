"""BN-Inception: its shape, its parameters' names, and files of weights."""

import pytest
import torch

from isometry.model import Embedder
from isometry.trunks.bn_inception import BNInception

CLASSIFIER = 1024 * 1000 + 1000


def test_parameters_are_those_of_the_published_network():
    trunk = BNInception()
    learned = sum(p.numel() for p in trunk.parameters())
    assert learned + CLASSIFIER == 11_295_240  # as it is published: 10,270,240 without the classifier
    names = set(trunk.state_dict())
    assert {"conv1_7x7_s2.weight", "conv2_3x3_reduce_bn.running_var", "inception_3c_double_3x3_2.bias"} <= names
    assert "inception_5b_pool_proj_bn.weight" in names
    assert "inception_4e_pool_proj.weight" not in names
    assert sum(name.endswith("_bn.weight") for name in names) == 3 + 8 * 7 + 2 * 5


@pytest.mark.parametrize(("side", "end"), [(224, 7), (227, 7), (64, 2)])
def test_maps_halve_five_times(side, end):
    with torch.no_grad():
        assert BNInception().eval()(torch.rand(1, 3, side, side)).shape == (1, 1024, end, end)


def test_a_file_loads_with_its_classifier_and_rows_for_batch_norm(tmp_path):
    torch.manual_seed(0)
    first = BNInception()
    held = {n: t[None] if "_bn." in n and t.ndim == 1 else t for n, t in first.state_dict().items()}
    held = {n: t for n, t in held.items() if not n.endswith("num_batches_tracked")}
    torch.save({**held, "last_linear.weight": torch.zeros(1000, 1024)}, tmp_path / "w.pth")
    loaded = BNInception(weights=str(tmp_path / "w.pth"), freeze_batch_norm=True)
    for name, tensor in first.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], tensor)
    assert repr(loaded) == f"BNInception(freeze_batch_norm=True, weights={str(tmp_path / 'w.pth')!r})"


def test_pictures_reach_the_first_layer_as_blue_green_red_from_0_to_255():
    trunk = BNInception()
    model = Embedder(trunk, torch.nn.Identity(), torch.nn.Identity())
    seen = []
    trunk.get_submodule("conv1_7x7_s2").register_forward_hook(lambda _m, given, _o: seen.append(given[0]))
    pixel = torch.tensor([10.0, 20.0, 30.0]).view(1, 3, 1, 1) / 255
    trunk.eval()(model.normalised(pixel.expand(1, 3, 32, 32)))
    assert torch.allclose(seen[0][0, :, 0, 0], torch.tensor([30.0 - 104, 20.0 - 117, 10.0 - 128]), atol=1e-4)


def test_what_is_no_such_file_is_said(tmp_path):
    with pytest.raises(FileNotFoundError, match="no file of weights"):
        BNInception(weights=str(tmp_path / "none.pth"))
    torch.save({"conv1_7x7_s2.weight": torch.zeros(64, 3, 7, 7)}, tmp_path / "some.pth")
    with pytest.raises(ValueError, match="tensors of BN-Inception are missing"):
        BNInception(weights=str(tmp_path / "some.pth"))
    (tmp_path / "text.pth").write_text("hello")
    with pytest.raises(ValueError, match="holds no weights"):
        BNInception(weights=str(tmp_path / "text.pth"))
