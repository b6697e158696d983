"""Label distances that are written down."""

import subprocess
import sys

import numpy as np
import pytest
import torch

import isometry
from isometry.expression import parse
from isometry.losses import LogRatio
from isometry.metrics import LabelDistance
from isometry.relations import By, CloseTargets, GivenDistances, Places

MATRIX = torch.tensor([[0.0, 1.0, 3.0], [1.0, 0.0, 2.0], [3.0, 2.0, 0.0]])


def test_distances_are_read_by_row_and_column():
    given = GivenDistances(matrix=torch.arange(12.0).view(3, 4))
    assert given.distances(torch.tensor([2, 0]), torch.tensor([3, 1, 1])).tolist() == [[11, 9, 9], [3, 1, 1]]


def test_it_is_the_distance_it_was_made_from():
    torch.manual_seed(0)
    targets, rows = torch.randn(20, 3), torch.randperm(20)
    close = CloseTargets(radius=1.5)
    given = GivenDistances(matrix=close.distances(targets, targets), radius=1.5)
    one, other = given(rows[:5], rows), close(targets[rows[:5]], targets[rows])
    for name in ("gap", "affinity", "pos", "neg", "known"):
        torch.testing.assert_close(getattr(one, name), getattr(other, name))
    lists = rows[:12].view(4, 3)  # each row with candidates of its own
    found = given.gap(rows[:4].float().view(4, 1, 1), lists.float()[..., None])
    torch.testing.assert_close(found[:, 0], given.distances(rows[:4], rows[:12]).view(4, 4, 3)[range(4), range(4)])


def test_a_negative_number_is_unknown():
    rel = GivenDistances(matrix=MATRIX)(torch.tensor([0, -1]), torch.tensor([1, -1, 2]))
    assert rel.pos.tolist() == [[True, False, False], [False, False, False]]
    assert rel.neg.tolist() == [[False, False, True], [False, False, False]]


def test_a_pair_without_a_distance_is_neither():
    matrix = MATRIX.clone()
    matrix[0, 1] = torch.nan
    rel = GivenDistances(matrix=matrix, radius=2)(torch.arange(2), torch.arange(3))
    assert rel.pos.tolist() == [[True, False, False], [True, True, True]]
    assert rel.neg.tolist() == [[False, False, True], [False, False, False]]
    assert rel.any.tolist() == [[True, False, True], [True, True, True]]
    z = torch.tensor([[0.0], [0.1], [0.5]])
    found = isometry.evaluate(
        z[:1], torch.tensor([0]), "LabelDistance(k=2), NDCG()", against=(z, torch.arange(3)), samples=0,
        relate=GivenDistances(matrix=matrix, radius=2), similarity="euclidean",
    )  # fmt: skip
    assert [float(x) for x in found.values()] == [0.0, 1.0]  # the item itself; of its neighbour nothing is known


def test_a_file_is_read_by_its_name(tmp_path):
    np.save(tmp_path / "far.npy", MATRIX.numpy())
    text = f"GivenDistances(matrix='{tmp_path}/far.npy', radius=2)"
    given = parse(text)
    assert isometry.parse(repr(given)).distances(torch.arange(3), torch.arange(3)).tolist() == MATRIX.tolist()
    found = isometry.evaluate(MATRIX[:, :2], torch.arange(3), "LabelDistance(k=2)", relate=text, similarity="euclidean")
    assert found["LabelDistance(k=2)"].per_query.tolist() == [2.0, 1.5, 2.5]


def test_a_loss_trains_on_it():
    torch.manual_seed(0)
    targets, z = torch.rand(6, 2), torch.randn(6, 4)
    matrix = CloseTargets().distances(targets, targets)
    one = LogRatio(relate=GivenDistances(matrix=matrix))(z, torch.arange(6))
    assert one.item() == pytest.approx(LogRatio(relate=CloseTargets())(z, targets).item(), rel=1e-5)


def test_it_reads_the_places_of_items_in_their_source():
    data = isometry.data.read((np.zeros((3, 8, 8), np.uint8), [0, 1, 1])).select(torch.tensor([2, 0]))
    assert GivenDistances(matrix=MATRIX).labels(data).tolist() == [2, 0]


def test_bad_numbers_are_named_by_row():
    given = GivenDistances(matrix=MATRIX)
    assert given.faults(given.prepared(torch.tensor([0.0, 1.5, 3.0, torch.nan]))) == {
        1: "a row number that is no whole number",
        2: "a row number beyond the last of the matrix, 2",
    }
    with pytest.raises(ValueError, match="Row number 3 is beyond the last of the matrix, 2: give the distances of all"):
        given.distances(torch.tensor([0]), torch.tensor([3]))
    with pytest.raises(ValueError, match=r"are row numbers \[n\]; got \[2, 2\]"):
        given.distances(torch.zeros(2, 2), torch.zeros(2, 2))


@pytest.mark.parametrize(
    "wrong", [torch.zeros(3), torch.zeros(0, 2), torch.zeros(2, 2, dtype=torch.bool), [[0.0, 1.0]], 3]
)
def test_what_is_no_matrix_is_refused(wrong):
    with pytest.raises(ValueError, match=r"matrix \[r c\] of distances, or a \.npy file of one; got"):
        GivenDistances(matrix=wrong)


