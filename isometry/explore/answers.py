"""What a page asks for, answered from what is shown: neighbours, truth, points of the map, reasons for a match."""

import base64
import secrets
import threading
from typing import Any

import numpy as np
import torch

from isometry.explore.images import LARGE, SMALL, Upload, Uploads, encoded, kept_small
from isometry.explore.shown import OWN, Items, Shown
from isometry.serve.preparing import embedding

MOST = 100
NAME_LENGTH = 160
GRID = 65_535


class NotHere(LookupError):
    """There is no such picture: one line."""


class Answers:
    """Answers questions about what is shown. Models run one at a time; everything else is read only."""

    def __init__(self, shown: Shown) -> None:
        self.shown, self.items, self.uploads = shown, shown.items, Uploads()
        self._rows = {int(id): row for row, id in enumerate(shown.items.ids.tolist())}
        self._model, self._mark = threading.Lock(), secrets.token_hex(4)

    def about(self) -> dict[str, Any]:
        """What the page shows, besides the points."""
        items, spaces = self.items, self.shown.spaces
        return {
            "name": self.shown.name,
            "n": len(items),
            "groups": [name[:NAME_LENGTH] for name in items.group_names] if items.groups is not None else [],
            "classes": [name[:NAME_LENGTH] for name in items.classes],
            "parts": [part._asdict() for part in items.parts],
            "models": [
                {
                    "name": space.name, "similarity": space.similarity, "dim": space.z.shape[1], "how": space.how,
                    "right": int((space.right == 1).sum()), "wrong": int((space.right == 0).sum()),
                }
                for space in spaces
            ],
            "why": explains(),
            "mark": self._mark,
        }  # fmt: skip

    def points(self, model: int) -> bytes:
        """All points, by column: ids (float64), classes (int32), places (uint16, x then y), groups (int16), and the verdict
        of each model (int8)."""
        items, space = self.items, self._space(model)
        xy = (space.xy.clamp(0, 1) * GRID).round().numpy().astype("<u2")
        columns = [items.ids.numpy().astype("<f8"), items.labels.numpy().astype("<i4"), xy[:, 0], xy[:, 1]]
        columns += [(torch.full((len(items),), -1) if items.groups is None else items.groups).numpy().astype("<i2")]
        columns += [one.right.numpy().astype("i1") for one in self.shown.spaces]
        return b"".join(np.ascontiguousarray(column).tobytes() for column in columns)

    def near(self, name: str, k: int, among: str) -> dict[str, Any]:
        """The k pictures most similar to this one, by each model, and what is known of it.

        Raises:
            NotHere: for a picture that there is not. ValueError: for k or a part that cannot be.
        """
        if not 1 <= k <= MOST:
            raise ValueError(f"k is how many neighbours are wanted, 1 to {MOST}; got {k}.")
        row, upload = self._find(name)
        rows = self.items.among(among or OWN, row)
        models = []
        for m, space in enumerate(self.shown.spaces):
            q = upload.embedded[m] if upload else space.z[row : row + 1]
            scores, found = space.find(q, rows, k, without=row)
            label = int(self.items.labels[row]) if row >= 0 else -1
            models.append([self._match(score, at, label) for score, at in zip(scores, found, strict=True)])
        return {**self._known(name, row), "searched": rows.stop - rows.start, "models": models}

    def add(self, picture: Any) -> str:
        """Embeds an uploaded picture by each model; gives the name it has from now on.

        Raises:
            Refused: for one that a model cannot take.
        """
        with self._model:
            vectors = tuple(space.ready(embedding(picture, space.model)) for space in self.shown.spaces)
        return self.uploads.add(Upload(kept_small(picture), vectors))

    def picture(self, name: str, large: bool) -> tuple[bytes, str]:
        """A picture as a file, and its media type.

        Raises:
            NotHere: where there is none.
        """
        picture = self._picture(name)
        if picture is None:
            raise NotHere("This picture cannot be shown: its file is not where it was.")
        return encoded(picture, LARGE if large else SMALL)

    def why(self, a: str, b: str, model: int) -> dict[str, Any]:
        """Heat maps over two pictures: what of each speaks for the match.

        Raises:
            NotHere: for a picture that there is not. ValueError: where a model cannot be explained.
        """
        from isometry.attribution import why
        from isometry.attribution.drawing import overlay, words

        pictures, space = [self._picture(name) for name in (a, b)], self._space(model)
        if pictures[0] is None or pictures[1] is None:
            raise NotHere("This pair cannot be explained: one of its pictures is not where it was.")
        with self._model:
            found = why(space.model, pictures[0], pictures[1], similarity=space.similarity)
        sides = (
            (found.seen_a, found.heat_a) if found.whole_a is None else (found.given_a, found.whole_a),
            (found.seen_b, found.heat_b) if found.whole_b is None else (found.given_b, found.whole_b),
        )
        strongest = max(float(heat.abs().max()) for _, heat in sides)
        heat = [_data(overlay(picture, heat, strongest=strongest)) for picture, heat in sides]
        return {"score": found.score, "heat": heat, "words": words(found, ("the first", "the second"))[2]}

    def _space(self, model: int) -> Any:
        if not 0 <= model < len(self.shown.spaces):
            raise ValueError(f"Models are numbered from 0 to {len(self.shown.spaces) - 1}; got {model}.")
        return self.shown.spaces[model]

    def _find(self, name: str) -> tuple[int, Upload | None]:
        """The row of a picture, or −1 and the upload."""
        upload = self.uploads.get(name)
        if upload is not None:
            return -1, upload
        row = self._rows.get(int(name)) if name.isascii() and name.isdigit() and len(name) < 20 else None
        if row is None:
            gone = "This upload is not kept any more: search for it again." if name.startswith("u") else ""
            raise NotHere(gone or "There is no picture of this number.")
        return row, None

    def _picture(self, name: str) -> Any:
        row, upload = self._find(name)
        return upload.picture if upload else self.items.picture(row)

    def _known(self, name: str, row: int) -> dict[str, Any]:
        if row < 0:
            return {"id": name, "label": -1, "part": "", "file": "", "right": []}
        verdicts = [int(space.right[row]) for space in self.shown.spaces]
        return {
            "id": name, "label": int(self.items.labels[row]), "part": self.items.part_of(row).name,
            "file": shown_path(self.items, row), "right": verdicts,
        }  # fmt: skip

    def _match(self, score: float, row: int, label: int) -> dict[str, Any]:
        own = int(self.items.labels[row])
        right = -1 if min(own, label) < 0 else int(own == label)
        return {"id": str(int(self.items.ids[row])), "score": round(score, 5), "label": own, "right": right}


def shown_path(items: Items, row: int) -> str:
    """The end of a picture's path, as much as tells it apart."""
    parts = items.names[row].replace("\\", "/").split("/") if items.names else []
    return "/".join(parts[-3:])[-NAME_LENGTH:]


def explains() -> bool:
    """Whether matches can be explained here."""
    from importlib.util import find_spec

    return find_spec("isometry.attribution") is not None


def _data(image: Any) -> str:
    content, kind = encoded(image, LARGE)
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
