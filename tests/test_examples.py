"""The examples run, and learn: they are what people copy."""

import importlib
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.fixture(autouse=True)
def _from_examples(monkeypatch):
    monkeypatch.syspath_prepend(str(EXAMPLES))
    known = set(sys.modules)
    yield
    for name in {p.stem for p in EXAMPLES.glob("*.py")} & (set(sys.modules) - known):
        del sys.modules[name]


def example(name: str):
    return importlib.import_module(name)


def test_own_loop_learns_on_letters_it_never_saw():
    before, after = example("own_loop").main()
    assert after > before + 0.08


@pytest.mark.slow
def test_it_learns_in_lightning():
    pytest.importorskip("lightning", reason="lightning is not installed: pip install 'isometry[dev]'")
    before, after = example("in_lightning").main()
    assert after > before + 0.1


@pytest.mark.slow
def test_it_learns_in_the_hugging_face_trainer():
    pytest.importorskip("transformers", reason="transformers is not installed: pip install 'isometry[dev]'")
    before, after = example("in_trainer").main()
    assert after > before + 0.08


def test_rates_give_proxies_the_multiple_that_they_declare():
    letters = example("letters")
    import isometry

    loss = isometry.parse("ProxyAnchor() + MultiSimilarity(reference=Memory(size=8))", num_classes=3, dim=4)
    (group,) = letters.rates(loss, 0.001)
    assert loss.terms[0].reference.lr_multiple == 100
    assert group["lr"] == pytest.approx(0.1)
    assert [list(p.shape) for p in group["params"]] == [[3, 4]]


def test_own_loss_is_the_same_in_blocks():
    dense, blocked = example("own_loss").main()
    assert blocked == pytest.approx(dense, rel=1e-6)


class _EntryPoint:
    """What `entry_points(group="isometry.components")` gives for a plug-in."""

    name = "Binomial"

    def load(self):
        return example("own_loss").Binomial


def test_own_loss_parses_from_text_once_registered(monkeypatch):
    """The path of a plug-in: registered as an entry point, written as text, its own text parses back."""
    import torch

    import isometry
    from isometry import expression

    monkeypatch.setattr(
        expression, "entry_points", lambda group: [_EntryPoint()] if group == expression.PLUGINS else []
    )
    expression.names.cache_clear()
    try:
        loss = isometry.parse("Binomial(beta=25) + 0.1 * KoLeo()")
        assert repr(loss) == "Binomial(beta=25.0) + 0.1 * KoLeo()"
        assert repr(isometry.parse(repr(loss))) == repr(loss)
        with_memory = isometry.parse("Binomial(reference=Memory(size=64), miner=MultiSimilarityMiner())", dim=4)
        z, y, ids = torch.randn(16, 4, requires_grad=True), torch.arange(16) % 4, torch.arange(16)
        with_memory.observe(z, y, ids)
        with_memory(z, y, ids=ids).backward()
        assert z.grad is not None
        assert z.grad.abs().sum() > 0
        with pytest.raises(ValueError, match="Did you mean 'beta'"):
            isometry.parse("Binomial(betta=25)")
    finally:
        monkeypatch.undo()
        expression.names.cache_clear()
