"""In-Shop Clothes Retrieval of DeepFashion (Liu, Luo, Qiu, Wang and Tang, "DeepFashion: powering robust clothes
recognition and retrieval with rich annotations", CVPR 2016).

Queries search the gallery; no picture is both. Published results use the pictures of `img.zip`; those of
`img_highres.zip` give other numbers. Some training items have a single picture: they stay.
"""

import dataclasses
from pathlib import Path

import torch

from isometry.data.data import Data
from isometry.data.labels import class_ids
from isometry.data.published.benchmark import Benchmark
from isometry.data.published.layout import cut, labelled, lines, need, rows, whole

PARTITION = ("list_eval_partition.txt", "Eval/list_eval_partition.txt")
BOXES = ("list_bbox_inshop.txt", "Anno/list_bbox_inshop.txt")


def read_in_shop(root: Path) -> Data:
    """`[Eval/]list_eval_partition.txt`: a count, a header, and image_name item_id evaluation_status, blanks between."""
    return from_folder(root, "img")


def read_in_shop_highres(root: Path) -> Data:
    """The same with the large pictures, in `img_highres`."""
    return from_folder(root, "img_highres")


def read_in_shop_boxes(root: Path) -> Data:
    """The same as `read_in_shop`, each picture cut to its item: `[Anno/]list_bbox_inshop.txt`."""
    data = read_in_shop(root)
    path = need(root, *BOXES)
    known = {name: [whole(side, path) for side in sides] for name, _, _, *sides in rows(path, 7, skip=2)}
    names = [name for name, _, _ in rows(need(root, *PARTITION), 3, skip=2)]
    if lacking := [name for name in names if name not in known]:
        raise ValueError(f"{path} has no box for {len(lacking):,} pictures; the first is {lacking[0]}.")
    return cut(data, [known[name] for name in names])


def from_folder(root: Path, folder: str) -> Data:
    """The pictures that lie below `folder`, which the list calls `img`; in copies it lies in `Img`."""
    path = need(root, *PARTITION)
    items = rows(path, 3, skip=2)
    if wrong := [status for *_, status in items if status not in ("train", "query", "gallery")]:
        raise ValueError(f"{path} has the status {wrong[0]!r}: it is train, query or gallery.")
    pictures = need(root, folder, f"Img/{folder}").relative_to(root).as_posix()
    status = [status for *_, status in items]
    groups = class_ids(["/".join(name.split("/")[1:3]) for name, *_ in items])
    data = labelled(
        root,
        [pictures + name.removeprefix("img") for name, *_ in items],
        [item for _, item, _ in items],
        split=["train" if s == "train" else "test" for s in status],
        is_query=torch.tensor([s == "query" for s in status], dtype=torch.bool),
        is_gallery=torch.tensor([s == "gallery" for s in status], dtype=torch.bool),
    )
    said = (lines(path) or ["none"])[0]
    notes = (f"{path} says that it lists {said} pictures, and lists {len(items)}",) * (said != str(len(items)))
    return dataclasses.replace(data, category=groups.labels, categories=groups.classes, notes=notes)


IN_SHOP = Benchmark(
    title="In-Shop Clothes Retrieval",
    read=read_in_shop,
    home="In-shop Clothes Retrieval Benchmark at https://mmlab.ie.cuhk.edu.hk/projects/DeepFashion/InShopRetrieval.html",
    marks=tuple((partition, pictures) for partition in PARTITION for pictures in ("img", "Img/img")),
    folders=("In-shop Clothes Retrieval Benchmark", "Inshop_Clothes", "inshop"),
    annotations=(*PARTITION, *BOXES),
    verified={
        "train images": 25882, "train classes": 3997, "query images": 14218, "query classes": 3985,
        "gallery images": 12612, "gallery classes": 3985,
    },
)  # fmt: skip
IN_SHOP_BOXES = dataclasses.replace(IN_SHOP, title="In-Shop cut to boxes", read=read_in_shop_boxes, by_itself=False)
IN_SHOP_HIGHRES = dataclasses.replace(
    IN_SHOP,
    title="In-Shop in high resolution",
    read=read_in_shop_highres,
    marks=tuple((partition, pictures) for partition in PARTITION for pictures in ("img_highres", "Img/img_highres")),
    by_itself=False,
)
