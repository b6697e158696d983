"""Terms that look at the model: beside every loss of the catalogue, on ranks, from cached embeddings, in half precision."""

import tempfile
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import nn

import isometry
from isometry import caching
from isometry.bench.heads import Top
from isometry.model import Embedder
from tests.contract.catalogue import CLASSES, DIM, TEXTS, batch

VOLUMES = ("LogDet()", "Det()", "Spherical()", "Conditioned()", "Frobenius()", "LargestStretch()", "SpectralNorm()",
           "Anisotropy()",
           "Spherical(by=Lanczos(probes=2, steps=3))", "LogDet(by=Lanczos(probes=2, steps=3))")  # fmt: skip
HEADS = ("RealNVP(dim=5, second=True)", "Glow(dim=5)", "NICE(dim=5)", "LU(dim=5)", "Linear(dim=5)", "MLP(dim=5, hidden=(16,))",
         "Levels(dim=5)", "Beside(dim=5, dims=(7,))")  # fmt: skip
TERMS = (
    *(f"Determinant(volume={v})" for v in VOLUMES if v != "Spherical()"), "Determinant()", "Determinant(floor=None, seed=3)",
    "Determinant(points=Intra(neighbours=2))", "Determinant(points=Either())", "Determinant(of=second)",
    "Determinant(volume=Frobenius(probes=2), points=Inter(reach=1.0))", "Determinant(of=model, volume=Frobenius())",
    "EvenStretch()", "EvenStretch(partners=5, seed=2)", "Determinant(volume=Anisotropy(), floor=None)",
    "Dueling()", "Dueling(points=Intra(), low=None, high=None)", "OnBranch()", "OnBranch(loss=Contrastive())",
)  # fmt: skip
FLOW = "RealNVP(dim=5, second=True)"


def top(head=FLOW, seed=2):
    torch.manual_seed(seed)
    made = Top(isometry.parse(head, in_features=7)).double()
    for p in made.head.parameters():
        nn.init.normal_(p, std=0.4)
    return made


def features(text="", seed=4):
    _, y, ids = batch(text)
    return torch.randn(len(y), 7, generator=torch.Generator().manual_seed(seed), dtype=torch.float64), y, ids


def term(text):
    torch.manual_seed(0)
    return isometry.parse(text, num_classes=CLASSES, dim=DIM).double()


def gradients(module):
    return [torch.zeros_like(p) if p.grad is None else p.grad.clone() for p in module.parameters()]


