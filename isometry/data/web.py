"""WebDataset: pictures and their labels side by side in tars (`web:/data/{000..012}.tar`).

The files `a/7.jpg`, `a/7.cls` and `a/7.json` of a tar are one sample, of the key `a/7`: what stands before the first dot
of the name. Where each picture lies is written down once, when the data are read; then any picture is read by itself.
"""

import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from isometry.data.arrays import NAMES, named
from isometry.data.data import Data
from isometry.data.folder import ENDINGS, parts_of, visible
from isometry.data.images import PICTURES, Images
from isometry.data.labels import Labels, any_labels, label_sets, text_labels
from isometry.data.pixels import Image, one_line
from isometry.data.published.encoded import unpacked
from isometry.data.published.layout import lines
from isometry.data.tars import mapped, members, tars_of

LABELS = ("cls", *NAMES)
CAPTIONS = ("txt", "text", "caption", "captions")
META = re.compile(r"__[^/]*__($|/)")
NAMED = "classnames.txt"


def read_web(source: str, label: str = "label") -> Data:
    """Reads tars: a folder with tars in it or in its folders, a single one, or several by `{000..012}`, `{a,b}` or `*`.

    The label is the file `.cls` (or `.label`, `.class`, …) of a sample or that entry of its `.json`; other entries go by
    `label`, several of them, root first, being a path. `.txt` and `.caption` are captions, and so is a caption in the
    `.json`. Folders called train, val and test are the parts. `classnames.txt` beside the tars or their folders names
    the classes by number, a line each.

    Raises:
        FileNotFoundError: for tars that are not there.
        ValueError: for tars that are packed, damaged, or hold no pictures.
    """
    tars, root = tars_of(source)
    names = [name.strip() for name in label.split(",")] if label != "label" else []
    places, paths, owners, given, captions, bare = [], [], [], [], [], 0
    for number, tar in enumerate(tars):
        for key, sample in samples(tar, names).items():
            if (picture := picture_of(sample, f"{tar}/{key}")) is None:
                bare += 1
                continue
            said = facts(sample, f"{tar}/{key}")
            places.append((number, *sample.pictures[picture]))
            paths.append(f"{os.path.relpath(tar, root)}/{key}.{picture}".replace(os.sep, "/"))
            given.append(labels_of(said, names, f"{tar}/{key}"))
            captions.append(captions_of(said))
            owners.append(tar.parent.name)
    if not places:
        raise ValueError(f"{source} holds no pictures in {len(tars)} tars ({', '.join(sorted(ENDINGS))}).")
    labels = understood(given, names, root)
    unknown = int((labels.labels < 0).sum()) if labels.targets is None else 0
    notes = [f"{bare:,} samples without a picture were left out"] * bool(bare)
    notes += [f"{unknown:,} samples have no label"] * bool(unknown)
    parts = parts_of(set(owners))
    return Data(
        images=InTars(tars, np.array(places, dtype=np.int64), tuple(paths)),
        ids=torch.arange(len(places)),
        name=root.name,
        split=tuple(parts[owner] for owner in owners) if parts else None,
        paths=tuple(paths),
        captions=tuple(captions) if any(captions) else None,
        notes=tuple(notes),
        **labels._asdict(),
    )


class InTars(Images):
    """Pictures inside tars: a row of `places` is the number of the tar, the first byte and the size."""

    def __init__(self, tars: Sequence[Path], places: np.ndarray, names: tuple[str, ...]) -> None:
        self.tars, self.places, self.names, self.channels = tuple(tars), places, names, 3

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, index: int) -> Image:
        tar, at, size = self.places[index].tolist()
        with open(self.tars[tar], "rb") as file:
            file.seek(at)
            return unpacked(file.read(size), self.where(index))

    def take(self, index: np.ndarray) -> "InTars":
        return InTars(self.tars, self.places[index], tuple(self.names[i] for i in index.tolist()))

    def where(self, index: int) -> str:
        name = self.names[index]
        tar = self.tars[self.places[index, 0]]
        return f"{name[name.rindex(f'{tar.name}/') + len(tar.name) + 1 :]} in {tar}"

    def write_to(self, digest: Any) -> None:
        for name, (_, at, size) in zip(self.names, self.places.tolist(), strict=True):
            digest.update(f"{name}\0{at} {size}\0".encode(errors="surrogateescape"))


