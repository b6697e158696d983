"""Comparisons and codes without torch are those of the library."""

import base64

import numpy as np
import pytest
import torch

import isometry
from isometry.catalogue import entries
from isometry.evaluation import Embeddings
from isometry.export.codes import coded, parsed, table
from isometry.lite import Model
from isometry.lite.codes import CODES, SIMILARITIES


def embeddings(n=300, d=16):
    z = torch.randn(n, d, generator=torch.Generator().manual_seed(1)) * torch.linspace(0.2, 2, d)
    return Embeddings(z, isometry.data.read((torch.zeros(n, 1, 2, 2), torch.arange(n) % 10)))


class Nothing:
    """No network at all."""


def model(rows, similarity="cosine"):
    known = {"format": 1, "dim": 16, "name": "m", "similarity": similarity, "transform": "Same()", "classes": ()}
    known |= {"digest": "", "version": "", "alone": False, "thresholds": None, "codes": rows}
    return Model(Nothing(), known | {"preparation": {"channels": 1, "height": 2, "width": 2}})


@pytest.mark.parametrize("name", SIMILARITIES)
def test_similarities(name):
    z, r = embeddings().z[:20], embeddings().z[20:50]
    expected = isometry.parse(name)(z, r).numpy()
    assert np.allclose(model([], name).compare(z.numpy(), r.numpy()), expected, atol=2e-5)


def test_an_unknown_similarity_is_refused():
    with pytest.raises(ValueError, match=r"SNR\(\) is not in isometry.lite, which has cosine, dot"):
        model([], "SNR()").compare(np.eye(2), np.eye(2))


def test_codes_are_those_of_the_library():
    found = embeddings()
    codes = parsed("Float16(), Int8(), Binary(), Prefix(dim=5), PQ(parts=4)")
    assert {type(code).__name__ for code in codes} == set(CODES) == set(entries("codes")) - {"Code"}
    rows = coded(found, codes, None)
    unit = torch.nn.functional.normalize(found.z, dim=1)
    for code in codes:
        own, theirs = code.encode(unit), model(rows).code(repr(code))
        coded_here = theirs.encode(found.z.numpy())
        assert coded_here.shape == own.shape
        near = np.isclose(theirs.decode(coded_here), code.decode(own).numpy(), atol=1e-6)
        assert near.mean() > 0.999  # but for a value on the edge between two steps
        assert np.allclose(theirs.decode(own.numpy()), code.decode(own).numpy(), atol=1e-6)
        assert np.allclose(theirs.seen(found.z.numpy()), code.seen(unit).numpy(), atol=1e-6)


def test_a_row_says_what_a_code_loses():
    full, short = coded(embeddings(), parsed("Prefix(dim=1)"), None)
    assert (full["bytes"], short["bytes"]) == (64, 4)
    assert full["kept"] == 1 > short["kept"]
    assert [line.split()[0] for line in table([full, short])] == ["code", "float32", "Prefix(dim=1)"]
    assert coded(embeddings(), (), None) == table([]) == []


def test_codes_learn_from_other_pictures_where_there_are_some():
    codes = parsed("Int8()")
    held = coded(embeddings(), codes, torch.eye(16))[1]["constants"]["scale"]
    assert np.allclose(np.frombuffer(base64.b64decode(held["float32"]), "<f4"), 1)


def test_what_is_no_code_is_refused():
    with pytest.raises(ValueError, match="is no code; one is written like"):
        parsed("Average()")
    with pytest.raises(ValueError, match=r"There is no code PQ\(\); there is none"):
        model([]).code("PQ()")
    with pytest.raises(ValueError, match=r"no threshold for a false-match rate of 0\.1; there is none"):
        model([]).threshold(0.1)
    nameless = embeddings()._replace(data=isometry.data.read((torch.zeros(9, 1, 2, 2), [-1] * 9)))
    with pytest.raises(ValueError, match="measured by classes, and arrays has none"):
        coded(Embeddings(nameless.z[:9], nameless.data), parsed("Int8()"), None)
