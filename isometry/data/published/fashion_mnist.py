"""Fashion-MNIST (Xiao, Rasul and Vollgraf, "Fashion-MNIST: a novel image dataset for benchmarking machine learning
algorithms", arXiv:1708.07747): 70,000 grey pictures of 28 × 28 pixels of ten kinds of products.

The files are of the IDX format: two zeros, the type of a value (8: uint8), the number of axes, the length of each as
four bytes, largest first, and the values, the last axis running fastest. MNIST and its kin lie in files of the same
names: only the name that is asked for tells them apart.
"""

import dataclasses
import gzip
import math
import zlib
from pathlib import Path

import numpy as np
import torch

from isometry.data.data import Data
from isometry.data.images import Arrays
from isometry.data.pixels import one_line
from isometry.data.published.benchmark import Benchmark
from isometry.data.published.layout import need

NAMES = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")
FILES = {"train": "train", "t10k": "test"}
UINT8 = 8


def read_fashion_mnist(root: Path) -> Data:
    """`train-images-idx3-ubyte`, `train-labels-idx1-ubyte`, `t10k-…`, packed with gzip (`.gz`) or not."""
    images, labels, split = [], [], []
    for name, part in FILES.items():
        pictures, classes = (file_of(root, f"{name}-{what}") for what in ("images-idx3-ubyte", "labels-idx1-ubyte"))
        images.append(idx(pictures, 3))
        labels.append(idx(classes, 1))
        if len(images[-1]) != len(labels[-1]):
            raise ValueError(
                f"{pictures} holds {len(images[-1]):,} pictures and {classes} {len(labels[-1]):,} labels: there must be "
                "one for each."
            )
        if len(labels[-1]) and labels[-1].max() >= len(NAMES):
            raise ValueError(f"{classes} has the label {labels[-1].max()}; labels are 0 to {len(NAMES) - 1}.")
        split += [part] * len(labels[-1])
    if len(sizes := {picture.shape[1:] for picture in images}) > 1:
        raise ValueError(f"{root} holds pictures of {len(sizes)} sizes to train and to test: {sorted(sizes)}.")
    return Data(
        images=Arrays(torch.from_numpy(np.concatenate(images))[:, None]),
        labels=torch.from_numpy(np.concatenate(labels).astype(np.int64)),
        classes=NAMES,
        ids=torch.arange(len(split)),
        split=tuple(split),
    )


def read_fashion_mnist_classes(root: Path) -> Data:
    """All pictures in one pool: the first five classes train, the others test."""
    data = read_fashion_mnist(root)
    half = len(NAMES) // 2
    return dataclasses.replace(data, split=tuple("train" if y < half else "test" for y in data.labels.tolist()))


def file_of(root: Path, name: str) -> Path:
    """The file, packed or not; some copies have a dot before `idx`."""
    dotted = name.replace("-idx", ".idx")
    return need(root, name, f"{name}.gz", dotted, f"{dotted}.gz")


def idx(path: Path, axes: int) -> np.ndarray:
    """The array of uint8 in an IDX file, `[n]` or `[n h w]`.

    Raises:
        ValueError: for a file that is none, or not whole.
    """
    content = unpacked(path)
    start = 4 + 4 * axes
    if content[:4] != bytes([0, 0, UINT8, axes]) or len(content) < start:
        raise ValueError(f"{path} is no IDX file of bytes with {axes} axes; it begins with {content[:4].hex(' ')!r}.")
    shape = tuple(int.from_bytes(content[at : at + 4], "big") for at in range(4, start, 4))
    if len(content) - start != math.prod(shape):
        needs = f"{' × '.join(map(str, shape))} values"
        raise ValueError(f"{path} is not whole: it says {needs} and holds {len(content) - start:,}. Fetch it again.")
    return np.frombuffer(content, dtype=np.uint8, offset=start).reshape(shape)


def unpacked(path: Path) -> bytes:
    """What is in a file, told by its first bytes to be packed or not, whatever its name.

    Raises:
        ValueError: for a packed file that is damaged.
    """
    content = path.read_bytes()
    if not content.startswith(b"\x1f\x8b"):
        return content
    try:
        return gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"{path} cannot be unpacked: {one_line(error)}. Fetch it again.") from None


FASHION_MNIST = Benchmark(
    title="Fashion-MNIST",
    read=read_fashion_mnist,
    home="the Debian package dataset-fashion-mnist, and at https://github.com/zalandoresearch/fashion-mnist",
    marks=tuple(
        (f"train-images{dot}idx3-ubyte{packed}", f"t10k-images{dot}idx3-ubyte{packed}")
        for dot in "-."
        for packed in ("", ".gz")
    ),
    folders=("fashion-mnist", "FashionMNIST/raw", "raw", "usr/share/datasets/fashion-mnist"),
    annotations=("train-labels-idx1-ubyte.gz", "t10k-labels-idx1-ubyte.gz"),
    verified={"train images": 60000, "train classes": 10, "test images": 10000, "test classes": 10},
    by_itself=False,  # MNIST lies in files of these names
    place="/usr/share/datasets/fashion-mnist",
)
FASHION_MNIST_CLASSES = dataclasses.replace(
    FASHION_MNIST,
    title="Fashion-MNIST, five classes to train and five to test",
    read=read_fashion_mnist_classes,
    verified={"train images": 35000, "train classes": 5, "test images": 35000, "test classes": 5},
)
