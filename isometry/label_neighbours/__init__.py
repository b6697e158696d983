"""The nearest others of every item by label distance, for dense mining; never N × N (Kim, Seo, Laptev, Cho and Kwak, "Deep
metric learning beyond binary supervision", CVPR 2019, keep all N × N in pickles)."""

from isometry.label_neighbours.find import fingerprint, hash_of, label_neighbours
from isometry.label_neighbours.neighbours import Neighbours, Recall, kept, open_neighbours

__all__ = ["Neighbours", "Recall", "fingerprint", "hash_of", "kept", "label_neighbours", "open_neighbours"]
