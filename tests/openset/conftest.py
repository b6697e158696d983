"""A gallery of tiny photographs, strangers to calibrate with, and new ones of both kinds."""

import shutil

import pytest
import torch

from isometry import index, openset
from tests.index.conftest import bundle
from tests.small import folder

STRANGERS = 40


def renamed(path, to):
    """The same classes under other names."""
    for one in sorted(path.iterdir()):
        one.rename(path / one.name.replace("class", to))
    return path


@pytest.fixture(scope="session")
def root(tmp_path_factory):
    """thing.isom; the folders data, strangers and new; and a gallery that is calibrated."""
    root = tmp_path_factory.mktemp("openset")
    folder(root / "data", classes=8, each=4)
    renamed(folder(root / "strangers", classes=STRANGERS, each=3, seed=1), "stranger")
    renamed(folder(root / "new", classes=12, each=3, seed=2), "new")
    bundle(root / "thing.isom")
    index.build(root / "thing.isom", root / "data", root / "gallery", workers=0)
    opened = index.read(root / "gallery")
    held = openset.held_of(opened.model, root / "strangers", workers=0)
    openset.keep(opened, openset.calibrate(opened, held, rate=0.1), held)
    return root


@pytest.fixture
def gallery(root, tmp_path):
    """A copy of the gallery, to change."""
    shutil.copytree(root / "gallery", tmp_path / "gallery")
    return tmp_path / "gallery"


def clusters(classes, each, seed=0, dim=12, noise=0.4):
    """Embeddings about a centre for each class, and names."""
    g = torch.Generator().manual_seed(seed)
    y = torch.arange(classes).repeat_interleave(each)
    z = torch.randn(classes, dim, generator=g)[y] + noise * torch.randn(len(y), dim, generator=g)
    return z, [f"{seed}-{i}" for i in y.tolist()]


def held(z, names):
    """Embeddings to calibrate with."""
    return openset.Held(z, names, torch.empty(0, 2, dtype=torch.int64))
