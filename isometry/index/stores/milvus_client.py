"""The client of Milvus: how it is opened, what it says when something is wrong, and text as its fields can hold it."""

import base64
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from isometry.component import nearest

TOKEN = "ISOMETRY_MILVUS_TOKEN"
SECONDS = 10.0  # until a server that does not answer is given up
LONGEST = 65_535  # bytes of a text field, at most
CODED = "base64:"
SERVERS = ("http", "https", "tcp", "unix")


def client(uri: str) -> Any:
    """A client of a folder `….db` (embedded) or of a server; its token is in the environment, if it needs one.

    Raises:
        ImportError: where pymilvus, or the embedded form, is not installed.
        ValueError: for a URI that is none, or that carries a secret.
        ConnectionError: for a server that does not answer.
    """
    if "@" in uri:
        raise ValueError(f"A URI of a store carries no user and no secret: put the token into the variable {TOKEN}.")
    scheme = uri.partition("://")[0] if "://" in uri else ""
    if scheme not in SERVERS and (scheme or not uri.endswith(".db")):
        meant = nearest(scheme, SERVERS)
        raise ValueError(f"{uri!r} is no Milvus: write http://host:19530, or a file name that ends in .db.{meant}")
    try:
        from pymilvus import MilvusClient
    except ImportError:
        raise ImportError("A gallery in Milvus needs its client: pip install 'isometry[milvus]'.") from None
    logging.getLogger("pymilvus").setLevel(logging.CRITICAL)  # it prints a traceback for what becomes one line here
    with in_one_line(uri):
        return MilvusClient(uri=uri, token=os.environ.get(TOKEN, ""), timeout=SECONDS)


@contextmanager
def in_one_line(uri: str) -> Iterator[None]:
    """What the client or the server refuses, as a ConnectionError of one line."""
    from pymilvus.exceptions import MilvusException

    try:
        yield
    except ModuleNotFoundError as error:
        raise ImportError(f"{error.name} is not installed: pip install 'isometry[milvus]'.") from None
    except MilvusException as error:
        why = " ".join(str(getattr(error, "message", "") or error).split())[:200]
        fix = (
            f"Is it running, and {TOKEN} right?"
            if "://" in uri
            else "Has another process opened it? One at a time may."
        )
        raise ConnectionError(f"Milvus at {uri} refused or did not answer ({why}). {fix}") from None


def held(text: str) -> str:
    """Text as a field holds it: file names that are no Unicode are coded.

    >>> given(held("caf\\udce9.png")) == "caf\\udce9.png"
    True

    Raises:
        ValueError: for what is too long.
    """
    try:
        text.encode()
        coded = CODED in text[: len(CODED)]
    except UnicodeEncodeError:
        coded = True
    kept = CODED + base64.b64encode(text.encode("utf-8", "surrogatepass")).decode() if coded else text
    if len(kept.encode()) > LONGEST:
        raise ValueError(
            f"Milvus holds texts and small pictures of up to {LONGEST:,} bytes; one has {len(kept.encode()):,}."
        )
    return kept


def given(text: str) -> str:
    """What `held` was given."""
    return base64.b64decode(text[len(CODED) :]).decode("utf-8", "surrogatepass") if text.startswith(CODED) else text
