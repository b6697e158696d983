"""An interrupted evaluation goes on as the same evaluation, and as no other."""

import numpy as np
import pytest
import torch

from isometry.metrics import LabelDistance
from isometry.protocols import rankings, scores
from isometry.protocols.retrieval import evaluate
from isometry.relations import By, CloseTargets, GivenDistances, close_targets

Z = torch.randn(40, 6, generator=torch.Generator().manual_seed(0))
IDS = torch.arange(40)


class Stops(LabelDistance):
    """Fails at its third chunk."""

    calls = 0

    def per_query(self, ranking):
        Stops.calls += 1
        if Stops.calls == 3:
            raise KeyboardInterrupt
        return super().per_query(ranking)


def given(seed):
    points = np.random.default_rng(seed).normal(size=(40, 2))
    return GivenDistances(matrix=np.linalg.norm(points[:, None] - points, axis=-1))


def score(file, y, relate):
    return evaluate(Z, y, [Stops(k=1)], relate=relate, resume=file, samples=20)


@pytest.fixture
def interrupt(tmp_path, monkeypatch):
    monkeypatch.setattr(scores, "OFTEN", 0.0)
    monkeypatch.setattr(rankings, "rows_at_once", lambda c: 10)

    def stop(y, relate):
        Stops.calls = 0
        with pytest.raises(KeyboardInterrupt):
            score(tmp_path / "part", y, relate)
        return tmp_path / "part"

    return stop


def test_other_label_distances_are_another_evaluation(interrupt):
    file = interrupt(IDS, given(0))
    with pytest.raises(ValueError, match="of another evaluation"):
        score(file, IDS, given(1))
    (found,), (plain,) = (score(resume, IDS, given(0)).values() for resume in (file, None))
    torch.testing.assert_close(found.per_query, plain.per_query)
    assert not file.exists()


@pytest.mark.parametrize("relate", [close_targets, CloseTargets(radius=0.5)], ids=["named", "made"])
def test_the_relations_of_the_catalogue_are_known_again(interrupt, relate):
    y = IDS.float()
    file = interrupt(y, relate)
    with pytest.raises(ValueError, match="of another evaluation"):
        score(file, y, CloseTargets(radius=2.0))
    assert score(file, y, relate)


def test_a_function_is_told_by_nothing(tmp_path):
    for relate in (By(distance=lambda rows, cols: (rows - cols.T).abs()), lambda rows, cols: close_targets(rows, cols)):
        with pytest.raises(ValueError, match=r"cannot be told from others .* leave out resume"):
            score(tmp_path / "part", IDS.float(), relate)
    assert not list(tmp_path.iterdir())
