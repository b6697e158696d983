"""The engine against similarity matrices ranked whole: filters, relations, places of all matches, ties, ranks, resuming."""

import itertools
import math
import warnings

import pytest
import torch

from isometry import metrics
from isometry.metrics import MAP, MRR, NDCG, MAPAtR, Precision, Recall, RPrecision
from isometry.ops.groups import equals
from isometry.ops.places import NOWHERE, places
from isometry.protocols import rankings, scores
from isometry.protocols.retrieval import evaluate
from isometry.relations import close_targets, label_tree, same_class, shared_labels
from isometry.similarities import cosine

LISTED = [Recall(k=1), Recall(k=4), Precision(k=3), RPrecision(), MAPAtR(), MRR(), NDCG(k=5)]
PLACED = [MAP(), NDCG(), metrics.MINP(), metrics.TripletAccuracy()]


def quietly(*args, **kwargs):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return evaluate(*args, **kwargs)


def values(found):
    return torch.stack([result.per_query for result in found.values()])


def whole(chosen, z, rel, g=None):
    sim = cosine(z.double(), (z if g is None else g).double())
    return torch.stack([metric(sim, rel).float() for metric in chosen])


def data(n=90, classes=9, d=5, seed=0):
    random = torch.Generator().manual_seed(seed)
    y = torch.randint(classes, (n,), generator=random)
    z = torch.randn(classes, d, generator=random)[y] + torch.randn(n, d, generator=random)
    return z, y


@pytest.mark.parametrize("few", [0, 6, 100])
def test_places_of_all_matches_equal_the_ranking_of_the_matrix(few, monkeypatch):
    monkeypatch.setattr("isometry.ops.places.FEW", few)
    z, y = data()
    y[:4], y[4] = -1, 77
    found = quietly(z, y, LISTED + PLACED)
    expected = whole(LISTED + PLACED, z, same_class(y, y).without_self(torch.arange(90), torch.arange(90)))
    torch.testing.assert_close(values(found), expected, equal_nan=True, atol=2e-6, rtol=0)


@pytest.mark.parametrize("memory", [1, 20_000, "512 MB"])
def test_chunks_do_not_matter(memory):
    z, y = data(40)
    torch.testing.assert_close(
        values(quietly(z, y, LISTED + PLACED, memory=memory)), values(quietly(z, y, LISTED + PLACED)), equal_nan=True
    )


@pytest.mark.parametrize("few", [0, 100])
def test_places_where_items_are_equal(few, monkeypatch):
    monkeypatch.setattr("isometry.ops.places.FEW", few)
    random = torch.Generator().manual_seed(0)
    for m in (7, 40):
        sim = torch.randint(4, (30, m), generator=random).float()
        match, worth = torch.rand(30, m, generator=random) < 0.4, torch.rand(30, m, generator=random).round()
        worth = (worth + 1) * match
        turn = torch.randint(m, (30,), generator=random)
        for graded in (None, worth):
            rank, column, mixed = places(sim, match, turn, graded)
            for i in range(30):
                ordered = sorted(range(m), key=lambda j: (-sim[i, j].item(), (j - turn[i].item()) % m))
                hits = [1 + p for p, j in enumerate(ordered) if match[i, j]]
                what = match[i] if graded is None else worth[i]
                pairs = itertools.combinations(range(m), 2)
                assert mixed[i] == any(what[a] != what[b] and sim[i, a] == sim[i, b] for a, b in pairs)
                if graded is None or not mixed[i]:
                    assert rank[i, : len(hits)].tolist() == hits
                    assert [ordered[p - 1] for p in hits] == column[i, : len(hits)].tolist() or not mixed[i]
                assert set(column[i, : len(hits)].tolist()) == {j for j in range(m) if match[i, j]}
                assert (rank[i, len(hits) :] == NOWHERE).all()


def test_a_camera_leaves_out_its_own_pictures_of_the_class():
    z, y = data(80, 6)
    g, y_g = data(70, 6, seed=1)
    cam, cam_g = torch.arange(80) % 3, torch.arange(70) % 4 - 1
    found = quietly(z, y, [*LISTED, MAP()], against=(g, y_g, None, cam_g), sequence=cam)
    listed = quietly(z, y, LISTED, against=(g, y_g, None, cam_g), sequence=cam)
    left_out = (y[:, None] == y_g) & (cam[:, None] == cam_g) & (cam_g >= 0)
    rel = same_class(y, y_g)
    rel = rel.keep(~left_out).replace(other=lambda: ~left_out)
    expected = whole([*LISTED, MAP()], z, rel, g)
    torch.testing.assert_close(values(found), expected, equal_nan=True, atol=2e-6, rtol=0)
    torch.testing.assert_close(values(listed), expected[:-1], equal_nan=True, atol=2e-6, rtol=0)
    assert left_out.any()


