"""Ranks against scipy and the published tables."""

import math

import numpy as np
import pytest
from scipy import stats

from isometry.bench.ranks import critical_difference, ranked

PUBLISHED = {2: 1.960, 3: 2.343, 4: 2.569, 5: 2.728, 6: 2.850, 7: 2.949, 8: 3.031, 9: 3.102, 10: 3.164}
"""q at .05 for k methods (Demšar 2006, table 5a)."""


def blocks_of(table: np.ndarray) -> dict[str, dict[str, float]]:
    return {f"data {i}": {f"method {j}": float(v) for j, v in enumerate(row)} for i, row in enumerate(table)}


@pytest.mark.parametrize(("methods", "q"), PUBLISHED.items())
def test_nemenyi_as_published(methods, q):
    assert critical_difference(methods, 8) * math.sqrt(6 * 8 / (methods * (methods + 1))) == pytest.approx(q, abs=2e-3)


@pytest.mark.parametrize("ties", [False, True])
def test_friedman_is_scipys(ties):
    table = np.random.default_rng(0).normal(size=(9, 5)) + np.linspace(0, 1, 5)
    table = np.round(table, 0) if ties else table
    found = ranked(blocks_of(table))
    expected = stats.friedmanchisquare(*table.T)
    assert (found.statistic, found.p) == (pytest.approx(expected.statistic), pytest.approx(expected.pvalue))


def test_order_and_what_is_alike():
    table = np.tile([0.1, 0.5, 0.5, 0.9], (40, 1))
    found = ranked(blocks_of(table))
    assert found.methods == ("method 3", "method 1", "method 2", "method 0")
    assert found.mean == (1.0, 2.5, 2.5, 4.0)
    assert found.alike == ((1, 2),)


def test_all_tied_is_no_difference():
    found = ranked(blocks_of(np.ones((7, 3))))
    assert found.p == 1.0
    assert found.alike == ((0, 2),)


def test_a_method_without_a_value_somewhere_is_left_out():
    blocks = blocks_of(np.random.default_rng(0).normal(size=(6, 3)))
    blocks["data 2"]["method 1"] = math.nan
    del blocks["data 4"]["method 0"]
    assert ranked(blocks) is None
    del blocks["data 4"]
    assert set(ranked(blocks).methods) == {"method 0", "method 2"}
