"""What the rule of class and camera leaves a query to find, by a loop."""

from pathlib import Path


def found(data):
    """For each query what it can find by the rule of class and sequence: (right, wrong), and what is left out."""
    label, camera = data.labels.tolist(), data.sequence.tolist()
    name = [Path(path).name for path in data.paths]
    searched = {}
    for q in data.is_query.nonzero()[:, 0].tolist():
        right, wrong, junk = set(), set(), set()
        for g in data.is_gallery.nonzero()[:, 0].tolist():
            same = label[q] == label[g] and label[q] >= 0
            if g != q:
                (wrong if not same else junk if camera[q] == camera[g] else right).add(name[g])
        searched[name[q]] = right, wrong, junk
    return searched
