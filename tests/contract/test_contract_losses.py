"""Laws that every loss and regulariser obeys. See DESIGN §5; a new file in `losses/` is covered by itself."""

import numpy as np
import pytest
import torch

import isometry
from isometry import references
from isometry.ops.stop import Tape
from tests.contract.catalogue import (
    CLASSES,
    CONTINUOUS,
    DIM,
    LABEL_FREE,
    ORACLES,
    STEPWISE,
    TEXTS,
    agree,
    batch,
    build,
    value_and_gradient,
)

every = pytest.mark.parametrize("text", TEXTS)


@every
def test_value_and_gradient_are_finite(text):
    for dtype in (torch.float64, torch.float32):
        z, y, ids = batch(text, dtype=dtype)
        value, grad, grads = value_and_gradient(build(text, dtype), z, y, ids=ids)
        assert value.shape == ()
        assert value.dtype == dtype
        assert all(torch.isfinite(t).all() for t in (value, grad, *grads))
        assert grad.abs().sum() > 0


@pytest.mark.parametrize("fast_mode", [True, pytest.param(False, marks=pytest.mark.slow)])
@every
def test_gradient_is_the_derivative_of_the_value(text, fast_mode):
    """In a random direction; in every coordinate where there is time."""
    loss, (z, y, ids) = build(text), batch(text, n=9)
    tape = Tape()
    with tape.recording():
        loss(z, y, ids=ids)

    def value(x):
        with tape.replaying():  # what the paper holds constant is held constant
            return loss(x, y, ids=ids)

    assert torch.autograd.gradcheck(value, z.requires_grad_(), atol=1e-6, fast_mode=fast_mode)


def test_every_default_form_has_an_oracle():
    assert {t for t in TEXTS if t.endswith("()") and "+" not in t} <= ORACLES.keys()


@pytest.mark.parametrize("text", ORACLES)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_equals_the_double_loop_of_its_paper(text, seed):
    loss, (z, y, ids) = build(text), batch(text, seed=seed)
    if text not in CONTINUOUS | LABEL_FREE:
        y[seed] = -1
    more = [p.detach().numpy() for p in loss.parameters()]
    expected = ORACLES[text](z.numpy(), y.numpy(), *more)
    np.testing.assert_allclose(loss(z, y, ids=ids).item(), expected, rtol=1e-9)


@every
def test_order_of_the_batch_does_not_matter(text):
    loss, (z, y, ids) = build(text), batch(text)
    order = torch.randperm(len(z))
    value, grad, grads = value_and_gradient(loss, z, y, ids=ids)
    turned = value_and_gradient(loss, z[order], y[order], ids=ids[order])
    agree((value, grad[order], grads), turned)


@every
def test_order_of_the_references_does_not_matter(text):
    loss, (z, y, ids) = build(text), batch(text)
    if any(True for _ in loss.parameters()):
        pytest.skip("its references are its own proxies")
    order = torch.randperm(len(z))
    a = value_and_gradient(loss, z, y, ids=ids, against=(z.detach(), y, ids))
    b = value_and_gradient(loss, z, y, ids=ids, against=(z.detach()[order], y[order], ids[order]))
    agree(a, b)


@every
def test_a_weight_of_two_is_being_listed_twice(text):
    loss, (z, y, ids) = build(text), batch(text)
    twice = torch.cat([torch.arange(len(z)), torch.tensor([0, 3])])
    weight = torch.ones(len(z), dtype=z.dtype)
    weight[[0, 3]] = 2
    torch.testing.assert_close(
        loss(z, y, ids=ids, weight=weight), loss(z[twice], y[twice], ids=ids[twice]), rtol=1e-9, atol=1e-11
    )


@every
def test_unknown_labels_change_nothing(text):
    if text in LABEL_FREE or "KoLeo" in text:
        pytest.skip("reads no labels")
    loss, (z, y, ids) = build(text), batch(text)
    unknown = torch.full((4,), torch.nan, dtype=y.dtype) if text in CONTINUOUS else torch.full((4,), -1)
    more = (torch.cat([z, torch.randn(4, DIM, dtype=z.dtype)]), torch.cat([y, unknown]), torch.arange(len(z) + 4))
    value, grad, grads = value_and_gradient(loss, *more[:2], ids=more[2])
    agree((value, grad[: len(z)], grads), value_and_gradient(loss, z, y, ids=ids))
    assert grad[len(z) :].abs().max() == 0


