"""The published definitions of the landmark benchmarks, by hand and against a plain reading of them."""

import dataclasses
import math

import numpy as np
import pytest
import torch

from isometry.data import Arrays, Data
from isometry.protocols.landmarks import (
    ap_at_k,
    by_lists,
    global_average_precision,
    landmark_retrieval,
    precision,
    revisited,
    trapezoid_ap,
    without,
)


def listed(n, m, judged, names=()):
    """n queries after m gallery pictures."""
    category = torch.tensor([-1] * m + [i % len(names) for i in range(n)]) if names else None
    return Data(
        images=Arrays(torch.zeros(n + m, 1, 1, 1, dtype=torch.uint8)),
        labels=torch.full((n + m,), -1),
        classes=(),
        ids=torch.arange(n + m) * 7 + 3,
        is_query=torch.arange(n + m) >= m,
        is_gallery=torch.arange(n + m) < m,
        judged=(*[{}] * m, *({k: tuple(int(i) * 7 + 3 for i in v) for k, v in lists.items()} for lists in judged)),
        category=category,
        categories=names,
    )


def on_a_circle(order, m):
    """One query and m gallery items, seen in this order."""
    angle = torch.empty(m + 1)
    for place, item in enumerate(order, 1):
        angle[item] = place * 0.9 / m
    angle[m] = 0.0
    return torch.stack([angle.cos(), angle.sin()], 1)


def test_trapezoids_by_hand():
    assert trapezoid_ap(torch.tensor([1, 2, 3]), 3) == 1
    assert trapezoid_ap(torch.tensor([2]), 1) == pytest.approx((0 + 1 / 2) / 2)
    assert trapezoid_ap(torch.tensor([1]), 1) == 1
    places = torch.tensor([2, 4])
    assert trapezoid_ap(places, 2) == pytest.approx(((0 / 1 + 1 / 2) / 2 + (1 / 3 + 2 / 4) / 2) / 2)
    assert trapezoid_ap(places, 5) == pytest.approx(trapezoid_ap(places, 2) * 2 / 5)


def test_precision_stops_at_the_last_match():
    assert precision(torch.tensor([1, 3]), 1) == 1
    assert precision(torch.tensor([1, 3]), 10) == 2 / 3
    assert precision(torch.tensor([2, 30]), 10) == 1 / 10
    assert precision(torch.tensor([12]), 10) == 0


def test_junk_is_taken_out():
    assert without(torch.tensor([5, 2]), torch.tensor([9, 3, 1])).tolist() == [1, 3]
    assert without(torch.tensor([1, 2]), torch.tensor([], dtype=torch.int64)).tolist() == [1, 2]


def test_easy_medium_and_hard_by_hand():
    """The gallery as it is seen: junk 4, hard 1, easy 0, nothing 2, easy 3."""
    data = listed(1, 5, [{"easy": [0, 3], "hard": [1], "junk": [4]}])
    found = revisited(on_a_circle([4, 1, 0, 2, 3], 5), data, samples=0)
    easy = ((1 + 1) / 2 + (1 / 2 + 2 / 3) / 2) / 2  # without 4 and 1: places 1 and 3
    medium = ((1 + 1) / 2 + (1 + 1) / 2 + (2 / 3 + 3 / 4) / 2) / 3  # without 4: places 1, 2 and 4
    assert found["Easy"]["mAP"].value == pytest.approx(easy)
    assert found["Medium"]["mAP"].value == pytest.approx(medium)
    assert found["Hard"]["mAP"].value == 1  # without 4, 0 and 3: place 1
    assert found["Easy"]["mP@1"].value == 1
    assert found["Easy"]["mP@5"].value == pytest.approx(2 / 3)
    assert found["Medium"]["mP@10"].value == pytest.approx(3 / 4)
    assert found["Hard"]["mP@10"].value == 1


def published(order, right, junk, kappas):
    """A plain reading of the published rules: walk down the ranking, skip junk, sum trapezoids."""
    area, seen, place, at = 0.0, 0, 0, []
    for item in order:
        if item in junk:
            continue
        if item in right:
            before = 1.0 if place == 0 else seen / place
            area += (before + (seen + 1) / (place + 1)) / 2 / len(right)
            seen += 1
            at.append(place + 1)
        place += 1
    cuts = [min(max(at), k) for k in kappas]
    return [area, *(sum(p <= cut for p in at) / cut for cut in cuts)]


