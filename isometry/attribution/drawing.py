"""Heat maps over pictures, in two colours that every kind of colour vision tells apart, with a legend in words."""

import io
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from isometry import checkpoint
from isometry.attribution.heat import Why
from isometry.ops.blur import spread

FOR, AGAINST = (0.902, 0.380, 0.0), (0.0, 0.361, 0.784)
"""Orange and blue: their hue and their brightness differ, to the red-green blind too."""
SOFT = 1 / 24
"""How far heat is spread where it is drawn, in shares of the shorter side."""
SLACK = 0.1
"""The share of what is owed that a map may miss unmentioned."""
INK, PAPER, EDGE = (32, 32, 32), (255, 255, 255), 12


def overlay(
    picture: UInt8[Tensor, "c h w"] | Float[Tensor, "c h w"],
    heat: Float[Tensor, "y x"],
    *,
    smooth: float = SOFT,
    strongest: float = 0.0,
    strength: float = 0.8,
) -> Image.Image:
    """The picture in pale grey under its heat: orange what adds to the match, blue what takes away from it.

    Args:
        picture: uint8, or float in 0 … 1.
        heat: what each pixel adds.
        smooth: how far heat is spread for the eye, in shares of the shorter side: deep networks speckle. 0 for not at all.
        strongest: the heat that is drawn in full colour; by default the largest of this map.
        strength: how much of the picture a full colour covers, 0 … 1.

    Raises:
        ValueError: for a heat map of another size than the picture.

    >>> overlay(torch.zeros(1, 4, 6), torch.ones(4, 6)).size
    (6, 4)
    """
    if picture.shape[-2:] != heat.shape:
        raise ValueError(
            f"A heat map is as large as its picture; got {list(heat.shape)} for {list(picture.shape[-2:])}: take whole_a "
            "for the picture as given, and heat_a for the prepared one."
        )
    bright = picture / 255 if picture.dtype == torch.uint8 else picture
    grey = 0.25 + 0.6 * bright.float().mean(0).clamp(0, 1).cpu()
    heat = softened(heat, smooth)
    share = heat / (strongest or float(heat.abs().max()) or 1.0)
    colour = torch.where((share > 0)[..., None], torch.tensor(FOR), torch.tensor(AGAINST))
    cover = (strength * share.abs().clamp(max=1))[..., None]
    mixed = (1 - cover) * grey[..., None] + cover * colour
    return Image.fromarray((mixed * 255).round().numpy().astype(np.uint8))


def softened(heat: Float[Tensor, "y x"], smooth: float = SOFT) -> Float[Tensor, "y x"]:
    """The map as it is drawn: each pixel's heat spread over its neighbours, with the same sum. On the CPU."""
    return spread(heat.float().cpu()[None, None], smooth * min(heat.shape))[0, 0]


def drawn(found: Why, *, side: int = 256, names: tuple[str, str] = ("a", "b")) -> Image.Image:
    """A sheet: the two pictures as the model sees them, the heat over each, and what the colours and the numbers mean.

    Both maps have one scale, so that they can be compared.
    """
    strongest = max(float(softened(heat).abs().max()) for heat in (found.heat_a, found.heat_b))
    panels = (
        (names[0], plain(found.seen_a)),
        (f"{names[0]}: what adds", overlay(found.seen_a, found.heat_a, strongest=strongest)),
        (f"{names[1]}: what adds", overlay(found.seen_b, found.heat_b, strongest=strongest)),
        (names[1], plain(found.seen_b)),
    )
    font, line = ImageFont.load_default(15), 22
    lines = words(found, names)
    width = max(EDGE + len(panels) * (side + EDGE), *(2 * EDGE + 30 + int(font.getlength(text)) for text in lines))
    sheet = Image.new("RGB", (width, 2 * EDGE + line + side + EDGE + line * len(lines)), PAPER)
    draw = ImageDraw.Draw(sheet)
    for i, (title, panel) in enumerate(panels):
        left = EDGE + i * (side + EDGE)
        draw.text((left, EDGE - 2), _fitting(title, font, side), INK, font)
        sheet.paste(_resized(panel, side), (left, EDGE + line))
    top = 2 * EDGE + line + side
    for i, (text, colour) in enumerate(zip(lines, (FOR, AGAINST, None, None), strict=True)):
        if colour:
            box = (EDGE, top + i * line + 3, EDGE + 22, top + i * line + 17)
            draw.rectangle(box, tuple(round(255 * part) for part in colour))
        draw.text((EDGE + (30 if colour else 0), top + i * line), text, INK, font)
    return sheet


def words(found: Why, names: tuple[str, str] = ("a", "b")) -> tuple[str, str, str, str]:
    """The legend: what the colours mean, and the numbers beside them."""
    a, b = names
    return (
        "orange: adds to the match, the more the stronger the colour",
        "blue: takes away from the match; grey: makes no difference",
        f"{found.similarity} {found.score:.3f}; {found.without_a:.3f} with {a} blurred beyond recognition, "
        f"{found.without_b:.3f} with {b}.",
        _sums(found),
    )


def _sums(found: Why) -> str:
    """Whether the maps add up, in words."""
    owed = max(abs(found.score - found.without_a), abs(found.score - found.without_b))
    if max(abs(found.gap_a), abs(found.gap_b)) <= SLACK * owed + 1e-6:
        return "Each map adds up to the difference: what the match owes to what is to be seen."
    return f"The maps miss {found.gap_a:+.3f} and {found.gap_b:+.3f} of the differences: more steps are exacter."


def plain(picture: Float[Tensor, "c h w"] | UInt8[Tensor, "c h w"]) -> Image.Image:
    """A picture of one or three channels, as it is; of others the mean of the channels."""
    bright = picture / 255 if picture.dtype == torch.uint8 else picture.float()
    bright = bright if len(bright) == 3 else bright.mean(0, keepdim=True).expand(3, -1, -1)
    return Image.fromarray((bright.clamp(0, 1) * 255).round().permute(1, 2, 0).cpu().numpy().astype(np.uint8))


def written(sheet: Image.Image, path: Path) -> None:
    """Writes a PNG file, whole or not at all.

    Raises:
        ValueError, OSError: for another kind of file, and where it cannot be written.
    """
    held = io.BytesIO()
    sheet.save(held, "PNG", optimize=True)
    checkpoint.write(target(path), held.getvalue())


def target(path: Path) -> Path:
    """Where a drawing goes, if it can go there.

    Raises:
        ValueError, OSError: for another kind of file, and a folder that there is not.
    """
    if path.suffix.lower() != ".png" or path.is_dir():
        raise ValueError(f"The drawing is written as a .png file; got {path}.")
    if not path.resolve().parent.is_dir():
        raise FileNotFoundError(f"There is no folder {path.resolve().parent} to write {path.name} to.")
    return path


def _resized(panel: Image.Image, side: int) -> Image.Image:
    """Its longer side at this length; small pictures keep their pixels apart."""
    scale = side / max(panel.size)
    how = Image.Resampling.NEAREST if scale > 1 else Image.Resampling.LANCZOS
    return panel.resize((max(1, round(panel.width * scale)), max(1, round(panel.height * scale))), how)


def _fitting(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> str:
    """The text, cut at its start where it is too long."""
    if font.getlength(text) <= width:
        return text
    while len(text) > 1 and font.getlength("…" + text) > width:
        text = text[1:]
    return "…" + text