class Sample(NamedTuple):
    """The files of one key by what follows the first dot of their names."""

    pictures: dict[str, tuple[int, int]]
    words: dict[str, bytes]


def samples(tar: Path, names: Sequence[str]) -> dict[str, Sample]:
    """The samples of a tar by their keys: first byte and size of the pictures, and the labels and captions.

    Raises:
        ValueError: for a damaged tar, or one that holds two files of one name.
    """
    found: dict[str, Sample] = {}
    kept = {"json", *LABELS, *CAPTIONS, *names}
    with open(tar, "rb") as file, mapped(file) as content:
        for name, at, size in members(tar, content):
            folder, slash, base = name.removeprefix("./").rpartition("/")
            key, _, kind = base.partition(".")
            kind = kind.lower()
            if not key or not kind or META.match(f"{folder}{slash}") or not visible(base):
                continue
            sample = found.setdefault(f"{folder}{slash}{key}", Sample({}, {}))
            if kind in sample.pictures or kind in sample.words:
                raise ValueError(f"{tar} holds {name} twice: no two samples may have the same key.")
            if f".{kind.rsplit('.', 1)[-1]}" in ENDINGS:
                sample.pictures[kind] = (at, size)
            elif kind in kept:
                sample.words[kind] = content[at : at + size]
    return found


def picture_of(sample: Sample, name: str) -> str | None:
    """The picture of a sample, `.jpg` before `.mask.png`; None where it has none.

    Raises:
        ValueError: when several could be meant.
    """
    plain = [kind for kind in sample.pictures if "." not in kind or kind.split(".")[0] in PICTURES]
    found = plain or list(sample.pictures)
    if len(found) > 1:
        raise ValueError(f"{name} has {len(found)} pictures, and one is expected: {', '.join(found)}.")
    return found[0] if found else None


def facts(sample: Sample, name: str) -> Mapping[str, Any]:
    """What the `.json` of a sample says, and over it what its other files say.

    Raises:
        ValueError: for what is not JSON, or no text.
    """
    try:
        said = json.loads(sample.words["json"]) if "json" in sample.words else {}
        rest = {kind: words.decode("utf-8-sig").strip() for kind, words in sample.words.items() if kind != "json"}
    except ValueError as error:
        raise ValueError(f"{name} has a label or caption that cannot be read: {one_line(error)}.") from None
    return {**(said if isinstance(said, dict) else {"label": said}), **rest}


def labels_of(said: Mapping[str, Any], names: Sequence[str], name: str) -> tuple[Any, ...]:
    """The label of a sample, one for each level; None where it has none."""
    found = tuple(said.get(wanted) for wanted in names) or (next((said[k] for k in LABELS if k in said), None),)
    if any(isinstance(value, dict) for value in found):
        raise ValueError(f"{name} has a label with entries of its own: name the one that is meant (label=...).")
    return found


def captions_of(said: Mapping[str, Any]) -> tuple[str, ...]:
    """The captions of a sample."""
    found = next((said[name] for name in CAPTIONS if said.get(name)), [])
    return tuple(map(str, found)) if isinstance(found, list) else (str(found),)


def understood(given: Sequence[tuple[Any, ...]], names: Sequence[str], root: Path) -> Labels:
    """Labels of any kind, under the names that `classnames.txt` has for them."""
    columns = list(zip(*given, strict=True))
    known = [value for column in columns for value in column if value is not None]
    if names and not known:
        raise ValueError(f"{root} has no label {', '.join(names)} in any sample.")
    if len(columns) > 1 or all(isinstance(value, str) for value in known):
        cells = [["" if value is None else str(value) for value in column] for column in columns]
        labels = text_labels(cells, tuple(names) or ("label",))
    elif any(isinstance(value, list) for value in known):
        sets = [value if isinstance(value, list) else [value] * (value is not None) for value in columns[0]]
        labels = label_sets([list(map(str, found)) for found in sets])
    else:
        labels = any_labels(columns[0], len(given))
    file = next((path for path in (root / NAMED, root.parent / NAMED) if path.is_file()), None)
    return named(labels, tuple(lines(file)) if file else ())
