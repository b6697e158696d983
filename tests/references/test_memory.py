"""Cross-batch memory: first in, first out, told from copies by id, with the paper's schedule; and mixed references."""

import pytest
import torch

import isometry
from isometry import losses, references
from isometry.samples import Samples
from tests.contract.catalogue import CONTINUOUS, TEXTS, agree, batch, build, value_and_gradient

F64 = torch.float64
COMPARED_WITH_THE_BATCH = [
    text for text in TEXTS
    if hasattr(loss := build(text), "reference") and loss.reference is references.batch and text not in CONTINUOUS
]  # fmt: skip


def show(memory, labels, ids):
    labels, ids = torch.tensor(labels), torch.tensor(ids)
    memory.observe(Samples(ids[:, None].expand(-1, memory.dim).float(), labels, ids))


def held(memory, rows=(0,)):
    """What a batch of these ids is compared with."""
    ids = torch.tensor(rows)
    return memory(Samples(torch.zeros(len(ids), memory.dim), torch.zeros_like(ids), ids))


@pytest.mark.parametrize("sizes", [(2, 2, 2, 2), (3, 3, 3), (1, 4, 2, 5), (5, 9), (12,)])
def test_the_last_items_are_held_whatever_the_sizes_of_batches(sizes):
    memory, start = references.Memory(size=5, dim=2), 0
    for n in sizes:
        ids = list(range(start, start + n))
        show(memory, [i % 3 for i in ids], ids)
        start += n
        found = held(memory)
        assert sorted(found.z[:, 0].tolist()) == list(range(max(0, start - 5), start))
        assert torch.equal(found.y, found.z[:, 0].long() % 3)


def test_the_wrap_of_the_official_code_is_not_copied():
    """1 1 2 2 3 3 . . and then 5 5 6 6: its last batch would be half lost, ours replaces the two oldest."""
    memory = references.Memory(size=8, dim=1)
    for start, labels in ((0, [1, 1, 2, 2, 3, 3]), (6, [5, 5, 6, 6])):
        show(memory, labels, list(range(start, start + len(labels))))
    assert held(memory).y.tolist() == [6, 6, 2, 2, 3, 3, 5, 5]


def test_label_zero_in_the_last_slot_is_a_label():
    memory = references.Memory(size=4, dim=1)
    show(memory, [1, 2, 3, 0], [0, 1, 2, 3])
    assert held(memory).y.tolist() == [1, 2, 3, 0]
    show(memory, [0], [4])
    assert sorted(held(memory).y.tolist()) == [0, 0, 2, 3]


def test_an_item_is_told_from_its_copy_in_the_current_batch_and_not_from_its_past():
    def pairs(memory):
        show(memory, [0, 0], [7, 8])
        show(memory, [0, 0], [7, 9])
        found = held(memory)
        return sorted(found.z[:, 0].tolist()), [int((found.ids == i).sum()) for i in (7, 9)]

    assert pairs(references.Memory(size=9, dim=1)) == ([7, 7, 8, 9], [1, 1])
    assert pairs(references.Memory(size=9, dim=1, include_past_self=False)) == ([7, 7, 8, 9], [2, 1])
    assert pairs(references.Memory(size=9, dim=1, include_current=False)) == ([7, 8], [0, 0])
    assert pairs(references.Memory(size=9, dim=1, include_current=False, include_past_self=False)) == ([7, 8], [1, 0])
    assert pairs(references.Memory(size=3, dim=1, include_current=False)) == ([8], [0, 0])


def test_an_earlier_embedding_of_an_item_is_a_positive_of_it_as_in_the_official_code():
    z, y, ids = torch.tensor([[1.0, 0.0], [0.0, 1.0]], dtype=F64), torch.tensor([0, 1]), torch.tensor([0, 1])
    turned = torch.tensor([[0.6, 0.8], [-0.8, 0.6]], dtype=F64)
    for text, value in (("", 0.4 + (0.8 - 0.5)), (", include_past_self=False", 0.8 - 0.5)):
        loss = isometry.parse(f"Contrastive(reference=Memory(size=4{text}))", dim=2).double()
        loss.observe(z, y, ids)
        loss.observe(turned, y, ids)
        assert loss(turned, y, ids=ids).item() == pytest.approx(value)


