"""isometry why: what makes two pictures alike."""

from pathlib import Path
from typing import Annotated

import typer


def why(
    model: Annotated[str, typer.Argument(help="The folder of a run, or a bundle.")],
    a: Annotated[Path, typer.Argument(help="A picture.")],
    b: Annotated[Path, typer.Argument(help="The picture that it is compared with.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Where the drawing goes: a .png file.")] = Path("why.png"),
    similarity: Annotated[str, typer.Option(help="What to compare by; default: what the model was trained for.")] = "",
    steps: Annotated[int, typer.Option(help="Points of the integration; more are exacter and slower.")] = 16,
) -> None:
    """Draw which places of two pictures make them alike to a model, and which speak against it."""
    import isometry
    from isometry.attribution import why as explained
    from isometry.attribution.drawing import drawn, target, words, written

    target(out)
    found = explained(isometry.load(model), a, b, similarity=similarity, steps=steps)
    written(drawn(found, names=(a.name, b.name)), out)
    print("\n".join(words(found, (a.name, b.name))))
    print(f"picture: {out}")
