"""Every loss trains on the embedded letters for 200 steps without collapse (see benchmarks/glyphs.py for the table)."""

import pytest

import isometry
from isometry import losses
from isometry.term import Term

OTHER_LABELS = {
    "LogRatio()": "LogRatio(relate=label_tree, nearest=0.1)",
    "HAPPIER()": "HAPPIER(relate=label_tree)",
    "DenseTriplet()": "DenseTriplet(relate=label_tree)",
    "Ratio()": "Ratio(relate=label_tree)",
    "OneAnchor()": "OneAnchor(loss=LogRatio(relate=label_tree, nearest=0.1))",
    "OnBranch()": "SupCon() + OnBranch(loss=SupCon())",
}
HEADS = {"SupCon() + OnBranch(loss=SupCon())": "RealNVP(second=True)"}
NO_CLASSES = {"RelationalDistillation()", "SimilarityDistillation()"}  # they read a teacher
BESIDE_ANOTHER = {"IntraPairVariance()", "ThresholdConsistentMargin()"}  # meant to be added to a loss
TEXTS = [
    OTHER_LABELS.get(f"{name}()", f"{name}()")
    for name in losses.__all__
    if isinstance(getattr(losses, name), type) and issubclass(getattr(losses, name), Term)
    if f"{name}()" not in NO_CLASSES | BESIDE_ANOTHER
]


@pytest.mark.slow
@pytest.mark.parametrize("text", TEXTS)
def test_a_loss_trains_without_collapse(text, tmp_path):
    settings = {"budget": "200 steps", "validate": 200, "tracker": "none", "metrics": "Recall(k=1), MAPAtR()"}
    if text in HEADS:
        settings["head"] = HEADS[text]
    run = isometry.train("glyphs", loss=text, out=tmp_path / "run", report=False, **settings)
    test, untrained = run.metrics["test"], run.metrics["baselines"]["untrained"]
    assert test["Recall(k=1)"]["value"] > untrained["Recall(k=1)"]["value"]
