"""Two ranks give what one gives."""

import json
import subprocess
import sys

import pytest
import torch

from isometry.ops.neighbours import nearest
from isometry.ops.ranking import inner, minus_distance
from isometry.protocols.retrieval import evaluate
from tests.protocols.on_ranks import LISTED, PLACED, data


@pytest.fixture(scope="module")
def both():
    command = [sys.executable, "-m", "tests.protocols.on_ranks"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.split("RESULT")[1])


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("metrics", [LISTED, PLACED])
def test_queries_divided_over_ranks(both, metrics):
    z, y = data()
    results = evaluate(z, y, metrics, samples=20)
    for found in both:
        for name, result in results.items():
            value, low, high, least, per_query = found[metrics][name]
            assert (value, low, high, least) == pytest.approx((result.value, result.low, result.high, result.least))
            torch.testing.assert_close(torch.tensor(per_query), result.per_query, equal_nan=True)


@pytest.mark.parametrize("similarity", [inner, minus_distance], ids=lambda f: f.__name__)
def test_a_gallery_divided_over_ranks(both, similarity):
    z, _ = data()
    ids = torch.arange(50)
    sim, index = nearest(z, z, 45, ids_q=ids, ids_g=ids, similarity=similarity, turn=(ids * 13) % 50)
    for found in both:
        assert found[similarity.__name__][1] == index.tolist()
        torch.testing.assert_close(torch.tensor(found[similarity.__name__][0]), sim.nan_to_num(neginf=-9))
