"""What labels say of pairs: classes, label sets, label trees, distances between continuous labels, teachers."""

from .by import By
from .captions import Captions, captions
from .circular import Circular
from .close_targets import CloseTargets, close_targets
from .given import Given
from .given_distances import GivenDistances
from .joints import Joints, joints
from .label_tree import label_tree
from .layouts import Layouts, layouts
from .places import Places
from .same_class import same_class
from .scaled import Scaled
from .shared_labels import shared_labels
from .teacher import Teacher, teacher
from .word_mover import WordMover

__all__ = ["By", "Captions", "Circular", "CloseTargets", "Given", "GivenDistances", "Joints", "Layouts",
           "Places", "Scaled", "Teacher", "WordMover", "captions", "close_targets", "joints", "label_tree",
           "layouts", "same_class", "shared_labels", "teacher"]  # fmt: skip
