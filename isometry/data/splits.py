"""Training, validation and test parts that share no class.

The rule for test is the custom of the field since Song et al. (CVPR 2016), "Deep metric learning via lifted structured
feature embedding": the first half of the classes trains and the second half tests (a plain folder of CUB-200-2011 or
Cars196 gives the standard split). Validation classes come from the training classes, as Musgrave et al. (ECCV 2020), "A
metric learning reality check", ask for.
"""

import dataclasses
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from isometry.data.data import PARTS, Data


@dataclass(frozen=True)
class Splits:
    """The three parts, the rule that made them in words, and what looked odd, a line each."""

    train: Data
    validation: Data
    test: Data
    rule: str
    notes: tuple[str, ...] = ()


def split(data: Data, *, validation: float = 0.25, test: float = 0.5, seed: int = 0) -> Splits:
    """Divides the data by its own split where it has one, else by class, and checks that every part can do its work.

    Without a split of its own: the last `test` share of the classes, in sorted order, tests. Of the others the share
    `validation` validates: those whose names hash lowest with `seed`, so that a new class moves no other. Classes
    with one image and images without a label train, for nothing could be found for them.

    With a split but no validation part, validation classes are taken from the training classes by the same hash. With a
    validation but no test part (as in Open Metric Learning), that validation part is the test: the model must be
    selected on other images than it is reported on.

    Data with continuous labels and no classes are divided by image, by the hash of the image's name; so are the training
    images of data that have parts and no classes, where captions or listed distances say what is alike.

    Raises:
        ValueError: for a part without images, or one in which no query has a match.
    """
    for name, share in (("validation", validation), ("test", test)):
        if not 0 < share < 1:
            raise ValueError(f"The {name} share of the classes is between 0 and 1; got {share}.")
    if data.split is not None:
        parts, rule, own = given_parts(data, validation, seed)
    elif len(data.present()):
        parts, rule = class_parts(data, validation, test, seed)
        own = ()
    elif data.targets is not None:
        parts, rule = image_parts(data, validation, test, seed)
        own = ()
    else:
        raise ValueError(f"{data.name} has no labels: one sub-folder a class, or a column 'label', is expected.")
    made = {name: data.select(torch.from_numpy(parts == name)) for name in PARTS}
    for name, part in made.items():
        if not len(part):
            raise ValueError(f"The {name} part of {data.name} is empty.")
        if name not in own:
            made[name] = dataclasses.replace(part, is_query=None, is_gallery=None)
    notes = [*data.notes, *overlap(made)]
    for name in ("validation", "test") if len(data.present()) else ():
        notes += matches(made[name], name)
    return Splits(**made, rule=rule, notes=tuple(notes))


def given_parts(data: Data, validation: float, seed: int) -> tuple[np.ndarray, str, tuple[str, ...]]:
    """The data's own parts, and which of them keep their queries and gallery."""
    parts = np.array(data.split, dtype="<U10")
    have = [name for name in PARTS if (parts == name).any()]
    if have == list(PARTS):
        return parts, f"the parts that {data.name} names", ("validation", "test")
    if "train" not in have or len(have) == 1:
        raise ValueError(
            f"{data.name} names only the part {' and '.join(map(repr, have))}: a split needs train and test (or "
            "leave it out, and classes are divided by rule)."
        )
    rule = f"the training and test parts that {data.name} names"
    if "test" not in have:
        parts[parts == "validation"] = "test"
        rule = f"the training part that {data.name} names, and as test the part that it names validation"
    if not len(data.present()):
        rows, names = np.flatnonzero(parts == "train"), together(data)
        order, share = shares([names[i] for i in rows], seed, (round(len(rows) * validation),))
        parts[rows[order[share == 0]]] = "validation"
        return parts, f"{rule}; validation is a share of the training images, by {_hash(seed)}", ("test",)
    classes = eligible(data, parts == "train")
    held = held_out(data, classes, validation, seed, least=2)
    labels = data.labels.numpy()
    parts[(parts == "train") & np.isin(labels, held)] = "validation"
    rule += (
        f"; validation is {len(held)} of the {len(classes)} training classes with two images or more, by {_hash(seed)}"
    )
    return parts, rule, ("test",)


def class_parts(data: Data, validation: float, test: float, seed: int) -> tuple[np.ndarray, str]:
    """Parts by class."""
    classes = eligible(data)
    n = len(classes)
    if n < 4:
        raise ValueError(
            f"{data.name} has {n} classes with two images or more: parts that share no class need at least 4 "
            "(better hundreds). Name the parts in a column 'split', or in folders train and test."
        )
    tested = classes[n - min(max(int(n * test), 1), n - 3) :]
    rest = classes[: n - len(tested)]
    held = held_out(data, rest, validation, seed, least=2)
    labels = data.labels.numpy()
    parts = np.full(len(data), "train", dtype="<U10")
    parts[np.isin(labels, tested)] = "test"
    parts[np.isin(labels, held)] = "validation"
    what = "sets of labels" if data.multi is not None else "classes"
    rule = (
        f"no class in two parts: of {n} {what} with two images or more, in sorted order, the last {len(tested)} are "
        f"the test; {len(held)} of the first {len(rest)} are the validation, by {_hash(seed)}; the others train"
    )
    alone = len(data.present()) - n
    rule += f", and so do {alone} classes of one image" * bool(alone)
    rule += ", and images without a label" * bool((labels < 0).any())
    return parts, rule


