"""IJB-B and IJB-C, verification of templates (Whitelam et al., CVPRW 2017; Maze et al., ICB 2018), in the layout that
results in face recognition come from: `loose_crop/1.jpg`, …, and in `meta`

- `ijbc_name_5pts_score.txt`: a picture, ten numbers (x and y of eyes, nose and mouth), the face detector's score;
- `ijbc_face_tid_mid.txt`: a picture, its template, its medium; rows are those of the first file, in its order;
- `ijbc_template_pair_label.txt`: two templates, and 1 for the same person.

A picture comes as its aligned face. Who is shown is not told: every label is −1. `protocols.templates.pool` makes
embeddings of templates out of those of pictures.
"""

import dataclasses
import os
from functools import partial
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Int64
from torch import Tensor

from isometry.data.data import Data
from isometry.data.images import Paths
from isometry.data.pairs import Paired, Pairs, Search, Templates
from isometry.data.published.aligned import Aligned
from isometry.data.published.benchmark import Benchmark
from isometry.data.published.layout import Missing, labelled, need, table


def read_ijb(root: Path, *, name: str) -> Data:
    """The aligned faces, in the order of the list."""
    pictures, *numbers = columns(need(root, f"meta/{name}_name_5pts_score.txt"), str, *[np.float64] * 11)
    folder = need(root, "loose_crop")
    there = set(os.listdir(folder))
    if gone := [picture for picture in pictures if picture not in there]:
        raise Missing(f"{len(gone):,} of {len(pictures):,} pictures are missing from {folder}, first {gone[0]}.")
    data = labelled(root, [f"loose_crop/{picture}" for picture in pictures], [""] * len(pictures))
    points = np.stack(numbers[:10], axis=1).reshape(-1, 5, 2)
    return dataclasses.replace(data, images=Aligned(Paths(data.paths or (), root), points))


def ijb_pairs(root: Path, data: Data, *, name: str) -> Paired:
    """The pairs of templates, and which pictures form which template.

    Raises:
        ValueError: for lists that do not fit each other.
    """
    listed, *_, score = columns(need(root, f"meta/{name}_name_5pts_score.txt"), str, *[np.float64] * 11)
    path = need(root, f"meta/{name}_face_tid_mid.txt")
    pictures, template, medium = columns(path, str, np.int64, np.int64)
    if len({len(data), len(pictures), len(listed)}) != 1:
        raise ValueError(f"{path} has {len(pictures):,} rows for {len(data):,} pictures: one for each.")
    if odd := int((pictures != listed).sum()):
        note = f"{path.name} calls {odd:,} pictures otherwise; they are taken row by row, as the published code does"
        data = dataclasses.replace(data, notes=(*data.notes, note))
    names, of = np.unique(template, return_inverse=True)
    templates = Templates(
        of=torch.from_numpy(of.astype(np.int64)),
        medium=torch.from_numpy(medium.copy()),
        weight=torch.from_numpy(score.astype(np.float32)),
        names=torch.from_numpy(names),
    )
    path = need(root, f"meta/{name}_template_pair_label.txt")
    left, right, same = columns(path, np.int64, np.int64, np.int64)
    return Paired(
        data, Pairs(place(left, names, path), place(right, names, path), torch.from_numpy(same == 1)), templates
    )


def ijb_search(root: Path, templates: Templates, *, name: str, gallery: int = 1) -> Search:
    """Identification: one of the two galleries, and the probes of both (`ijbc_1N_gallery_G1.csv`, …, in IJB-B `S1`;
    `ijbc_1N_probe_mixed.csv`: template and subject in the first two columns, below a line of titles).

    A probe whose subject is in the other gallery only is a stranger, whom `DIR` wants refused. (Published code that puts
    both galleries into one has no strangers.)
    """
    here = need(root, *(f"meta/{name}_1N_gallery_{letter}{gallery}.csv" for letter in "GS"))
    sides = []
    for path in (here, need(root, f"meta/{name}_1N_probe_mixed.csv")):
        cells = list(table(path).values())
        if len(cells) < 2 or not all(cell.isdigit() for cell in (*cells[0], *cells[1])):
            raise ValueError(f"{path} does not start each row with the numbers of a template and of its subject.")
        number, first = np.unique(np.array(cells[0], dtype=np.int64), return_index=True)
        subject = torch.tensor([int(cells[1][i]) for i in first.tolist()], dtype=torch.int64)
        sides += [place(number, templates.names.numpy(), path), subject]
    return Search(*sides)


def place(wanted: np.ndarray, names: np.ndarray, path: Path) -> Int64[Tensor, " p"]:
    """Where the templates stand in `names`, which is sorted."""
    at = np.searchsorted(names, wanted).clip(max=len(names) - 1)
    if len(odd := np.flatnonzero(names[at] != wanted)):
        raise ValueError(f"{path} names template {wanted[odd[0]]}, which no picture belongs to.")
    return torch.from_numpy(at.astype(np.int64))


def columns(path: Path, *kinds: type) -> list[np.ndarray]:
    """The columns of a file with blanks between its cells. (There are 15 million rows in a list of IJB-C.)

    Raises:
        ValueError: for a row of another width, or a cell of another kind.
    """
    import pandas as pd

    try:
        read = pd.read_csv(path, sep=r"\s+", header=None, dtype=dict(enumerate(kinds)), keep_default_na=False)
        found = [read[column].to_numpy(dtype=object if kind is str else kind) for column, kind in enumerate(kinds)]
    except (ValueError, KeyError) as error:
        raise ValueError(f"{path} is no list of {len(kinds)} columns: {' '.join(str(error).split())}.") from None
    if read.shape[1] != len(kinds):
        raise ValueError(f"{path} has {read.shape[1]} columns and needs {len(kinds)}.")
    return found


def of(name: str, title: str, verified: dict[str, int], recalled: dict[str, int]) -> Benchmark:
    """One of the two."""
    files = tuple(f"meta/{name}_{part}.txt" for part in ("name_5pts_score", "face_tid_mid", "template_pair_label"))
    return Benchmark(
        title=title,
        read=partial(read_ijb, name=name),
        home="IJB_release.tar at https://github.com/deepinsight/insightface/tree/master/recognition/_evaluation_/ijb",
        marks=((*files, "loose_crop"),),
        folders=(title.replace("-", ""), f"IJB_release/{title.replace('-', '')}"),
        annotations=files,
        verified=verified,
        recalled=recalled,
    )


IJBB = of("ijbb", "IJB-B", {"images": 227630}, {})
IJBC = of("ijbc", "IJB-C", {}, {"images": 469375})
