"""Runs against the first of them, if one protocol measured them all."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import torch

from isometry.comparison.members import REST, Group, grouped, load, refuse_unlike, with_metrics
from isometry.comparison.standing import Draws, row_of, rows_of_each
from isometry.comparison.table import Comparison
from isometry.expression import parse
from isometry.ops.holm import holm
from isometry.run import Run

FEW = 20
"""With fewer classes, intervals and p are rough."""


def compare(
    runs: Sequence[str | Path | Run],
    *,
    metrics: str = "",
    per_query: bool = False,
    samples: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> Comparison:
    """Puts runs that were measured by one protocol into one table, against the first.

    Runs that differ by their seed alone become one group, whose value is their mean.

    Args:
        runs: folders of `isometry train` and `isometry evaluate --out`, two or more.
        metrics: those to compare; all, unless given.
        per_query: takes queries, not classes, for the sample. Intervals and p come out far too small where queries of
            one class rise and fall together, as they nearly always do.
        samples, confidence, seed: of the bootstrap.

    Raises:
        ValueError: when different protocols measured them, with what differs; or for a damaged file.
        FileNotFoundError: for a folder without results.
    """
    members = [load(run.folder if isinstance(run, Run) else run) for run in runs]
    if len(members) < 2:
        raise ValueError(f"A comparison is of two runs or more; got {len(members)}.")
    if not 0 < confidence < 1:
        raise ValueError(f"The confidence of an interval lies between 0 and 1; got {confidence}.")
    if metrics:
        chosen = parse(metrics)
        texts = tuple(dict.fromkeys(repr(m) for m in (chosen if isinstance(chosen, tuple) else (chosen,))))
        members = [with_metrics(member, texts) for member in members]
    for other in members[1:]:
        refuse_unlike(members[0], other)
    labels = members[0].queries.labels()
    groups, texts = grouped(members), members[0].protocol.metrics
    draws = Draws(torch.arange(len(labels)) if per_query else labels, samples, confidence, seed).fill(groups, texts)
    rows = [row_of(group, groups[0], text, draws) for text in texts for group in groups]
    corrected = holm(torch.tensor([row.p for row in rows], dtype=torch.float64)).tolist()
    return Comparison(
        rows=tuple(dataclasses.replace(row, p_holm=p) for row, p in zip(rows, corrected, strict=True)),
        each=tuple(one for text in texts for g in groups if len(g.members) > 1 for one in rows_of_each(g, text, draws)),
        protocol=members[0].protocol,
        folders={group.name: tuple(str(m.folder) for m in group.members) for group in groups},
        notes=tuple(notes(groups, per_query)),
    )


def notes(groups: list[Group], per_query: bool) -> list[str]:
    """What differs between the groups, and what the intervals do not say."""
    said = []
    settings = [group.members[0].settings for group in groups]
    for group, own in zip(groups, settings, strict=True):
        if own is None:
            said.append(f"{group.name}: its settings are not known")
            continue
        others = [other for other in settings if other is not None]
        changed = [k for k in own if k not in REST and any(other.get(k) != own[k] for other in others)]
        if changed:
            said.append(f"{group.name}: " + ", ".join(f"{k} {own[k] if own[k] != '' else 'none'}" for k in changed))
    single = [group.name for group in groups if len(group.members) == 1]
    if len(single) > 1:
        said.append(
            "Of runs with one seed it is not known what another seed would change: no interval and no p between them holds it."
        )
    if len(single) < len(groups) > 1 and single:
        said.append(
            f"{', '.join(single)}: one seed; another is taken to change as much as in the group it stands against."
        )
    if 0 < (classes := groups[0].members[0].queries.classes()) < FEW:
        said.append(f"There are {classes} classes: intervals and p are rough.")
    if per_query:
        said.append("Queries are taken for independent: intervals and p are too small where those of a class are not.")
    return said
