"""Codes: embeddings as a few bytes each."""

from .binary import Binary
from .int8 import Int8
from .pq import PQ
from .prefix import Prefix

__all__ = ["PQ", "Binary", "Int8", "Prefix"]
