"""Codes: embeddings as a few bytes each."""

from .binary import Binary
from .float16 import Float16
from .int8 import Int8
from .pq import PQ
from .prefix import Prefix

__all__ = ["PQ", "Binary", "Float16", "Int8", "Prefix"]
