"""isometry export: a model for programs that have neither torch nor isometry."""

from pathlib import Path
from typing import Annotated

import typer


def export(
    model: Annotated[Path, typer.Argument(help="The folder of a run, or a bundle thing.isom.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="model.onnx, or model.pt2 for torch.export.")],
    data: Annotated[
        str, typer.Option(help="Pictures to compare on: any data; default: the run's own test pictures.")
    ] = "",
    label: Annotated[str, typer.Option(help="The label column of a table.")] = "",
    label_columns: Annotated[str, typer.Option(help='Columns that are one continuous label: "x0:x27".')] = "",
    precision: Annotated[str, typer.Option(help="How weights are kept: float32, half or int8.")] = "float32",
    codes: Annotated[
        str, typer.Option(help='Short codes of embeddings, and what they lose: "Int8(), Binary(), Prefix(dim=32)".')
    ] = "",
    tolerance: Annotated[
        float | None, typer.Option(help="Largest difference of an embedding, as a share of its length.")
    ] = None,
    kept: Annotated[float | None, typer.Option(help="Least share of nearest neighbours that stay the same.")] = None,
    change: Annotated[float | None, typer.Option(help="Largest change of Recall@1 and of MAP@R.")] = None,
    pictures: Annotated[int, typer.Option(min=12, help="Pictures to compare, at most.")] = 5000,
    workers: Annotated[int, typer.Option(help="Processes that decode pictures.")] = -1,
) -> None:
    """Write a model for other programs; only if it embeds real pictures as the model does, and finds the same."""
    from dataclasses import replace

    from isometry.export import precision as named
    from isometry.export import write
    from isometry.export.codes import table

    chosen = named(precision)
    given = {"embedding": tolerance, "kept": kept, "metric": change}
    gate = replace(chosen.gate, **{name: value for name, value in given.items() if value is not None})
    made = write(
        model, out, data=data, label=label, label_columns=label_columns, precision=chosen, gate=gate, codes=codes,
        pictures=pictures, workers=workers,
    )  # fmt: skip
    for line in (*made.notes, *made.parity.lines(), *table(made.codes)):
        print(line)
    print(f"sha256 {made.digest}")
    print(f"export: {made.path} ({made.says}, weights as {chosen.name}, {made.bytes:,} bytes)")