def test_the_published_schedule():
    """L(batch, batch) alone for `start` steps; then + w·L(batch, memory), the current batch remembered first."""
    total = isometry.parse("Contrastive() + 0.5 * Contrastive(reference=Memory(size=40, start=2))", dim=5).double()
    plain, seen = losses.Contrastive(), []
    for step in range(5):
        z, y, ids = batch("Contrastive()", seed=step)
        ids = ids + 100 * step  # no image comes twice
        total.observe(z, y, ids)
        ours = value_and_gradient(total, z, y, ids=ids)
        if step >= 2:
            seen.append((z, y, ids))
        x = z.clone().requires_grad_()
        expected = plain(x, y, ids=ids)
        if seen:
            r, y_r, ids_r = (torch.cat(parts)[-40:] for parts in zip(*seen, strict=True))
            expected = expected + 0.5 * plain(x, y, ids=ids, against=(r, y_r, ids_r))
        expected.backward()
        agree(ours, (expected.detach(), x.grad, []))


@pytest.mark.parametrize("text", COMPARED_WITH_THE_BATCH)
def test_before_it_starts_a_memory_costs_nothing(text):
    joint = text[:-1] + ("" if text.endswith("()") else ", ")
    loss, (z, y, ids) = build(f"{joint}reference=Memory(size=9, start=1))"), batch(text)
    loss.observe(z, y, ids)
    value, grad, _ = value_and_gradient(loss, z, y, ids=ids)
    assert value == 0
    assert grad.abs().sum() == 0
    loss.observe(z, y, ids)
    assert loss.reference.held == 9


def test_a_memory_of_the_batch_has_its_value_and_half_its_gradient():
    """For losses that are symmetric in the two sides: the other half comes through the references."""
    z, y, ids = batch("Contrastive()")
    loss = build("Contrastive(reference=Memory(size=18))")
    loss.observe(z, y, ids)
    value, grad, _ = value_and_gradient(loss, z, y, ids=ids)
    agree((value, 2 * grad, []), value_and_gradient(losses.Contrastive(), z, y, ids=ids))


def test_a_resumed_memory_goes_on_as_if_nothing_had_happened():
    text = "Contrastive(reference=Memory(size=7, start=1, include_current=False))"
    one = isometry.parse(text, dim=5).double()
    for step in range(6):
        z, y, ids = batch("Contrastive()", n=4, seed=step)
        if step in (1, 3):
            other = isometry.parse(text, dim=5).double()
            other.load_state_dict(one.state_dict())
            one = other
        one.observe(z, y, ids + 4 * step)
        if step == 0:
            reference = isometry.parse(text, dim=5).double()
            reference.load_state_dict(one.state_dict())
        else:
            reference.observe(z, y, ids + 4 * step)
        assert torch.equal(one(z, y, ids=ids + 4 * step), reference(z, y, ids=ids + 4 * step))
    assert one.reference.steps == 6


def test_a_mixed_reference_is_both_lists_in_one():
    loss = isometry.parse(
        "MultiSimilarity(reference=Mixed(second=Memory(size=40, include_current=False)))", dim=5
    ).double()
    z0, y0, ids0 = batch("MultiSimilarity()", seed=3)
    z, y, ids = batch("MultiSimilarity()", seed=4)
    ids = ids + 50
    loss.observe(z0, y0, ids0)
    loss.observe(z, y, ids)
    x = z.clone().requires_grad_()
    against = (torch.cat([x, z0]), torch.cat([y, y0]), torch.cat([ids, ids0]))
    expected = losses.MultiSimilarity()(x, y, ids=ids, against=against)
    expected.backward()
    agree(value_and_gradient(loss, z, y, ids=ids), (expected.detach(), x.grad, []))


def test_a_mixed_reference_with_proxies_keeps_items_apart_from_themselves():
    loss = isometry.parse("SupCon(reference=Mixed(first=Proxies()))", num_classes=6, dim=5).double()
    loss.reference.second.observe(Samples(*batch("SupCon()", seed=8)))
    proxies = isometry.parse("SupCon(reference=Mixed(second=Proxies()))", num_classes=6, dim=5).double()
    z, y, ids = batch("SupCon()")
    rows = torch.cat([z, proxies.reference.second.weight])
    against = (rows, torch.cat([y, torch.arange(6)]), torch.cat([ids, torch.arange(100, 106)]))
    torch.testing.assert_close(proxies(z, y, ids=ids), losses.SupCon()(z, y, ids=ids, against=against))
    assert loss(z, y, ids=ids).isfinite()
    assert loss.reference.needs_pairs is False
    assert loss.reference.uses_batch is False


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: references.Memory(size=0, dim=2), "above 0"),
        (lambda: references.Memory(size=3, start=-1, dim=2), "start"),
        (lambda: held(references.Memory(size=3, dim=2)), "observe"),
    ],
)
def test_what_a_memory_cannot_be(make, says):
    with pytest.raises(ValueError, match=says):
        make()
