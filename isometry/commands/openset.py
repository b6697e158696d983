"""isometry calibrate, match, drift: naming pictures by a gallery, or saying that they are of none of its classes."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

Gallery = Annotated[Path, typer.Argument(help="The folder of a gallery.")]
Label = Annotated[str, typer.Option(help="The label column of DATA.")]
Part = Annotated[str, typer.Option(help="Only the train, validation or test part of DATA.")]
Workers = Annotated[int, typer.Option(help="Processes that decode pictures.")]


def calibrate(
    gallery: Gallery,
    data: Annotated[str, typer.Argument(help="Labelled pictures, of classes that the gallery does not hold.")] = "",
    rate: Annotated[float, typer.Option(help="The share of pictures of new classes that may be given a name.")] = 0.01,
    confidence: Annotated[
        float | None, typer.Option(help="That this threshold keeps the rate; default: on average over calibrations.")
    ] = None,
    per_class: Annotated[bool, typer.Option("--per-class", help="A threshold for every class.")] = False,
    again: Annotated[bool, typer.Option("--again", help="Anew, of the pictures of last time; needs no DATA.")] = False,
    report: Annotated[Path | None, typer.Option(help="Where to write the page.")] = None,
    label: Label = "",
    part: Part = "",
    workers: Workers = -1,
) -> None:
    """Find from which similarity on a picture is named, for a rate of false matches; keep it in the gallery."""
    from isometry import checkpoint, index, openset
    from isometry.openset.page import render

    opened = index.read(gallery)
    if again == bool(data):
        raise ValueError("Name the pictures to calibrate with, or --again for those of last time; not both.")
    held = (
        openset.kept_pictures(opened, openset.kept(opened))[0]
        if again
        else openset.held_of(opened.model, data, label=label, part=part, workers=workers)
    )
    found = openset.calibrate(opened, held, rate=rate, confidence=confidence, per_class=per_class)
    openset.keep(opened, found, held)
    if report is not None:
        checkpoint.write(report, render(found, opened.name))
    for note in found.notes:
        print(note, file=sys.stderr)
    how = "relative similarity" if per_class else found.stamp.similarity
    print(f"named from {how} {found.threshold:.4f} on: {found.promise}")
    print(f"strangers: {found.pictures:,} pictures of {found.classes:,} classes, {found.fpir:.4f} of them named")
    if known := found.known:
        print(
            f"known: {known.dir:.3f} named right [{known.low:.3f}, {known.high:.3f}], {known.misnamed:.3f} misnamed, "
            f"{known.refused:.3f} refused, of {known.pictures:,} pictures ({known.source})"
        )
    if report is not None:
        print(f"report: {report}")


def match(
    gallery: Gallery,
    pictures: Annotated[list[Path], typer.Argument(help="Files of pictures.")],
    k: Annotated[int, typer.Option("-k", help="How many of the most similar pictures --json gives.", min=0)] = 5,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
    stale: Annotated[
        bool, typer.Option("--stale", help="Though the gallery has changed since its calibration.")
    ] = False,
    workers: Workers = 0,
) -> None:
    """Name pictures by a calibrated gallery, or say "unknown". Ends with 0 in both cases."""
    from isometry import index, openset

    found = openset.match(index.read(gallery), [str(p) for p in pictures], k=k, stale=stale, workers=workers)
    if as_json:
        rows = [
            {"picture": str(p), **vars(one), "matches": [m._asdict() for m in one.matches]}
            for p, one in zip(pictures, found, strict=True)
        ]
        print(json.dumps(rows, indent=1, ensure_ascii=False))
        return
    lines = [("picture", "identity", "score", "threshold", "p", "nearest")]
    for path, one in zip(pictures, found, strict=True):
        label = one.label or "(no label)"
        lines.append((str(path), label, f"{one.score:.4f}", f"{one.threshold:.4f}", f"{one.p:.3g}", one.nearest))
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    for line in lines:
        print("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip())


def drift(
    gallery: Gallery,
    data: Annotated[str, typer.Argument(help="New pictures; with labels, classes are what is compared.")],
    level: Annotated[float, typer.Option(help="A corrected p value below it is a drift.", min=0, max=1)] = 0.01,
    check: Annotated[bool, typer.Option("--check", help="End with 1 on a drift.")] = False,
    report: Annotated[Path | None, typer.Option(help="Where to write the page.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
    label: Label = "",
    part: Part = "",
    workers: Workers = -1,
) -> None:
    """Compare new pictures with those that a gallery was calibrated with. Ends with 0; with --check, with 1 on a drift."""
    from isometry import checkpoint, index, openset
    from isometry.openset.drift_page import render

    opened = index.read(gallery)
    held = openset.held_of(opened.model, data, label=label, part=part, workers=workers)
    found = openset.drift(opened, held, level=level)
    if report is not None:
        checkpoint.write(report, render(found, f"{held.name} against {opened.name}"))
    if as_json:
        whole = {"drift": found.drifted, "verdict": found.verdict, "notes": found.notes}
        print(json.dumps({**whole, "tests": [vars(test) for test in found.tests]}, indent=1, ensure_ascii=False))
    else:
        width = max(len(test.name) for test in found.tests)
        for test in found.tests:
            said = f"{test.before} → {test.after}"
            print(
                f"{test.name:{width}}  {said:32}  effect {test.effect:7.3f}  p {test.p:.3g}, corrected {test.corrected:.3g}"
            )
        for note in found.notes:
            print(note)
        print(found.verdict)
        if report is not None:
            print(f"report: {report}")
    if check and found.drifted:
        raise typer.Exit(1)