def test_random_rankings_agree_with_a_plain_reading():
    rng = np.random.default_rng(0)
    n, m, d = 12, 60, 5
    judged = []
    for _ in range(n):
        items = rng.permutation(m)
        a, b, c = rng.integers(0, 7), rng.integers(0, 9), rng.integers(0, 20)
        judged.append({"easy": items[:a], "hard": items[a : a + b], "junk": items[a + b : a + b + c]})
    judged[3] = {"easy": [], "hard": [], "junk": [1]}
    z = torch.from_numpy(rng.normal(size=(m + n, d))).float()
    found = revisited(z, listed(n, m, judged), k=(1, 5, 10), samples=0, memory="10 KB")
    unit = torch.nn.functional.normalize(z.double(), dim=1)
    order = (unit[m:] @ unit[:m].T).argsort(1, descending=True).tolist()
    for name, right, junk in (
        ("Easy", ("easy",), ("hard", "junk")),
        ("Medium", ("easy", "hard"), ("junk",)),
        ("Hard", ("hard",), ("easy", "junk")),
    ):
        expected = np.full((n, 4), np.nan)
        for i, lists in enumerate(judged):
            positive = {int(x) for grade in right for x in lists[grade]}
            if positive:
                expected[i] = published(order[i], positive, {int(x) for g in junk for x in lists[g]}, (1, 5, 10))
        got = torch.stack([found[name][metric].per_query for metric in ("mAP", "mP@1", "mP@5", "mP@10")], 1)
        np.testing.assert_allclose(got.numpy(), expected, atol=1e-6)
        assert found[name]["mAP"].value == pytest.approx(np.nanmean(expected[:, 0]), abs=1e-6)
    assert math.isnan(found["Easy"]["mAP"].per_query[3])


def test_the_order_of_the_gallery_decides_nothing():
    rng = np.random.default_rng(1)
    data = listed(3, 20, [{"easy": [i], "hard": [i + 5], "junk": [i + 10]} for i in range(3)])
    z = torch.from_numpy(rng.integers(-1, 2, size=(23, 2))).float() + 0.1  # many equal similarities
    turn = torch.from_numpy(rng.permutation(23))
    one, other = revisited(z, data, samples=0), revisited(z[turn], data.select(turn), samples=0)
    for name, found in one.items():
        assert found["mAP"].value == pytest.approx(other[name]["mAP"].value)


def test_a_collapsed_model_scores_chance():
    rng = np.random.default_rng(2)
    judged = [{"easy": list(rng.choice(400, 4, replace=False)), "hard": [], "junk": []} for _ in range(100)]
    found = revisited(torch.ones(500, 3), listed(100, 400, judged), samples=0)
    assert found["Easy"]["mAP"].value < 0.04
    judged = [{"relevant": lists["easy"]} for lists in judged]
    assert landmark_retrieval(torch.ones(500, 3), listed(100, 400, judged), samples=0)["mAP@100"].value < 0.04


def test_intervals_draw_queries():
    rng = np.random.default_rng(3)
    judged = [{"easy": [i], "hard": [i + 20], "junk": []} for i in range(20)]
    found = revisited(torch.from_numpy(rng.normal(size=(60, 4))).float(), listed(20, 40, judged))
    result = found["Medium"]["mAP"]
    assert result.low < result.value < result.high


def test_ap_at_k_by_hand():
    right = torch.tensor([True, False, True, False])
    assert ap_at_k(right, 100, 5) == pytest.approx((1 + 2 / 3) / 5)
    assert ap_at_k(right, 3, 5) == pytest.approx((1 + 2 / 3) / 3)
    assert ap_at_k(right, 2, 5) == pytest.approx(1 / 2)
    assert ap_at_k(right[:0], 3, 5) == 0


