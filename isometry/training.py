"""The training loop. One file: batches, steps, validation, checkpoints, resume."""

import contextlib
import json
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from isometry import caching, checkpoint, diagnostics, distributed, sampling, supervision
from isometry.config import Config, steps_in
from isometry.data import Batch, Splits, loader
from isometry.embedder import Ready, relabelled
from isometry.evaluation import scores
from isometry.expression import parse
from isometry.model import EMA, Embedder, parameter_groups
from isometry.optimizers import read_optimizer
from isometry.pace import Clock, share_of_rate
from isometry.precision import accelerator
from isometry.schedules import read_schedule
from isometry.scheme import Supervised, detached
from isometry.supervision import SELECTED_BY as SELECTED_BY
from isometry.supervision import selected_by

STATE = "checkpoint.safetensors"
LOG = "log.jsonl"
LOG_EVERY = 10


class Diverged(ValueError):
    """The loss became NaN or infinite."""


class Interrupted(KeyboardInterrupt):
    """Training was asked to stop; its state is saved."""


class Training:
    """One run of the loop: built from a config and split data, resumed from its folder if asked.

    `fit()` trains until the budget is spent, validation stops getting better, or Ctrl-C. The best weights (by validation's
    `selected_by`) lie in `model.safetensors`, everything needed to go on bit for bit in `checkpoint.safetensors`.
    """

    def __init__(self, config: Config, splits: Splits, folder: Path, show: Callable[[dict[str, Any]], None]):
        from accelerate.utils import set_seed

        self.config, self.splits, self.folder, self.show = config, splits, folder, show
        tracker = None if config.tracker == "none" else config.tracker
        self.accelerator = accelerator(config.precision, log_with=tracker, project_dir=str(folder))
        set_seed(config.seed)
        self.train, classes = relabelled(splits.train)
        model = Embedder.parse(config.trunk, config.pool, config.head).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        if config.frozen:
            model.freeze_trunk()
        loss, self.relate = parse(config.loss, num_classes=classes, dim=model.dim), supervision.relation(config.relate)
        supervision.give(loss, self.relate)
        self.scheme = Supervised(loss=loss).to(self.accelerator.device)
        self.labels = supervision.labels(self.train, self.scheme.relate, "The loss").to(self.accelerator.device)
        groups = parameter_groups(
            model,
            self.scheme,
            lr=config.lr,
            weight_decay=config.weight_decay,
            trunk_lr=config.trunk_lr or None,
            head_lr=config.head_lr or None,
            loss_lr=config.loss_lr or None,
        )
        fused = self.accelerator.device.type in ("cpu", "cuda")
        optimizer = read_optimizer(config.optimizer).over(groups, fused=fused)
        self.model, self.optimizer = self.accelerator.prepare(model, optimizer)
        self.plain: Embedder = self.accelerator.unwrap_model(self.model)
        self.rates = [group["lr"] for group in self.optimizer.param_groups]
        self.ema = EMA(self.plain, config.ema) if config.ema else None
        self.sampler = parse(config.sampler)
        supervision.give(self.sampler, self.relate)
        batches = sampling.bound(self.sampler, self.train, self.scheme)
        self.loader = loader(
            self.train,
            parse(config.augment),
            batch_sampler=batches,
            channels=self.plain.trunk.in_channels,  # type: ignore[arg-type]
            workers=None if config.workers < 0 else config.workers,
            strict=config.strict,
            seed=config.seed,
        )
        self.epoch, self.schedule = max(1, len(batches) // config.accumulate), read_schedule(config.schedule)
        self.total = steps_in(config.budget, self.epoch)
        self.every = config.validate or max(1, -(-self.total // 10))
        self.step, self.best, self.best_step, self.seconds = 0, -1.0, 0, 0.0
        self.stop = False
        self.losses: list[Tensor] = []

    def fit(self) -> None:
        """Trains.

        Raises:
            Diverged: when the loss is NaN or infinite; the last good checkpoint is kept.
            Interrupted: after Ctrl-C, with the state saved.
        """
        handler = _on_interrupt(self._ask_to_stop)
        self.accelerator.init_trackers("tensorboard")
        clock = Clock(self.seconds)
        try:
            batches = self._batches(clock)
            while self.step < self.total and not self.stop and not self.enough:
                values = self._step(batches, clock)
                self.step += 1
                self.losses.append(values["loss"])
                if self.step % LOG_EVERY == 0 or self.step in (1, self.total):
                    self._log(values, clock)
                if self.step % self.every == 0 or self.step == self.total:
                    self._check()
                    self.seconds = clock.total()
                    self._validate()
                    clock.restart()
            self.seconds = clock.total()
            if self.stop:
                self._check()
                self.save()
                again = f"isometry train --resume --out {self.folder}"
                raise Interrupted(
                    f"Stopped at step {self.step} of {self.total}; everything is saved. Go on with: {again}"
                )
        finally:
            for tracker in self.accelerator.trackers:
                tracker.finish()
            _on_interrupt(handler)

    def _step(self, batches: Iterator[Batch], clock: Clock) -> dict[str, Tensor]:
        self.model.train()
        share = share_of_rate(self.schedule, self.step, self.total, self.config.warmup, self.epoch)
        for group, rate in zip(self.optimizer.param_groups, self.rates, strict=True):
            group["lr"] = rate * share
        values: dict[str, Tensor] = {}
        for k in range(self.config.accumulate):
            last = k == self.config.accumulate - 1
            with self.accelerator.no_sync(self.model) if not last else contextlib.nullcontext():
                values = self._backward(next(batches))
        if distributed.ranks() > 1:
            for p in self.scheme.parameters():
                if p.grad is not None:
                    torch.distributed.all_reduce(p.grad, op=torch.distributed.ReduceOp.SUM)
                    p.grad /= distributed.ranks()
        if self.config.clip:
            self.accelerator.clip_grad_norm_(self.model.parameters(), self.config.clip)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        if self.ema:
            self.ema.update_parameters(self.plain)
        self.scheme.after_step()
        return values

    def _backward(self, batch: Batch) -> dict[str, Tensor]:
        device, share = self.accelerator.device, self.config.accumulate
        images = batch.images.to(device, non_blocking=True, memory_format=torch.channels_last)
        y, ids = self.labels[batch.index.to(device)], batch.ids.to(device)
        if not self.config.chunk:
            values = self.scheme.step(self.model, images, y, ids)
            self.accelerator.backward(values["loss"] / share)
            return detached(values)
        values = {}

        def objective(embedded: Any) -> Tensor:
            values.update(self.scheme.step(lambda _: embedded, images, y, ids))
            return values["loss"] / share

        caching.backward(self.model, images.split(self.config.chunk), objective, self.accelerator.backward)
        return detached(values)

    def _batches(self, clock: Clock) -> Iterator[Batch]:
        while True:
            before = self.step
            number, epoch = self.loader.state_dict()["epoch"], iter(self.loader)
            while True:
                clock.wait()
                batch = next(epoch, None)
                clock.go(0 if batch is None else len(batch.index))
                if batch is None:
                    break
                yield batch
            sampling.heed(self.sampler, self.scheme, number)
            if self.step == before and not len(self.loader):
                raise ValueError(
                    f"{self.config.sampler} makes no batch of {len(self.train):,} images: smaller batches fit."
                )

    def _check(self) -> None:
        """Refuses to go on, or to save, once a loss was not finite."""
        losses = torch.stack(self.losses).float().cpu() if self.losses else torch.zeros(1)
        bad = (~torch.isfinite(losses)).nonzero()
        if len(bad):
            step = self.step - len(losses) + int(bad[0]) + 1
            raise Diverged(
                f"The loss was {float(losses[bad[0]])} at step {step}. The last good checkpoint is {self.folder / STATE} "
                f"(or none, before the first validation). Try a smaller lr than {self.config.lr}, or clip=1."
            )
        self.losses.clear()

    def _log(self, values: dict[str, Tensor], clock: Clock) -> None:
        row = {"step": self.step, **{k: round(float(v), 6) for k, v in values.items()}, **clock.rates()}
        row["lr"] = self.optimizer.param_groups[0]["lr"]
        row.update({k: round(v, 4) for k, v in self.scheme.stats.items()})
        self.write(row)
        self.accelerator.log({k: v for k, v in row.items() if k != "step"}, step=self.step)
        self.show({**row, "total": self.total})
        if not torch.isfinite(values["loss"]):
            self._check()

    @property
    def enough(self) -> bool:
        """Whether validation has not got better for as long as patience lasts."""
        return bool(self.config.patience) and (self.step - self.best_step) // self.every >= self.config.patience

    def _validate(self) -> None:
        """Scores the validation classes, keeps the best weights, saves the state."""
        ready = Ready(self.ema.module if self.ema else self.plain, self.config.transform)  # type: ignore[arg-type]
        held, relate = self.splits.validation, self.relate
        how: dict[str, Any] = {"relate": relate, "similarity": self.config.similarity, "samples": 0}
        found = scores(ready, held, supervision.shown_by(held, relate), workers=self.config.workers, **how)
        value = float(found[selected_by(held, relate)])
        row = {"step": self.step, "validation": {name: round(float(r), 6) for name, r in found.items()}}
        self.write(row)
        self.accelerator.log({f"validation/{name}": float(r) for name, r in found.items()}, step=self.step)
        self.show({**row, "total": self.total})
        if self.config.geometry and self.accelerator.is_main_process and not supervision.is_continuous(held, relate):
            seen = diagnostics.row(ready, self.splits, self.config.geometry, workers=self.config.workers)
            self.write({"step": self.step, "geometry": seen})
        if value > self.best:
            self.best, self.best_step = value, self.step
            if self.accelerator.is_main_process:
                ready.note = {"step": self.step, "validation": row["validation"]}
                ready.note |= {"similarity": self.config.similarity, "numbers": supervision.width(held)}
                ready.save(self.folder)
        self.save()
        self.plain.train()

    def save(self) -> None:
        """Writes everything that going on needs."""
        if not self.accelerator.is_main_process:
            return
        tensors: dict[str, Tensor] = {"random": torch.get_rng_state()}
        parts = {"model": self.plain, "scheme": self.scheme, "ema": self.ema, "sampler": self.sampler}
        packed = {name: checkpoint.pack(name, part.state_dict(), tensors) for name, part in parts.items() if part}
        packed["optimizer"] = checkpoint.pack("optimizer", self.optimizer.state_dict()["state"], tensors)
        note = {name: getattr(self, name) for name in ("step", "total", "best", "best_step", "seconds")}
        checkpoint.save(
            self.folder / STATE, tensors, {**note, "kind": "state", "parts": packed, "loader": self.loader.state_dict()}
        )

    def resume(self) -> None:
        """Goes on from the folder's checkpoint, bit for bit on one device.

        Raises:
            FileNotFoundError, ValueError: when there is none, or it is damaged, or of another run.
        """
        tensors, note = checkpoint.load(self.folder / STATE)
        if note["total"] != self.total:
            raise ValueError(f"The checkpoint is of a run of {note['total']} steps and this one has {self.total}.")
        state = {name: checkpoint.unpack(part, tensors) for name, part in note["parts"].items()}
        self.plain.load_state_dict(state["model"])
        self.scheme.load_state_dict(state["scheme"])
        self.sampler.load_state_dict(state["sampler"])
        if self.ema:
            self.ema.load_state_dict(state["ema"])
        self.optimizer.load_state_dict({**self.optimizer.state_dict(), "state": state["optimizer"]})
        for (
            parameter,
            kept,
        ) in self.optimizer.state.items():  # the fused step wants them laid out in memory as the parameter
            alike = {k: v for k, v in kept.items() if torch.is_tensor(v) and v.shape == parameter.shape}
            kept.update({k: torch.empty_like(parameter).copy_(v) for k, v in alike.items()})
        for name in ("step", "best", "best_step", "seconds"):
            setattr(self, name, note[name])
        self.loader.load_state_dict(note["loader"])
        torch.set_rng_state(tensors["random"])
        log = self.folder / LOG
        rows = [json.loads(line) for line in log.read_text().splitlines()] if log.is_file() else []
        checkpoint.write(log, "".join(json.dumps(r) + "\n" for r in rows if r["step"] <= self.step))

    def write(self, row: dict[str, Any]) -> None:
        """Adds a line to `log.jsonl`."""
        if self.accelerator.is_main_process:
            with open(self.folder / LOG, "a") as file:
                file.write(json.dumps(row) + "\n")

    def _ask_to_stop(self, *_: Any) -> None:
        if self.stop:
            raise KeyboardInterrupt
        self.stop = True


def _on_interrupt(handler: Any) -> Any:
    try:
        return signal.signal(signal.SIGINT, handler)
    except ValueError:  # not the main thread: Ctrl-C is not ours to catch
        return None
