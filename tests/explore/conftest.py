"""A run of a few steps on drawn pictures in three parts, a second model, and both opened in the explorer."""

import csv
import io

import numpy as np
import pytest
from PIL import Image

import isometry
from isometry.explore import app, opened
from tests.small import digits

pytest.importorskip("starlette", reason="the explorer is not installed: pip install 'isometry[serve]'")

SETTINGS = {
    "trunk": "ConvNet(widths=(8, 16), size=8)",
    "head": "Linear(dim=8)",
    "transform": "CentreCrop(size=8, resize=8)",
    "augment": "CentreCrop(size=8, resize=8)",
    "sampler": "ClassesTimesInstances(classes=4, instances=2)",
    "tracker": "none",
    "workers": 0,
    "geometry": 0,
    "report": False,
}


@pytest.fixture(scope="session")
def table(tmp_path_factory):
    """240 pictures of digits in files, and a table of them: 8 classes train, 4 validate, 8 test."""
    root = tmp_path_factory.mktemp("digits")
    images, labels = digits(per_class=12)
    part = lambda label: "train" if label < 8 else "validation" if label < 12 else "test"  # noqa: E731
    with open(root / "table.csv", "w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["path", "label", "split"])
        for i, (image, label) in enumerate(zip(images, labels.tolist(), strict=True)):
            Image.fromarray(image).save(root / f"{i}.png")
            rows.writerow([f"{i}.png", f"digit/{label}", part(label)])
    return root / "table.csv"


@pytest.fixture(scope="session")
def runs(table, tmp_path_factory):
    """Two runs of the same data: four steps, and one."""
    out = tmp_path_factory.mktemp("runs")
    for name, steps, seed in (("first", 4, 0), ("second", 1, 1)):
        isometry.train(
            str(table), out=out / name, budget=f"{steps} steps", validate=steps, seed=seed, loss="Triplet()", **SETTINGS
        )  # fmt: skip
    return out / "first", out / "second"


@pytest.fixture(scope="session")
def shown(runs):
    return opened(*runs, workers=0, say=lambda line: None)


@pytest.fixture
def client(shown):
    testclient = pytest.importorskip("starlette.testclient", reason="the test client needs httpx", exc_type=ImportError)
    with testclient.TestClient(app(shown), base_url="http://127.0.0.1:8050") as made:
        yield made


@pytest.fixture(scope="session")
def picture(table):
    """The bytes of the picture with this row of the table."""
    return lambda i: (table.parent / f"{i}.png").read_bytes()


def png(image):
    """The bytes of an image as PNG."""
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def noise():
    """A picture that is in no data."""
    return png(Image.fromarray(np.random.default_rng(5).integers(0, 255, (40, 30, 3), dtype=np.uint8)))
