"""Emoji as several vendors draw them (the packages `emoji-datasource-google`, `-twitter`, `-apple` and `-facebook`, made from
https://github.com/iamcal/emoji-data): 64 × 64 pixels, transparent parts on white.

A class is one emoji under its short name (thumbs down is called "-1" there, and `thumbsdown` here), and has a picture
from each vendor: with a single vendor nothing can be found. Variants in other skin tones are not read. There is no
published division; here the first half of the emoji in `sort_order` train and the others test.
"""

import dataclasses
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from isometry.data.data import Data
from isometry.data.labels import UNKNOWN, class_ids, label_paths
from isometry.data.published.benchmark import Benchmark
from isometry.data.published.json_file import entries, load_json
from isometry.data.published.layout import Missing, labelled

VENDORS = ("apple", "facebook", "google", "twitter")
PACKAGES = tuple(f"emoji-datasource-{vendor}" for vendor in VENDORS)


class Drawing(NamedTuple):
    """One vendor's drawing of an emoji."""

    order: int
    emoji: str
    category: str
    subcategory: str
    name: str
    path: str


def read_emoji(root: Path) -> Data:
    """`emoji.json` and `img/<vendor>/64` of one package, or of several that lie in `root`.

    The label path is category, subcategory and emoji; the category is also what results are given for. `captions` has
    the emoji's name.
    """
    found: list[Drawing] = []
    for folder in packages(root):
        found += drawings(root, folder)
    first = {drawing.emoji: drawing for drawing in reversed(found)}  # packages of two versions may group it differently
    found = sorted(found, key=lambda drawing: (first[drawing.emoji].order, drawing.emoji, drawing.path))
    alike = [first[drawing.emoji] for drawing in found]
    order = {emoji: i for i, (emoji, _) in enumerate(groupby(drawing.emoji for drawing in found))}
    groups = class_ids([drawing.category for drawing in alike])
    data = labelled(
        root,
        [drawing.path for drawing in found],
        [drawing.emoji for drawing in found],
        split=["train" if order[drawing.emoji] < len(order) // 2 else "test" for drawing in found],
    )
    columns = zip(*((drawing.category, drawing.subcategory, drawing.emoji) for drawing in alike), strict=True)
    tree = label_paths(list(columns), ("category", "subcategory", "emoji"))
    alone = len(found) == len(order)
    return dataclasses.replace(
        data,
        **tree._asdict(),
        category=groups.labels,
        categories=groups.classes,
        captions=tuple((drawing.name.lower(),) for drawing in alike),
        notes=("only one vendor's drawings are there: no emoji has two pictures",) * alone,
    )


def packages(root: Path) -> list[str]:
    """The folders that hold a package: `root` itself ("") or those in it.

    Raises:
        Missing: when there is none.
    """
    inside = sorted(path.name for path in root.iterdir() if path.is_dir())
    folders = ["", *inside, *(f"{name}/package" for name in inside)]
    found = [
        folder for folder in folders if (root / folder / "emoji.json").is_file() and (root / folder / "img").is_dir()
    ]
    if not found:
        raise Missing(f"emoji.json beside img/google/64 is missing; looked in {root} and the folders in it.")
    return found


def drawings(root: Path, folder: str) -> list[Drawing]:
    """What one package draws, for each vendor in it."""
    path = root / folder / "emoji.json"
    vendors = [vendor for vendor in VENDORS if (root / folder / "img" / vendor / "64").is_dir()]
    if not vendors:
        raise Missing(f"img/{'/64 or img/'.join(VENDORS)}/64 is missing; looked in {path.parent}.")
    made = []
    for entry in entries(load_json(path), path, "emoji"):
        try:
            order, image = int(entry["sort_order"]), str(entry["image"])
            category, subcategory = str(entry["category"]), str(entry["subcategory"])
            called = map(str, (entry["short_name"], *entry.get("short_names", ())))
            emoji = next((name for name in called if name not in UNKNOWN), "")
            name = str(entry.get("name") or emoji.replace("_", " "))
            has = [vendor for vendor in vendors if entry[f"has_img_{vendor}"]]
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{path} describes an emoji without a proper {error}: {str(entry)[:80]}.") from None
        start = f"{folder}/img" if folder else "img"
        made += [Drawing(order, emoji, category, subcategory, name, f"{start}/{vendor}/64/{image}") for vendor in has]
    return made


EMOJI = Benchmark(
    title="emoji",
    read=read_emoji,
    home="emoji-datasource-google@16.0.0 and emoji-datasource-twitter@16.0.0 (npm pack NAME brings the archive)",
    marks=(
        ("emoji.json", "img"),
        *((f"{name}/emoji.json",) for name in PACKAGES),
        *((f"{name}/package",) for name in PACKAGES),
    ),
    folders=("package", "node_modules"),
    annotations=("emoji.json", *(f"{name}/emoji.json" for name in PACKAGES)),
    verified={"train classes": 955, "test classes": 956, "categories": 10},
    advice="These are the counts of version 16.0.0; npm pack brings another with emoji-datasource-google@16.0.0",
)
