"""Choosing a kind of index: what is promised of the one that is taken."""

import pytest
import torch

from isometry.index.choice import choose
from isometry.index.kinds import Flat
from isometry.ops.neighbours import nearest
from isometry.ops.ranking import inner, minus_distance
from tests.index.test_kinds import clusters


def test_few_vectors_are_all_looked_at():
    z = clusters(600)
    chosen = choose(z)
    assert repr(chosen.kind) == "Flat()"
    assert [one.recall for one in chosen.table] == [1.0]
    assert torch.equal(chosen.searcher.search(z[:5], 3)[1], nearest(z[:5], z, 3)[1])


def test_a_comparison_of_ones_own_is_looked_at_one_by_one():
    chosen = choose(clusters(600, 4), compare=lambda a, b: -(a[:, None] - b[None]).abs().sum(2), below=100)
    assert chosen.kind.exact
    assert "only it compares" in chosen.why


@pytest.mark.parametrize("compare", [inner, minus_distance])
def test_the_one_that_is_taken_reaches_the_recall_and_fits(compare):
    both, lines = clusters(4200, 16), []
    z, q = both[:4000], both[4000:]
    chosen = choose(z, compare=compare, recall=0.9, below=1000, show=lines.append)
    last = chosen.table[-1]
    assert last.kind == repr(chosen.kind)
    assert last.n == 4000
    assert last.recall - 2 * last.error >= 0.9
    assert last.memory <= 4 * z.numel()
    assert len(lines) == len(chosen.table) >= 5
    assert all(line in str(chosen) for line in lines)
    assert chosen.measured[-1]["recall"] == last.recall
    found, truth = chosen.searcher.search(q, 10)[1], nearest(q, z, 10, similarity=compare)[1]
    assert (found[:, :, None] == truth[:, None]).any(2).float().mean() > 0.85
    itself = chosen.searcher.search(z, 1)[1][:, 0] == torch.arange(4000)
    assert itself.float().mean() > 0.95  # those held out, an eighth of all, are in it too


def test_where_none_fits_all_are_looked_at():
    chosen = choose(clusters(2000, 16), below=1000, memory=1000)
    assert repr(chosen.kind) == repr(Flat())
    assert "within 0 MB" in chosen.why


def test_a_recall_that_is_no_share_is_refused():
    with pytest.raises(ValueError, match=r"share above 0, at most 1; got 95"):
        choose(clusters(600), recall=95)
