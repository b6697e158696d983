"""A gallery over HTTP: embed, search, match, add and delete, with limits on what a stranger may ask for."""

from typing import TYPE_CHECKING

from isometry.index import Index
from isometry.serve.access import Access
from isometry.serve.limits import Limits, Refused
from isometry.serve.pictures import decoded

if TYPE_CHECKING:
    from fastapi import FastAPI

__all__ = ["Access", "Limits", "Refused", "app", "decoded"]


def app(
    index: Index, limits: Limits | None = None, access: Access | None = None, *, show_paths: bool = False
) -> "FastAPI":
    """The ASGI application that serves a gallery; `isometry serve` runs it.

    Args:
        limits: what one client may cost.
        access: who may ask for what; without, anyone who reaches it may read, and nobody may change the gallery.
        show_paths: answers carry what the gallery's own data call a file, where that is a relative name.

    Raises:
        ValueError: where what it needs is not installed.
    """
    try:
        from isometry.serve.application import application
    except ImportError as error:
        raise ValueError(f"Serving needs {error.name}: pip install 'isometry[serve]'.") from None
    return application(index, limits or Limits(), access or Access(), show_paths=show_paths)
