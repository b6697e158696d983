"""Readers for every standard layout, splits, and the embedded `glyphs`: `split(read("path/to/folder"))`."""

from isometry.data.data import Data
from isometry.data.fetch import Batch
from isometry.data.images import Arrays, FromDataset, Paths
from isometry.data.loading import Loader, loader
from isometry.data.pairs import Paired, Pairs, Search, Templates
from isometry.data.pixels import Unreadable
from isometry.data.published.paired import read_pairs
from isometry.data.read import read
from isometry.data.splits import Splits, split

__all__ = [
    "Arrays",
    "Batch",
    "Data",
    "FromDataset",
    "Loader",
    "Paired",
    "Pairs",
    "Paths",
    "Search",
    "Splits",
    "Templates",
    "Unreadable",
    "loader",
    "read",
    "read_pairs",
    "split",
]
