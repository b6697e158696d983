"""A folder with copies, wrong labels and broken files in it."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw


def drawing(dice: np.random.Generator, colour: tuple[int, ...] = (240, 240, 240)) -> Image.Image:
    """Nine shapes at random on one colour, 120 × 90 pixels."""
    image = Image.new("RGB", (120, 90), colour)
    draw = ImageDraw.Draw(image)
    for k in range(9):
        x, y, w, h = (int(v) for v in dice.integers((0, 0, 10, 10), (100, 80, 60, 60)))
        fill = tuple(int(v) for v in dice.integers(0, 255, 3))
        (draw.ellipse if k % 2 else draw.rectangle)([x, y, x + w, y + h], fill=fill)
    return image


def folder(root: Path) -> Path:
    """Six training classes, two to validate on and four to test on, of six drawings each, and what is wrong with them."""
    dice = np.random.default_rng(0)
    for part, classes in (("train", range(6)), ("validation", range(6, 8)), ("test", range(8, 12))):
        for c in classes:
            (root / part / f"class{c:02d}").mkdir(parents=True)
            for k in range(6):
                drawing(dice).save(root / part / f"class{c:02d}" / f"{k}.png")
    train, test = root / "train", root / "test"
    Image.open(test / "class08/0.png").save(train / "class00/jpeg.jpg", quality=40)
    Image.open(test / "class08/1.png").resize((84, 63)).save(train / "class01/small.png")
    Image.open(test / "class09/1.png").crop((3, 2, 117, 88)).save(train / "class02/crop.png")
    Image.open(test / "class10/1.png").transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(train / "class03/flip.png")
    whole = (train / "class04/1.png").read_bytes()
    (train / "class04/again.png").write_bytes(whole)
    (train / "class05/same.png").write_bytes(whole)
    (train / "class00/cut.png").write_bytes(whole[: len(whole) // 2])
    (train / "class00/empty.jpg").write_bytes(b"")
    (train / "class00/text.jpg").write_bytes(b"no picture")
    Image.new("RGB", (120, 90), "white").save(train / "class01/white.png")
    for name, tag in (("turned", 6), ("bad", 77)):
        exif = Image.Exif()
        exif[0x0112] = tag
        drawing(dice).save(train / f"class01/{name}.jpg", exif=exif)
    (train / "Class 05").mkdir()
    drawing(dice).save(train / "Class 05/0.png")
    drawing(dice).resize((1200, 900)).save(train / "class03/large.png")
    return root
