"""DyML-Vehicle, DyML-Animal and DyML-Product (Sun et al., "Dynamic metric learning: towards a scalable metric space to
accommodate multiple semantic scales", CVPR 2021).

Training pictures have a label on three levels. Vehicles and animals are tested on each level by queries and a gallery of
its own, labelled on that level alone; products by one set with all three levels, in which every picture searches all
others. So each level is a data set here, with the same training part: "dyml_animal_fine", "_middle" and "_coarse".

Later code reads the published tables by columns called " fine_id0.jpg" and " labels0.jpg": no line ends the header, and
the first row is glued to it. Read as a table, such a file loses its first picture; here it does not.
"""

import dataclasses
import filecmp
import re
from pathlib import Path

import torch

from isometry.data.data import Data
from isometry.data.labels import class_ids
from isometry.data.published.benchmark import Benchmark
from isometry.data.published.layout import labelled, lines, need, seen

LEVELS = ("coarse", "middle", "fine")
GLUED = re.compile(r"(fine_id|middle_id|coarse_id|labels?)(\S+\.\w+)")


def read_dyml_level(root: Path, level: str) -> Data:
    """Vehicles or animals: `train/label.csv` with `train/imgs`, and `bmk_<level>/{query,gallery}.csv` with folders.

    A picture of the gallery that is the same file as the query of its name is that query: one picture with both roles.
    """
    train = rows_of(need(root, "train/label.csv"))
    folder = f"bmk_{level}"
    query, gallery = ({row["fname"]: row for row in rows_of(need(root, f"{folder}/{role}.csv"))} for role in ROLES)
    twins = {name for name in query if name in gallery and same(root / folder, name)}
    held = [(f"{folder}/query/{name}", row["labels"], True, name in twins) for name, row in query.items()]
    held += [
        (f"{folder}/gallery/{name}", row["labels"], False, True) for name, row in gallery.items() if name not in twins
    ]
    unknown = [("", "", "")] * len(held)
    data = three_levels(
        root,
        [*(f"train/imgs/{row['fname']}" for row in train), *(path for path, *_ in held)],
        [*map(path_of, train), *unknown],
        [*map("/".join, map(path_of, train)), *(f"test {level} {label}" for _, label, *_ in held)],
        len(train),
    )
    off = [False] * len(train)
    return dataclasses.replace(
        data,
        is_query=torch.tensor(off + [q for *_, q, _ in held], dtype=torch.bool),
        is_gallery=torch.tensor(off + [g for *_, g in held], dtype=torch.bool),
        notes=(f"{len(twins):,} queries lie in the gallery too, and have both roles",) * bool(twins),
    )


def read_dyml_product_level(root: Path, level: str) -> Data:
    """Products: `train/label.csv` with `train/imgs`, and `mini-bmk_all_in_one/label.csv` with its `imgs`."""
    train, test = (rows_of(need(root, f"{folder}/label.csv")) for folder in ("train", "mini-bmk_all_in_one"))
    deep = LEVELS.index(level) + 1
    tested = [tuple(f"test {part}" for part in path_of(row)) for row in test]
    return three_levels(
        root,
        [f"train/imgs/{row['fname']}" for row in train] + [f"mini-bmk_all_in_one/imgs/{row['fname']}" for row in test],
        [*map(path_of, train), *tested],
        [*map("/".join, map(path_of, train)), *("/".join(path[:deep]) for path in tested)],
        len(train),
    )


def three_levels(root: Path, paths: list[str], tree: list[tuple[str, ...]], classes: list[str], trained: int) -> Data:
    """Pictures with their label paths and, apart from these, the classes that they are compared by."""
    data = labelled(root, paths, classes, split=["train"] * trained + ["test"] * (len(paths) - trained))
    columns = [class_ids(["/".join(path[: i + 1]) if path[i] else "" for path in tree]).labels for i in range(3)]
    return dataclasses.replace(data, hierarchy=torch.stack(columns, 1), levels=LEVELS)


def path_of(row: dict[str, str]) -> tuple[str, ...]:
    """The label path, root first."""
    return tuple(row[f"{level}_id"] for level in LEVELS)


def same(folder: Path, name: str) -> bool:
    """Whether the picture of this name is one file in query and gallery."""
    pair = [folder / role / name for role in ROLES]
    return all(path.is_file() for path in pair) and filecmp.cmp(*pair, shallow=False)


def rows_of(path: Path) -> list[dict[str, str]]:
    """The rows by column, the first one freed from the header.

    Raises:
        ValueError: for a header or a row of another form.
    """
    found = lines(path)
    head = [cell.strip() for cell in found[0].split(",")] if found else []
    glued = [i for i, cell in enumerate(head) if GLUED.fullmatch(cell)]
    names, first = head, []
    if glued and (match := GLUED.fullmatch(head[glued[0]])):
        before, after = head[: glued[0]], head[glued[0] + 1 :]
        names = [*before, match[1]]
        if len(after) == len(before):
            first = [match[2], *after]
        else:  # further names, not a row
            names += after
    names = ["labels" if name == "label" else name for name in names]
    wanted = {"fname", "labels"} if "labels" in names else {"fname", *(f"{level}_id" for level in LEVELS)}
    if not wanted <= set(names):
        raise ValueError(f"{path} has the columns {', '.join(head) or 'none'}; it needs {', '.join(sorted(wanted))}.")
    rows = [[cell.strip() for cell in line.split(",")] for line in found[1:]]
    rows = [first, *rows] if len(first) == len(names) else rows
    if wrong := [row for row in rows if len(row) != len(names)]:
        raise ValueError(
            f"{path} has a row of {len(wrong[0])} cells and {len(names)} columns: {', '.join(wrong[0])[:80]}."
        )
    return [row for cells in rows if seen((row := dict(zip(names, cells, strict=True)))["fname"])]


ROLES = ("query", "gallery")
TRAIN = {  # classes of the training part, from the configurations of later code
    "vehicle": {"train classes": 39491},
    "animal": {"train classes": 495},
    "product": {"train classes": 1639},
}


def benchmark(kind: str, level: str) -> Benchmark:
    """One of the nine."""
    read, tests = read_dyml_level, f"bmk_{level}"
    if kind == "product":
        read, tests = read_dyml_product_level, "mini-bmk_all_in_one"
    return Benchmark(
        title=f"DyML-{kind.title()}, {level}",
        read=lambda root: read(root, level),
        home="the DyML datasets linked at https://github.com/elias-ramzi/HAPPIER",
        marks=(("train/label.csv", tests),),
        folders=(f"dyml_{kind}", f"DyML-{kind.title()}", f"DyML_{kind.title()}"),
        annotations=("train/label.csv", f"{tests}/query.csv", f"{tests}/gallery.csv", f"{tests}/label.csv"),
        recalled=TRAIN[kind],
        by_itself=False,
    )


DYML = {f"dyml_{kind}_{level}": benchmark(kind, level) for kind in TRAIN for level in LEVELS}
"""All nine, by name."""
