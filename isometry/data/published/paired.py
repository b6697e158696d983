"""One door for data that come as pairs: `read_pairs("lfw:/data/lfw")`."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from isometry.component import nearest
from isometry.data.data import Data
from isometry.data.pairs import Paired
from isometry.data.published import BENCHMARKS, named, plain, recognise
from isometry.data.published.face_packs import read_pack
from isometry.data.published.ijb import ijb_pairs
from isometry.data.published.lfw import lfw_pairs

PAIRED: dict[str, Callable[[Path, Data], Paired]] = {
    "lfw": lfw_pairs,
    "ijbb": partial(ijb_pairs, name="ijbb"),
    "ijbc": partial(ijb_pairs, name="ijbc"),
}
"""Published data sets that come with pairs."""


def read_pairs(source: str | Path) -> Paired:
    """Pictures and the pairs of them, or of templates, that are to be told same or different.

    Args:
        source: a name and a folder ("lfw:/data/lfw", "ijbc:/data/IJB_release/IJBC"), the folder alone where its layout
            tells what it is, or a pack of InsightFace ("/data/agedb_30.bin").

    Raises:
        FileNotFoundError: for what is missing, with where it was looked for.
        ValueError: for data that do not come as pairs, or are not what they should be.
    """
    path = Path(source).expanduser()
    if path.is_file():
        return read_pack(path)
    found = (recognise(path), str(path), False) if path.is_dir() else named(str(source))
    name, folder = (plain(found[0] or ""), Path(found[1]).expanduser()) if found else ("", path)
    if name not in PAIRED:
        known = f"{', '.join(f'{name}:folder' for name in PAIRED)}, or a pack such as lfw.bin"
        raise (ValueError if found else FileNotFoundError)(
            f"{source} holds no pairs that are known.{nearest(name, PAIRED) if name else ''} There are {known}."
        )
    benchmark = BENCHMARKS[name]
    data = benchmark.open(name, folder)
    return PAIRED[name](benchmark.root(folder) or folder, data)