def test_files_that_cannot_be_read(tmp_path):
    (tmp_path / "text.npy").write_text("far")
    for name in ("text.npy", "none.npy"):
        with pytest.raises(ValueError, match=rf"{name} is no \.npy file of distances: "):
            GivenDistances(matrix=f"{tmp_path}/{name}")


def test_label_distances_0_1_3_by_hand():
    z = torch.tensor([[0.0], [1.0], [0.5], [2.0]])  # the gallery is found in the order 1, 0, 3
    given = GivenDistances(matrix=torch.tensor([[0.0, 1.0, 3.0]]))
    found = isometry.evaluate(
        z[:1], torch.tensor([0]), "NDCG(k=3, gain=DistanceGain()), LabelDistance(k=1), LabelDistance(k=3)",
        against=(z[1:], torch.arange(3)), relate=given, similarity="euclidean", samples=0,
    )  # fmt: skip
    assert float(found["NDCG(k=3, gain=DistanceGain())"]) == pytest.approx(1.2559 / 1.4405, abs=1e-4)
    assert float(found[repr(LabelDistance(k=1))]) == 1
    assert float(found[repr(LabelDistance(k=3))]) == pytest.approx(4 / 3)


def test_it_has_the_type_of_its_matrix():
    third, rows = MATRIX.double() / 3, torch.arange(3)
    assert GivenDistances(matrix=third).distances(rows, rows).tolist() == third.tolist()
    assert GivenDistances(matrix=2**30 * MATRIX.long() + 1).distances(rows, rows)[0, 2].item() == 3 * 2**30 + 1
    for kind in (torch.float32, torch.float16, torch.int16, torch.uint8):
        assert GivenDistances(matrix=MATRIX.to(kind)).distances(rows, rows).dtype == torch.float32


@pytest.mark.parametrize("bad", [-1.0, float("inf")])
def test_what_is_no_distance_is_refused(tmp_path, bad):
    matrix = torch.rand(600, 3)
    matrix[500, 1] = bad
    with pytest.raises(
        ValueError, match=rf"matrix=…\) has {bad:g} for a distance: they are 0 or more and finite, and NaN"
    ):
        GivenDistances(matrix=matrix)
    np.save(tmp_path / "bad.npy", matrix.numpy())
    given = GivenDistances(matrix=f"{tmp_path}/bad.npy")
    assert given.distances(torch.tensor([499]), torch.tensor([0, 1])).shape == (1, 2)
    with pytest.raises(ValueError, match=rf"bad\.npy has {bad:g} for a distance"):
        given.distances(torch.tensor([500]), torch.tensor([0, 1]))


@pytest.mark.parametrize(
    ("distance", "said"),
    [
        (lambda a, b: a != b.T, r"gave torch\.bool; distances are floating point"),
        (lambda a, b: (a - b.T).long().abs(), r"gave torch\.int64; distances are floating point"),
        (lambda a, b: a - b.T, "By.distance has -1 for a distance"),
        (lambda a, b: 1 / (a - b.T).abs(), "By.distance has inf for a distance"),
    ],
)
def test_what_a_function_gives_that_is_no_distance_is_refused(distance, said):
    with pytest.raises(ValueError, match=said):
        By(distance=distance).distances(torch.tensor([0.0, 1.0]), torch.tensor([0.0, 1.0]))


def test_a_pair_without_a_distance_is_neither_for_a_function_too():
    rel = By(distance=lambda a, b: (a - b.T).abs() * torch.where(a * b.T == 2, torch.nan, 1.0))(
        *[torch.arange(3.0)] * 2
    )
    assert rel.any.tolist() == [[True] * 3, [True, True, False], [True, False, True]]
    assert rel.gap.isfinite().all()
    assert not ((rel.pos | rel.neg) & ~rel.any).any()


@pytest.mark.parametrize("radius", [0.0, -1.0, float("inf"), float("nan")])
def test_a_radius_is_a_distance_above_zero(radius):
    for make in (CloseTargets, Places, lambda **kind: GivenDistances(matrix=MATRIX, **kind)):
        with pytest.raises(ValueError, match=r"radius is a distance above 0; got "):
            make(radius=radius)


@pytest.mark.slow
def test_it_compiles_whole():
    """In a process without the checks of types that these tests run with."""
    done = subprocess.run([sys.executable, "-c", COMPILED], capture_output=True, text=True, timeout=300)
    assert done.stdout.strip() == "same", done.stderr[-2000:]


COMPILED = """
import torch
from isometry.losses import LogRatio
from isometry.relations import By, GivenDistances
z, rows = torch.randn(3, 2, generator=torch.Generator().manual_seed(0)), torch.arange(3)
matrix = torch.tensor([[0.0, 1.0, 3.0], [1.0, 0.0, 2.0], [3.0, 2.0, 0.0]])
for relate in (GivenDistances(matrix=matrix), By(distance=lambda a, b: (a - b.T).abs())):
    loss = LogRatio(relate=relate)
    run = torch.compile(lambda z: loss(z, rows, ids=rows), fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(run(z), loss(z, rows, ids=rows))
print("same")
"""
