"""Labelled Faces in the Wild (Huang et al., 2007): faces of people, `lfw/Name/Name_0001.jpg`, and pairs of them.

`pairs.txt` has 10 folds of 300 pairs of the same person ("name i j") and 300 of different ones ("name i name j").
"""

from pathlib import Path

import torch

from isometry.data.data import Data
from isometry.data.folder import ENDINGS, walk
from isometry.data.pairs import Paired, Pairs
from isometry.data.published.benchmark import Benchmark
from isometry.data.published.layout import Missing, labelled, lines, need

FOLDERS = ("lfw", "lfw_funneled", "lfw-deepfunneled")


def read_lfw(root: Path) -> Data:
    """Every picture, by person: a folder each."""
    folder = need(root, *FOLDERS)
    found = [path for path in walk(folder) if path.count("/") == 1 and Path(path).suffix.lower() in ENDINGS]
    return labelled(root, [f"{folder.name}/{path}" for path in found], [path.split("/")[0] for path in found])


def lfw_pairs(root: Path, data: Data) -> Paired:
    """The pairs of `pairs.txt`, as positions in `data`. (A list of one fold has no number of folds.)

    Raises:
        ValueError: for a row that is not what its place in the file says.
        FileNotFoundError: for a picture that is paired and not there.
    """
    path = need(root, "pairs.txt")
    first, *rows = lines(path)
    numbers = first.split()
    if not 1 <= len(numbers) <= 2 or not all(number.isdigit() for number in numbers):
        raise ValueError(f"{path} starts with the numbers of folds and of pairs, as '10\\t300'; got {first[:80]!r}.")
    folds, pairs = (int(number) for number in ("1", *numbers)[-2:])
    if len(rows) != 2 * folds * pairs:
        raise ValueError(f"{path} promises {folds} × 2 × {pairs} pairs and has {len(rows)} rows.")
    position = {Path(name).stem: i for i, name in enumerate(data.paths or ())}
    order = torch.arange(len(rows))
    same = order // pairs % 2 == 0
    sides = []
    for number, (row, alike) in enumerate(zip(rows, same.tolist(), strict=True), start=2):
        names = pictures(row, alike)
        if names is None:
            raise ValueError(
                f"{path}, row {number}, is not '{'name i j' if alike else 'name i name j'}': {row[:80]!r}."
            )
        if lacking := [name for name in names if name not in position]:
            raise Missing(f"{path} pairs {lacking[0]}, which is not among the {len(data):,} pictures.")
        sides.append([position[name] for name in names])
    left, right = torch.tensor(sides, dtype=torch.int64).reshape(-1, 2).T.contiguous()
    return Paired(data, Pairs(left, right, same, order // (2 * pairs)))


def pictures(row: str, alike: bool) -> tuple[str, str] | None:
    """The two pictures of a row: "name i j" of one person, "name i name j" of two; None for another row.

    >>> pictures("Ann_Lee 1 12", alike=True), pictures("Ann_Lee 1 Bo 3", alike=False), pictures("Bo 1", alike=True)
    (('Ann_Lee_0001', 'Ann_Lee_0012'), ('Ann_Lee_0001', 'Bo_0003'), None)
    """
    cells = row.split()
    if len(cells) != (3 if alike else 4) or not (cells[1].isdigit() and cells[-1].isdigit()):
        return None
    return f"{cells[0]}_{int(cells[1]):04d}", f"{cells[0 if alike else 2]}_{int(cells[-1]):04d}"


LFW = Benchmark(
    title="LFW",
    read=read_lfw,
    home="lfw.tgz and pairs.txt at http://vis-www.cs.umass.edu/lfw/",
    marks=tuple(("pairs.txt", folder) for folder in FOLDERS),
    annotations=("pairs.txt",),
    recalled={"images": 13233, "classes": 5749},
)
