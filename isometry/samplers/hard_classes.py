"""Stochastic class-based hard example mining (Suh, Han, Kim and Lee, CVPR 2019)."""

from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from isometry.ops.neighbours import nearest
from isometry.ops.ranking import minus_distance
from isometry.samplers.batches import BatchSampler, Plan, random_keys

NEVER = 2**62


class HardClasses(BatchSampler):
    """Puts classes into a batch together with those that lie nearest to them: `anchors` × (1 + `hard`) × `instances` images.

    How near classes are is told by their signatures (one vector a class): `take(signatures, epoch)` looks for the nearest
    of each, and batches heed it from the epoch after `epoch` on, so that reading ahead and resuming change nothing. Before
    that, classes are random. Signatures may be the proxies of a loss trained beside, as in the paper
    (`Triplet() + NormSoftmax()`), or running means (`Signatures`). The paper measures from an anchor's own embedding, which
    is not known before the batch is; here from its class.

    In a round every class is an anchor once, in random order; `hard` classes nearest to it follow, of those that the
    batch does not have yet. A class walks through its images in random order. Classes of a single image and items without
    a label (−1) are left out. What was taken is a buffer: it is saved with `state_dict()` and loaded after `bind`.

    Raises:
        ValueError: (from `bind`) when there are fewer classes than a batch holds.
    """

    needs_signatures: ClassVar[bool] = True
    anchors: int = 8
    hard: int = 3
    instances: int = 4
    seed: int = 0

    def __post_init__(self) -> None:
        if self.anchors < 1 or self.hard < 0 or self.instances < 1:
            raise ValueError(f"HardClasses wants at least one anchor and one instance; got {self!r}.")
        self.near: Tensor
        self.since: Tensor
        self.register_buffer("near", torch.full((2, 0, 0), -1))  # what batches heed, and what they are about to
        self.register_buffer("since", torch.tensor([0, NEVER]))
        self.names = np.zeros(0, dtype=np.int64)

    def plan(self, labels: np.ndarray) -> Plan:
        self.names, counts = np.unique(labels[labels >= 0], return_counts=True)
        self.names, counts = self.names[counts > 1], counts[counts > 1]
        held = self.anchors * (1 + self.hard)
        if len(self.names) < held:
            raise ValueError(f"{self!r} holds {held} classes of two images or more, and there are {len(self.names)}.")
        self.near = torch.full((2, len(self.names), max(1, held - 1)), -1, device=self.near.device)
        self.since = torch.tensor([0, NEVER], device=self.near.device)
        items = np.flatnonzero(np.isin(labels, self.names))
        items = items[np.argsort(labels[items], kind="stable")]  # class by class
        in_round = -(-len(self.names) // self.anchors)
        rounds = max(1, round(len(items) / (in_round * held * self.instances)))

        def draw(epoch: int) -> np.ndarray:
            keys, *drawn = random_keys(self.seed, epoch, len(items), *[len(self.names)] * 2 * rounds)
            turns = [np.argsort(turn, kind="stable") for turn in drawn]
            walk, first = items[np.lexsort((keys, labels[items]))], counts.cumsum() - counts
            near = self.near[int(epoch >= int(self.since[1]))].cpu().numpy()
            groups = [g for k in range(rounds) for g in self._groups(turns[k], turns[rounds + k], near)]
            owner = np.concatenate(groups)
            before = _earlier(owner)[:, None] * self.instances + np.arange(self.instances)
            return walk[first[owner, None] + before % counts[owner, None]].reshape(len(groups), -1)

        return Plan(rounds * in_round, held * self.instances, draw)

    def _groups(self, order: np.ndarray, others: np.ndarray, near: np.ndarray) -> list[list[int]]:
        """The classes of each batch of a round, in which `order` is the turn of the anchors. Where nothing is known of what is
        near one, classes follow it in the turn of `others`, and batches that follow each other share few.
        """
        groups = []
        for start in range(0, len(order), self.anchors):
            anchors = order.take(range(start, start + self.anchors), mode="wrap").tolist()
            first, held = start * self.hard, self.anchors * (1 + self.hard)
            rest = others.take(range(first, first + min(2 * held, len(others))), mode="wrap")
            group, have = [], set(anchors)
            for anchor in anchors:
                group.append(anchor)
                wanted = near[anchor] if near[anchor, 0] >= 0 else rest
                for other in [c for c in wanted.tolist() if c not in have][: self.hard]:
                    group.append(other)
                    have.add(other)
            groups.append(group)
        return groups

    def take(self, signatures: Tensor, epoch: int, classes: Tensor | None = None) -> None:
        """Heeds these signatures `[C d]` from the epoch after `epoch` on.

        Args:
            classes: which classes they are of; 0 … C − 1 unless given. Others than those in the data are passed over.

        Raises:
            ValueError: when a class has no signature.
        """
        of = np.arange(len(signatures)) if classes is None else classes.cpu().numpy()
        row = {int(c): k for k, c in enumerate(of)}
        missing = [int(c) for c in self.names if int(c) not in row]
        if missing:
            raise ValueError(f"{len(missing)} of {len(self.names)} classes have no signature, among them {missing[0]}.")
        w = signatures.detach()[[row[int(c)] for c in self.names]].float()
        at = torch.arange(len(w), device=w.device)
        found = nearest(w, w, self.near.shape[2], ids_q=at, ids_g=at, similarity=minus_distance)[1].to(self.near)
        if int(self.since[1]) <= epoch:  # what was about to be heeded is heeded by now
            self.near[0], self.since[0] = self.near[1], self.since[1].clone()
        self.near[1], self.since[1] = found, epoch + 1


def _earlier(x: np.ndarray) -> np.ndarray:
    """How often the value of each place has come before it."""
    order = np.argsort(x, kind="stable")
    first = np.searchsorted(x[order], x)
    place = np.empty_like(order)
    place[order] = np.arange(len(x))
    return place - first
