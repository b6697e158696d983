"""What labels say of pairs: classes, label sets, label trees, distances between continuous labels, teachers."""

from .close_targets import CloseTargets, close_targets
from .given import Given
from .label_tree import label_tree
from .same_class import same_class
from .shared_labels import shared_labels
from .teacher import Teacher, teacher

__all__ = ["CloseTargets", "Given", "Teacher", "close_targets", "label_tree", "same_class",
           "shared_labels", "teacher"]  # fmt: skip
