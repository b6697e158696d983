"""isometry index, search, add, update, delete, compact, verify: a gallery on disk, and what is like a picture in it."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

Gallery = Annotated[Path, typer.Argument(help="The folder of a gallery.")]
Workers = Annotated[int, typer.Option(help="Processes that decode pictures.")]
Label = Annotated[str, typer.Option(help="The label column of a table.")]
Class = Annotated[str, typer.Option("--class", help="The class of the picture.")]
OTHER = (".csv", ".tsv", ".tab", ".txt", ".parquet", ".pq", ".tar", ".npy", ".npz")  # files that are no single picture


def index(
    bundle: Annotated[str, typer.Argument(help="A bundle (thing.isom, a folder, hf:owner/name), or a run's folder.")],
    data: Annotated[str, typer.Argument(help="Pictures to search: any data; or z.npy of isometry embed.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The gallery's folder, new or empty.")],
    kind: Annotated[str, typer.Option(help='How it is searched, "HNSW(links=32)"; default: chosen by measuring.')] = "",
    recall: Annotated[float, typer.Option(help="Share of the ten nearest that a search must find.")] = 0.95,
    store: Annotated[str, typer.Option(help="Where vectors lie, if not in the folder: the URI of a database.")] = "",
    label: Label = "",
    thumbnails: Annotated[int, typer.Option(help="Side of the small pictures that are kept; 0 for none.")] = 64,
    replace: Annotated[bool, typer.Option("--replace", help="Put this gallery in the place of one there.")] = False,
    workers: Workers = -1,
) -> None:
    """Make a gallery: embed pictures, and arrange them for search."""
    from isometry.index import build

    made = build(
        bundle, data, out, kind=kind, recall=recall, store=store, label=label, thumbnails=thumbnails, replace=replace,
        workers=workers, tell=print,
    )  # fmt: skip
    _left_out(made.left_out)
    print(f"{made.count:,} pictures, searched by {made.kind}")
    print(f"gallery: {made.path}")


def search(
    gallery: Annotated[str, typer.Argument(help="The folder of a gallery, or a bundle that carries one.")],
    pictures: Annotated[list[str], typer.Argument(help="Pictures to find the like of.")],
    k: Annotated[int, typer.Option("-k", help="How many of each.")] = 10,
    exact: Annotated[bool, typer.Option("--exact", help="Look at every picture of the gallery.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="For machines: one line for each picture.")] = False,
) -> None:
    """Find the pictures of a gallery that are most like a picture."""
    from isometry import index
    from isometry.bundle import is_bundle
    from isometry.bundle import read as read_bundle

    if is_bundle(gallery):
        found = read_bundle(gallery).search(pictures, k)
    else:
        found = index.read(gallery).search(pictures, k, exact=exact)
    for picture, matches in zip(pictures, found, strict=True):
        if as_json:
            print(json.dumps({"picture": picture, "matches": [match._asdict() for match in matches]}))
            continue
        if len(pictures) > 1:
            print(picture)
        rows = [(i, f"{m.score:.4f}", m.label, m.id, m.path) for i, m in enumerate(matches, 1)]
        _table(("rank", "score", "label", "id", "path"), rows)


def add(
    gallery: Gallery,
    data: Annotated[list[str], typer.Argument(help="Any data, z.npy of isometry embed, or pictures.")],
    name: Class = "",
    label: Label = "",
    workers: Workers = -1,
) -> None:
    """Add pictures to a gallery; they are found at once."""
    from isometry import index

    held = index.read(gallery)
    before = len(held)
    if all(Path(one).is_file() and Path(one).suffix.lower() not in OTHER for one in data):
        ids = held.add(data, labels=[name] * len(data))
    elif len(data) > 1 or name:
        raise ValueError("Add one folder, table or file of embeddings at a time; --class is for pictures.")
    else:
        ids = held.add_data(data[0], label=label, workers=workers)
        _left_out(held.left_out)
    shown = f"id {int(ids[0])}" if len(ids) == 1 else f"ids {int(ids.min())} to {int(ids.max())}"
    print(f"added {len(held) - before:,}, put {len(ids) - len(held) + before:,} in the place of others: {shown}")
    _held(held)


def update(
    gallery: Gallery,
    id: Annotated[int, typer.Argument(help="The id, as search prints it.")],
    picture: Annotated[str, typer.Argument(help="What takes its place.")],
    name: Class = "",
) -> None:
    """Put another picture in the place of one in a gallery; its class stays unless given."""
    from isometry import index

    held = index.read(gallery)
    held.update([id], [picture], labels=[name] if name else None)
    _held(held)


def delete(
    gallery: Gallery,
    ids: Annotated[list[int], typer.Argument(help="Ids, as search prints them.")],
) -> None:
    """Delete pictures from a gallery by id: all, or none if one is not there."""
    from isometry import index

    held = index.read(gallery)
    held.items(ids)
    print(f"deleted {held.delete(ids):,}")
    _held(held)


def compact(gallery: Gallery) -> None:
    """Make one piece of a gallery: fold in what was added, leave out what was deleted, choose anew how it is searched."""
    from isometry import index

    held = index.read(gallery)
    held.compact(tell=print)
    _held(held)


def verify(gallery: Gallery) -> None:
    """Read all of a gallery, and compare it with the hashes of what was written."""
    from isometry import index

    held = index.read(gallery)
    held.check()
    print(f"{gallery} is whole: generation {held.generation}")
    _held(held)


def _held(held: Any) -> None:
    print(f"{len(held):,} pictures in {held.path}, searched by {held.kind}{held.beside()}")


def _left_out(count: int) -> None:
    if count:
        print(f"{count} pictures could not be read and were left out", file=sys.stderr)


def _table(head: tuple[str, ...], rows: list[tuple[Any, ...]]) -> None:
    """Columns of one width; the label and the path are on the left of theirs."""
    lines = [head, *(tuple(map(str, row)) for row in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    for line in lines:
        cells = [
            x.ljust(w) if h in ("label", "path") else x.rjust(w) for h, x, w in zip(head, line, widths, strict=True)
        ]
        text = "  ".join(cells).rstrip()
        print(text.encode(errors="surrogateescape").decode(errors="replace"))  # file names need not be Unicode
