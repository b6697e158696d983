"""Stopped gradients: constants to autograd, and held where they were while a derivative is checked."""

import pytest
import torch

from isometry.ops.stop import Tape, stop

X = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)


def weighted(x):
    """Σ stop(x²) x: its stated gradient is x², its derivative 3 x²."""
    return (stop(x.square()) * x).sum()


def slope(function, x):
    x = x.clone().requires_grad_()
    return torch.autograd.grad(function(x), x)[0]


def test_what_is_stopped_keeps_its_value_and_has_no_gradient():
    assert torch.equal(stop(X), X)
    assert not stop(X.clone().requires_grad_()).requires_grad
    torch.testing.assert_close(slope(weighted, X), X.square())


def test_a_replay_holds_the_recorded_values_wherever_x_has_moved():
    tape = Tape()
    with tape.recording():
        weighted(X)
    with tape.replaying():
        assert weighted(X + 1).item() == pytest.approx(float((X.square() * (X + 1)).sum()))
    assert weighted(X + 1).item() == pytest.approx(float((X + 1).pow(3).sum()))


def test_numerical_derivatives_of_a_replay_are_the_stated_gradient():
    tape = Tape()
    with tape.recording():
        weighted(X)

    def held(x):
        with tape.replaying():
            return weighted(x)

    x = X.clone().requires_grad_()
    assert torch.autograd.gradcheck(held, x)
    with pytest.raises(RuntimeError, match="Jacobian mismatch"):
        torch.autograd.gradcheck(weighted, x)


def test_several_stops_are_replayed_in_their_order_and_every_time_from_the_start():
    tape = Tape()

    def two(x):
        return (stop(x) * stop(10 * x)).sum()

    with tape.recording():
        first = two(X)
    for moved in (X, 2 * X, -X):
        with tape.replaying():
            assert two(moved) == first
    with tape.recording():
        second = two(2 * X)
    assert second == 4 * first
    with tape.replaying():
        assert two(X) == second


def test_a_tape_is_let_go_when_its_block_ends_even_by_an_error():
    tape = Tape()
    with pytest.raises(KeyError), tape.recording():
        raise KeyError
    stop(X)
    assert tape.values == []


def test_a_compiled_function_stops_too():
    compiled = torch.compile(weighted, backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(slope(compiled, X), X.square())
