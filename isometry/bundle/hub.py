"""Bundles on the Hugging Face Hub: a folder bundle is a repository of it, as it lies there."""

import importlib
from pathlib import Path

from isometry.bundle.archive import KNOWN, MANIFEST


def fetched(name: str) -> Path:
    """The local folder of "owner/name" or "owner/name@revision"; fetched once, and kept where the Hub's client keeps it.

    Raises:
        ValueError: for another name, or when huggingface_hub is not installed.
        FileNotFoundError: when it is neither there nor kept here.
    """
    repository, _, revision = name.partition("@")
    if repository.count("/") != 1 or not all(repository.split("/")):
        raise ValueError(f"A bundle on the Hub is hf:owner/name or hf:owner/name@revision; got hf:{name}.")
    try:
        hub = importlib.import_module("huggingface_hub")
    except ImportError:
        raise ValueError(f"hf:{name} is fetched by the package huggingface_hub: pip install huggingface_hub.") from None
    try:
        return Path(hub.snapshot_download(repository, revision=revision or None, allow_patterns=[MANIFEST, *KNOWN]))
    except Exception as error:  # the client and its network fail in many ways
        why = " ".join(str(error).split())[:200].rstrip(".")
        raise FileNotFoundError(f"hf:{name} cannot be fetched ({type(error).__name__}: {why}).") from None
