"""`evaluate` against a double loop in float64, and the laws that evaluation code is known to break."""

import math
import warnings

import numpy as np
import pytest
import torch

from isometry.metrics import MRR, MAPAtR, Precision, Recall, RPrecision
from isometry.protocols.retrieval import evaluate
from isometry.similarities import SNR, cosine, euclidean

ALL = [Recall(k=1), Recall(k=4), Precision(k=3), RPrecision(), MAPAtR(), MRR()]


def quietly(*args, **kwargs):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return evaluate(*args, **kwargs)


def values(results) -> torch.Tensor:
    return torch.stack([r.per_query for r in results.values()])


def oracle(sim, match, other) -> torch.Tensor:
    """One query at a time, from the definitions; rows of 2 for a query for which two items may tie in float32."""
    rows = []
    match, other = match.tolist(), other.tolist()
    for i in range(len(sim)):
        ordered = np.sort(sim[i][other[i]])
        if (np.diff(ordered) <= 2 * np.spacing(np.abs(ordered[1:]).astype(np.float32))).any():
            rows.append([2.0] * 6)
            continue
        hits = [match[i][j] for j in np.argsort(-sim[i]).tolist() if other[i][j]]
        r = sum(hits)
        if not r:
            rows.append([math.nan] * 6)
            continue
        ap, so_far = 0.0, 0
        for p in range(1, r + 1):
            so_far += hits[p - 1]
            ap += hits[p - 1] * so_far / p / r
        rows.append(
            [any(hits[:1]), any(hits[:4]), sum(hits[:3]) / 3, sum(hits[:r]) / r, ap, 1 / (1 + hits.index(True))]
        )
    return torch.tensor(rows, dtype=torch.float32).T


def agree(found: torch.Tensor, expected: torch.Tensor) -> None:
    tied = expected == 2
    assert tied.float().mean() < 0.15
    torch.testing.assert_close(found.masked_fill(tied, 2), expected, equal_nan=True, atol=1e-6, rtol=0)


def clusters(n: int, classes: int, d: int = 6) -> tuple[torch.Tensor, torch.Tensor]:
    y = torch.randint(classes, (n,))
    return torch.randn(classes, d)[y] + torch.randn(n, d), y


@pytest.mark.parametrize("similarity", [cosine, euclidean, SNR()], ids=repr)
@pytest.mark.parametrize(("n", "classes"), [(150, 40), (700, 200), (700, 3)])
def test_equals_the_double_loop_leaving_one_out(similarity, n, classes):
    z, y = clusters(n, classes)
    y[:5], y[5] = -1, 10**6
    sim = similarity(z.double(), z.double()).numpy()
    match = (y[:, None] == y) & (y != -1)
    found = values(quietly(z, y, ALL, similarity=similarity, samples=0))
    agree(found, oracle(sim, match, ~torch.eye(n, dtype=torch.bool)))
    assert found[:, :6].isnan().all()


def test_equals_the_double_loop_against_a_gallery_that_holds_some_queries():
    z, y = clusters(1300, 200)
    ids = torch.randperm(1300) + 2**55
    q, g = slice(0, 300), slice(200, 1300)
    sim, match = cosine(z[q].double(), z[g].double()).numpy(), y[q, None] == y[g]
    found = quietly(z[q], y[q], ALL, against=(z[g], y[g], ids[g]), ids=ids[q], samples=0)
    expected = oracle(sim, match, ids[q, None] != ids[g])
    agree(values(found), expected)
    without = quietly(z[q], y[q], ALL, against=(z[g], y[g]), samples=0)
    expected = oracle(sim, match, torch.ones_like(match))
    agree(values(without), expected)
    assert without["Recall(k=1)"].per_query[200:].eq(1).all()  # unnamed, they find themselves


def test_equals_the_double_loop_for_label_sets():
    z, y = clusters(400, 30)
    sets = torch.nn.functional.one_hot(y, 40).bool() | (torch.rand(400, 40) < 0.02)
    sets[:4] = False
    match, other = (sets.float() @ sets.float().T > 0), ~torch.eye(400, dtype=torch.bool)
    expected = oracle(cosine(z.double(), z.double()).numpy(), match, other)
    for memory in ("512 MB", "100 KB"):
        found = quietly(z, sets, ALL, memory=memory, samples=0)
        agree(values(found), expected)


