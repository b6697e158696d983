"""Google Landmarks v2 (Weyand, Araujo, Cao and Sim, "Google Landmarks dataset v2: a large-scale benchmark for
instance-level recognition and retrieval", CVPR 2020), ground truth of version 2.1.

Retrieval: 1,129 queries, public and private, search the index; which pictures match is listed, and
`isometry.protocols.landmarks` gives mAP@100. Landmarks are numbered anew in the index: the training part shares no
class with it here, whatever the numbers say.
"""

import dataclasses
from pathlib import Path
from typing import NamedTuple

import torch

from isometry.data.data import Data
from isometry.data.labels import class_ids
from isometry.data.published.benchmark import Benchmark
from isometry.data.published.layout import column, labelled, need, table

SOLUTION = (
    "retrieval_solution_v2.1.csv",
    "ground_truth/retrieval_solution_v2.1.csv",
    "metadata/retrieval_solution_v2.1.csv",
)
IGNORED = ("", "none")
Items = list[tuple[str, str]]  # the path and the class of each picture


def read_gldv2(root: Path) -> Data:
    """The index, the queries, and as training part the clean one of `train_clean.csv` (landmark_id, images)."""
    return assembled(root, clean(root))


def read_gldv2_full(root: Path) -> Data:
    """The same with the whole training part, `train.csv` (id, url, landmark_id)."""
    path = named(root, "train.csv")
    found = table(path, only=("id", "landmark_id"))
    pairs = zip(column(found, path, "id"), column(found, path, "landmark_id"), strict=True)
    return assembled(root, [(picture("train", image), f"train {landmark}") for image, landmark in pairs])


def read_gldv2_retrieval(root: Path) -> Data:
    """The index and the queries alone."""
    return assembled(root, [])


def clean(root: Path) -> Items:
    """The training part without what does not look like its landmark."""
    path = named(root, "train_clean.csv")
    found = table(path)
    rows = zip(column(found, path, "landmark_id"), column(found, path, "images"), strict=True)
    return [(picture("train", image), f"train {landmark}") for landmark, images in rows for image in images.split()]


def assembled(root: Path, train: Items) -> Data:
    """The index, then the queries that count, whose class is that of all their matches, then training pictures: so ids of
    index and queries are the same whatever trains.
    """
    landmark = index_landmarks(root)
    queries, notes = queries_of(root, landmark)
    index = [(picture("index", image), label) for image, label in landmark.items()]
    items = [*index, *((picture("test", query.image), query.label) for query in queries), *train]
    place = torch.arange(len(items))
    held = len(index) + len(queries)
    data = labelled(
        root,
        [path for path, _ in items],
        [label for _, label in items],
        split=["test"] * held + ["train"] * len(train),
        is_query=(place >= len(index)) & (place < held),
        is_gallery=place < len(index),
    )
    usage = class_ids([""] * len(index) + [query.usage for query in queries] + [""] * len(train))
    lists = ({"relevant": query.matches} for query in queries)
    return dataclasses.replace(
        data,
        judged=(*[{}] * len(index), *lists, *[{}] * len(train)),
        category=usage.labels,
        categories=usage.classes,
        notes=notes,
    )


class Query(NamedTuple):
    """A query, its class ("" where its matches are of several), its matches as positions in the index, and its usage."""

    image: str
    label: str
    matches: tuple[int, ...]
    usage: str


def queries_of(root: Path, landmark: dict[str, str]) -> tuple[list[Query], tuple[str, ...]]:
    """The queries of the solution that are not to be ignored, and what is to be said of them."""
    place = {image: i for i, image in enumerate(landmark)}
    path = need(root, *SOLUTION)
    found = table(path)
    queries, ignored, lost = [], 0, 0
    for image, images, usage in zip(*(column(found, path, name) for name in ("id", "images", "Usage")), strict=True):
        if images.lower() in IGNORED or usage.lower() == "ignored":
            ignored += 1
            continue
        listed = images.split()
        matches = [match for match in listed if match in place]
        lost += len(listed) - len(matches)
        kinds = {landmark[match] for match in matches}
        label = kinds.pop() if len(kinds) == 1 else ""
        queries.append(Query(image, label, tuple(place[match] for match in matches), usage))
    notes = [f"{ignored:,} queries are marked to be ignored, and were"] * bool(ignored)
    notes += [f"{lost:,} matches that the solution lists are not in the index"] * bool(lost)
    return queries, tuple(notes)


def index_landmarks(root: Path) -> dict[str, str]:
    """The class of each picture of the index (`index_image_to_landmark.csv`), in the order of `index.csv`."""
    path = named(root, "index.csv")
    images = column(table(path), path, "id")
    path = named(root, "index_image_to_landmark.csv")
    found = table(path)
    known = dict(zip(column(found, path, "id"), column(found, path, "landmark_id"), strict=True))
    return {image: f"index {known[image]}" if image in known else "" for image in images}


def named(root: Path, name: str) -> Path:
    """A table, beside the pictures or in `metadata`."""
    return need(root, name, f"metadata/{name}")


def picture(part: str, image: str) -> str:
    """Where a picture lies: in folders of the first three letters of its name.

    Raises:
        ValueError: for a name that has no three.
    """
    if len(image) < 3:
        raise ValueError(f"The tables of Google Landmarks name a picture {image!r}: a name has 16 letters and digits.")
    return f"{part}/{image[0]}/{image[1]}/{image[2]}/{image}.jpg"


GLDV2_RETRIEVAL = Benchmark(
    title="Google Landmarks v2, retrieval",
    read=read_gldv2_retrieval,
    home="tables and archives listed at https://github.com/cvdfoundation/google-landmark",
    marks=tuple((name, "index") for name in SOLUTION),
    folders=("gldv2", "google-landmark", "google-landmarks-v2"),
    annotations=("index.csv", "index_image_to_landmark.csv", "train_clean.csv", *SOLUTION),
    verified={"gallery images": 761_757, "query images": 1129},
    by_itself=False,
)
GLDV2 = dataclasses.replace(
    GLDV2_RETRIEVAL,
    title="Google Landmarks v2, clean training part",
    read=read_gldv2,
    verified={**GLDV2_RETRIEVAL.verified, "train images": 1_580_470, "train classes": 81_313},
    by_itself=True,
)
GLDV2_FULL = dataclasses.replace(
    GLDV2_RETRIEVAL,
    title="Google Landmarks v2, whole training part",
    read=read_gldv2_full,
    verified={**GLDV2_RETRIEVAL.verified, "train images": 4_132_914, "train classes": 203_094},
)
