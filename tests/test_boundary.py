"""What is given wrongly is met with one line that says what was given, what was expected, and the likely fix."""

import json
import subprocess
import sys

import torch

import isometry
from isometry import losses
from tests.boundary_cases import CASES


def test_one_line_says_what_is_wrong():
    done = subprocess.run([sys.executable, "-m", "tests.boundary_cases"], capture_output=True, text=True)
    assert "RESULT" in done.stdout, done.stderr
    messages = json.loads(done.stdout.split("RESULT")[1])
    for message, (_, says) in zip(messages, CASES, strict=True):
        assert says in message
        assert "\n" not in message


def test_in_python_as_the_readme_says():
    x, y = torch.randn(8, 16), torch.arange(8) // 2
    loss = losses.MultiSimilarity(alpha=2.0)
    r, y_r = torch.randn(5, 16), torch.tensor([0, 1, 2, 3, 0])
    assert loss(x, y).shape == loss(x, y, against=(r, y_r)).shape == ()
    assert loss.per_row(x, y).shape == (8,)
    loss(x, y)
    assert loss.stats.keys() == {"active", "positive", "negative"}
    assert losses.ProxyAnchor(num_classes=100, dim=16)(x, y).isfinite()
    assert isometry.parse("ProxyAnchor()", num_classes=100, dim=16)(x, y).isfinite()


def test_a_sum_scales_its_terms():
    x, y = torch.randn(8, 5), torch.arange(8) // 2
    total = 2 * (losses.Contrastive() + 0.5 * losses.SupCon())
    assert repr(total) == "2.0 * Contrastive() + 1.0 * SupCon()".replace("1.0 * ", "")
    torch.testing.assert_close(total(x, y), 2 * losses.Contrastive()(x, y) + losses.SupCon()(x, y))


def test_rows_makes_only_these_queries_and_ids_tell_self_pairs():
    x, y = torch.randn(8, 5, dtype=torch.float64), torch.arange(8) // 2
    loss = losses.SupCon()
    torch.testing.assert_close(loss(x, y, rows=torch.tensor([2, 5])), loss.per_row(x, y)[[2, 5]].mean())
    plain, told = (loss(x, y, against=against, ids=torch.arange(8)) for against in ((x, y), (x, y, torch.arange(8))))
    torch.testing.assert_close(told, loss(x, y))
    assert plain != told


def test_losses_of_one_class_have_their_own_proxies():
    a, b = (losses.ProxyAnchor(num_classes=3, dim=2) for _ in range(2))
    assert a.reference.weight is not b.reference.weight
    assert not torch.equal(a.reference.weight, b.reference.weight)


def test_a_plug_in_is_found_by_entry_point(monkeypatch):
    from isometry import expression

    class Point:
        name = "Mine"

        @staticmethod
        def load():
            return losses.SupCon

    monkeypatch.setattr(expression, "entry_points", lambda group: [Point] if group == "isometry.components" else [])
    expression.names.cache_clear()
    try:
        assert isinstance(isometry.parse("Mine(temperature=0.5)"), losses.SupCon)
    finally:
        monkeypatch.undo()
        expression.names.cache_clear()
