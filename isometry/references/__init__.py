"""What a batch is compared against. Every reference works with every loss."""

from .batch import batch
from .fixed import Fixed
from .memory import Memory
from .proxies import Proxies

__all__ = ["Fixed", "Memory", "Proxies", "batch"]
