"""What the files themselves say: those that cannot be read, and those that are unlike the others."""

import numpy as np

from isometry.audit.findings import Finding
from isometry.audit.pictures import EMPTY, HUGE, TRUNCATED, UNREADABLE
from isometry.audit.signature import FLAT
from isometry.audit.survey import Survey
from isometry.data import Data

TIMES = 4.0
"""How many times the median area (squared: of a side) or the median ratio of the sides makes an odd size or shape."""
RARE = 0.05
"""A mode that fewer of the pictures have is odd."""
ADVICE = {
    UNREADABLE: "replace or drop it",
    EMPTY: "fetch it again or drop it",
    TRUNCATED: "fetch it again or drop it",
    HUGE: "make it smaller",
}


def files(survey: Survey, data: Data) -> list[Finding]:
    """All findings about single files."""
    label = names(data)
    found = [
        Finding(kind=kind, severity="high", rows=(i,), labels=(label[i],), detail=why, suggestion=ADVICE[kind])
        for i, (kind, why) in survey.troubles.items()
    ]

    def of(kind: str, severity: str, i: int, detail: str, suggestion: str) -> Finding:
        return Finding(
            kind=kind, severity=severity, rows=(i,), labels=(label[i],), detail=detail, suggestion=suggestion
        )

    readable = survey.readable
    for i in readable[survey.contrast[readable] <= FLAT].tolist():
        found.append(of("blank", "medium", i, f"its greys differ by {survey.contrast[i]:.1f} of 255", "drop it"))
    for i in readable[survey.turned[readable] == 0].tolist():
        found.append(of("orientation", "medium", i, "the tag is outside 1 … 8", "look which way is up; remove the tag"))
    for i in readable[survey.turned[readable] > 1].tolist():
        what = f"EXIF orientation {survey.turned[i]}: a reader that passes over the tag sees another picture"
        found.append(of("turned", "low", i, what, "turn the pixels and remove the tag"))
    for i in readable[survey.frames[readable] > 1].tolist():
        found.append(of("frames", "low", i, f"{survey.frames[i]} pictures", "take out the one that is meant"))
    for i, what in odd_modes(survey, readable):
        found.append(of("odd mode", "low", i, what, "convert it"))
    for i, kind, what in odd_sizes(survey.sizes, readable):
        found.append(of(kind, "low", i, what, "look whether it belongs"))
    return found


def names(data: Data) -> list[str]:
    """The class of each picture in words; empty where it is unknown."""
    return [data.classes[y] if y >= 0 else "" for y in data.labels.tolist()]


def odd_modes(survey: Survey, readable: np.ndarray) -> list[tuple[int, str]]:
    """Pictures of a mode that few have, and what it is."""
    modes = survey.modes[readable]
    counts = np.bincount(modes, minlength=len(survey.mode_names))
    usual = survey.mode_names[int(counts.argmax())] if len(modes) else ""
    rare = (counts > 0) & (counts < RARE * len(modes))
    return [
        (i, f"{survey.mode_names[mode]}; most are {usual}")
        for i, mode in zip(readable.tolist(), modes.tolist(), strict=True)
        if rare[mode]
    ]


def odd_sizes(sizes: np.ndarray, readable: np.ndarray) -> list[tuple[int, str, str]]:
    """Pictures whose area or ratio of sides is far from the median; their position, the kind, and what they are."""
    if not len(readable):
        return []
    width, height = sizes[readable].astype(float).clip(1).T
    side, shape = np.sqrt(width * height), np.log(width / height)
    apart = np.abs(np.log(side / np.median(side)))
    askew = np.abs(shape - np.median(shape))
    found = []
    for row in np.flatnonzero((apart > np.log(TIMES)) | (askew > np.log(TIMES))).tolist():
        kind = "odd size" if apart[row] > np.log(TIMES) else "odd shape"
        what = f"{width[row]:.0f}×{height[row]:.0f}; the median is {np.median(width):.0f}×{np.median(height):.0f}"
        found.append((int(readable[row]), kind, what))
    return found
