"""isometry audit: data looked over before anything is trained on them."""

import sys
from pathlib import Path
from typing import Annotated

import typer


def audit(
    data: Annotated[str, typer.Argument(help='"glyphs", a folder, a table, or a published data set.')],
    out: Annotated[Path, typer.Option("--out", "-o", help="Where findings.csv and report.html go.")] = Path("audit"),
    model: Annotated[str, typer.Option(help="A run or a bundle: its embedding tells likeness.")] = "",
    embed: Annotated[bool, typer.Option(help="Embed pictures; else nothing is said of labels and outliers.")] = True,
    label: Annotated[str, typer.Option(help="The label column of a table.")] = "",
    source: Annotated[str, typer.Option(help="The column of a table that says where a picture is from.")] = "",
    source_pattern: Annotated[str, typer.Option(help="The same, from its path: '([^/]+)_[0-9]+'.")] = "",
    fix_list: Annotated[bool, typer.Option("--fix-list", help="Also fixes.csv, and fixed.csv to train on.")] = False,
    check: Annotated[str, typer.Option(help="Exit with 1 where a finding is as bad: low, medium or high.")] = "",
    workers: Annotated[int, typer.Option(help="Processes that decode pictures.")] = -1,
) -> None:
    """Look over data: copies within and across parts, leaks, likely mislabels, outliers, broken files, odd classes."""
    from isometry.audit import audit as look_over
    from isometry.audit import fixes, origins
    from isometry.audit.audit import room
    from isometry.audit.findings import at_least
    from isometry.audit.shown import Seeing, summary
    from isometry.data import read

    at_least((), check or "low")
    room(out)
    items = read(data, label=label)
    with Seeing() as seeing:
        found = look_over(
            items, model or None, embed=embed, origin=origins(items, source, source_pattern, data),
            workers=workers, show=seeing.row,
        )  # fmt: skip
    report = found.write(out)
    summary(found)
    if fix_list:
        steps, fixed = fixes.write(found, out)
        print(f"fixes: {steps}" + (f", and what is left of the data: {fixed}" if fixed else ""))
    print(f"report: {report}")
    if check and (bad := at_least(found.findings, check)):
        print(f"isometry: {len(bad):,} findings are {check} or worse", file=sys.stderr)
        raise typer.Exit(1)
