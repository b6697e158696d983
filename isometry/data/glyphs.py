"""The embedded data set: letters of five scripts, drawn by the typefaces that come with matplotlib.

A class is a Unicode letter, an image is one typeface's drawing of it. The typefaces are DejaVu, STIX and Computer
Modern (see the licences beside them in matplotlib's `mpl-data/fonts/ttf`); `LastResort`, which draws the same box for
every letter of a script, is left out.
"""

import contextlib
import functools
import hashlib
import json
import os
import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

SCRIPTS = ("Latin", "Greek", "Cyrillic", "Armenian", "Georgian")
LEVELS = ("script", "letter", "case")
PART = {"Latin": "train", "Greek": "validation", "Cyrillic": "test", "Armenian": "test", "Georgian": "test"}
SIDE = 32  # pixels
TYPE = 24  # the size of the type, in pixels to the em
FACES = 8  # a letter that fewer typefaces cover is left out
VERSION = 2  # of the rendering below; part of the key of the cache


@dataclass(frozen=True)
class Glyphs:
    """Drawings of letters, ordered by class and within a class by typeface.

    Attributes:
        images: uint8 `[n 1 32 32]`, white ink on black.
        labels: int64 `[n]`, the class of each image.
        classes: the letter of each class, such as `"Ж"`.
        hierarchy: int64 `[n 3]`, the path of each image from the root; two letters that differ in case alone share
            script and letter, and the last level is the class.
        levels: what the columns of `hierarchy` are: script, letter, case.
        faces: the typeface of each image, such as `"DejaVuSans-Bold"`.
        scripts: the script of each class, such as `"Cyrillic"`.
    """

    images: Tensor
    labels: Tensor
    classes: tuple[str, ...]
    hierarchy: Tensor
    levels: tuple[str, ...]
    faces: tuple[str, ...]
    scripts: tuple[str, ...]


def glyphs() -> Glyphs:
    """Draws the data set, or reads it from the cache.

    A letter belongs when its Unicode name begins with one of the five scripts and at least eight typefaces cover it;
    of two codes for one letter (Greek has some: the same accent as `tonos` and as `oxia`) the canonical one belongs.
    It is drawn from 24-pixel type, its line centred on 32×32 pixels; a drawing that repeats an earlier one of the same
    class bit for bit is left out. The cache lies in `$ISOMETRY_CACHE`, or else in `~/.cache/isometry`, under a name
    that depends on the bytes of the fonts and on the versions of what draws them; a file that cannot be read is made
    anew, and a folder that cannot be written to costs the two seconds of drawing each time.

    >>> data = glyphs()
    >>> data.images.shape[1:], data.images.dtype
    (torch.Size([1, 32, 32]), torch.uint8)
    >>> [data.scripts.count(script) for script in ("Latin", "Greek", "Cyrillic")]
    [939, 324, 225]
    """
    fonts = _fonts()
    path = _folder() / f"glyphs-{_key(fonts)[:16]}.safetensors"
    drawn = _read(path)
    if drawn is None:
        drawn = _draw(fonts)
        _write(path, *drawn)
    images, labels, classes, faces = drawn
    scripts = tuple(_script(letter) for letter in classes)
    return Glyphs(images, labels, classes, _tree(classes)[labels], LEVELS, faces, scripts)


def default_split(data: Glyphs) -> tuple[str, ...]:
    """The part each image belongs to: Latin trains, Greek validates, Cyrillic, Armenian and Georgian test.

    Validation is a script that training never saw, because that is what the test asks for.

    >>> data = glyphs()
    >>> parts = default_split(data)
    >>> sorted(set(parts)), len(parts) == len(data.images)
    (['test', 'train', 'validation'], True)
    """
    return tuple(PART[data.scripts[label]] for label in data.labels.tolist())


def _fonts() -> list[Path]:
    import matplotlib

    folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    fonts = sorted(path for path in folder.glob("*.ttf") if not path.name.startswith("LastResort"))
    if not fonts:
        raise FileNotFoundError(f"There are no fonts in {folder} to draw the glyphs with. Reinstall matplotlib.")
    return fonts


