"""A short training on letters, shared by the tests."""

import pytest

import isometry


@pytest.fixture(scope="session")
def letters(tmp_path_factory):
    """A net that tells letters apart a little: the deletion test needs one that has learned something."""
    out = tmp_path_factory.mktemp("letters") / "run"
    isometry.train(
        "glyphs",
        loss="SupCon(temperature=0.1)",
        trunk="ConvNet(widths=(16, 32, 64))",
        pool="Flatten()",
        head="Linear(dim=64)",
        budget="60 steps",
        validate=60,
        lr=6e-3,
        sampler="ClassesTimesInstances(classes=32, instances=2)",
        metrics="Recall(k=1)",
        tracker="none",
        report=False,
        out=out,
    )
    return isometry.load(out)
