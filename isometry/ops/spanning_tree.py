"""Minimum spanning trees of the positives of a batch."""

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


def tree(
    sim: Float[Tensor, "n m"], pos: Tensor, rows: Int[Tensor, " n"], cols: Int[Tensor, " m"]
) -> Bool[Tensor, "n m"]:
    """Whether a pair is an edge of the tree that joins everything that is positive to each other at the least total
    distance, −sim: of one tree a class, where classes are not joined.

    `rows` and `cols` are ids; an item is a node once, however often it stands among rows and columns, and only if it
    stands among both. Where the two directions of a pair differ in similarity, their mean counts. Among equals, the lowest
    ids come first. Prim's algorithm, O(N²) for N items.
    """
    return torch.ops.isometry.spanning_tree(sim, pos > 0, rows, cols)


@torch.library.custom_op("isometry::spanning_tree", mutates_args=())
def _tree(sim: Tensor, pos: Tensor, rows: Tensor, cols: Tensor) -> Tensor:
    row_ids, col_ids = rows.cpu().numpy(), cols.cpu().numpy()
    nodes = np.intersect1d(row_ids, col_ids)
    at_row, at_col = _first(row_ids, nodes), _first(col_ids, nodes)
    distance = -sim.detach().cpu().double().numpy()[np.ix_(at_row, at_col)]
    joined = pos.cpu().numpy()[np.ix_(at_row, at_col)]
    distance = np.where(joined & joined.T, (distance + distance.T) / 2, np.inf)
    edge = np.zeros((len(nodes) + 1, len(nodes) + 1), dtype=bool)  # the last is for items that are no nodes
    for a, b in _prim(distance):
        edge[a, b] = edge[b, a] = True
    place_row, place_col = _place(row_ids, nodes), _place(col_ids, nodes)
    return torch.from_numpy(edge[np.ix_(place_row, place_col)]).to(sim.device)


@_tree.register_fake
def _(sim: Tensor, pos: Tensor, rows: Tensor, cols: Tensor) -> Tensor:
    return torch.empty(sim.shape, dtype=torch.bool, device=sim.device)


def _prim(distance: np.ndarray) -> list[tuple[int, int]]:
    """Edges of the minimum spanning forest; infinite distances join nothing."""
    edges, out = [], np.ones(len(distance), dtype=bool)
    nearest, by = np.full(len(distance), np.inf), np.zeros(len(distance), dtype=np.int64)
    for _ in range(len(distance)):
        new = int(np.argmin(np.where(out, nearest, np.inf)))
        if not out[new] or np.isinf(nearest[new]):
            new = int(np.argmax(out))  # nothing left to reach: the next tree begins
        else:
            edges.append((int(by[new]), new))
        out[new] = False
        closer = out & (distance[new] < nearest)
        nearest[closer], by[closer] = distance[new][closer], new
    return edges


def _first(ids: np.ndarray, nodes: np.ndarray) -> np.ndarray:
    """Where each node stands first among `ids`."""
    order = np.argsort(ids, kind="stable")
    return order[np.searchsorted(ids[order], nodes)]


def _place(ids: np.ndarray, nodes: np.ndarray) -> np.ndarray:
    """The number of each id among the nodes; their count where it is none."""
    place = np.searchsorted(nodes, ids)
    found = nodes[np.minimum(place, max(len(nodes) - 1, 0))] == ids if len(nodes) else np.zeros(len(ids), dtype=bool)
    return np.where(found, place, len(nodes))
