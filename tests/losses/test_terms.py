"""Terms that go with a loss: codes, VICReg, nested embeddings, distillation."""

import copy
import gc

import pytest
import torch
import torch.nn.functional as F

import isometry
from isometry import losses, regularisers, similarities
from isometry.embedded import Embedded
from isometry.scheme import reads
from tests.contract.catalogue import agree, batch, build, value_and_gradient

F64 = torch.float64


def test_hamming_counts_the_bits_that_differ():
    z = torch.tensor([[0.3, -2.0, 1.0, 0.0], [-0.1, -0.2, 5.0, 7.0], [-1.0, 1.0, -1.0, -1.0]])
    assert similarities.hamming(z, z).tolist() == [[0, -1, -4], [-1, 0, -3], [-4, -3, 0]]


def test_quantisation_is_nothing_for_codes_and_the_bits_for_zero():
    y = torch.zeros(2, dtype=torch.int64)
    assert regularisers.Quantisation()(torch.tensor([[1.0, -1.0, 1.0], [-1.0, -1.0, 1.0]]), y) == 0
    assert regularisers.Quantisation()(torch.zeros(2, 3), y) == 3
    assert regularisers.Quantisation()(torch.tensor([[0.25, -1.5]]), y[:1]).item() == pytest.approx(1.25)


def test_codes_trained_by_the_signal_to_noise_distance_are_near_their_signs_and_found_by_hamming():
    """The hashing form: without the quantisation term the same steps leave components far from ±1."""
    y, kept = torch.arange(24) // 4, {}
    for weight in (0.0, 0.1):
        torch.manual_seed(0)
        z = (0.3 * torch.randn(24, 12)).requires_grad_()
        objective = isometry.parse(
            f"Contrastive(similarity=SNR(), positive=0.0, negative=-1.0) + {weight} * Quantisation()"
        )
        optimizer = torch.optim.Adam([z], lr=0.1)
        for _ in range(60):
            optimizer.zero_grad()
            objective(z, y).backward()
            optimizer.step()
        kept[weight] = float((z.detach().abs() - 1).abs().mean())
    assert kept[0.1] < 0.2 < 0.4 < kept[0.0]
    found = isometry.evaluate(z.detach(), y, "Recall(k=1)", similarity="hamming")
    assert float(found["Recall(k=1)"]) == 1


def two_views(n=40, d=6):
    a, b = torch.randn(n, d, dtype=F64), torch.randn(n, d, dtype=F64)
    b[:, 1] += b[:, 0]
    return a, 0.5 * a + 0.5 * b


def test_vicreg_of_collapse_and_of_a_white_batch():
    y = torch.arange(8) // 2
    collapsed = torch.full((8, 5), 0.7, dtype=F64)
    assert regularisers.VICReg()(collapsed, y).item() == pytest.approx(25 * (1 - 1e-4**0.5))  # 24.75
    ones = torch.ones(8, 1, dtype=F64)
    white = torch.linalg.qr(torch.cat([ones, torch.randn(8, 5, dtype=F64)], 1))[0][:, 1:] * 7**0.5
    apart = regularisers.VICReg(invariance=0.0)
    assert apart(white, y).item() == pytest.approx(0, abs=1e-9)
    assert apart(0.5 * white, y).item() == pytest.approx(25 * (1 - (0.25 + 1e-4) ** 0.5))


def test_vicreg_of_two_equal_views_is_the_published_sum():
    """25 mse + 25 (v + v')/2 + (c + c'), where the set of both views has the covariance that either has alone."""
    a, _ = two_views()
    a = a - a.mean(0)
    n, d = a.shape
    c = a.T @ a / (n - 1)
    off = (c.square().sum() - c.diagonal().square().sum()) / d
    variance = F.relu(1 - (c.diagonal() + 1e-4).sqrt()).mean()
    expected = 25 * 0 + 25 * (variance + variance) / 2 + (off + off)
    both = torch.cat([a, a]) * ((2 * n - 1) / (2 * n - 2)) ** 0.5  # 2 n rows over 2 n − 1
    torch.testing.assert_close(regularisers.VICReg()(both, torch.arange(n).repeat(2)), expected)


def test_vicreg_pulls_by_the_mean_square_over_pairs_and_dimensions():
    a, b = two_views()
    pull = regularisers.VICReg(variance=0.0, covariance=0.0)
    y = torch.arange(len(a))
    torch.testing.assert_close(pull(torch.cat([a, b]), y.repeat(2)), 25 * F.mse_loss(a, b))


