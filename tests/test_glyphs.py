"""Every loss trains on the embedded letters for 200 steps without collapse (see benchmarks/glyphs.py for the table)."""

import pytest

import isometry
from tests.contract.catalogue import default_texts

TEXTS = [
    t.replace("LogRatio()", "LogRatio(relate=label_tree, nearest=0.1)")
    for t in default_texts()
    if t not in ("KoLeo()", "ZeroMean()")
]


@pytest.mark.slow
@pytest.mark.parametrize("text", TEXTS)
def test_a_loss_trains_without_collapse(text, tmp_path):
    settings = {"budget": "200 steps", "validate": 200, "tracker": "none", "metrics": "Recall(k=1), MAPAtR()"}
    run = isometry.train("glyphs", loss=text, out=tmp_path / "run", report=False, **settings)
    test, untrained = run.metrics["test"], run.metrics["baselines"]["untrained"]
    assert test["MAPAtR()"]["value"] > 1.5 * untrained["MAPAtR()"]["value"]
