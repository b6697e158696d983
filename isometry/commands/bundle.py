"""isometry bundle: a run in one file."""

import sys
from pathlib import Path
from typing import Annotated

import typer


def bundle(
    run: Annotated[Path, typer.Argument(help="The folder of a run.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="A file thing.isom, or a folder laid out for the Hub.")],
    index: Annotated[str, typer.Option(help="Pictures to carry along and search: any data.")] = "",
    name: Annotated[str, typer.Option(help="What the model is called; default: as the run's folder.")] = "",
    purpose: Annotated[str, typer.Option(help="For the card: what it is for, in your words.")] = "",
    data: Annotated[str, typer.Option(help="The run's own data, where they have moved.")] = "",
    label: Annotated[str, typer.Option(help="The label column of --index.")] = "",
    half: Annotated[bool, typer.Option("--half", help="Keep the pictures to search in float16.")] = False,
    thresholds: Annotated[
        bool, typer.Option(help="Calibrate accept/reject thresholds; this reads the run's data.")
    ] = True,
    workers: Annotated[int, typer.Option(help="Processes that decode pictures.")] = -1,
) -> None:
    """Put a run's model into one file to ship: weights, preprocessing, evaluation, thresholds, card."""
    from isometry.bundle import write

    made = write(
        run, out, index=index, name=name, purpose=purpose, data=data, label=label, half=half, thresholds=thresholds,
        workers=workers,
    )  # fmt: skip
    for row in made.thresholds.rows:
        tried = (
            ""
            if row.test_fmr is None
            else f", on test classes {row.test_fmr:.3g} of the false and {row.test_tar:.3g} of"
        )
        accepted = f"accepts {row.fmr:.3g} of false and {row.tar:.3g} of true pairs{tried and tried + ' the true'}"
        print(f"false matches ≤ {row.rate:g}: {made.thresholds.similarity} ≥ {row.score:.4f} {accepted}")
    for note in made.thresholds.notes:
        print(note)
    if made.gallery:
        print(f"carries {made.gallery:,} pictures to search")
    if made.left_out:
        print(f"{made.left_out} pictures could not be read and were left out", file=sys.stderr)
    print(f"sha256 {made.digest}")
    print(f"bundle: {made.path}")