def _folder() -> Path:
    return Path(os.environ.get("ISOMETRY_CACHE") or Path.home() / ".cache" / "isometry")


def _key(fonts: Iterable[Path]) -> str:
    from PIL import __version__ as pillow
    from PIL import features

    made_by = (VERSION, SIDE, TYPE, FACES, pillow, features.version("freetype2"), unicodedata.unidata_version)
    digest = hashlib.sha256(repr(made_by).encode())
    for font in fonts:
        digest.update(font.name.encode() + b"\0" + font.read_bytes())
    return digest.hexdigest()


def _script(letter: str) -> str:
    """The first word of the letter's Unicode name, or nothing where it is no letter or a second code for one."""
    is_letter = unicodedata.category(letter).startswith("L") and unicodedata.normalize("NFC", letter) == letter
    named = unicodedata.name(letter, "") if is_letter else ""
    return named.partition(" ")[0].capitalize()


def _tree(classes: tuple[str, ...]) -> Tensor:
    """The path of each class `[c 3]`."""
    letters = {name: i for i, name in enumerate(dict.fromkeys((_script(c), c.lower()) for c in classes))}
    paths = [(SCRIPTS.index(_script(c)), letters[_script(c), c.lower()], i) for i, c in enumerate(classes)]
    return torch.tensor(paths, dtype=torch.int64)


def _covered(fonts: list[Path]) -> dict[str, list[Path]]:
    """The fonts that cover each letter, in the order of script and code point."""
    from matplotlib.ft2font import FT2Font

    covered = defaultdict(list)
    for font in fonts:
        for code in FT2Font(str(font)).get_charmap():
            if _script(chr(code)) in SCRIPTS:
                covered[chr(code)].append(font)
    enough = (letter for letter, having in covered.items() if len(having) >= FACES)
    return {letter: covered[letter] for letter in sorted(enough, key=lambda c: (SCRIPTS.index(_script(c)), c))}


def _draw(fonts: list[Path]) -> tuple[Tensor, Tensor, tuple[str, ...], tuple[str, ...]]:
    from PIL import Image, ImageDraw, ImageFont

    @functools.cache
    def type_of(font: Path) -> ImageFont.FreeTypeFont:
        return ImageFont.truetype(str(font), TYPE, layout_engine=ImageFont.Layout.BASIC)

    covered = _covered(fonts)
    images, labels, faces = [], [], []
    for label, (letter, having) in enumerate(covered.items()):
        seen = set()
        for font in having:
            picture = Image.new("L", (SIDE, SIDE))
            centre = (SIDE / 2, SIDE / 2)
            ImageDraw.Draw(picture).text(centre, letter, font=type_of(font), fill=255, anchor="mm")
            pixels = picture.tobytes()
            if pixels not in seen:
                seen.add(pixels)
                images.append(np.frombuffer(pixels, np.uint8).reshape(1, SIDE, SIDE))
                labels.append(label)
                faces.append(font.stem)
    return torch.from_numpy(np.stack(images)), torch.tensor(labels), tuple(covered), tuple(faces)


def _write(path: Path, images: Tensor, labels: Tensor, classes: tuple[str, ...], faces: tuple[str, ...]) -> None:
    from safetensors.torch import save

    data = save({"images": images, "labels": labels}, {"classes": json.dumps(classes), "faces": json.dumps(faces)})
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(data)
        part.replace(path)
    except OSError:  # a cache is a convenience: without it the letters are drawn each time
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


def _read(path: Path) -> tuple[Tensor, Tensor, tuple[str, ...], tuple[str, ...]] | None:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            names = file.metadata()
            images, labels = (file.get_tensor(name).clone() for name in ("images", "labels"))  # not the mapped file
        return images, labels, tuple(json.loads(names["classes"])), tuple(json.loads(names["faces"]))
    except (SafetensorError, OSError, KeyError, TypeError, ValueError):  # absent, truncated or not ours
        return None
