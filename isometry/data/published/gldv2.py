"""Google Landmarks v2 (Weyand, Araujo, Cao and Sim, "Google Landmarks dataset v2: a large-scale benchmark for
instance-level recognition and retrieval", CVPR 2020), ground truth of version 2.1.

Retrieval: 1,129 queries, public and private, search the index; which pictures match is listed, and
`isometry.protocols.landmarks` gives mAP@100. Landmarks are numbered anew in the index: the training part shares no
class with it here, whatever the numbers say.
"""

import dataclasses
from pathlib import Path

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
    found = table(path)
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
    """Training pictures, then the index, then the queries that count, whose class is that of all their matches."""
    landmark = index_landmarks(root)
    start = len(train)
    place = {image: start + i for i, image in enumerate(landmark)}
    path = need(root, *SOLUTION)
    found = table(path)
    queries, ignored, lost = [], 0, 0
    for query, images, usage in zip(*(column(found, path, name) for name in ("id", "images", "Usage")), strict=True):
        if images.lower() in IGNORED or usage.lower() == "ignored":
            ignored += 1
            continue
        lost += sum(image not in place for image in images.split())
        matches = [image for image in images.split() if image in place]
        kinds = {landmark[image] for image in matches}
        queries.append((query, matches, kinds.pop() if len(kinds) == 1 else "", usage))
    index = [(picture("index", image), label) for image, label in landmark.items()]
    items = [*train, *index, *((picture("test", query), label) for query, _, label, _ in queries)]
    part = ["train"] * len(train) + ["gallery"] * len(index) + ["query"] * len(queries)
    usage = class_ids([""] * (len(train) + len(index)) + [usage for *_, usage in queries])
    data = labelled(
        root,
        [path for path, _ in items],
        [label for _, label in items],
        split=["train" if own == "train" else "test" for own in part],
        is_query=torch.tensor([own == "query" for own in part], dtype=torch.bool),
        is_gallery=torch.tensor([own == "gallery" for own in part], dtype=torch.bool),
    )
    notes = [f"{ignored:,} queries are marked to be ignored, and were"] * bool(ignored)
    notes += [f"{lost:,} matches that the solution lists are not in the index"] * bool(lost)
    judged = [{}] * (len(train) + len(index))
    judged += [{"relevant": tuple(place[image] for image in matches)} for _, matches, *_ in queries]
    return dataclasses.replace(
        data, judged=tuple(judged), category=usage.labels, categories=usage.classes, notes=tuple(notes)
    )


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
    """Where a picture lies: in folders of the first three letters of its name."""
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