@pytest.mark.parametrize("text", TEXTS)
def test_it_is_added_to_every_loss(text):
    """The gradient of the sum is that of the loss and that of 0.05 times the regulariser, in the head and below."""
    torch.manual_seed(0)
    model = Embedder.parse("ConvNet(widths=(4, 6), size=8)", "Average()", f"RealNVP(dim={DIM})").double()
    for p in model.head.first.parameters():
        nn.init.normal_(p, std=0.4)
    _, y, ids = batch(text)
    pictures = torch.rand(len(y), 1, 8, 8, dtype=torch.float64)
    found = {}
    for name in (text, "0.05 * Determinant()", f"{text} + 0.05 * Determinant()"):
        model.zero_grad()
        value = term(name)(model(pictures), y, ids=ids)
        value.backward()
        parts = [torch.cat([g.flatten() for g in gradients(part)]) for part in (model.trunk, model.head)]
        found[name] = (value.detach().double(), *parts)
    own, more, both = found.values()
    assert all(torch.isfinite(part).all() for part in both)
    assert all(part.abs().sum() > 0 for part in more)
    for a, b, c in zip(own, more, both, strict=True):
        torch.testing.assert_close(c, a + b, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("text", TERMS)
def test_text_is_the_config(text):
    assert repr(term(text)) == text
    assert repr(term(f"0.05 * {text} + Contrastive()")) == f"0.05 * {text} + Contrastive()"


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("volume", VOLUMES)
def test_every_volume_of_every_head_has_a_gradient(head, volume):
    made, (h, y, ids) = top(head), features()
    loss = term(f"Determinant(volume={volume})")
    value = loss(made(h), y, ids=ids)
    value.backward()
    assert torch.isfinite(value)
    assert all(torch.isfinite(g).all() for g in gradients(made))
    assert sum(float(g.abs().sum()) for g in gradients(made)) > 0


@pytest.mark.parametrize("text", TERMS)
def test_order_does_not_matter_and_a_weight_is_a_multiplicity(text):
    made, (h, y, ids) = top(), features()
    order = torch.randperm(len(h))
    first = term(text)(made(h), y, ids=ids)
    torch.testing.assert_close(term(text)(made(h[order]), y[order], ids=ids[order]), first)
    if "points" not in text and "OnBranch" not in text:
        twice = torch.cat([torch.arange(len(h)), torch.tensor([0, 3])])
        weight = torch.ones(len(h), dtype=h.dtype)
        weight[[0, 3]] = 2
        weighted = term(text)(made(h), y, ids=ids, weight=weight)
        torch.testing.assert_close(weighted, term(text)(made(h[twice]), y[twice], ids=ids[twice]))


@pytest.mark.parametrize("text", [t for t in TERMS if "of=model" not in t])
def test_cached_embeddings_equal_one_batch(text):
    made, (h, y, ids) = top(), features()
    results = []
    for cached in (False, True):
        made.zero_grad()
        loss = term(text)
        below = nn.Linear(7, 7).double()
        below.load_state_dict({"weight": torch.eye(7), "bias": torch.ones(7)})
        model = _Stacked(below, made)
        if cached:
            value = caching.backward(model, h.split(5), lambda e, loss=loss: loss(e, y, ids=ids))
        else:
            value = loss(model(h), y, ids=ids)
            value.backward()
        results.append((value.detach(), *gradients(model), *gradients(loss)))
    for a, b in zip(*results, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-11)


class _Stacked(nn.Module):
    """A layer below a head."""

    def __init__(self, below, above):
        super().__init__()
        self.below, self.above = below, above

    def forward(self, x):
        return self.above(self.below(x))


@pytest.mark.parametrize("text", [t for t in TERMS if "OnBranch" not in t and "Even" not in t])  # read z
def test_half_precision_is_computed_in_single(text):
    made, (h, y, ids) = top().float(), features()
    h = h.bfloat16()
    loss = term(text).float()
    embedded = made(h.float())
    whole = loss(embedded, y, ids=ids)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = loss(embedded._replace(h=h, images=h, z=embedded.z.bfloat16()), y, ids=ids)
    assert inside.dtype == torch.float32
    torch.testing.assert_close(inside, whole)


def test_without_gradient_the_value_is_the_same():
    made, (h, y, ids) = top(), features()
    for text in TERMS:
        loss = term(text)
        value = loss(made(h), y, ids=ids)
        with torch.no_grad():
            bare = loss(made(h), y, ids=ids)
        assert not bare.requires_grad
        torch.testing.assert_close(bare, value.detach())


def _on_rank(rank, address, out):
    dist.init_process_group("gloo", init_method=f"file://{address}", rank=rank, world_size=2)
    torch.set_num_threads(1)
    mine, found = slice(0, 7) if rank == 0 else slice(7, None), {}
    for text in TERMS:
        loss, made, (h, y, ids) = term(text), top(), features()
        value = loss(made(h[mine]), y[mine], ids=ids[mine])
        value.backward()
        grads = gradients(made) + gradients(loss)
        for g in grads:  # as DDP does
            dist.all_reduce(g)
            g /= 2
        found[text] = (value.detach(), grads)
    torch.save(found, f"{out}.{rank}")
    dist.barrier()
    dist.destroy_process_group()


def test_two_ranks_equal_one():
    with tempfile.TemporaryDirectory() as folder:
        mp.spawn(_on_rank, args=(f"{folder}/meet", f"{folder}/out"), nprocs=2)
        parts = [torch.load(Path(f"{folder}/out.{rank}")) for rank in (0, 1)]
    for text in TERMS:
        loss, made, (h, y, ids) = term(text), top(), features()
        value = loss(made(h), y, ids=ids)
        value.backward()
        for part in parts:
            torch.testing.assert_close(part[text][0], value.detach(), msg=text)
            for ours, theirs in zip(part[text][1], gradients(made) + gradients(loss), strict=True):
                torch.testing.assert_close(ours, theirs, rtol=1e-7, atol=1e-9, msg=text)
