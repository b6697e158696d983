"""Kinds of index: what they find beside a search that looks at everything, masks, files, and what they refuse."""

import pytest
import torch

import isometry
from isometry.codes import PQ, Binary, Float16, Int8
from isometry.index.kinds import HNSW, IVF, Flat
from isometry.ops.neighbours import nearest
from isometry.ops.ranking import inner, minus_distance

ALL = (
    Flat(), HNSW(links=16), HNSW(links=16, code=Int8()), IVF(), IVF(code=Float16()), IVF(code=Int8()),
    IVF(code=PQ(parts=8), refine=10), HNSW(links=16, code=PQ(parts=8), refine=10),
)  # fmt: skip
COARSE = {"IVF(probes=1)": IVF(lists=40, probes=1), "HNSW(ef=1)": HNSW(links=2, ef=1)}


def clusters(n=3000, d=32, seed=0):
    random = torch.Generator().manual_seed(seed)
    centre = torch.randn(60, d, generator=random)
    z = centre[torch.randint(60, (n,), generator=random)] + 0.7 * torch.randn(n, d, generator=random)
    return torch.nn.functional.normalize(z, dim=1)


@pytest.fixture(scope="module")
def z():
    return clusters()


@pytest.fixture(scope="module")
def q():
    return clusters(60, seed=1)


def by_hand(q, z, k, compare, keep=None):
    """The definition, in float64."""
    sim = compare(q.double(), z.double()).float()
    if keep is not None:
        sim[:, ~keep] = -torch.inf
    return sim.sort(dim=1, descending=True, stable=True)


@pytest.mark.parametrize("compare", [inner, minus_distance])
@pytest.mark.parametrize("kind", ALL, ids=repr)
def test_finds_nearly_all_of_the_nearest_with_their_true_similarities(kind, compare, z, q):
    sim, rows = kind.build(z, compare=compare).search(q, 10)
    order = by_hand(q, z, 10, compare)[1]
    share = (rows[:, :, None] == order[:, None, :10]).any(2).float().mean()
    assert share >= (1 if kind.exact else 0.9)
    assert (sim[:, 1:] <= sim[:, :-1]).all()
    assert all(len(set(found)) == 10 for found in rows.tolist())
    exact = compare(q[:, None].double(), z[rows].double())[:, 0].float()
    torch.testing.assert_close(sim, exact, rtol=0, atol=2e-6)


@pytest.mark.parametrize("kind", ALL, ids=repr)
@pytest.mark.parametrize("share", [0.0, 0.001, 0.3, 0.97])
def test_only_what_is_kept_is_found_and_all_that_is_asked_for(kind, share, z, q):
    keep = torch.rand(len(z), generator=torch.Generator().manual_seed(3)) < share
    sim, rows = kind.build(z).search(q[:20], 10, keep)
    count = min(10, int(keep.sum()))
    assert ((rows >= 0).sum(1) == count).all()
    assert keep[rows[:, :count]].all()
    assert (rows[:, count:] == -1).all()
    assert (sim[:, count:] == -torch.inf).all()
    assert sim[:, :count].isfinite().all()
    if kind.exact or keep.sum() < 5000:  # so few are all looked at
        torch.testing.assert_close(sim, by_hand(q[:20], z, 10, inner, keep)[0][:, :10], rtol=0, atol=2e-6)


@pytest.mark.parametrize(
    "kind", [HNSW(links=8, ef=32), IVF(lists=100, probes=4), IVF(lists=100, probes=4, code=Int8())], ids=repr
)
def test_a_mask_that_faiss_reads(kind):
    """More vectors are kept than are looked at one by one, so the index itself obeys the mask."""
    z, q = clusters(30_000, 8), clusters(20, 8, seed=1)
    keep = torch.arange(len(z)) % 4 > 0
    sim, rows = kind.build(z).search(q, 10, keep)
    assert keep[rows].all()
    truth = by_hand(q, z, 10, inner, keep)[0][:, 9:10]
    assert (sim >= truth - 1e-6).float().mean() > 0.8