def test_classes_as_label_sets_score_the_same():
    z, y = clusters(500, 60)
    both = [quietly(z, labels, ALL, samples=200) for labels in (y, torch.nn.functional.one_hot(y).bool())]
    assert torch.equal(*[values(r).nan_to_num(-1) for r in both])
    ends = [[end for r in results.values() for end in (r.low, r.high)] for results in both]
    assert ends[0] == pytest.approx(ends[1], abs=0.02)


@pytest.mark.parametrize("name", [lambda y: y, lambda y: y + 2**53, lambda y: -5 - y * 2**40])
def test_labels_are_names(name):
    """Labels that float32 or float64 would round into one another stay apart."""
    z, y = clusters(300, 100)
    named = name(y)
    assert torch.equal(values(quietly(z, y, ALL)).nan_to_num(-1), values(quietly(z, named, ALL)).nan_to_num(-1))


def test_the_order_of_the_data_does_not_matter_even_under_ties():
    z, y = clusters(900, 100)
    z, ids, order = z.sign(), torch.arange(900) + 7, torch.randperm(900)
    first, second = quietly(z, y, ALL, ids=ids), quietly(z[order], y[order], ALL, ids=ids[order])
    assert torch.equal(values(first)[:, order].nan_to_num(-1), values(second).nan_to_num(-1))
    for a, b in zip(first.values(), second.values(), strict=True):
        assert (a.low, a.high) == (b.low, b.high)


@pytest.mark.parametrize("z", [torch.ones(2000, 5), torch.zeros(2000, 5)], ids=["ones", "zeros"])
@pytest.mark.parametrize("similarity", [cosine, euclidean], ids=repr)
def test_a_collapsed_model_scores_chance(z, similarity):
    """20 classes of 100, sorted: a random order gives R@1 = R-precision = 99/1999, MAP@R far less."""
    y = torch.arange(2000) // 100
    found = evaluate(z, y, [Recall(k=1), RPrecision(), MAPAtR(), MRR()], similarity=similarity)
    chance = 99 / 1999
    assert float(found["Recall(k=1)"]) == pytest.approx(chance, abs=0.02)
    assert float(found["RPrecision()"]) == pytest.approx(chance, abs=0.005)
    assert float(found["MAPAtR()"]) < 0.006
    shuffled = evaluate(torch.randn(2000, 5), y[torch.randperm(2000)], [MRR()])
    assert float(found["MRR()"]) == pytest.approx(float(shuffled["MRR()"]), abs=0.03)


def test_exact_twins_find_each_other_and_never_themselves():
    z = torch.randn(200, 8).repeat(2, 1)
    paired, strangers = torch.arange(200).repeat(2), torch.arange(200).repeat_interleave(2)
    assert float(evaluate(z, paired, [Recall(k=1)])["Recall(k=1)"]) == 1
    assert float(evaluate(z, strangers, [Recall(k=1)])["Recall(k=1)"]) == 0


def test_a_perfect_space_scores_one_whatever_the_class_sizes():
    y = torch.arange(60).repeat_interleave(torch.randint(2, 30, (60,)))
    z = torch.nn.functional.one_hot(y).float() + 1e-3 * torch.randn(len(y), 60)
    assert [float(r) for r in evaluate(z, y, [Recall(k=1), RPrecision(), MAPAtR(), MRR()]).values()] == [1] * 4


def test_many_relevant_items_in_chunks():
    """Three classes, 500 relevant a query: a smaller budget changes no value."""
    z, y = clusters(1500, 3)
    assert torch.equal(values(evaluate(z, y, ALL)), values(evaluate(z, y, ALL, memory="3 MB")))


def test_the_first_match_is_ranked_wherever_it_lies():
    """Two items far apart among 3,000 others: the rank of the other is 3,001 less those behind it."""
    angle = torch.linspace(0, 3, 3002)
    z, y = torch.stack([angle.cos(), angle.sin()], 1), torch.arange(3002)
    y[-1] = y[0]
    found = quietly(z, y, [MRR()])["MRR()"].per_query
    assert found[[0, -1]].tolist() == pytest.approx([1 / 3001, 1 / 3001])
    y[-1], y[100] = 3001, y[0]
    assert quietly(z, y, [MRR()])["MRR()"].per_query[[0, 100]].tolist() == pytest.approx([1 / 100, 1 / 200], abs=1e-4)


