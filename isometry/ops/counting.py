"""How many items of a row lie above a value."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

LONG = 1024  # items of a row from which on a call for each row is worth it


def above_and_equal(
    sim: Float[Tensor, "n m"], value: Float[Tensor, "n p"]
) -> tuple[Int[Tensor, "n p"], Int[Tensor, "n p"]]:
    """For each value of a row, how many items of the row are larger, and how many are equal.

    Meant for few values: each is compared with all items. On a processor numpy counts, row by row, while the row is in
    its cache: torch takes many times as long to sum booleans.

    >>> above_and_equal(torch.tensor([[3.0, 1.0, 2.0, 2.0]]), torch.tensor([[2.0, 5.0]]))
    (tensor([[1, 0]]), tensor([[2, 0]]))
    """
    if sim.device.type != "cpu":
        above, equal = torch.zeros((2, *value.shape), dtype=torch.int64, device=sim.device)
        for j, one in enumerate(value.unbind(1)):
            above[:, j], equal[:, j] = (sim > one[:, None]).sum(1), (sim == one[:, None]).sum(1)
        return above, equal
    items, values = sim.contiguous().numpy(), value.numpy()
    above, equal = np.zeros(values.shape, dtype=np.int64), np.zeros(values.shape, dtype=np.int64)

    def count(rows: range) -> None:
        for i in rows:
            row = items[i]
            for j, one in enumerate(values[i]):
                above[i, j] = np.count_nonzero(row > one)
                equal[i, j] = np.count_nonzero(row == one)

    in_threads(count, len(items))
    return torch.from_numpy(above), torch.from_numpy(equal)


def how_many(mask: Bool[Tensor, "n m"]) -> Int[Tensor, " n"]:
    """How many of each row are true; for rows that are long."""
    if mask.device.type != "cpu" or mask.shape[1] < LONG:
        return mask.sum(1)
    items, many = mask.numpy(), np.zeros(len(mask), dtype=np.int64)

    def count(rows: range) -> None:
        for i in rows:
            many[i] = np.count_nonzero(items[i])

    in_threads(count, len(items))
    return torch.from_numpy(many)


def in_threads(work: Callable[[range], None], n: int) -> None:
    """`work(range)` on even parts of 0 … n − 1, on as many threads as torch has."""
    threads = max(1, min(torch.get_num_threads(), n))
    parts = [range(n * i // threads, n * (i + 1) // threads) for i in range(threads)]
    if threads == 1:
        work(parts[0])
        return
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, parts))
