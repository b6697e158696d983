"""isometry explore: a page of a run or a gallery, in the browser."""

import sys
from typing import Annotated

import typer


def explore(
    source: Annotated[str, typer.Argument(help="The folder of a run, a gallery, or a bundle.")],
    other: Annotated[str, typer.Argument(help="Another model to compare on the same pictures.")] = "",
    data: Annotated[
        str, typer.Option(help="Other pictures than the run's own, or its own where they have moved.")
    ] = "",
    label: Annotated[str, typer.Option(help="The label column of --data.")] = "",
    host: Annotated[
        str, typer.Option(help="The address to bind to; only this machine reaches 127.0.0.1.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: the first free one from 8050 on.")] = 0,
    workers: Annotated[int, typer.Option(help="Processes that decode pictures.")] = -1,
) -> None:
    """Look around in an embedding space: a map, search by picture, neighbours, errors, two models side by side.

    A web page on this machine. What takes long is computed once and kept in explore/ of the run or gallery.
    """
    from isometry.explore import opened, serve

    say = lambda line: print(line, file=sys.stderr, flush=True)  # noqa: E731
    serve(lambda: opened(source, other, data=data, label=label, workers=workers, say=say), host=host, port=port)
