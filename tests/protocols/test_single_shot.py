"""One gallery image of each identity: against all galleries that could be drawn, and the rules of the protocols."""

import itertools
import warnings

import pytest
import torch

from isometry.protocols.retrieval import evaluate
from isometry.protocols.single_shot import single_shot

METRICS = "CMC(k=1), CMC(k=2), MRR(), MAP()"


def quietly(*args, **kwargs):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return single_shot(*args, **{"samples": 0, **kwargs})


def unit(x):
    return torch.nn.functional.normalize(x.double(), dim=1)


def rank(query, label, gallery, labels):
    """The match's place among the images of a gallery, equals in the order given."""
    sim = unit(gallery) @ unit(query[None])[0]
    order = sim.argsort(descending=True).tolist()
    return 1 + [int(labels[j]) == label for j in order].index(True)


def every_gallery(positions, y):
    """Each choice of one image of each identity."""
    of = [[i for i in positions if y[i] == c] for c in sorted({int(y[i]) for i in positions})]
    return itertools.product(*of)


def test_the_mean_over_draws_tends_to_that_over_all_galleries():
    """A gallery of 12 images of 4 identities on 2 cameras; images of the query's own camera cannot be its match."""
    g, y_g, cam_g = torch.randn(12, 3), torch.arange(12) % 4, torch.arange(12) // 4 % 2
    q, y_q, cam_q = torch.randn(6, 3), torch.tensor([0, 1, 2, 3, 1, 2]), torch.tensor([0, 0, 1, 1, 1, 2])
    found = quietly(q, y_q, METRICS, against=(g, y_g, None, cam_g), sequence=cam_q, repeats=800)
    for i in range(6):
        allowed = [j for j in range(12) if not (y_g[j] == y_q[i] and cam_g[j] == cam_q[i])]
        ranks = torch.tensor([rank(q[i], int(y_q[i]), g[list(s)], y_g[list(s)]) for s in every_gallery(allowed, y_g)])
        for name, each in (
            ("CMC(k=1)", ranks <= 1),
            ("CMC(k=2)", ranks <= 2),
            ("MRR()", 1 / ranks),
            ("MAP()", 1 / ranks),
        ):
            each = each.double()
            error = each.std().item() / 800**0.5
            assert found[name].per_query[i].item() == pytest.approx(each.mean().item(), abs=5 * error + 1e-6)


def test_without_a_gallery_the_images_that_are_not_drawn_are_the_queries():
    """Three identities of 2, 3 and 1 images: 6 galleries; a query's value is its mean over those that do not hold it."""
    z, y = torch.randn(6, 3), torch.tensor([0, 0, 1, 1, 1, 2])
    ranks = {i: [] for i in range(6)}
    for shown in every_gallery(range(6), y):
        for i in set(range(6)) - set(shown):
            ranks[i].append(rank(z[i], int(y[i]), z[list(shown)], y[list(shown)]))
    found = quietly(z, y, METRICS, repeats=800)
    for i in range(5):
        each = 1 / torch.tensor(ranks[i])
        error = each.std().item() / 200**0.5
        assert found["MRR()"].per_query[i].item() == pytest.approx(each.mean().item(), abs=5 * error + 1e-6)
    assert found["MRR()"].per_query[5].isnan()  # never a query: its only image is always in the gallery


def test_a_gallery_of_one_image_each_leaves_nothing_to_draw():
    z, y = torch.randn(60, 4), torch.arange(60) % 20
    q, g = slice(20, 60), slice(0, 20)
    found = single_shot(z[q], y[q], METRICS, against=(z[g], y[g]), repeats=3)
    plain = evaluate(z[q], y[q], METRICS, against=(z[g], y[g]))
    for name, result in plain.items():
        torch.testing.assert_close(found[name].per_query, result.per_query)
        assert found[name].value == pytest.approx(result.value)
        assert found[name].low <= found[name].value <= found[name].high


def test_a_collapsed_model_scores_chance_and_a_perfect_one_everything():
    y = torch.arange(300) % 30
    for z in (torch.ones(300, 4), torch.zeros(300, 4)):
        found = quietly(z, y, "CMC(k=1), CMC(k=6), TripletAccuracy()", repeats=2)
        values = [float(result) for result in found.values()]
        assert values == pytest.approx([1 / 30, 6 / 30, 1 / 2], abs=1e-6)
    perfect = torch.nn.functional.one_hot(y).float()
    assert float(quietly(perfect, y, "CMC(k=1)")["CMC(k=1)"]) == 1


def test_an_image_of_the_own_camera_is_never_drawn_as_the_match():
    """The match on the own camera is a copy of the query, the one on the other camera is far: the copy does not help,
    and neither does it take the place of the other in any draw."""
    q, y, cam = torch.tensor([[1.0, 0.0]]), torch.tensor([0]), torch.tensor([0])
    g, y_g, cam_g = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.9, 0.1]]), torch.tensor([0, 0, 1]), torch.tensor([0, 1, 0])
    found = quietly(q, y, "CMC(k=1), CMC(k=2)", against=(g, y_g, None, cam_g), sequence=cam, repeats=50)
    assert [float(result) for result in found.values()] == [0, 1]
    with pytest.raises(ValueError, match="nothing to score"):
        quietly(q, y, "CMC(k=1)", against=(g[[0, 2]], y_g[[0, 2]], None, cam_g[[0, 2]]), sequence=cam)


def test_unknown_images_are_in_every_gallery_and_never_queries():
    z = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 0.1], [0.9, 0.0], [1.0, 0.05]])
    y = torch.tensor([0, 0, -1, -1, -1])
    found = quietly(z[:1], y[:1], "CMC(k=3), CMC(k=4)", against=(z[1:], y[1:]))
    assert [float(result) for result in found.values()] == [0, 1]
    assert quietly(z, y, "MRR()")["MRR()"].per_query[2:].isnan().all()


def test_the_seed_decides_the_draws_and_nothing_else():
    z, y, ids, order = torch.randn(80, 3), torch.arange(80) % 16, torch.arange(80) + 9, torch.randperm(80)
    first, again, other = (quietly(z, y, "MRR()", ids=ids, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(first["MRR()"].per_query, again["MRR()"].per_query)
    assert not torch.equal(first["MRR()"].per_query, other["MRR()"].per_query)
    mixed = quietly(z[order], y[order], "MRR()", ids=ids[order], seed=1)
    torch.testing.assert_close(mixed["MRR()"].per_query, first["MRR()"].per_query[order])
    little = quietly(z, y, "MRR()", ids=ids, seed=1, memory="20 KB")
    torch.testing.assert_close(little["MRR()"].per_query, first["MRR()"].per_query)


def test_bad_input_is_refused():
    z, y = torch.randn(4, 2), torch.tensor([0, 0, 1, 1])
    with pytest.raises(ValueError, match="repeats=0"):
        single_shot(z, y, repeats=0)
    with pytest.raises(ValueError, match="label sets"):
        single_shot(z, torch.eye(4).bool())
    with pytest.raises(ValueError, match="is no metric"):
        single_shot(z, y, "cosine")
    with pytest.raises(ValueError, match="closed form"):
        single_shot(z, y, "ASI()")