def test_landmark_retrieval_agrees_with_a_plain_reading():
    rng = np.random.default_rng(4)
    n, m = 9, 300
    judged = [{"relevant": rng.choice(m, 1 + 30 * (i % 2), replace=False).tolist()} for i in range(n)]
    judged[4] = {"relevant": []}
    z = torch.from_numpy(rng.normal(size=(m + n, 6))).float()
    data = listed(n, m, judged, ("Public", "Private"))
    for k in (10, 100):
        found = landmark_retrieval(z, data, k=k, samples=0)
        unit = torch.nn.functional.normalize(z.double(), dim=1)
        order = (unit[m:] @ unit[:m].T).argsort(1, descending=True)[:, :k].tolist()
        expected = []
        for near, lists in zip(order, judged, strict=True):
            hits = [int(item in lists["relevant"]) for item in near]
            total = sum(sum(hits[: i + 1]) / (i + 1) for i in range(len(hits)) if hits[i])
            expected.append(total / min(len(lists["relevant"]), k) if lists["relevant"] else math.nan)
        np.testing.assert_allclose(found[f"mAP@{k}"].per_query.numpy(), expected, atol=1e-6)
        parts = found.by(data.category[data.is_query], data.categories)
        assert parts["Public"][f"mAP@{k}"].value == pytest.approx(np.nanmean(expected[::2]), abs=1e-6)
        assert parts["Private"][f"mAP@{k}"].value == pytest.approx(np.nanmean(expected[1::2]), abs=1e-6)


def test_global_average_precision_by_hand():
    truth = [{1}, {2, 3}, set(), {4}]
    predicted, scores = torch.tensor([1, 3, 9, 5]), torch.tensor([0.5, 0.9, 0.7, 0.6])
    assert global_average_precision(predicted, scores, truth) == pytest.approx((1 / 1 + 2 / 4) / 3)
    predicted = torch.tensor([1, 3, -1, -1])  # two pictures without a prediction
    assert global_average_precision(predicted, scores, truth) == pytest.approx((1 + 2 / 2) / 3)
    assert global_average_precision(torch.tensor([-1] * 4), scores, truth) == 0
    equal = torch.tensor([0.5, 0.5, 0.5, 0.5])
    assert global_average_precision(torch.tensor([9, 3, 9, 4]), equal, truth) == pytest.approx((1 / 2 + 2 / 4) / 3)


def test_whatever_lists_the_data_have():
    rng = np.random.default_rng(5)
    z = torch.from_numpy(rng.normal(size=(40, 4))).float()
    graded = listed(10, 30, [{"easy": [i], "hard": [i + 10], "junk": [i + 20]} for i in range(10)])
    found, settings = by_lists(z, graded), revisited(z, graded)
    assert list(found) == [f"{name} {metric}" for name in settings for metric in ("mAP", "mP@1", "mP@5", "mP@10")]
    assert found["Hard mP@5"].value == settings["Hard"]["mP@5"].value
    assert found["Hard mP@5"].low == settings["Hard"]["mP@5"].low
    assert set(found.by(torch.arange(10) % 2)) == {"0", "1"}
    plain = listed(10, 30, [{"relevant": [i, i + 10]} for i in range(10)])
    assert by_lists(z, plain)["mAP@100"].value == landmark_retrieval(z, plain)["mAP@100"].value
    with pytest.raises(ValueError, match="has no lists of matches"):
        by_lists(z, dataclasses.replace(plain, judged=None))


def test_bad_input():
    data = listed(1, 3, [{"easy": [0], "hard": [], "junk": []}])
    with pytest.raises(ValueError, match="a row for each of 4 pictures"):
        revisited(torch.ones(3, 2), data)
    with pytest.raises(ValueError, match=r"k from 1; got \[1, 0\]"):
        revisited(torch.ones(4, 2), data, k=(1, 0))
    with pytest.raises(ValueError, match="2 of 4 embeddings hold NaN or Inf"):
        revisited(torch.tensor([[1.0, 2.0], [math.nan, 0], [math.inf, 0], [1, 1]]), data)
    with pytest.raises(ValueError, match="are called easy, hard, junk; this needs relevant"):
        landmark_retrieval(torch.ones(4, 2), data)
    with pytest.raises(ValueError, match="has no lists of matches"):
        revisited(torch.ones(4, 2), dataclasses.replace(data, judged=None))
    query = torch.tensor([False] * 3 + [True])
    with pytest.raises(ValueError, match="has no gallery"):
        revisited(torch.ones(4, 2), dataclasses.replace(data, is_gallery=~query & query))
    with pytest.raises(ValueError, match="2 predictions, 1 scores and 2 truths"):
        global_average_precision(torch.tensor([1, 2]), torch.ones(1), [{1}, {2}])
    with pytest.raises(ValueError, match="1 scores are NaN"):
        global_average_precision(torch.tensor([1]), torch.tensor([math.nan]), [{1}])
    with pytest.raises(ValueError, match="No picture shows a landmark"):
        global_average_precision(torch.tensor([1]), torch.ones(1), [set()])
