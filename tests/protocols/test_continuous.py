"""The published curves of continuous retrieval against the published loop, written down again in numpy."""

import math
import warnings

import numpy as np
import pytest
import torch

import isometry
from isometry.protocols.continuous import DEEPER, METRICS, PLACES, continuous, curves
from isometry.relations import CloseTargets, GivenDistances, Joints, same_class
from isometry.similarities import cosine


def published(distance, labels):
    """Mean label distance of the first K and nDCG_K, query by query, from distances [q g] in both spaces."""
    near, gains = [], []
    for d, label in zip(distance, labels, strict=True):
        order, ideal = np.argsort(d, kind="stable"), np.sort(label)
        near.append(np.cumsum(label[order[: PLACES[-1]]]) / np.array(PLACES))
        worth, best = (2 ** -np.log2(x + 1) for x in (label[order], ideal))
        discount = 1 / np.log2(np.arange(2, len(label) + 2))
        gains.append([(worth * discount)[:k].sum() / (best * discount)[:k].sum() for k in DEEPER])
    return np.array(near), np.array(gains)


def spaces(n=20, m=130, d=4, joints=5):
    random = np.random.default_rng(0)
    return [random.normal(size=shape) for shape in ((n, d), (m, d), (n, 2 * joints), (m, 2 * joints))]


def both(found):
    table = torch.stack([result.per_query for result in found.values()], 1).double()
    return table[:, : len(PLACES)].numpy(), table[:, len(PLACES) :].numpy()


@pytest.mark.parametrize("compare", ["euclidean", "cosine"])
@pytest.mark.parametrize("memory", ["512 MB", 1])
def test_both_curves_are_those_of_the_published_loop(compare, memory):
    z, g, y, y_g = spaces()
    one, other = (x if compare == "euclidean" else x / np.linalg.norm(x, axis=1, keepdims=True) for x in (z, g))
    distance = np.linalg.norm(one[:, None] - other[None], axis=2)
    labels = np.linalg.norm((y[:, None] - y_g[None]).reshape(20, 130, 5, 2), axis=3).sum(2)
    found = continuous(z, y, Joints(), against=(g, y_g), similarity=compare, samples=10, memory=memory)
    for values, expected in zip(both(found), published(distance, labels), strict=True):
        np.testing.assert_allclose(values, expected, rtol=2e-6)
    given = continuous(
        z, np.arange(20), GivenDistances(matrix=labels), against=(g, np.arange(130)), similarity=compare, samples=10
    )
    for result, again in zip(found.values(), given.values(), strict=True):
        assert again.value == pytest.approx(result.value, rel=1e-5)
        assert (again.low, again.high) == pytest.approx((result.low, result.high), rel=1e-5)


def test_a_query_is_not_its_own_neighbour():
    z, _, y, _ = spaces()
    distance, labels = (np.linalg.norm(x[:, None] - x[None], axis=2) for x in (z, y))
    near, _ = published(*([np.delete(x[i], i) for i in range(20)] for x in (distance, labels)))
    found = continuous(z, y, CloseTargets(), samples=0)
    np.testing.assert_allclose(both(found)[0], near, rtol=2e-6)


def test_curves_and_their_unit():
    z, g, y, y_g = spaces()
    found = continuous(z, y, Joints(), against=(g, y_g), samples=0)
    plain, pixels = curves(found), curves(found, unit=224 / 288)
    assert len(plain["mean label distance"]) == len(plain["nDCG"]) == 10
    np.testing.assert_allclose(pixels["mean label distance"], np.array(plain["mean label distance"]) * 224 / 288)
    assert pixels["nDCG"] == plain["nDCG"]
    assert plain["nDCG"][-1] == found["NDCG(k=100, gain=DistanceGain())"].value


def test_the_ideal_order_scores_one_and_the_radius_decides_nothing():
    _, _, y, y_g = spaces()
    for radius in (1e-6, 1.0, 1e6):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            found = continuous(y, y, CloseTargets(radius=radius), against=(y_g, y_g), samples=0)
        assert curves(found)["nDCG"] == pytest.approx([1.0] * 10, abs=1e-6)


def test_label_distances_do_not_change_with_the_scale_of_the_embedding():
    z, g, y, y_g = spaces()
    one, other = (continuous(s * z, y, Joints(), against=(s * g, y_g), samples=0) for s in (1.0, 0.25))
    assert curves(one) == curves(other)
    assert curves(one) != curves(continuous(z, y, Joints(), against=(g, y_g), samples=0, similarity=cosine))


@pytest.mark.parametrize("m", [12, 40])
def test_equal_similarities_are_worth_their_mean(m):
    random = np.random.default_rng(1)
    g, y_g = random.integers(3, size=(m, 1)).astype(float), random.normal(size=m)
    found = isometry.evaluate(
        np.zeros((1, 1)), np.zeros(1), "LabelDistance(k=1), LabelDistance(k=10)", against=(g, y_g),
        relate=CloseTargets(radius=1e-3), similarity="euclidean", samples=0,
    )  # fmt: skip
    for k in (1, 10):
        total, left = 0.0, k
        for level in range(3):
            of_it = np.abs(y_g[g[:, 0] == level])
            total += min(left, len(of_it)) * of_it.mean()
            left -= min(left, len(of_it))
        assert float(found[f"LabelDistance(k={k})"]) == pytest.approx(total / k, rel=1e-5)


def test_unknown_labels_are_passed_over():
    z, g, y, y_g = spaces()
    y[0], y_g[:60] = np.nan, np.nan
    with pytest.warns(UserWarning, match="1 of 20 queries have no match"):
        found = continuous(z, y, Joints(), against=(g, y_g), samples=0)
    without = continuous(z[1:], y[1:], Joints(), against=(g, y_g), samples=0)
    assert math.isnan(both(found)[0][0, 0])
    np.testing.assert_array_equal(both(found)[1][1:], both(without)[1])
    with pytest.raises(ValueError, match="None of 20 queries has a match") as raised:
        continuous(z, y * np.nan, Joints(radius=3.0), against=(g, y_g), samples=0)
    assert "no farther by label than the radius, 3: Joints(radius=3.0)" in str(raised.value)
    assert "class" not in str(raised.value)


def test_the_metrics_are_text_for_the_command_line():
    z, g, y, y_g = spaces()
    how = {"against": (g, y_g), "relate": "joints", "similarity": "euclidean", "samples": 0}
    found = isometry.evaluate(z, y, METRICS, **how)
    assert curves(found) == curves(continuous(z, y, Joints(), against=(g, y_g), samples=0))
    assert list(found) == METRICS.split(", N")[0].split(", ") + [f"NDCG(k={k}, gain=DistanceGain())" for k in DEEPER]


def test_classes_are_at_distance_one():
    z, g, _, _ = spaces()
    y, y_g = np.arange(20) % 4, np.arange(130) % 4
    found = continuous(z, y, same_class, against=(g, y_g), samples=0)
    precision = isometry.evaluate(z, y, "Precision(k=10)", against=(g, y_g), similarity="euclidean", samples=0)
    assert found["LabelDistance(k=10)"].value == pytest.approx(1 - float(precision["Precision(k=10)"]), rel=1e-6)