@pytest.mark.parametrize("kind", COARSE.values(), ids=COARSE)
def test_more_are_asked_for_than_a_short_search_meets(kind, z, q):
    rows = kind.build(z).search(q[:5], 700)[1]
    assert (rows >= 0).all()
    assert all(len(set(found)) == 700 for found in rows.tolist())


@pytest.mark.parametrize("kind", ALL, ids=repr)
def test_fewer_vectors_than_are_asked_for(kind, z, q):
    few = z[:300]
    sim, rows = kind.build(few).search(q[:3], 310)
    assert ((rows >= 0).sum(1) == 300).all()
    torch.testing.assert_close(sim[:, :300], by_hand(q[:3], few, 300, inner)[0], rtol=0, atol=2e-6)


@pytest.mark.parametrize("kind", ALL, ids=repr)
def test_equal_vectors_come_in_the_order_of_their_rows(kind):
    z = clusters(300, 16).repeat(2, 1)
    rows = kind.build(z).search(z[:40], 2)[1]
    assert torch.equal(rows, torch.stack([torch.arange(40), torch.arange(40) + 300], 1))


@pytest.mark.parametrize("kind", ALL, ids=repr)
def test_comes_back_from_its_file(kind, z, q, tmp_path):
    made = kind.build(z)
    made.write(tmp_path / "a.index")
    again = kind.read(tmp_path / "a.index", z)
    assert all(map(torch.equal, again.search(q, 5), made.search(q, 5)))
    assert [p.name for p in tmp_path.iterdir()] == ["a.index"]
    assert again.memory == made.memory
    assert abs((tmp_path / "a.index").stat().st_size - made.memory) < 4096


def test_one_seed_gives_one_set_of_lists(z, q, tmp_path):
    for name in "ab":
        IVF(code=PQ(parts=4)).build(z, seed=5).write(tmp_path / name)
    IVF(code=PQ(parts=4)).build(z, seed=6).write(tmp_path / "c")
    a, b, c = ((tmp_path / name).read_bytes() for name in "abc")
    assert a == b
    assert a != c


def test_memory_is_what_the_codes_take(z):
    n, d = z.shape
    flat, int8, pq = (IVF(lists=10, code=code).build(z).memory for code in (None, Int8(), PQ(parts=8)))
    assert flat == pytest.approx(n * (4 * d + 8), rel=0.05)
    assert int8 == pytest.approx(n * (d + 8), rel=0.05)
    assert pq == pytest.approx(n * (8 + 8) + 256 * d * 4, rel=0.05)
    graph = HNSW(links=16, code=Int8()).build(z).memory
    assert graph == pytest.approx(n * (d + 8 * 16 + 20), rel=0.1)
    assert Flat().build(z).memory == 0


def test_a_file_is_read_with_another_width_but_not_as_another_kind(z, q, tmp_path):
    IVF(lists=40, probes=1).build(z).write(tmp_path / "a")
    wide = IVF(lists=40, probes=40).read(tmp_path / "a", z).search(q, 10)
    assert torch.equal(wide[1], nearest(q, z, 10)[1])
    with pytest.raises(ValueError, match=r"lists=40.*lists=41.*build it anew"):
        IVF(lists=41).read(tmp_path / "a", z)
    with pytest.raises(ValueError, match=r"n = 3000.*2999"):
        IVF(lists=40).read(tmp_path / "a", z[1:])
    with pytest.raises(ValueError, match=r"'inner'.*'minus_distance'"):
        IVF(lists=40).read(tmp_path / "a", z, compare=minus_distance)
    with pytest.raises(FileNotFoundError, match="build the index anew"):
        IVF().read(tmp_path / "b", z)


