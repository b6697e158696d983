"""Pictures that are in memory, or in a torch `Dataset`."""

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import ConcatDataset, Subset, TensorDataset

from isometry.data.data import Data
from isometry.data.images import Arrays, FromDataset, Images, Paths, picture_of
from isometry.data.labels import Labels, any_labels
from isometry.data.pixels import stack_to_uint8, to_uint8
from isometry.data.table import existing

NAMES = ("label", "labels", "y", "target", "targets", "class")


def read_arrays(pictures: Any, labels: Any) -> Data:
    """Reads `(images, labels)`: one array of all pictures, or a list of paths, PIL images or arrays of any size."""
    found = any_labels(labels, len(pictures))
    images = images_of(pictures)
    paths = images.paths if isinstance(images, Paths) else None
    return Data(images=images, ids=torch.arange(len(images)), name="arrays", paths=paths, **found._asdict())


def images_of(pictures: Any) -> Images:
    """The right holder for what was given."""
    if isinstance(pictures, (np.ndarray, Tensor)) and pictures.dtype != object:
        return Arrays(stack_to_uint8(pictures))
    pictures = list(pictures)
    if pictures and all(isinstance(picture, (str, os.PathLike)) for picture in pictures):
        return Paths(existing([os.fspath(picture) for picture in pictures], "", "The list"))
    decoded = [to_uint8(picture) for picture in pictures]
    if len({picture.shape for picture in decoded}) == 1:
        return Arrays(torch.stack(decoded))
    return FromDataset(decoded)


def read_dataset(dataset: Any) -> Data:
    """Reads a torch `Dataset` whose items are `(image, label)` or a dict with an image and a label.

    The labels are taken from `.targets`, `.labels` or `.samples` where there is one, without decoding a picture;
    else every item is read once. Pictures are wanted as they are: a dataset that normalises or augments them should
    be given without its transform (what it gives must be 0 … 255 or 0.0 … 1.0).
    """
    if isinstance(dataset, TensorDataset):
        return read_arrays(dataset.tensors[0], dataset.tensors[1])
    n = len(dataset)
    if n == 0:
        raise ValueError(f"The {type(dataset).__name__} is empty.")
    first = dataset[0]
    if not isinstance(first, dict) and not (isinstance(first, (tuple, list)) and len(first) >= 2):
        given = type(first).__name__
        raise ValueError(f"Items of the {type(dataset).__name__} are (image, label) or a dict with both; got {given}.")
    to_uint8(picture_of(first))
    given = stored_labels(dataset)
    given = given if given is not None else [label_of(dataset[i]) for i in range(n)]
    labels = named(any_labels(given, n), class_names(dataset))
    images = FromDataset(dataset)
    paths = [images.where(i) for i in range(n)] if getattr(dataset, "samples", None) is not None else None
    name = type(dataset).__name__
    return Data(images, ids=torch.arange(n), name=name, paths=tuple(paths) if paths else None, **labels._asdict())


def label_of(item: Any) -> Any:
    """The label in an item of a dataset."""
    if not isinstance(item, dict):
        return item[1]
    for name in NAMES:
        if name in item:
            return item[name]
    raise ValueError(f"An item of the dataset has {', '.join(map(str, item))} and no label: call it 'label'.")


def stored_labels(dataset: Any) -> Sequence[Any] | np.ndarray | Tensor | None:
    """The labels that a dataset keeps beside its pictures; None where it keeps none for every item."""
    if isinstance(dataset, Subset):
        whole = stored_labels(dataset.dataset)
        return None if whole is None else [whole[i] for i in dataset.indices]
    if isinstance(dataset, ConcatDataset):
        parts = [stored_labels(part) for part in dataset.datasets]
        return None if any(part is None for part in parts) else [label for part in parts for label in part or ()]
    columns = getattr(dataset, "column_names", None)  # a table of the `datasets` library
    if isinstance(columns, list):
        return next((list(dataset[name]) for name in NAMES if name in columns), None)
    labels = getattr(dataset, "targets", None)
    labels = labels if labels is not None else getattr(dataset, "labels", None)
    if labels is None and getattr(dataset, "samples", None) is not None:
        labels = [sample[1] for sample in dataset.samples]
    if labels is None or not hasattr(labels, "__len__") or len(labels) != len(dataset):
        return None
    change = getattr(dataset, "target_transform", None)
    return labels if change is None else [change(label) for label in labels]


def class_names(dataset: Any) -> tuple[str, ...]:
    """What a dataset calls its classes, by number."""
    if isinstance(dataset, Subset):
        return class_names(dataset.dataset)
    if isinstance(dataset, ConcatDataset):
        parts = {class_names(part) for part in dataset.datasets}
        return parts.pop() if len(parts) == 1 else ()
    if getattr(dataset, "target_transform", None) is not None:
        return ()
    feature = (getattr(dataset, "features", None) or {}) if hasattr(dataset, "column_names") else {}
    names = next((feature[name].names for name in NAMES if hasattr(feature.get(name), "names")), None)
    names = names if names is not None else getattr(dataset, "classes", ())
    return tuple(map(str, names)) if isinstance(names, (list, tuple)) else ()


def named(labels: Labels, names: tuple[str, ...]) -> Labels:
    """Labels that are numbers of classes with names, under these names."""
    numbers = [int(c) for c in labels.classes if c.isdecimal()]
    if labels.hierarchy is not None or labels.multi is not None or not names or len(set(names)) < len(names):
        return labels
    if len(numbers) < len(labels.classes) or not numbers or max(numbers) >= len(names):
        return labels
    number = torch.tensor([*numbers, -1])
    return labels._replace(labels=number[labels.labels], classes=names)
