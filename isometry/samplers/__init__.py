"""Which items stand together in a batch: `ClassesTimesInstances(classes=32).bind(labels)` is a torch batch sampler."""

from .category_batches import CategoryBatches
from .classes_times_instances import ClassesTimesInstances
from .dense_triplets import DenseTriplets
from .hard_classes import HardClasses
from .plain import Plain

__all__ = ["CategoryBatches", "ClassesTimesInstances", "DenseTriplets", "HardClasses", "Plain"]  # fmt: skip
