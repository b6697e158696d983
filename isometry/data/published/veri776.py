"""VeRi-776 (Liu et al., ECCV 2016, "A deep learning-based approach to progressive vehicle re-identification").

A name such as `0002_c002_00030600_0.jpg` gives the vehicle and the camera. This is the search from image to image: the
queries lie in the gallery too, and the rule of class and camera keeps a query from finding itself. The authors' lists of
true matches and of junk (`gt_index.txt`, `jk_index.txt`; also called `gt_image.txt`, `jk_image.txt`) are that rule
written out; where they are there they are compared with it. The older search from image to track is another protocol.
"""

import re
from collections import defaultdict
from pathlib import Path

from isometry.data.data import Data
from isometry.data.published.benchmark import Benchmark
from isometry.data.published.layout import lines, seen
from isometry.data.published.shots import Shot, by_camera, named, shots_in

NAME = re.compile(r"(\d+)_c(\d{3})")
LIKE = "0002_c002_00030600_0.jpg"


def read_veri776(root: Path) -> Data:
    """`image_{train,query,test}`, in the order of `name_{train,query,test}.txt` where those are there."""
    train, query, gallery = (pictures(root, part) for part in ("train", "query", "test"))
    return by_camera(root, train=train, query=query, gallery=gallery, notes=doubts(root, query, gallery))


def pictures(root: Path, part: str) -> list[Shot]:
    """The pictures of a part: those listed, or without a list those in its folder."""
    folder, file = f"image_{part}", root / f"name_{part}.txt"
    if not file.is_file():
        return shots_in(root, folder, NAME, LIKE)
    return [named(f"{folder}/{name}", NAME, LIKE) for name in lines(file) if seen(name)]


def doubts(root: Path, query: list[Shot], gallery: list[Shot]) -> list[str]:
    """Where the authors' lists say otherwise than the rule: which gallery pictures are true matches, and which junk.

    The lists have a line for each query: positions in `name_test.txt`, from 1.
    """
    of_class: dict[str, list[int]] = defaultdict(list)
    for position, shot in enumerate(gallery, start=1):
        of_class[shot.label].append(position)
    found = []
    for names, same_camera in ((("gt_index.txt", "gt_image.txt"), False), (("jk_index.txt", "jk_image.txt"), True)):
        file = next((root / name for name in names if (root / name).is_file()), None)
        if file is None or not (root / "name_test.txt").is_file():
            continue
        listed = [set(line.split()) for line in file.read_text(encoding="utf-8-sig").splitlines()]
        ruled = [
            {str(p) for p in of_class[shot.label] if (gallery[p - 1].camera == shot.camera) is same_camera}
            for shot in query
        ]
        listed += [set()] * (len(ruled) - len(listed))
        if wrong := sum(a != b for a, b in zip(ruled, listed, strict=False)):
            found.append(
                f"{file.name} differs from the rule of class and camera for {wrong:,} of {len(query):,} queries"
            )
    return found


VERI776 = Benchmark(
    title="VeRi-776",
    read=read_veri776,
    home="VeRi.zip, by request at https://vehiclereid.github.io/VeRi/",
    marks=(("image_train", "image_query", "image_test"),),
    folders=("VeRi", "VeRi_with_plate", "VeRi-776"),
    annotations=("name_train.txt", "name_query.txt", "name_test.txt"),
    verified={"query images": 1678, "gallery images": 11579, "gallery classes": 200},
    recalled={"train images": 37778, "train classes": 576},
)