@pytest.mark.parametrize("kind", [Flat(), IVF(lists=8)], ids=repr)
def test_damage_is_found_before_anything_is_read(kind, z, tmp_path):
    path = tmp_path / "a"
    kind.build(z[:400]).write(path)
    whole = path.read_bytes()
    for place in (0, len(whole) // 3, len(whole) // 2, len(whole) - 300, len(whole) - 9, len(whole) - 1):
        for damaged in (whole[:place], whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :]):
            path.write_bytes(damaged)
            with pytest.raises(ValueError, match=r"damaged|newer|format|build it anew"):
                kind.read(path, z[:400])
    path.write_bytes(whole + b"x")
    with pytest.raises(ValueError, match="damaged"):
        kind.read(path, z[:400])


def test_a_newer_file_is_refused(z, tmp_path):
    path = tmp_path / "a"
    Flat().build(z).write(path)
    path.write_bytes(path.read_bytes().replace(b'"format": 1', b'"format": 2'))
    with pytest.raises(ValueError, match=r"format 2.*upgrade isometry"):
        Flat().read(path, z)


def test_what_cannot_be_written_leaves_what_was_there(z, tmp_path):
    path = tmp_path / "no" / "a"
    with pytest.raises(OSError, match=r"could not be written .*untouched"):
        IVF(lists=8).build(z).write(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("HNSW(links=1)", "links of 2 or more"), ("HNSW(ef=0)", "1 or more"), ("IVF(probes=0)", "at least one probe"),
        ("IVF(refine=0)", "1 or more"), ("IVF(code=Prefix(dim=2))", "cannot hold"), ("HNSW(link=3)", "Did you mean 'links'"),
    ],
)  # fmt: skip
def test_what_makes_no_index_is_refused(text, message):
    with pytest.raises(ValueError, match=message):
        isometry.parse(text)


def test_text_is_the_kind():
    for kind in ALL:
        assert repr(isometry.parse(repr(kind))) == repr(kind)


def test_what_cannot_be_built_is_said_in_a_line(z):
    with pytest.raises(ValueError, match="parts is one of their divisors"):
        IVF(code=PQ(parts=5)).build(z)
    with pytest.raises(ValueError, match="100 vectors are too few"):
        IVF(code=PQ(parts=4)).build(z[:100])
    with pytest.raises(ValueError, match="more lists than the 3,000 vectors"):
        IVF(lists=4000).build(z)
    with pytest.raises(ValueError, match=r"needs Flat\(\)"):
        HNSW().build(z, compare=lambda a, b: -(a[:, None] - b[None]).abs().sum(2))
    with pytest.raises(ValueError, match="cannot hold Binary"):
        IVF(code=Binary())
    with pytest.raises(ValueError, match="not finite"):
        HNSW().build(z.masked_fill(z > z.max() - 1e-6, torch.nan))


@pytest.mark.parametrize("kind", [Flat(), IVF(lists=8)], ids=repr)
def test_queries_that_cannot_be_asked(kind, z):
    made = kind.build(z[:400])
    with pytest.raises(ValueError, match="32 dimensions; the queries have 3"):
        made.search(torch.ones(1, 3), 1)
    with pytest.raises(ValueError, match="1 or more; got 0"):
        made.search(z[:1], 0)
    with pytest.raises(ValueError, match="not finite"):
        made.search(torch.full((1, 32), torch.nan), 1)
    with pytest.raises(ValueError, match=r"boolean for each of the 400 vectors; got torch.bool \[399\]"):
        made.search(z[:1], 1, torch.ones(399, dtype=torch.bool))
    assert made.search(z[:0], 3)[1].shape == (0, 3)


def test_any_comparison_can_be_looked_at_one_by_one(z, q):
    def city(a, b):
        return -(a[..., :, None, :] - b[..., None, :, :]).abs().sum(-1)

    rows = Flat().build(z[:200], compare=city).search(q[:5], 7)[1]
    assert torch.equal(rows, by_hand(q[:5], z[:200], 7, city)[1][:, :7])
