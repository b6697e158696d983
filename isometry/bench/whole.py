"""Training of a whole model, trunk included, as a run of `isometry.training` in a folder that it can be taken up from."""

import json
import math
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float
from torch import Tensor

from isometry import checkpoint
from isometry.bench.cell import Cell
from isometry.bench.heads import seeded
from isometry.config import Config
from isometry.data import Data
from isometry.diagnostics import Side, values
from isometry.diagnostics.pairs import partners, stretches
from isometry.diagnostics.pictures import side
from isometry.embedder import Ready, load, untrained
from isometry.evaluation import Embeddings
from isometry.training import STATE, Diverged, Training

if TYPE_CHECKING:
    from isometry.bench.study import Study

CELL, CURVE = "cell.txt", "curve.json"


class WholeTraining:
    """One training in `folder`; the folder of another cell, or one that is damaged, is begun anew.

    Attributes: best_step: that of the largest value of `Recipe.selected_by`. curve; seconds: of processor time so far (of
    the clock, on an accelerator), validations included.
    """

    def __init__(self, study: "Study", cell: Cell, folder: Path) -> None:
        self.study, self.folder, self.config = study, folder, settings(study, cell)
        self.curve: list[dict[str, float]] = []
        self.splits = study.splits(cell.fold)
        mark = folder / CELL
        if not mark.is_file() or mark.read_text() != cell.key:
            self._clear(cell.key)
        self.training = self._made()
        if (folder / STATE).is_file():
            try:
                self.training.resume()
            except (ValueError, KeyError):
                self._clear(cell.key)
                self.training = self._made()
        kept = json.loads((folder / CURVE).read_text()) if (folder / CURVE).is_file() else []
        self.curve = [row for row in kept if row["step"] <= self.training.step]
        self.before, self.start = self.curve[-1]["seconds"] if self.curve else 0.0, time.process_time()

    @property
    def seconds(self) -> float:
        return self.training.seconds if torch.cuda.is_available() else self.before + time.process_time() - self.start

    @property
    def best_step(self) -> int:
        return self.training.best_step

    @property
    def parameters(self) -> int:
        """How many numbers are trained."""
        parts = (self.training.plain, self.training.scheme)
        return sum(p.numel() for part in parts for p in part.parameters() if p.requires_grad)

    def fit(self) -> None:
        """Trains until the budget is spent, or validation stops getting better.

        Raises:
            Diverged: when the loss or a weight is NaN or infinite.
        """
        try:
            self.training.fit()
        except Diverged:
            raise
        except ValueError as error:
            if not all(bool(torch.isfinite(p).all()) for p in self.training.plain.parameters()):
                raise Diverged(f"A weight was not finite at step {self.training.step}.") from error
            raise

    def validation(self, start: bool = False) -> Embeddings:
        """The validation part by the best weights, or by those that training started from."""
        ready = untrained(self.config, self.config.seed) if start else load(self.folder)
        return Embeddings(self._embedded(ready, self.splits.validation), self.splits.validation)

    def test(self) -> Float[Tensor, "n d"]:
        """The test part by the best weights."""
        return self._embedded(load(self.folder), self.splits.test)

    def geometry(self) -> dict[str, float]:
        """What the best weights do to the classes that they were trained on, beside those of the test part.

        "L95 trunk" is that of the way from the pictures to h, whose scale is the trunk's own affair.
        """
        ready = load(self.folder).to(self.training.accelerator.device)
        seen, unseen = (side(ready, data, workers=0) for data in (self.splits.train, self.splits.test))
        found = values(seen=seen, unseen=unseen, head=ready.to(torch.device("cpu")).model.head)
        return {**found, "L95 trunk": stretch_to_h(unseen)}

    def _embedded(self, ready: Ready, data: Data) -> Float[Tensor, "n d"]:
        z, index = ready.to(self.training.accelerator.device).embed(data)
        if len(index) < len(data):
            first = next(iter(ready.unreadable.values()))
            raise ValueError(
                f"{len(data) - len(index)} pictures of {data.name} cannot be read, such as {first.path} ({first.why}): "
                "models would be compared on other pictures. Repair them or leave them out."
            )
        return z

    def _made(self) -> Training:
        training = Training(self.config, self.splits, self.folder, self._heard)
        training.every = max(1, -(-training.total // self.study.recipe.train.validations))
        return training

    def _clear(self, key: str) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        checkpoint.write(self.folder / CELL, key)

    def _heard(self, row: dict[str, Any]) -> None:
        """Takes down what a validation found."""
        if "validation" in row:
            value = row["validation"][self.study.recipe.selected_by]
            self.curve.append({"step": row["step"], "seconds": self.seconds, "validation": value})
            checkpoint.write(self.folder / CURVE, json.dumps(self.curve))


def stretch_to_h(side: Side) -> float:
    """The 95th percentile of ‖h_i − h_j‖ / ‖x_i − x_j‖ over an item and one of its class, its nearest in h, and any."""
    if side.h is None or side.x is None:
        return math.nan
    found = stretches(side.x, side.h, *partners(side.y, side.h, 0))
    return float(found.flatten().nanquantile(0.95))


def settings(study: "Study", cell: Cell) -> Config:
    """What the training loop is told."""
    model, train, setting = study.recipe.model, study.recipe.train, cell.setting
    return Config(
        data=study.recipe.data.source,
        label=study.recipe.data.label,
        relate=study.recipe.relate,
        similarity=study.recipe.similarity,
        loss=setting.loss,
        trunk=model.trunk,
        pool=model.pool,
        head=setting.head,
        frozen=model.frozen,
        augment=train.augment,
        transform=train.transform,
        sampler=repr(seeded(setting.sampler, cell.seed)),
        budget=train.budget,
        optimizer=train.optimizer,
        schedule=train.schedule,
        lr=setting.head_lr,
        trunk_lr=setting.trunk_lr,
        head_lr=setting.head_lr,
        loss_lr=setting.loss_lr,
        weight_decay=train.weight_decay,
        warmup=train.warmup,
        clip=train.clip,
        ema=train.ema,
        patience=train.patience,
        precision=train.precision,
        seed=cell.seed,
        tracker="none",
        geometry=0,
    )
