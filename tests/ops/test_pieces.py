"""Distances made piece by piece are those made at once, whatever the pieces."""

import pytest
import torch

from isometry.ops.pieces import in_pieces


@pytest.mark.parametrize("lists", [(), (3,), (2, 3)])
@pytest.mark.parametrize("room", [1, 7, 20, 60, 10**6])
def test_pieces_make_the_whole(lists, room):
    rows, cols = torch.randn(*lists, 5, 2), torch.randn(*lists, 4, 2)
    seen = []

    def apart(a, b):
        seen.append(a.shape[0] * a.shape[1] * b.shape[1])
        return torch.cdist(a, b)

    torch.testing.assert_close(in_pieces(apart, rows, cols, 1, room), torch.cdist(rows, cols))
    assert max(seen) <= max(room, 4)  # one row against all columns is the least


@pytest.mark.parametrize("shape", [(0, 5, 0, 4), (2, 0, 2, 4), (2, 5, 2, 0)])
def test_nothing_is_compared_with_nothing(shape):
    rows, cols = torch.zeros(*shape[:2], 3), torch.zeros(*shape[2:], 3)
    assert in_pieces(torch.cdist, rows, cols, 1).shape == (shape[0], shape[1], shape[3])
