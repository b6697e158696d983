"""Market-1501 (Zheng et al., ICCV 2015, "Scalable person re-identification: a benchmark"), and other data in its layout.

A name such as `0002_c1s1_000451_03.jpg` gives the person and the camera. Person −1 ("junk": bad boxes of people who are
queries) is left out, as every evaluation does, and counted in a note. Person 0 is a distractor: it stays in the gallery
with label −1, which matches nothing. The 500,000 further distractors lie in `images`.
"""

import re
from dataclasses import replace
from functools import partial
from pathlib import Path

from isometry.data.data import Data
from isometry.data.published.benchmark import Benchmark
from isometry.data.published.shots import Shot, by_camera, shots_in

NAME = re.compile(r"(-?\d+)_c(\d+)")
JUNK = "-1"


def read_market(root: Path, *, more: tuple[str, ...] = ()) -> Data:
    """`bounding_box_train`, `query`, `bounding_box_test`, and folders of `more` pictures for the gallery."""
    train, query, *searched = (
        people(root, folder) for folder in ("bounding_box_train", "query", "bounding_box_test", *more)
    )
    every = [shot for shots in searched for shot in shots]
    gallery = [shot for shot in every if shot.label != JUNK]
    junk, nobody = len(every) - len(gallery), sum(not shot.label for shot in (*train, *query, *gallery))
    notes = [f"{junk:,} junk pictures (person −1) were left out of the gallery"] * bool(junk)
    notes += [f"{nobody:,} pictures of person 0 (distractors) have no label"] * bool(nobody)
    return by_camera(root, train=train, query=query, gallery=gallery, notes=notes)


def people(root: Path, folder: str) -> list[Shot]:
    """The pictures of a folder. Person 0 is nobody known."""
    shots = shots_in(root, folder, NAME, "0002_c1s1_000451_03.jpg")
    return [shot._replace(label="") if shot.label == "0" else shot for shot in shots]


MARKET = Benchmark(
    title="Market-1501",
    read=read_market,
    home="Market-1501-v15.09.15.zip at http://www.liangzheng.org/Project/project_reid.html",
    marks=(("bounding_box_train", "query", "bounding_box_test"),),
    folders=("Market-1501-v15.09.15",),
    verified={"train images": 12936, "train classes": 751, "query images": 3368, "gallery images": 15913},
    recalled={"query classes": 750, "gallery classes": 750},
    advice="Other data that lie in the same folders are read as 'reid:path'; else unpack it again",
)
REID = Benchmark(
    title="pictures by camera",
    read=read_market,
    home="any data in the folders of Market-1501",
    marks=MARKET.marks,
    by_itself=False,
)
MARKET_500K = replace(
    MARKET,
    title="Market-1501 with 500,000 distractors",
    read=partial(read_market, more=("images",)),
    home=f"{MARKET.home}, and distractors_500k.zip for its folder images",
    marks=(("bounding_box_train", "query", "bounding_box_test", "images"),),
    verified={name: value for name, value in MARKET.verified.items() if name != "gallery images"},
    recalled={**MARKET.recalled, "gallery images": 515913},
    by_itself=False,
)
CUHK03_NP_DETECTED = replace(
    MARKET,
    title="CUHK03 (767/700, detected)",
    home="CUHK03-NP at https://github.com/zhunzhong07/person-re-ranking",
    folders=("detected", "cuhk03-np/detected"),
    verified={
        "train images": 7365, "train classes": 767, "query images": 1400, "query classes": 700,
        "gallery images": 5332, "gallery classes": 700,
    },
    recalled={},
    by_itself=False,
    advice="",
)  # fmt: skip
CUHK03_NP_LABELED = replace(
    CUHK03_NP_DETECTED,
    title="CUHK03 (767/700, labeled)",
    folders=("labeled", "cuhk03-np/labeled"),
    verified={**CUHK03_NP_DETECTED.verified, "train images": 7368, "gallery images": 5328},
)
