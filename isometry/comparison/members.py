"""The runs of a comparison: read, checked to be comparable, and grouped by what they share besides the seed."""

import dataclasses
import itertools
import json
import math
import re
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from isometry.fingerprint import Protocol, from_json
from isometry.queries import Queries, read_queries
from isometry.run import METRICS, read

REST = ("seed", "workers", "tracker")
"""Settings in which the runs of one group may differ."""


class Member(NamedTuple):
    """One run: what it measured, and its settings, where it is known what they were."""

    folder: Path
    metrics: dict[str, Any]
    protocol: Protocol
    queries: Queries
    settings: dict[str, Any] | None

    @property
    def seed(self) -> int:
        return 0 if self.settings is None else self.settings.get("seed", 0)

    def shared(self) -> str:
        """The settings that a group has in common; a run of unknown settings is alone."""
        if self.settings is None:
            return str(self.folder.resolve())
        return json.dumps({k: v for k, v in self.settings.items() if k not in REST}, sort_keys=True)


class Group(NamedTuple):
    """Runs that differ by their seed only, in the order of the seeds."""

    name: str
    members: list[Member]

    @property
    def seeds(self) -> list[int]:
        return [m.seed for m in self.members]

    def per_query(self, text: str) -> Tensor | None:
        """A metric of each query and run, float64 `[n s]`; None for a statistic of the whole space."""
        if text not in self.members[0].queries.metrics:
            return None
        return torch.stack([m.queries.column(text) for m in self.members], 1)

    def values(self, text: str) -> Tensor:
        """A metric's value in each run, float64 `[s]`."""
        per_query = self.per_query(text)
        if per_query is not None:
            return per_query.nanmean(0)
        return torch.tensor([_kept(m, text, "value") for m in self.members], dtype=torch.float64)

    def kept_interval(self, text: str) -> tuple[float, float]:
        """That a statistic of the whole space came with; NaN for several runs."""
        if len(self.members) > 1:
            return math.nan, math.nan
        return _kept(self.members[0], text, "low"), _kept(self.members[0], text, "high")


def _kept(member: Member, text: str, what: str) -> float:
    value = member.metrics["test"][text][what]
    return math.nan if value is None else value


def load(folder: str | Path) -> Member:
    """What was measured in a folder.

    Raises:
        FileNotFoundError, ValueError: when there is nothing, or it is damaged, or does not say how it was measured.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"There is no folder {folder}: name folders of isometry train or evaluate --out.")
    try:
        metrics = read(folder).metrics
    except ValueError as error:
        raise ValueError(f"{folder / METRICS} is damaged: {error}.") from None
    if "protocol" not in metrics:
        raise ValueError(
            f"{folder} was measured by an older isometry and does not say how: measure it again with isometry evaluate "
            f"{folder} --out FOLDER, and compare FOLDER."
        )
    protocol, queries = from_json(metrics["protocol"]), read_queries(folder)
    if queries.protocol.fingerprint() != protocol.fingerprint():
        raise ValueError(f"{METRICS} and the queries in {folder} are of different measurements: measure it again.")
    return Member(folder, metrics, protocol, queries.of(), metrics.get("settings"))


def with_metrics(member: Member, texts: tuple[str, ...]) -> Member:
    """The same run as if no other metrics had been measured.

    Raises:
        ValueError: for a metric that it did not measure.
    """
    for text in texts:
        if text not in member.protocol.metrics:
            had = ", ".join(member.protocol.metrics)
            raise ValueError(f"{text} was not measured in {member.folder}, which has {had}.")
    return member._replace(protocol=dataclasses.replace(member.protocol, metrics=texts))


def refuse_unlike(first: Member, other: Member) -> None:
    """Refuses two runs that cannot stand in one table, and says what differs."""
    if first.folder.resolve() == other.folder.resolve():
        raise ValueError(f"{other.folder} is given twice.")
    if first.protocol.fingerprint() != other.protocol.fingerprint():
        why = first.protocol.difference(other.protocol)
        shared = ", ".join(m for m in first.protocol.metrics if m in other.protocol.metrics)
        hint = f' Compare what both have with --metrics "{shared}".' if shared and why.startswith("metrics:") else ""
        raise ValueError(f"{first.folder} and {other.folder} cannot stand in one table: {why}.{hint}")
    for name in ("id", "label"):
        if first.queries.table[name].tolist() != other.queries.table[name].tolist():
            raise ValueError(
                f"{first.folder} and {other.folder} have other queries, or draw others together: measure an older one again."
            )


def grouped(members: list[Member]) -> list[Group]:
    """Runs by what they share besides the seed, in the order of the first of each.

    Raises:
        ValueError: when a group has a seed twice, which would count one run as two.
    """
    sets: dict[str, list[Member]] = {}
    for m in members:
        sets.setdefault(m.shared(), []).append(m)
    for alike in sets.values():
        alike.sort(key=lambda m: m.seed)
        for one, other in itertools.pairwise(alike):
            if one.seed == other.seed:
                raise ValueError(
                    f"{one.folder} and {other.folder} have the same settings and the same seed ({one.seed}), so they "
                    "are no two samples of anything: leave one out."
                )
    folders = [[m.folder for m in alike] for alike in sets.values()]
    return [Group(name, alike) for name, alike in zip(_names(folders), sets.values(), strict=True)]


def _names(folders: list[list[Path]]) -> list[str]:
    """What to call groups: the names of their folders without the seed; whole paths where these are not unique."""
    every = [folder for group in folders for folder in group]
    unique = len({folder.name for folder in every}) == len(every)
    found = []
    for group in folders:
        names = [folder.name if unique else str(folder) for folder in group]
        stems = {re.sub(r"[-_. /]*(seed|s)?[-_. ]*\d+$", "", name) for name in names}
        found.append(stems.pop() or names[0] if len(names) > 1 == len(stems) else names[0])
    return found if len(set(found)) == len(found) else [str(group[0]) for group in folders]