def image_parts(data: Data, validation: float, test: float, seed: int) -> tuple[np.ndarray, str]:
    """Parts by image, for labels without classes."""
    n, tests = len(data), round(len(data) * test)
    ends = tests, tests + round((n - tests) * validation)
    order, share = shares(together(data), seed, ends)
    parts = np.full(len(data), "train", dtype="<U10")
    parts[order[share == 0]], parts[order[share == 1]] = "test", "validation"
    tested, held = int((share == 0).sum()), int((share == 1).sum())
    return parts, f"by image (continuous labels have no classes): {tested} test and {held} validate, by {_hash(seed)}"


def together(data: Data) -> list[str]:
    """What tells images apart that may lie in different parts: their captions where they have some, else their files."""
    if data.captions is not None and any(data.captions):
        return ["\n".join(said) or f"image {i}" for said, i in zip(data.captions, data.ids.tolist(), strict=True)]
    return list(data.paths or map(str, data.ids.tolist()))


def shares(names: Sequence[str], seed: int, ends: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """Positions in the order of a hash of their names, and for each the share of that order it is in, from 0.

    Shares end before the places `ends`, or where the last name of a share does: none is in two.
    """
    made = hashes(names, seed)
    order = np.argsort(made, kind="stable")
    first = np.searchsorted(made[order], made[order], side="left")  # where the run of equals begins
    return order, np.searchsorted(ends, first, side="right")


def eligible(data: Data, among: np.ndarray | None = None) -> np.ndarray:
    """Classes with two images or more, in sorted order."""
    labels = data.labels.numpy()
    classes, counts = np.unique(labels if among is None else labels[among], return_counts=True)
    return classes[(counts > 1) & (classes >= 0)]


def held_out(data: Data, classes: np.ndarray, share: float, seed: int, least: int) -> np.ndarray:
    """The share of these classes whose names hash lowest; at least `least` of them if two are left to train on."""
    if len(classes) < 3:
        raise ValueError(
            f"{data.name} has {len(classes)} training classes with two images or more: to take validation classes from "
            "them it needs at least 3. Name a validation part."
        )
    number = min(max(round(len(classes) * share), least), len(classes) - 2)
    order = np.argsort(hashes([data.classes[c] for c in classes], seed), kind="stable")
    return np.sort(classes[order[:number]])


def hashes(names: Sequence[str], seed: int) -> np.ndarray:
    """A number for each name that depends on nothing else but the seed."""
    made = (hashlib.sha256(f"{seed}/{name}".encode(errors="surrogateescape")).digest()[:8] for name in names)
    return np.array([int.from_bytes(digest, "big") for digest in made], dtype=np.uint64)


def _hash(seed: int) -> str:
    return f"the hash of the name (seed {seed})"


def overlap(parts: dict[str, Data]) -> list[str]:
    """Says when classes stand on both sides."""
    trained = parts["train"].present()
    notes = []
    for name in ("validation", "test"):
        classes = parts[name].present()
        if shared := int(torch.isin(classes, trained).sum()):
            notes.append(
                f"{shared} of {len(classes)} {name} classes are trained on as well: not a test of unseen classes"
            )
    return notes


def has_match(data: Data) -> Tensor:
    """For each image, whether it is a query and another image of its class is in the gallery."""
    every = torch.ones(len(data), dtype=torch.bool)
    query = data.is_query if data.is_query is not None else every
    gallery = data.is_gallery if data.is_gallery is not None else every
    known = data.labels >= 0
    counts = torch.bincount(data.labels[gallery & known], minlength=len(data.classes) + 1)
    return query & known & (counts[data.labels.clamp(min=0)] - gallery.long() > 0)


def matches(data: Data, part: str) -> list[str]:
    """What to say of a part's queries without a match.

    Raises:
        ValueError: when there is nothing but such.
    """
    query = data.is_query if data.is_query is not None else torch.ones(len(data), dtype=torch.bool)
    matched = has_match(data)
    if not matched.any():
        raise ValueError(
            f"No query of the {part} part of {data.name} has a match in its gallery: there is nothing to score."
        )
    notes = []
    if without := int((query & ~matched).sum()):
        classes = torch.unique(data.labels[query & ~matched])
        notes.append(
            f"{without} {part} queries ({int((classes >= 0).sum())} classes) have no match in the gallery: they are "
            "not scored, and stay in the gallery of the others where they belong to it"
        )
    if len(data.present()) == 1:
        notes.append(f"the {part} part has one class, where every retrieval is right: its scores say nothing")
    return notes
