"""The same text of a loss, compiled, over two ranks, and from cached embeddings: the same value and gradient."""

import json
import subprocess
import sys

import pytest
import torch
from torch import nn

import isometry
from isometry import caching
from tests.contract.catalogue import DIM, ORDERED, TEXTS, agree, batch, build, value_and_gradient


def elsewhere(*what):
    done = subprocess.run(
        [sys.executable, "-m", "tests.contract.elsewhere", *what], capture_output=True, text=True, timeout=600
    )
    assert "RESULT" in done.stdout, done.stderr[-2000:]
    return json.loads(done.stdout.split("RESULT")[1])


def same_compiled(found, rtol, atol):
    errors = {text: result["error"] for text, result in found.items() if "error" in result}
    assert not errors
    for text, result in found.items():
        z, y, ids = batch(text, dtype=torch.float32)
        value, grad, _ = value_and_gradient(build(text, torch.float32), z, y, ids=ids)
        torch.testing.assert_close(torch.tensor(result["value"]), value, rtol=rtol, atol=atol, msg=text)
        torch.testing.assert_close(torch.tensor(result["grad"]), grad, rtol=rtol, atol=atol, msg=text)


def test_some_of_the_catalogue_compiles_whole():
    same_compiled(elsewhere("compile", "some"), rtol=1e-4, atol=1e-5)  # in float32, where exponents reach 150


@pytest.mark.slow
def test_the_catalogue_compiles_whole():
    same_compiled(elsewhere("compile"), rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_three_compile_with_inductor():
    same_compiled(elsewhere("compile", "inductor"), rtol=1e-3, atol=1e-4)


def test_two_ranks_equal_one():
    for text, result in elsewhere("ranks").items():
        loss, (z, y, ids) = build(text), batch(text)
        whole = value_and_gradient(loss, z, y, ids=ids)
        double = [torch.tensor(g, dtype=torch.float64) for g in result["grads"]]
        for value in result["values"]:
            value = torch.tensor(value, dtype=torch.float64)
            try:
                agree((value, torch.tensor(result["grad"], dtype=torch.float64), double), whole)
            except AssertionError as error:
                raise AssertionError(f"{text}: {error}") from None


@pytest.mark.parametrize("text", [*TEXTS, *ORDERED])
def test_cached_embeddings_equal_one_batch(text):
    loss, (x, y, ids) = build(text), batch(text)
    model = nn.Sequential(nn.Linear(DIM, DIM), nn.Tanh(), nn.Dropout(0.2), nn.Linear(DIM, DIM)).double()
    results = []
    for cached in (False, True):
        torch.manual_seed(5)
        model.zero_grad()
        loss.zero_grad()
        if cached:
            value = caching.backward(model, x.split(5), lambda embedded: loss(embedded, y, ids=ids))
        else:
            value = loss(torch.cat([model(chunk) for chunk in x.split(5)]), y, ids=ids)
            value.backward()
        grads = [p.grad.clone() for p in (*model.parameters(), *loss.parameters())]
        results.append((value.detach(), torch.zeros(()), grads))
    agree(*results)


def test_running_statistics_are_updated_once():
    loss, (x, y, ids) = build("Contrastive()"), batch("Contrastive()")
    models = [nn.Sequential(nn.Linear(DIM, DIM), nn.BatchNorm1d(DIM)).double() for _ in range(2)]
    models[1].load_state_dict(models[0].state_dict())
    for chunk in x.split(6):
        models[0](chunk)
    caching.backward(models[1], x.split(6), lambda embedded: loss(embedded, y, ids=ids))
    torch.testing.assert_close(dict(models[1].named_buffers()), dict(models[0].named_buffers()))


def test_blocks_without_gradient_take_none(monkeypatch):
    z, y, ids = batch("MultiSimilarity()")
    z.requires_grad_()
    loss, taken = build("MultiSimilarity()"), []
    grad = torch.autograd.grad
    monkeypatch.setattr(torch.autograd, "grad", lambda *a, **k: taken.append(1) or grad(*a, **k))
    with isometry.memory_budget(5 * len(z) * 8):
        value = loss(z, y, ids=ids)
        assert taken
        taken.clear()
        with torch.no_grad():
            torch.testing.assert_close(loss(z, y, ids=ids), value.detach())
        assert not taken
