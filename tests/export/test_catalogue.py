"""Every trunk, pool and head exports, as ONNX and as torch's program, with the embeddings of the model."""

import numpy as np
import pytest
import torch
from torch import nn

from isometry.catalogue import entries
from isometry.component import Component
from isometry.embedder import Ready
from isometry.export import FLOAT32
from isometry.export.files import FORMS
from isometry.export.graph import program
from isometry.heads import Flow, Head, Pool
from isometry.lite import Preparation
from isometry.model import Embedder


def made(kind, base):
    """The names of all that can be built of one sort."""
    found = entries(kind).items()
    return sorted(n for n, t in found if isinstance(t, type) and issubclass(t, base) and not t.__abstractmethods__)


FLOWS = [name for name in made("heads", Head) if issubclass(entries("heads")[name], Flow)]
HEADS = [name for name in made("heads", Head) if name not in FLOWS]
POOLS = made("heads", Pool)
TRUNKS = {
    "ConvNet(widths=(4, 6, 8), levels=3)": 30,
    "EfficientNetLite0()": 64,
    "BNInception()": 64,
    "Timm(name='resnet18', pretrained=False)": 64,
    "Timm(name='vit_tiny_patch16_224', pretrained=False)": 224,
    "Timm(name='vit_tiny_patch16_224', pretrained=False, class_token=True)": 224,
}


def about(size):
    known = {"format": 1, "dim": 1, "name": "m", "similarity": "cosine", "transform": "Same()", "classes": ()}
    known |= {"digest": "", "version": "", "alone": False, "thresholds": None, "codes": []}
    return known | {"preparation": size.__dict__}


def agrees(model, side, folder, forms=FORMS):
    """Embeddings of one and of several pictures, by the files, are those of the model."""
    ready = Ready(model, "Same()")
    size = Preparation(channels=int(model.trunk.in_channels), height=side, width=side)
    x = torch.rand(3, size.channels, side, side, generator=torch.Generator().manual_seed(1))
    z, traced = model.embed(x).numpy(), program(ready, size)
    for form in forms:
        file, path = FORMS[form](ready, traced, FLOAT32), folder / f"model{form}"
        file.write(about(size), path)
        run = file.read(path)
        for n in (1, 3):
            far = np.linalg.norm(run(x[:n].numpy()) - z[:n], axis=1) / np.linalg.norm(z[:n], axis=1)
            assert far.max() < 1e-4


def weighted(model):
    """The model with statistics and weights that no layer starts with."""
    for name, value in model.state_dict().items():
        if value.is_floating_point() and "running_var" not in name:
            value += 0.05 * torch.randn_like(value)
    return model


class Several(nn.Module):
    """Several heads, or pools, side by side: one export tries them all."""

    def __init__(self, parts):
        super().__init__()
        self.parts = nn.ModuleList(parts)
        self.dim = sum(getattr(part, "dim", 0) for part in parts)

    def forward(self, x):
        return torch.cat([part(x) for part in self.parts], 1)


def test_all_pools_and_all_heads_but_flows(tmp_path):
    torch.manual_seed(0)
    trunk = entries("trunks")["ConvNet"](widths=(4, 6), size=8)
    pool = Several([entries("heads")[name]() for name in POOLS])
    width = pool(trunk(torch.zeros(1, 1, 8, 8))).shape[1]
    heads = [entries("heads")[name](in_features=width, dim=4, layer_norm=True, normalise=True) for name in HEADS]
    agrees(weighted(Embedder(trunk, pool, Several(heads))), 8, tmp_path, forms=[".onnx"])


def test_the_list_of_trunks_is_whole():
    named = {text.partition("(")[0] for text in TRUNKS}
    built = {n for n, t in entries("trunks").items() if isinstance(t, type) and issubclass(t, Component)}
    assert built - {"Trunk"} == named


@pytest.mark.slow
@pytest.mark.parametrize("name", FLOWS)
def test_flows(name, tmp_path):
    torch.manual_seed(0)
    agrees(weighted(Embedder.parse("ConvNet(widths=(4, 6), size=8)", "GeM()", f"{name}(dim=5)")), 8, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("text", TRUNKS)
def test_trunks(text, tmp_path):
    torch.manual_seed(0)
    agrees(Embedder.parse(text, "Average()", "Linear(dim=8)"), TRUNKS[text], tmp_path)