def test_intervals_are_wider_than_drawing_queries_would_make_them():
    y = torch.arange(40).repeat_interleave(25)
    easy = (torch.arange(40) % 2 == 0)[y]
    z = torch.where(easy[:, None], 5 * torch.nn.functional.one_hot(y).float(), 0) + torch.randn(1000, 40)
    r = evaluate(z, y, [Recall(k=1)])["Recall(k=1)"]
    assert r.low < r.value < r.high
    assert r.value == pytest.approx(r.per_query.double().mean().item())
    assert r.high - r.low > 2 * 2 * 1.96 * r.per_query.std() / 1000**0.5


def test_says_which_queries_are_not_scored():
    z, y = torch.randn(6, 2), torch.tensor([0, 0, 1, -1, -1, 0])
    with pytest.warns(UserWarning, match=r"3 of 6 queries have no match .* \(2 of them of unknown class\)"):
        r = evaluate(z, y, [Recall(k=1)])["Recall(k=1)"]
    assert r.per_query.isnan().tolist() == [False, False, True, True, True, False]


def test_numpy_lists_and_half_precision_are_read():
    z, y = clusters(80, 8)
    expected = [float(r) for r in evaluate(z.half().float(), y, ALL).values()]
    for given in (z.half(), z.half().numpy(), z.half().double().numpy()[:, ::-1], z.half().tolist()):
        assert [float(r) for r in evaluate(given, y.int().numpy(), ALL).values()] == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"z": torch.tensor([[1.0, math.nan], [0, 0], [math.inf, 1], [0, 1]])}, r"2 of 4 embeddings .* row 0"),
        ({"z": torch.rand(4)}, r"\[n d\]; got float32 of shape \[4\]"),
        ({"y": torch.tensor([0, 0, 1])}, "4 embeddings .* 3 labels"),
        ({"y": torch.tensor([0.0, 0, 1, 1])}, "whole numbers .* float32"),
        ({"y": np.array(["a", "a", "b", "b"])}, "Number them"),
        ({"y": torch.zeros(4, 2, dtype=torch.int64)}, "bool"),
        ({"y": torch.arange(4)}, "None of 4 queries has a match"),
        ({"y": torch.full((4,), -1)}, "None of 4 queries has a match"),
        ({"ids": torch.arange(3)}, "4 integers"),
        (
            {"against": (torch.rand(4, 2), torch.zeros(4, dtype=torch.int64)), "ids": torch.arange(4)},
            "gallery has none",
        ),
        ({"against": (torch.rand(4, 3), torch.zeros(4, dtype=torch.int64))}, "2 dimensions and the gallery has 3"),
        ({"against": (torch.rand(4, 2),)}, "against="),
        ({"against": (torch.rand(4, 2), torch.ones(4, 2, dtype=torch.bool))}, "both are"),
        ({"metrics": "cosine"}, "no metric"),
        ({"metrics": []}, "No metric"),
        ({"confidence": 95.0}, "between 0 and 1"),
        ({"memory": "much"}, "256 MB"),
    ],
)
def test_bad_input_meets_one_clear_line(change, message):
    given = {"z": torch.rand(4, 2), "y": torch.tensor([0, 0, 1, 1]), "metrics": [Recall(k=1)], **change}
    with pytest.raises(ValueError, match=message) as error:
        evaluate(given.pop("z"), given.pop("y"), **given)
    assert "\n" not in str(error.value)


def test_results_are_found_by_any_spelling():
    z, y = clusters(60, 6)
    found = evaluate(z, y, "Recall( k = 1 ), MAPAtR")
    assert list(found) == ["Recall(k=1)", "MAPAtR()"]
    assert found["MAPAtR"] is found["MAPAtR()"]
    with pytest.raises(KeyError, match="there are"):
        found["MRR()"]


def test_agrees_with_scikit_learn():
    """With one match a query, Recall(k) is top-k accuracy and MRR is label-ranking average precision."""
    metrics = pytest.importorskip("sklearn.metrics")
    g, q = torch.randn(70, 5), torch.randn(300, 5)
    y = torch.randint(70, (300,))
    sim = euclidean(q.double(), g.double()).numpy()
    found = evaluate(q, y, [Recall(k=1), Recall(k=9), MRR()], against=(g, torch.arange(70)), similarity=euclidean)
    for k in (1, 9):
        expected = metrics.top_k_accuracy_score(y.numpy(), sim, k=k, labels=np.arange(70))
        assert float(found[f"Recall(k={k})"]) == pytest.approx(expected, abs=1e-6)
    expected = metrics.label_ranking_average_precision_score(np.eye(70)[y.numpy()], sim)
    assert float(found["MRR()"]) == pytest.approx(expected, abs=1e-6)