@every
@pytest.mark.parametrize("case", ["no positives", "one class", "one row", "no row", "collapsed", "all unknown"])
def test_degenerate_batches_are_finite(text, case):
    loss, (z, y, ids) = build(text), batch(text)
    if case == "one row":
        z, y, ids = z[:1], y[:1], ids[:1]
    elif case == "no row":
        z, y, ids = z[:0], y[:0], ids[:0]
    elif case == "collapsed":
        z = torch.ones_like(z)
    elif text not in CONTINUOUS:
        z, ids = z[:CLASSES], ids[:CLASSES]
        y = {
            "no positives": torch.arange(CLASSES),
            "one class": torch.zeros(CLASSES, dtype=torch.int64),
            "all unknown": torch.full((CLASSES,), -1),
        }[case]
    value, grad, grads = value_and_gradient(loss, z, y, ids=ids)
    assert all(torch.isfinite(t).all() for t in (value, grad, *grads))
    if case in ("all unknown", "no row") and text not in LABEL_FREE | CONTINUOUS and "KoLeo" not in text:
        assert value == 0
        assert grad.abs().sum() == 0


@every
def test_near_duplicates_in_float32_are_finite(text):
    loss, (z, y, ids) = build(text, torch.float32), batch(text, dtype=torch.float32)
    z = z[:1] + 1e-5 * torch.randn_like(z)
    value, grad, grads = value_and_gradient(loss, z, y, ids=ids)
    assert all(torch.isfinite(t).all() for t in (value, grad, *grads))


@every
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_computed_in_single(text, dtype):
    loss, (z, y, ids) = build(text, torch.float32), batch(text, dtype=torch.float32)
    z = z.to(dtype)
    torch.testing.assert_close(loss(z, y, ids=ids), loss(z.float(), y, ids=ids))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        torch.testing.assert_close(loss(z.float(), y, ids=ids), loss(z.float(), y, ids=ids))
        inside = loss(z.float(), y, ids=ids)
    torch.testing.assert_close(inside, loss(z.float(), y, ids=ids))
    assert inside.dtype == torch.float32


@every
@pytest.mark.parametrize("rows", [1, 5, 7])
def test_blocks_equal_the_whole(text, rows):
    loss, (z, y, ids) = build(text), batch(text)
    whole = value_and_gradient(loss, z, y, ids=ids)
    with isometry.memory_budget(rows * len(z) * 8):
        agree(value_and_gradient(loss, z, y, ids=ids), whole)


@every
def test_per_row_adds_up(text):
    loss, (z, y, ids) = build(text), batch(text)
    if not hasattr(loss, "per_row"):
        pytest.skip("a sum, or a term without rows of pairs")
    per_row = loss.per_row(z, y, ids=ids)
    assert per_row.ndim == 1
    with isometry.memory_budget(3 * len(z) * 8):
        torch.testing.assert_close(loss.per_row(z, y, ids=ids), per_row)


@every
def test_a_memory_of_this_batch_is_the_batch_with_detached_references(text):
    compared = getattr(build(text), "reference", None)
    if compared is not references.batch or text in CONTINUOUS:
        pytest.skip("not compared with the batch, or not by class")
    z, y, ids = batch(text)
    joint = text[:-1] + ("" if text.endswith("()") else ", ")
    loss = build(f"{joint}reference=Memory(size={len(z)}))")
    twin = build(text)
    for each in (loss, twin):
        each.observe(z, y, ids)
    ours = value_and_gradient(loss, z, y, ids=ids)
    agree(ours, value_and_gradient(twin, z, y, ids=ids, against=(z.detach(), y, ids)))
    torch.testing.assert_close(ours[0], twin(z, y, ids=ids), rtol=1e-9, atol=1e-11)


@every
def test_state_dict_round_trip(text):
    loss, other = build(text, seed=1), build(text, seed=2)
    other.load_state_dict(loss.state_dict())
    z, y, ids = batch(text)
    torch.testing.assert_close(loss(z, y, ids=ids), other(z, y, ids=ids), rtol=0, atol=0)


@every
def test_text_is_the_config(text):
    loss = build(text)
    assert repr(build(repr(loss))) == repr(loss) == text


@pytest.mark.parametrize("text", [t for t in TEXTS if t not in CONTINUOUS | LABEL_FREE | STEPWISE])
def test_a_step_down_the_gradient_lowers_it(text):
    loss, (z, y, ids) = build(text), batch(text)
    value, grad, _ = value_and_gradient(loss, z, y, ids=ids)
    assert loss(z - 1e-4 * grad, y, ids=ids) < value
