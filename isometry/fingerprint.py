"""The protocol of a result: everything besides the model that its value depends on."""

import copy
import dataclasses
import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch

from isometry.component import fields, nearest, show
from isometry.data import Data, loader
from isometry.embedder import Ready, relabelled
from isometry.evaluation import Embeddings
from isometry.expression import parse
from isometry.label_metric import metric_of

EVALUATION = 2
"""Version of the evaluation's definitions, not of the package: raised when the same embeddings would score otherwise."""

TIES = "the mean over all orders of equals, or one by a hash of the ids"


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """How results were measured. Two runs can stand in one table if their protocols are equal.

    The trunk, the loss and how it was trained are not part of it: these are what is compared.

    Attributes:
        data: what the source is called. Words only: data of another name and the same content are the same.
        part: "train", "validation" or "test" part of it, or "all".
        images, classes: how many images were measured, and how many known classes they have.
        content: hash of what was measured: labels by name, roles, paths with file sizes, or the pixels of arrays.
        split: the rule that made the part. The seed in it is left out: it moves classes between training and validation.
        preprocessing: the transform of pictures in evaluation.
        size: height × width of what the model is given.
        queries, gallery: how many there are of each.
        search: who is in a query's gallery.
        relation: what makes a match; unless named, what the labels are: classes, sets, paths or numbers.
        metrics: their texts.
        similarity, rerank, ties: what the gallery is ordered by.
        version: that of the evaluation's definitions.
    """

    data: str
    part: str
    images: int
    classes: int
    content: str
    split: str
    preprocessing: str
    size: str
    queries: int
    gallery: int
    metrics: tuple[str, ...]
    search: str = "all but the query itself"
    relation: str = "that of the labels"
    similarity: str = "cosine"
    rerank: str = "none"
    ties: str = TIES
    version: int = EVALUATION

    def fingerprint(self) -> str:
        """A hash of all but the data's name; the order of the metrics does not matter."""
        values = {**self.as_json(), "metrics": sorted(self.metrics)}
        del values["data"]
        return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]

    def only(self, metrics: Iterable[str]) -> "Protocol":
        """The protocol of these metrics alone."""
        return dataclasses.replace(self, metrics=tuple(metrics))

    def difference(self, other: "Protocol") -> str:
        """What differs, in words; empty where nothing does."""
        said = []
        if _what(self, DATA) != _what(other, DATA):
            mine, theirs = _data(self), _data(other)
            said.append(f"data: {mine} against {theirs}" if mine != theirs else f"data: other content in {mine}")
        all_search_all = all(p.images == p.queries == p.gallery for p in (self, other))
        if (self.queries, self.gallery) != (other.queries, other.gallery) and not all_search_all:
            said.append(f"roles: {_roles(self)} against {_roles(other)}")
        for name in ("split", "preprocessing", "size", "search", "relation", "similarity", "rerank", "ties"):
            mine, theirs = getattr(self, name), getattr(other, name)
            if mine != theirs:
                said.append(f"{name}: {mine} against {theirs}")
        more = [(_more(self, other), "first"), (_more(other, self), "second")]
        if any(names for names, _ in more):
            said.append("metrics: " + "; ".join(f"only the {which} has {names}" for names, which in more if names))
        if self.version != other.version:
            said.append(f"version of the evaluation: {self.version} against {other.version}")
        return "; ".join(said)

    def as_json(self) -> dict[str, Any]:
        """Plain values, for `metrics.json`."""
        return {**dataclasses.asdict(self), "metrics": list(self.metrics)}


DATA = ("part", "images", "classes", "content")


def _what(protocol: Protocol, names: Iterable[str]) -> tuple[Any, ...]:
    return tuple(getattr(protocol, name) for name in names)


def _data(p: Protocol) -> str:
    part = "" if p.part == "all" else f"{p.part} "
    return f"{p.images:,} {part}images of {p.classes:,} classes ({p.data})"


def _roles(p: Protocol) -> str:
    return f"{p.queries:,} queries in a gallery of {p.gallery:,}"


def _more(p: Protocol, other: Protocol) -> str:
    return ", ".join(m for m in p.metrics if m not in other.metrics)


def from_json(values: dict[str, Any]) -> Protocol:
    """The protocol that `as_json` wrote.

    Raises:
        ValueError: for a part that is missing, or that this version does not know.
    """
    known = {f.name: f for f in dataclasses.fields(Protocol)}
    for name in values:
        if name not in known:
            raise ValueError(f"A protocol has no part {name!r}.{nearest(name, known)} Is it from a newer isometry?")
    missing = [n for n, f in known.items() if n not in values and f.default is dataclasses.MISSING]
    if missing:
        raise ValueError(f"This protocol lacks {', '.join(missing)}: the file was changed by hand, or is damaged.")
    return Protocol(**{**values, "metrics": tuple(values["metrics"])})


def protocol_of(
    measured: Embeddings,
    ready: Ready,
    metrics: Iterable[str],
    *,
    part: str,
    rule: str,
    relate: str = "",
    similarity: str = "",
    rerank: str = "",
) -> Protocol:
    """The protocol of results that a model's embeddings got: of the images that could be read, not of those listed.

    `relate`, `similarity` and `rerank` are what `isometry.evaluation.measure` was given, as text.
    """
    metrics, data, (query, gallery) = tuple(metrics), measured.data, measured.roles()
    name = re.escape(data.name)
    return Protocol(
        data=data.name,
        part=part,
        images=len(data),
        classes=len(data.present()),
        content=content(data),
        split=re.sub(r" \(seed \d+\)", "", re.sub(f"that {name} names", "that the data name", rule)),
        preprocessing=repr(ready.transform),
        size=_size(data, ready),
        queries=len(query),
        gallery=len(query if gallery is None else gallery),
        metrics=metrics,
        search=Protocol.search + (" and its class in its own sequence" if data.sequence is not None else ""),
        relation=compared_by(relate, metrics) or Protocol.relation,
        similarity=spelled(similarity) or Protocol.similarity,
        rerank=rerank or Protocol.rerank,
    )


def compared_by(relate: str, metrics: Iterable[str]) -> str:
    """A relation as it bears on these metrics: its metric of labels, without the radius where all read distances alone.

    >>> compared_by("joints", ["Recall(k=1)"]), compared_by("Joints(radius=3)", ["LabelDistance(k=1)"])
    ('Joints()', 'Joints()')
    """
    metric = metric_of(parse(relate)) if relate else None
    if metric is None:
        return spelled(relate)
    if all(getattr(parse(text), "needs_gaps", False) for text in metrics):
        metric = copy.copy(metric)
        metric.radius = fields(type(metric))["radius"].default  # type: ignore[assignment]
    return show(metric)


def spelled(text: str) -> str:
    """An expression as it prints itself, so that two spellings of one are equal.

    >>> spelled("CloseTargets( radius = 2 )"), spelled("cosine"), spelled("")
    ('CloseTargets(radius=2.0)', 'cosine', '')
    """
    return show(parse(text)) if text else ""


def _size(data: Data, ready: Ready) -> str:
    one = next(iter(loader(data.select(torch.tensor([0])), ready.transform, batch_size=1, workers=0)))
    return " × ".join(map(str, one.images.shape[-2:]))


def content(data: Data) -> str:
    """A hash of these images and what is known of them. Classes that no image here has do not change it.

    Label paths and categories are hashed by their numbers, which are those of the whole source.
    """
    present = data.present()
    own = dataclasses.replace(
        relabelled(data)[0] if len(present) else data,
        classes=tuple(data.classes[int(c)] for c in present),
        split=None,
    )
    return own.fingerprint()[:16]
