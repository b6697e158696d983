"""isometry serve: a gallery over HTTP."""

from pathlib import Path
from typing import Annotated

import typer


def serve(
    gallery: Annotated[Path, typer.Argument(help="The folder that isometry index has made.")],
    host: Annotated[
        str, typer.Option(help="The address to listen on; 0.0.0.0 for all of this machine's.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 for one that is free.")] = 8000,
    open_reading: Annotated[
        bool, typer.Option("--open-reading", help="Ask for the token of ISOMETRY_TOKEN only to change the gallery.")
    ] = False,
    writable: Annotated[
        bool, typer.Option("--writable", help="Let pictures be added and deleted without a token.")
    ] = False,
    show_paths: Annotated[
        bool, typer.Option("--show-paths", help="Answers carry the files' names in the data.")
    ] = False,
    body: Annotated[float, typer.Option(min=0.001, help="Megabytes of a request.")] = 16,
    pixels: Annotated[float, typer.Option(min=0.001, help="Millions of pixels of a picture.")] = 25,
    pictures: Annotated[int, typer.Option(min=1, help="Pictures in a request.")] = 16,
    vectors: Annotated[int, typer.Option(min=1, help="Vectors in a search.")] = 256,
    k: Annotated[int, typer.Option("-k", min=1, help="Matches that may be asked for.")] = 100,
    requests: Annotated[
        int, typer.Option(min=1, help="Requests worked on at once; others are told to come back.")
    ] = 64,
    batch: Annotated[int, typer.Option(min=1, help="Pictures that the model sees at once.")] = 16,
    gather: Annotated[float, typer.Option(min=0, help="Milliseconds that it waits for a batch to fill.")] = 3,
    timeout: Annotated[float, typer.Option(min=1, help="Seconds until a request is answered or given up.")] = 30,
) -> None:
    """Serve a gallery: embed, search, match, add and delete over HTTP.

    The token is read from ISOMETRY_TOKEN; without it all may read and nobody may write. Ctrl-C stops it.
    """
    import os

    from isometry.serve import Limits, running
    from isometry.serve.access import token_of

    limits = Limits(
        body=round(body * 1e6), pixels=round(pixels * 1e6), pictures=pictures, vectors=vectors, k=k, requests=requests,
        batch=batch, gather=gather / 1e3, answering=timeout,
    )  # fmt: skip
    running.run(
        gallery, host=host, port=port, token=token_of(os.environ), open_reading=open_reading, writable=writable,
        show_paths=show_paths, limits=limits,
        started=lambda address: print(f"serving {gallery} at {address} ({address}/docs says how)", flush=True),
    )  # fmt: skip
