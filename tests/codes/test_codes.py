"""Codes: what they keep, and what an evaluation with them says."""

import warnings

import pytest
import torch

from isometry.codes import PQ, Binary, Int8, Prefix
from isometry.codes.code import packed, unpacked
from isometry.protocols.coded import evaluate_coded

unit = torch.nn.functional.normalize


def points(n=600, d=32, seed=0):
    random = torch.Generator().manual_seed(seed)
    y = torch.arange(n) % 30
    centre = torch.randn(30, d, generator=random)
    return unit(centre[y] + torch.randn(n, d, generator=random), dim=1), y


@pytest.mark.parametrize("d", [1, 7, 8, 9, 130])
def test_bits_come_back(d):
    bits = torch.rand(20, d) > 0.5
    code = packed(bits)
    assert code.shape == (20, (d + 7) // 8)
    assert torch.equal(unpacked(code, d), bits)


def test_a_byte_a_dimension_errs_by_half_a_step_at_most():
    z, _ = points()
    code = Int8()
    code.learn(z)
    assert code.encode(z).shape == (600, 32)
    assert ((code.decode(code.encode(z)) - z).abs() <= z.abs().amax(0) / 254 * (1 + 1e-5)).all()


def test_hamming_distance_is_the_inner_product_of_decoded_items():
    z, _ = points(50)
    code = Binary()
    code.learn(z)
    decoded, bits = code.decode(code.encode(z)), z > z.median(0).values
    hamming = (bits[:, None] != bits[None]).sum(2)
    torch.testing.assert_close(decoded @ decoded.T, 1 - 2 * hamming.float() / 32)
    assert code.encode(z).shape == (50, 4)


def test_product_quantisation_takes_the_nearest_centre_of_each_slice():
    z, _ = points()
    code = PQ(parts=4)
    code.learn(z)
    held = code.encode(z)
    assert held.shape == (600, 4)
    for i in range(4):
        distance = torch.cdist(z[:, 8 * i : 8 * i + 8].double(), code.centres[i].double())
        chosen = distance.gather(1, held[:, i : i + 1].long())[:, 0]
        torch.testing.assert_close(chosen, distance.amin(1))
        torch.testing.assert_close(code.decode(held)[:, 8 * i : 8 * i + 8], code.centres[i][held[:, i].long()])


def test_a_prefix_is_the_first_dimensions_at_length_one():
    z, _ = points(10)
    code = Prefix(dim=5)
    code.learn(z)
    torch.testing.assert_close(code.decode(code.encode(z)), unit(z[:, :5], dim=1))


def test_an_evaluation_tells_bytes_neighbours_kept_and_what_is_lost():
    z, y = points()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        rows = evaluate_coded(z, y, "Int8(), Binary(), PQ(parts=8), Prefix(dim=32), Prefix(dim=2)", samples=100)
        coded = evaluate_coded(z, y, "Binary()", samples=0, code_queries=True)
    assert [row.bytes for row in rows] == [128, 32, 4, 8, 128, 8]
    full, int8, binary, _, same, short = rows
    assert full.kept == 1
    assert same.kept == pytest.approx(1, abs=1e-6)
    assert int8.kept > 0.95 > binary.kept > short.kept
    assert coded[1].kept < binary.kept  # queries in full precision find more
    value, low, high = short.lost(full, "MAPAtR()")
    assert value == pytest.approx(float(full.results["MAPAtR()"]) - float(short.results["MAPAtR()"]), abs=1e-6)
    assert 0 < low <= value <= high
    assert same.lost(full, "MAPAtR()")[0] == pytest.approx(0, abs=1e-4)


@pytest.mark.parametrize(
    ("code", "says"),
    [("PQ(parts=5)", "does not divide 32"), ("Prefix(dim=40)", "more dimensions than the 32"), ("Recall(k=1)", "is no code"),
     ("Prefix(dim=0)", "keeps nothing")],
)  # fmt: skip
def test_what_cannot_be_coded_is_said(code, says):
    z, y = points()
    with pytest.raises(ValueError, match=says):
        evaluate_coded(z, y, code)
    with pytest.raises(ValueError, match="at least 256"):
        PQ(parts=4).learn(z[:100])
    with pytest.raises(ValueError, match="has not seen"):
        Int8().encode(z)
