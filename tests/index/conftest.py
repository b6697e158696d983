"""A model that was never trained, in a bundle, and a gallery of tiny photographs."""

import json
import shutil

import pytest
import torch

from isometry import index
from isometry.bundle import archive
from isometry.embedder import Ready
from isometry.model import Embedder
from tests.small import COLOUR, folder

CLASSES, EACH, DIM = 12, 5, 8


def bundle(path, similarity="cosine", seed=0, transform=COLOUR["transform"]):
    """Writes a bundle whose model has weights drawn at random."""
    torch.manual_seed(seed)
    model = Ready(Embedder.parse(COLOUR["trunk"], "Average()", f"Linear(dim={DIM})"), transform)
    model.save(path.parent)
    config = {"name": "drawn", "classes": [], "similarity": similarity, "relate": "same_class", "training": {}}
    none = {"similarity": similarity, "rows": [], "notes": [], "validation": None, "test": None}
    content = {
        archive.CARD: b"# drawn",
        archive.CONFIG: json.dumps(config).encode(),
        archive.EVALUATION: b"{}",
        archive.THRESHOLDS: json.dumps(none).encode(),
        archive.WEIGHTS: (path.parent / archive.WEIGHTS).read_bytes(),
    }
    archive.write(path, content)
    return path


@pytest.fixture(scope="session")
def root(tmp_path_factory):
    """thing.isom, the folder `data`, and their gallery."""
    root = tmp_path_factory.mktemp("index")
    folder(root / "data", classes=CLASSES, each=EACH)
    bundle(root / "thing.isom")
    index.build(root / "thing.isom", root / "data", root / "gallery", workers=0)
    return root


@pytest.fixture
def gallery(root, tmp_path):
    """A copy of the gallery, to change."""
    shutil.copytree(root / "gallery", tmp_path / "gallery")
    return tmp_path / "gallery"
