"""Which items stand together in a batch: `ClassesTimesInstances(classes=32).bind(labels)` is a torch batch sampler."""

from .classes_times_instances import ClassesTimesInstances
from .plain import Plain

__all__ = ["ClassesTimesInstances", "Plain"]
