"""Thresholds for stated rates of false matches: those of sorting all pairs, on data small enough to do so."""

import dataclasses

import pytest
import torch

from isometry.bundle import calibrate, card
from isometry.data import read
from isometry.evaluation import Embeddings


def embeddings(seed, n=40, classes=6, step=0.05):
    """Embeddings with many equal scores, and labels, some unknown."""
    g = torch.Generator().manual_seed(seed)
    z = torch.randn(n, 3, generator=g).div(step).round().mul(step)
    labels = torch.randint(-1, classes, (n,), generator=g)
    z += 0.8 * torch.randn(classes + 1, 3, generator=g)[labels + 1]
    data = read((torch.zeros(n, 1, 2, 2), torch.where(labels < 0, 0, labels)))
    return Embeddings(z, dataclasses.replace(data, labels=labels))


def scores(found, similarity):
    """Every pair by the definition, one after the other: genuine scores, impostor scores."""
    z, labels, kept = found.z.double(), found.data.labels.tolist(), {True: [], False: []}
    for i in range(len(z)):
        for j in range(i):
            if labels[i] >= 0 and labels[j] >= 0:
                cosine = z[i] @ z[j] / (z[i].norm() * z[j].norm())
                kept[labels[i] == labels[j]].append(cosine if similarity == "cosine" else -(z[i] - z[j]).norm())
    return torch.stack(kept[True]).float(), torch.stack(kept[False]).float()


@pytest.mark.parametrize("similarity", ["cosine", "euclidean"])
@pytest.mark.parametrize("seed", range(5))
def test_thresholds_are_those_of_sorting_all_pairs(similarity, seed):
    held, test = embeddings(seed), embeddings(seed + 100)
    found = calibrate(held, test, similarity=similarity, rates=(0.5, 0.1, 0.02))
    (genuine, impostor), (genuine_test, impostor_test) = (scores(e, similarity) for e in (held, test))
    assert (found.validation.genuine, found.validation.impostor) == (len(genuine), len(impostor))
    assert (found.test.genuine, found.test.impostor) == (len(genuine_test), len(impostor_test))
    assert [row.rate for row in found.rows] == [0.5, 0.1, 0.02]
    for row in found.rows:
        # a hair below each score: rounding may order two computations of one score either way
        allowed = [float(s) for s in genuine if (impostor >= s - 1e-6).float().mean() <= row.rate]
        assert row.score == pytest.approx(min(allowed), abs=1e-6)
        accept = row.score - 1e-6
        assert row.fmr == pytest.approx(float((impostor >= accept).double().mean()))
        assert row.fmr <= row.rate
        assert row.tar == pytest.approx(float((genuine >= accept).double().mean()))
        assert row.test_fmr == pytest.approx(float((impostor_test >= accept).double().mean()))
        assert row.test_tar == pytest.approx(float((genuine_test >= accept).double().mean()))


def test_where_a_similarity_is_a_distance_the_card_gives_the_distance():
    found = calibrate(embeddings(0), similarity="euclidean", rates=(0.5,))
    assert f"| {found.rows[0].score:.6g} | {-found.rows[0].score:.6g} |" in card.thresholds(found)
    assert "distance at most" in card.thresholds(found)
    assert "distance at most" not in card.thresholds(calibrate(embeddings(0), rates=(0.5,)))


def test_queries_are_paired_with_their_gallery_alone():
    z, data = embeddings(0)
    query = torch.arange(len(data)) % 3 == 0
    found = calibrate(Embeddings(z, dataclasses.replace(data, is_query=query, is_gallery=~query)), rates=(0.5,))
    known = data.labels >= 0
    assert found.validation.genuine + found.validation.impostor == int((query & known).sum() * (~query & known).sum())


def test_of_too_many_images_whole_classes_are_drawn():
    held = embeddings(1, n=200, classes=10)
    found = calibrate(held, rates=(0.2,), images=90)
    assert found.validation.images <= 90
    assert found.validation.classes < 10
    assert f"those of {found.validation.classes} of 10 classes" in found.notes[0]
    assert found == calibrate(held, rates=(0.2,), images=90)
    assert calibrate(held, rates=(0.2,)).validation.images == int((held.data.labels >= 0).sum())


def test_thresholds_do_not_hang_on_the_memory():
    held = embeddings(3, n=300, step=1e-4)
    few = calibrate(held, rates=(0.5, 0.1, 0.01), memory="32 KB")  # room for 64 of some 6,000 genuine scores
    assert few == calibrate(held, rates=(0.5, 0.1, 0.01))
    assert few.validation.genuine > 5000


def test_what_the_data_cannot_measure_is_left_out_and_said():
    found = calibrate(embeddings(2, n=12), rates=(0.3, 1e-6))
    assert [row.rate for row in found.rows] == [0.3]
    assert "1e-06" in found.notes[0]
    with pytest.raises(ValueError, match=r"there is 0\.3"):
        found.at(1e-6)
    z, data = embeddings(2, n=12)
    alone = Embeddings(z, dataclasses.replace(data, labels=torch.arange(12)))
    assert "no genuine" in calibrate(alone).notes[0]
    collapsed = calibrate(Embeddings(torch.ones(12, 3), data), rates=(0.3,))
    assert collapsed.rows == ()
    assert "accept no genuine" in collapsed.notes[0]
