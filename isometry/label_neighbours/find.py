"""From labels to neighbours: which way, and where they are kept."""

import hashlib
import importlib.util
import warnings
from contextlib import suppress
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from isometry.label_metric import LabelMetric
from isometry.label_neighbours.distinct import distinct, handed_out
from isometry.label_neighbours.lists import Index, Labels, proven
from isometry.label_neighbours.neighbours import Neighbours, kept, open_neighbours, own_folder
from isometry.ops.memory import in_bytes

EXACT = 20_000
"""So many distinct labels are searched exactly unless it is asked for otherwise; all distances of more take minutes."""


@torch.no_grad()
def label_neighbours(
    labels: Tensor | np.ndarray,
    metric: LabelMetric,
    k: int = 5,
    *,
    folder: str | Path | None = None,
    exact: bool | None = None,
    recall: float = 0.95,
    seed: int = 0,
    memory: str | int = "256 MB",
) -> Neighbours:
    """The k nearest others of every item by label distance, nearest first; memory and files are of order n·k.

    Exact lists come from shortlists by the vectors that bound the metric, each proven by the bound, and from all distances
    where it proves nothing. Above 20,000 distinct labels an inverted index over these vectors (over distances to 64
    landmarks where nothing bounds the metric) makes the shortlists instead, the metric ranks them, and `recall` of the
    result says what share of the true neighbours 256 random labels found. Without faiss every search is exact.

    An unknown label has no neighbours and is nobody's. Equal labels are at distance 0 and taken in turn, beginning after
    the item; different labels at one distance come in the order in which they first appear. The same call gives the same lists.

    Args:
        labels: `[n t]`, `[n]`, or what else the metric reads; may be memory-mapped.
        folder: where to keep them, memory-mapped; what lies there is used if it was made from the same, else replaced. A
            metric is told by its `mark`: what a function of yours found is always found anew. Nothing but such lists is
            replaced.
        exact: whether lists must be proven; by default for up to 20,000 distinct labels.
        recall: the share of true neighbours that an index aims at. It looks into 64 cells at most, so that labels of many
            independent dimensions may stay below it: the result says so.
        memory: working memory beside the labels, a copy of them, and the index.

    >>> from isometry.relations import CloseTargets
    >>> label_neighbours(torch.tensor([0.0, 5.0, 5.1, 9.0, float("nan")]), CloseTargets(), k=2).index[:4].tolist()
    [[1, 2], [2, 3], [1, 3], [2, 1]]

    Raises:
        ValueError: for k below 1, a share that is none, labels that the metric does not read, or a folder of other things.
    """
    if k < 1 or not 0 < recall <= 1 or len(labels) == 0:
        raise ValueError(
            f"k is 1 or more, recall in (0, 1], labels some; got k={k}, recall={recall:g}, {len(labels)} labels."
        )
    content = hash_of(labels)
    mark = _told(content, metric, k, exact, recall, seed)
    about = {"metric": repr(metric), "n": len(labels), "k": k, "labels": content, "fingerprint": mark}
    if folder is not None:
        with suppress(FileNotFoundError, ValueError):
            return open_neighbours(folder, mark)
        folder = own_folder(folder, about)
    y = metric.prepared(_tensor(labels)).detach().cpu()
    groups = distinct(y, metric.known(y).numpy().nonzero()[0])
    of = Labels(groups.labels, metric, k, in_bytes(memory))
    prove = len(of.y) <= EXACT if exact is None else exact
    prove = prove or importlib.util.find_spec("faiss") is None or len(of.y) < 3
    index = None if prove else Index(of, recall, seed)
    with kept(folder, len(y), k, {**about, "distinct": len(of.y)}) as (write, close):
        for found in proven(of) if index is None else index.lists():
            rows, lists, gaps = (part.numpy() for part in found)
            for block in handed_out(groups, rows, lists, gaps, k):
                write(*block)
        return close(index is None, None if index is None else index.audit())


def fingerprint(
    labels: Tensor | np.ndarray,
    metric: LabelMetric,
    k: int,
    *,
    exact: bool | None = None,
    recall: float = 0.95,
    seed: int = 0,
) -> str | None:
    """What tells neighbours made from these labels in this way from all others, as text; None where nothing tells the metric."""
    return _told(hash_of(labels), metric, k, exact, recall, seed)


def hash_of(labels: Tensor | np.ndarray) -> str:
    """What tells labels from all others, as text: their kind, shape and content."""
    values = _tensor(labels)
    digest = hashlib.sha256(f"{values.dtype} {tuple(values.shape)}".encode())
    for start in range(0, len(values), 2**16):
        digest.update(np.ascontiguousarray(values[start : start + 2**16].cpu().numpy()).tobytes())
    return digest.hexdigest()[:32]


def _told(content: str, metric: LabelMetric, k: int, exact: bool | None, recall: float, seed: int) -> str | None:
    mark = metric.mark()
    said = repr((content, mark, k, exact, recall, seed)).encode()
    return None if mark is None else hashlib.sha256(said).hexdigest()[:32]


def _tensor(labels: Tensor | np.ndarray) -> Tensor:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a file mapped for reading is not written to
        return torch.as_tensor(labels)