def test_vicreg_ignores_where_the_batch_lies_and_how_it_is_mirrored():
    z, y, ids = batch("VICReg()")
    loss = regularisers.VICReg()
    torch.testing.assert_close(loss(z + 30, y, ids=ids), loss(z, y, ids=ids))
    torch.testing.assert_close(loss(-z, y, ids=ids), loss(z, y, ids=ids))


def test_truncated_compares_the_first_dimensions_only():
    z, r = torch.randn(4, 6, dtype=F64), torch.randn(3, 6, dtype=F64)
    for inner in (similarities.cosine, similarities.squared_euclidean, similarities.SNR()):
        cut = similarities.Truncated(size=3, similarity=inner)
        torch.testing.assert_close(cut(z, r), inner(z[:, :3], r[:, :3]))
        assert cut.bounds == inner.bounds
    with pytest.raises(ValueError, match="the embedding has 6"):
        similarities.Truncated(size=7)(z, r)


@pytest.mark.parametrize(
    "loss",
    ["MultiSimilarity()", "ProxyAnchor()", "Triplet(similarity=SNR())", "SoftTriple(reference=Proxies(centres=2))"],
)
def test_matryoshka_is_the_sum_over_sizes_cut_by_hand(loss):
    text = f"Matryoshka(loss={loss}, dims=(2, 4))"
    nested, (z, y, ids) = build(text), batch(loss)
    ours = value_and_gradient(nested, z, y, ids=ids)
    x, total = z.clone().requires_grad_(), 0.0
    nested.zero_grad()
    for size in (2, 4):
        alone = copy.deepcopy(nested.loss)
        weights = [p for p in alone.parameters() if p.ndim >= 2]
        for p in weights:
            p.data = p.data[..., :size].clone()
        if weights:
            alone.reference.dim = size
        total = total + alone(x[:, :size], y, ids=ids)
    total.backward()
    agree((ours[0], ours[1], []), (total.detach(), x.grad, []))


def test_matryoshka_shares_one_set_of_weights_and_halves_by_itself():
    nested = isometry.parse("Matryoshka(loss=ProxyAnchor())", num_classes=4, dim=64)
    assert [cut.similarity.size for cut in nested.cuts] == [64, 32, 16, 8]
    assert [n for n, _ in nested.named_parameters()] == ["loss.reference.weight"]
    assert list(nested.state_dict()) == ["loss.reference.weight"]
    other = copy.deepcopy(nested).double()
    other.load_state_dict({"loss.reference.weight": torch.ones(4, 64, dtype=F64)})
    assert all((cut.reference.weight == 1).all() for cut in other.cuts)
    assert not (nested.loss.reference.weight == 1).any()
    assert reads(isometry.parse("Matryoshka(loss=LogRatio())", dim=8)) == "targets"


def test_matryoshka_cuts_a_memory_with_the_batch():
    z, y, ids = batch("Contrastive()")
    remembering = build("Matryoshka(loss=Contrastive(reference=Memory(size=18)), dims=(3, 5))")
    remembering.observe(z, y, ids)
    torch.testing.assert_close(remembering(z, y, ids=ids), build("Matryoshka(loss=Contrastive(), dims=(3, 5))")(z, y))


@pytest.mark.parametrize("dims", [(0,), (2, 6), (2.5,)])
def test_matryoshka_has_no_sizes_beyond_the_embedding(dims):
    with pytest.raises(ValueError, match="from 1 to"):
        losses.Matryoshka(dims=dims, dim=5)


def test_relational_distillation_is_blind_to_moving_turning_and_scaling_on_either_side():
    z, t = torch.randn(9, 5, dtype=F64), torch.randn(9, 7, dtype=F64)
    turn = torch.linalg.qr(torch.randn(5, 5, dtype=F64))[0]
    loss = losses.RelationalDistillation()
    torch.testing.assert_close(loss(3 * z @ turn + 1, t), loss(z, t))
    torch.testing.assert_close(loss(z, 100 * t - 4), loss(z, t))
    copied = F.pad(z @ turn, (0, 3)) * 0.2
    assert loss(z, copied).item() == pytest.approx(0, abs=1e-12)


def test_relational_distillation_of_three_points():
    """Distances 1, 1, 2 against a teacher's 1, 1, 1: in units of 4/3 and of 1, apart by 1/4, 1/4 and 1/2."""
    z = torch.tensor([[-1.0], [0.0], [1.0]], dtype=F64)
    t = torch.eye(3, dtype=F64) / 2**0.5
    expected = (0.25**2 + 0.25**2 + 0.5**2) / 2 / 3
    assert losses.RelationalDistillation()(z, t).item() == pytest.approx(expected)