def test_a_camera_and_an_id_that_both_leave_an_item_out_count_once():
    z, y = data(60, 4)
    cam = torch.arange(60) % 2
    found = quietly(z, y, LISTED, sequence=cam)
    left_out = (y[:, None] == y) & (cam[:, None] == cam) | torch.eye(60, dtype=torch.bool)
    rel = same_class(y, y).keep(~left_out).replace(other=lambda: ~left_out)
    torch.testing.assert_close(values(found), whole(LISTED, z, rel), equal_nan=True, atol=2e-6, rtol=0)


GRADED = [NDCG(), NDCG(k=7), metrics.HierarchicalAP(), metrics.ASI(k=5), Recall(k=2), MAPAtR(), MAP()]


@pytest.mark.parametrize("relate", [label_tree, shared_labels, close_targets, "label_tree"])
def test_any_relation_of_labels(relate):
    z, y = data(50, 12)
    labels = {
        label_tree: torch.stack([y // 4, y], 1), "label_tree": torch.stack([y // 4, y], 1),
        shared_labels: torch.nn.functional.one_hot(y, 12).bool() | torch.nn.functional.one_hot((y + 1) % 12, 12).bool(),
        close_targets: y[:, None] / 4 + torch.rand(50, 2),
    }[relate]  # fmt: skip
    ids = torch.arange(50)
    function = label_tree if relate == "label_tree" else relate
    rel = function(labels, labels).without_self(ids, ids)
    chosen = [m for m in GRADED if relate is not close_targets or not isinstance(m, metrics.HierarchicalAP)]
    found = quietly(z, labels, chosen, relate=relate)
    torch.testing.assert_close(values(found), whole(chosen, z, rel), equal_nan=True, atol=2e-6, rtol=0)


def test_label_distances_of_continuous_labels_and_of_classes():
    z, y = data(50, 12)
    targets, chosen = y.float()[:, None] + torch.rand(50, 1), [metrics.LabelDistance(k=3), Recall(k=1)]
    rel = close_targets(targets, targets).without_self(torch.arange(50), torch.arange(50))
    torch.testing.assert_close(
        values(quietly(z, targets, chosen, relate=close_targets)),
        whole(chosen, z, rel),
        equal_nan=True,
        atol=2e-6,
        rtol=0,
    )
    by_class = quietly(z, y, "LabelDistance(k=3), Precision(k=3)")
    one, other = values(by_class)
    torch.testing.assert_close(one, 1 - other, equal_nan=True, atol=2e-6, rtol=0)


TIED = [Recall(k=1), Recall(k=3), Precision(k=2), RPrecision(), MAPAtR(), MRR(), MAP(), MAP(k=3), NDCG(k=3), NDCG(),
        metrics.MINP(), metrics.TripletAccuracy()]  # fmt: skip


@pytest.mark.parametrize("chosen", [TIED, [m for m in TIED if not m.needs_ranks]], ids=["placed", "listed"])
@pytest.mark.filterwarnings("ignore:Some similarities")
def test_where_items_are_equal_the_value_is_the_mean_over_all_orders(chosen):
    q = torch.tensor([[1.0, 0.0]])
    g = torch.tensor([[1.0, 0.0], [0.8, 0.6], [0.8, 0.6], [0.8, 0.6], [0.0, 1.0], [0.0, 1.0]])
    y = torch.tensor([0, 1, 0, 2, 0, 3])
    tied = itertools.product(itertools.permutations((1, 2, 3)), itertools.permutations((4, 5)))
    orders = [torch.tensor((0, *near, *far)) for near, far in tied]
    every = torch.stack([whole(chosen, q, same_class(torch.tensor([0]), y[p]), g[p])[:, 0] for p in orders])
    found = evaluate(q, torch.tensor([0]), chosen, against=(g, y), samples=0)
    torch.testing.assert_close(values(found)[:, 0], every.mean(0), atol=1e-6, rtol=0)
    for i, result in enumerate(found.values()):
        assert result.least == pytest.approx(every[:, i].min().item(), abs=1e-6)
        assert result.most == pytest.approx(every[:, i].max().item(), abs=1e-6)


def test_a_tie_beyond_the_last_neighbour_that_is_listed_counts():
    q, g = torch.tensor([[1.0, 0.0]]), torch.tensor([[1.0, 0.0]]).repeat(40, 1)
    y = torch.zeros(40, dtype=torch.long)
    y[:10] = 1
    with pytest.warns(UserWarning, match=r"Recall\(k=1\) lies between 0.0000 and 1.0000, mean 0.2500"):
        found = evaluate(q, torch.tensor([1]), "Recall(k=1), Precision(k=2)", against=(g, y), samples=0)
    assert [float(x) for x in found.values()] == pytest.approx([0.25, 0.25])


def test_ties_among_matches_alone_are_not_told(recwarn):
    z = torch.tensor([[1.0, 0.0], [1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    evaluate(z, torch.tensor([0, 0, 0, 1, 1]), "Recall(k=1), MAPAtR(), MAP()", samples=0)
    assert not recwarn.list


def test_a_collapsed_model_scores_chance_in_every_metric():
    n, classes = 60, 6
    y = torch.arange(n) % classes
    found = quietly(torch.ones(n, 4), y, TIED, samples=0)
    relevant, others = n // classes - 1, n - 1
    assert float(found["Recall(k=1)"]) == pytest.approx(relevant / others)
    assert float(found["Recall(k=3)"]) == pytest.approx(1 - math.comb(others - relevant, 3) / math.comb(others, 3))
    assert float(found["Precision(k=2)"]) == pytest.approx(relevant / others)
    assert float(found["RPrecision()"]) == pytest.approx(relevant / others)
    assert float(found["TripletAccuracy()"]) == pytest.approx(0.5)


def test_groups_of_equals():
    sim = torch.tensor([[5.0, 4, 4, 3, 3, 2, -torch.inf]])
    match = torch.tensor([[False, True, False, False, False, True, False]])
    size, hits, sums = equals(sim, match, 2, [sim.double()], False)
    assert size.tolist() == [[1, 2]]
    assert hits.tolist() == [[0, 1]]
    assert sums[0].tolist() == [[5, 8]]
    size, hits, _ = equals(sim, match, 1, [], True)
    assert size.tolist() == [[1, 2, 2, 1]]
    assert hits.tolist() == [[0, 1, 0, 1]]


class Stops(Recall):
    """Fails at its third chunk."""

    calls = 0

    def per_query(self, ranking):
        Stops.calls += 1
        if Stops.calls == 3:
            raise KeyboardInterrupt
        return super().per_query(ranking)


@pytest.mark.parametrize("beside", [[], [MAP()]], ids=["listed", "placed"])
def test_an_interrupted_evaluation_goes_on(tmp_path, monkeypatch, beside):
    monkeypatch.setattr(scores, "OFTEN", 0.0)
    monkeypatch.setattr(rankings, "rows_at_once", lambda c: 10)
    monkeypatch.setattr("isometry.ops.neighbours.rows_in", lambda memory, each: 10)
    z, y = data(60)
    chosen, file = [Stops(k=1), *beside], tmp_path / "part"
    Stops.calls = 0
    with pytest.raises(KeyboardInterrupt):
        quietly(z, y, chosen, resume=file)
    assert file.exists()
    with pytest.raises(ValueError, match="of another evaluation"):
        quietly(z + 1, y, chosen, resume=file)
    before = Stops.calls
    found = quietly(z, y, chosen, resume=file)
    assert Stops.calls - before == 4  # of six chunks two were done
    assert not file.exists()
    assert len(list(tmp_path.iterdir())) == 0
    torch.testing.assert_close(values(found), values(quietly(z, y, [Recall(k=1), *beside])), equal_nan=True)
    file.write_text("no such thing")
    with pytest.raises(ValueError, match="is no interrupted evaluation"):
        quietly(z, y, chosen, resume=file)


def test_macro_and_groups():
    z, y = data(60, 5)
    found = quietly(z, y, "Recall(k=1), MAPAtR()", samples=50)
    per = found["MAPAtR()"].per_query
    expected = torch.stack([per[y == c].nanmean() for c in range(5)]).mean()
    assert float(found.macro()["MAPAtR()"]) == pytest.approx(expected.item(), abs=1e-6)
    parts = found.by(y % 2, ["even", "odd"])
    assert list(parts) == ["even", "odd"]
    assert float(parts["odd"]["MAPAtR()"]) == pytest.approx(per[y % 2 == 1].nanmean().item(), abs=1e-6)
    assert parts["odd"]["MAPAtR()"].low <= float(parts["odd"]["MAPAtR()"]) <= parts["odd"]["MAPAtR()"].high


def test_statistics_stand_beside_metrics_and_read_label_paths_as_classes():
    z, y = data(60, 5)
    y[0] = -1
    paths = torch.stack([y.clamp_min(0) // 2, y], 1)
    one = quietly(z, y, "Recall(k=1), AUROC(), IntraDensity()", samples=50)
    other = quietly(z, paths, "AUROC(), NDCG(), IntraDensity()", relate=label_tree, samples=50)
    assert list(one) == ["Recall(k=1)", "AUROC()", "IntraDensity()"]
    assert float(one["AUROC()"]) == pytest.approx(float(other["AUROC()"]))
    assert float(one["IntraDensity()"]) == pytest.approx(float(other["IntraDensity()"]))
    assert len(one["AUROC()"].per_query) == 0
    assert "AUROC()" not in one.macro()


def test_queries_that_the_gallery_holds_are_one_item_of_the_space():
    z, y = data(40, 4)
    every = quietly(z, y, "SpectralDecay(), EffectiveRank()")
    parted = quietly(
        z[:15], y[:15], "SpectralDecay(), EffectiveRank()", against=(z, y, torch.arange(40)), ids=torch.arange(15)
    )
    assert [float(x) for x in parted.values()] == pytest.approx([float(x) for x in every.values()])
