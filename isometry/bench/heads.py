"""Training of a head alone, on features that a frozen trunk has made: as `isometry.training` does it, without pictures.

A step indexes the matrix of features, so that it costs little more than the loss itself.
"""

import copy
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from isometry import sampling, supervision
from isometry.bench.cell import Cell
from isometry.config import steps_in
from isometry.data.fetch import seed_all
from isometry.diagnostics import Side, values
from isometry.embedded import Embedded
from isometry.evaluation import Embeddings
from isometry.expression import parse
from isometry.model import EMA, parameter_groups
from isometry.optimizers import read_optimizer
from isometry.pace import share_of_rate
from isometry.schedules import read_schedule
from isometry.scheme import Supervised
from isometry.training import Diverged

if TYPE_CHECKING:
    from isometry.bench.study import Study

CHUNK = 8192


class Top(nn.Module):
    """What is trained above a frozen trunk and pool: the head. It takes features for pictures."""

    def __init__(self, head: nn.Module) -> None:
        super().__init__()
        self.trunk, self.pool, self.head = None, None, head

    def forward(self, h: Float[Tensor, "n p"]) -> Embedded:
        made = self.head.embedded(h) if self.training else Embedded(self.head(h), h)  # type: ignore[operator]
        return made._replace(model=self, images=h)


class HeadTraining:
    """One training of a head, in memory.

    Attributes: best, best_step: the largest value of `Recipe.selected_by` on the validation part, and its step. curve;
    seconds: of processor time in steps.
    """

    def __init__(self, study: "Study", cell: Cell) -> None:
        train, setting = study.recipe.train, cell.setting
        self.study, self.cell, self.clip, self.warmup = study, cell, train.clip, train.warmup
        self.rows = study.rows
        self.device = self.rows.device
        self.part = study.part(cell.fold)
        seed_all(cell.seed)
        self.top = Top(parse(setting.head, in_features=self.rows.shape[1])).to(self.device)
        loss = parse(setting.loss, num_classes=self.part.classes, dim=self.top.head.dim)
        supervision.give(loss, study.relate)
        self.scheme = Supervised(loss=loss).to(self.device)
        groups = parameter_groups(
            self.top,
            self.scheme,
            lr=setting.head_lr,
            weight_decay=train.weight_decay,
            loss_lr=setting.loss_lr or None,
        )
        self.optimizer, self.schedule = read_optimizer(train.optimizer).over(groups), read_schedule(train.schedule)
        self.rates = [group["lr"] for group in self.optimizer.param_groups]
        self.ema = EMA(self.top, train.ema) if train.ema else None
        self.sampler = seeded(setting.sampler, cell.seed)
        supervision.give(self.sampler, study.relate)
        self.batches = sampling.bound(self.sampler, self.part.train, self.scheme)
        self.y = supervision.labels(self.part.train, self.scheme.relate, "The loss").to(self.device)
        self.ids = self.part.train.ids.to(self.device)
        self.epoch = max(1, len(self.batches))
        self.total = steps_in(train.budget, self.epoch)
        self.every, self.patience = max(1, -(-self.total // train.validations)), train.patience
        self.step, self.best, self.best_step, self.seconds = 0, -1.0, 0, 0.0
        self.curve: list[dict[str, float]] = []
        self.kept = copy.deepcopy(self.top)

    @property
    def parameters(self) -> int:
        """How many numbers are trained."""
        return sum(p.numel() for part in (self.top, self.scheme) for p in part.parameters() if p.requires_grad)

    def fit(self) -> None:
        """Trains until the budget is spent, or validation stops getting better.

        Raises:
            Diverged: when the loss or an embedding is NaN or infinite.
        """
        batches = self._drawn()
        while self.step < self.total:
            start, losses = time.process_time(), []
            for _ in range(min(self.every - self.step % self.every, self.total - self.step)):
                losses.append(self._step(next(batches)))
            bad = (~torch.isfinite(torch.stack(losses))).nonzero()
            self.seconds += time.process_time() - start
            if len(bad):
                raise Diverged(
                    f"The loss was {float(losses[bad[0]])} at step {self.step - len(losses) + 1 + int(bad[0])}."
                )
            self._validate()
            if self.patience and (self.step - self.best_step) // self.every >= self.patience:
                return

    def _step(self, index: list[int]) -> Tensor:
        self.top.train()
        at = torch.tensor(index, device=self.device)
        share = share_of_rate(self.schedule, self.step, self.total, self.warmup, self.epoch)
        for group, rate in zip(self.optimizer.param_groups, self.rates, strict=True):
            group["lr"] = rate * share
        loss = self.scheme.step(self.top, self.rows[self.part.train_rows[at]], self.y[at], self.ids[at])["loss"]
        loss.backward()
        if self.clip:
            nn.utils.clip_grad_norm_(self.top.parameters(), self.clip)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        if self.ema:
            self.ema.update_parameters(self.top)
        self.scheme.after_step()
        self.step += 1
        return loss.detach()

    def _drawn(self) -> Iterator[list[int]]:
        number = 0
        while True:
            before = self.step
            yield from self.batches
            if self.step == before:
                raise ValueError(
                    f"{self.sampler!r} makes no batch of {len(self.part.train):,} images: smaller ones fit."
                )
            sampling.heed(self.sampler, self.scheme, number)
            number += 1

    def _validate(self) -> None:
        now = self.ema.module if self.ema else self.top
        z = embedded(now, self.rows, self.part.validation_rows)
        if not torch.isfinite(z).all():
            raise Diverged(f"An embedding was not finite at step {self.step}.")
        chosen_by = self.study.recipe.selected_by
        value = float(self.study.measured(z, self.part.validation, chosen_by)[chosen_by])
        self.curve.append({"step": self.step, "seconds": self.seconds, "validation": value})
        if value > self.best:
            self.best, self.best_step = value, self.step
            self.kept.load_state_dict(now.state_dict())

    def validation(self, start: bool = False) -> Embeddings:
        """The validation part by the best head, or by the one that training started from."""
        top = HeadTraining(self.study, self.cell).top if start else self.kept
        return Embeddings(embedded(top, self.rows, self.part.validation_rows), self.part.validation)

    def test(self) -> Float[Tensor, "n d"]:
        """The test part by the best head."""
        return embedded(self.kept, self.rows, self.study.test_rows)

    def geometry(self) -> dict[str, float]:
        """What the best head does to the classes that it was trained on, beside those of the test part."""
        top = copy.deepcopy(self.kept).cpu()
        parts = (self.part.train_rows, self.part.train), (self.study.test_rows, self.study.test)
        seen, unseen = (side_of(top, self.rows[rows].cpu(), data.labels) for rows, data in parts)
        return values(seen=seen, unseen=unseen, head=top.head)


def side_of(top: Top, h: Float[Tensor, "n p"], y: Int64[Tensor, " n"]) -> Side:
    """Features on their way through a head."""
    return Side(x=h, h=h, z=embedded(top, h, torch.arange(len(h))), y=y)


@torch.no_grad()
def embedded(top: nn.Module, features: Float[Tensor, "n p"], rows: Int64[Tensor, " k"]) -> Float[Tensor, "k d"]:
    """Embeddings as they are used, on the CPU."""
    top.eval()
    return torch.cat([top(features[some]).z.float().cpu() for some in rows.split(CHUNK)])


def seeded(text: str, seed: int) -> Any:
    """The sampler with this seed, if it has one.

    >>> seeded("Plain(batch_size=4)", 3)
    Plain(batch_size=4, seed=3)
    """
    sampler = parse(text)
    if hasattr(sampler, "seed"):
        sampler.seed = seed
    return sampler