def test_similarity_distillation_is_zero_for_the_teacher_itself_and_leaves_the_teacher_alone():
    t = F.normalize(torch.randn(9, 7, dtype=F64)).requires_grad_()
    loss = losses.SimilarityDistillation(temperature=0.2)
    assert loss(t.detach(), t.detach()).item() == pytest.approx(0, abs=1e-12)
    z = torch.randn(9, 4, dtype=F64, requires_grad=True)
    loss(z, t).backward()
    assert t.grad is None or t.grad.abs().sum() == 0
    assert z.grad.abs().sum() > 0


def test_similarity_distillation_is_the_divergence_of_softmaxes_of_cosines():
    z, t = F.normalize(torch.randn(6, 4, dtype=F64)), F.normalize(torch.randn(6, 7, dtype=F64))
    itself = torch.eye(6, dtype=torch.bool)
    ours, theirs = ((x @ x.T / 0.5).masked_fill(itself, -torch.inf).log_softmax(1) for x in (z, t))
    off = (theirs.exp() * (theirs - ours)).masked_fill(itself, 0)
    expected = 0.25 * off.sum(1).mean()
    torch.testing.assert_close(losses.SimilarityDistillation(temperature=0.5)(z, t), expected)


def test_self_distillation_is_half_the_losses_and_the_divergence_from_every_branch():
    z, y, ids = batch("Contrastive()")
    z.requires_grad_()
    branches = tuple(torch.randn(len(z), d, dtype=F64, requires_grad=True) for d in (7, 9))
    inner, target = losses.Contrastive(), losses.SimilarityDistillation(temperature=0.5)
    expected = (inner(z, y) + sum(inner(b, y) for b in branches) / 2) / 2
    free = [torch.autograd.grad(expected, b, retain_graph=True)[0] for b in branches]
    expected = expected + 3 * sum(target(z, F.normalize(b.detach())) for b in branches) / 2
    ours = losses.S2SD(loss=losses.Contrastive(), weight=3.0, temperature=0.5)(
        Embedded(z, branches=branches), y, ids=ids
    )
    torch.testing.assert_close(ours, expected)
    found = torch.autograd.grad(ours, (z, *branches))
    torch.testing.assert_close(found[0], torch.autograd.grad(expected, z)[0])
    torch.testing.assert_close(found[1:], tuple(free))  # a teacher is not taught


def test_self_distillation_has_nothing_to_teach_where_branches_agree():
    z, y, ids = batch("Contrastive()")
    turned = 4 * z @ torch.linalg.qr(torch.randn(5, 5, dtype=F64))[0]
    ours = losses.S2SD(loss=losses.Contrastive())(Embedded(z, branches=(turned,)), y, ids=ids)
    torch.testing.assert_close(ours, losses.Contrastive()(z, y))


def test_self_distillation_refuses_references_of_one_head():
    with pytest.raises(ValueError, match="leave it out"):
        build("S2SD(loss=ProxyAnchor())")
    z, y, ids = batch("Contrastive()")
    with pytest.raises(ValueError, match="against"):
        losses.S2SD()(Embedded(z, branches=(z,)), y, ids=ids, against=(z, y))


def test_distillation_reads_targets():
    for name in ("RelationalDistillation", "SimilarityDistillation"):
        assert reads(getattr(losses, name)()) == "targets"


def test_embeddings_are_distilled_by_a_contrastive_loss_against_the_teacher():
    """Labels and ids name the items; the teacher's embedding of an item is its only positive, and negatives cost nothing."""
    z, t, item = torch.randn(8, 5, dtype=F64), torch.randn(8, 5, dtype=F64), torch.arange(8)
    mimic = losses.Contrastive(positive=1.0, negative=1.0)
    torch.testing.assert_close(mimic(z, item, against=(t, item)), (1 - F.cosine_similarity(z, t)).mean())


@pytest.mark.parametrize("text", ["Triplet()", "MultiSimilarity()", "NTXent()", "CosFace()", "Soft()"])
def test_no_matrix_waits_for_the_garbage_collector(text):
    """Without a cycle of references, the matrices of a step are gone as soon as the step is."""
    loss, z, y = (
        isometry.parse(text, num_classes=4, dim=8),
        torch.randn(16, 8, requires_grad=True),
        torch.arange(16) // 4,
    )
    loss(z, y).backward()
    gc.collect()
    gc.disable()
    try:
        loss(z, y).backward()
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        kept = [x for x in gc.garbage if isinstance(x, torch.Tensor)]
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()
    assert not kept
