"""Kinds of index: how a gallery's vectors are arranged for search."""

from .flat import Flat
from .hnsw import HNSW
from .ivf import IVF

__all__ = ["HNSW", "IVF", "Flat"]
