"""Readers of published data sets, by name: `isometry.data.read("cub:/data/CUB_200_2011")`.

A new one is a file here and a line in `BENCHMARKS`.
"""

import re
from pathlib import Path

from isometry.component import nearest
from isometry.data.data import Data
from isometry.data.published.benchmark import Benchmark
from isometry.data.published.cars import CARS, CARS_BOXES
from isometry.data.published.coco_captions import COCO_CAPTIONS, COCO_CAPTIONS_2014, COCO_KARPATHY
from isometry.data.published.cub import CUB, CUB_BOXES
from isometry.data.published.cuhk03 import CUHK03_DETECTED, CUHK03_LABELED
from isometry.data.published.dyml import DYML
from isometry.data.published.emoji import EMOJI
from isometry.data.published.fashion_mnist import FASHION_MNIST, FASHION_MNIST_CLASSES
from isometry.data.published.fullbody import MPII_FULLBODY
from isometry.data.published.gldv2 import GLDV2, GLDV2_FULL, GLDV2_RETRIEVAL
from isometry.data.published.ijb import IJBB, IJBC
from isometry.data.published.in_shop import IN_SHOP, IN_SHOP_BOXES, IN_SHOP_HIGHRES
from isometry.data.published.inat2018 import INAT2018, INAT2018_TAXONOMY
from isometry.data.published.lfw import LFW
from isometry.data.published.lsun_layout import LSUN_LAYOUT, LSUN_LAYOUT_MAPS
from isometry.data.published.market import CUHK03_NP_DETECTED, CUHK03_NP_LABELED, MARKET, MARKET_500K, REID
from isometry.data.published.mini_imagenet import MINI_IMAGENET
from isometry.data.published.mpii import MPII
from isometry.data.published.msmt17 import MSMT17
from isometry.data.published.omniglot import OMNIGLOT, OMNIGLOT_VINYALS
from isometry.data.published.records import RECORDS
from isometry.data.published.revisited import ROXFORD, ROXFORD_1M, RPARIS, RPARIS_1M
from isometry.data.published.sop import SOP
from isometry.data.published.vehicle_id import VEHICLE_ID, VEHICLE_ID_1600, VEHICLE_ID_2400
from isometry.data.published.veri776 import VERI776
from isometry.data.published.veri_wild import VERI_WILD, VERI_WILD_5000, VERI_WILD_10000

BENCHMARKS: dict[str, Benchmark] = {
    "cub": CUB,
    "cub_boxes": CUB_BOXES,
    "cars": CARS,
    "cars_boxes": CARS_BOXES,
    "sop": SOP,
    "in_shop": IN_SHOP,
    "in_shop_boxes": IN_SHOP_BOXES,
    "in_shop_highres": IN_SHOP_HIGHRES,
    "inat2018": INAT2018,
    "inat2018_taxonomy": INAT2018_TAXONOMY,
    "gldv2": GLDV2,
    "gldv2_full": GLDV2_FULL,
    "gldv2_retrieval": GLDV2_RETRIEVAL,
    "roxford": ROXFORD,
    "roxford_1m": ROXFORD_1M,
    "rparis": RPARIS,
    "rparis_1m": RPARIS_1M,
    **DYML,
    "omniglot": OMNIGLOT,
    "omniglot_vinyals": OMNIGLOT_VINYALS,
    "mini_imagenet": MINI_IMAGENET,
    "fashion_mnist": FASHION_MNIST,
    "fashion_mnist_classes": FASHION_MNIST_CLASSES,
    "emoji": EMOJI,
    "mpii": MPII,
    "mpii_fullbody": MPII_FULLBODY,
    "lsun_layout": LSUN_LAYOUT,
    "lsun_layout_maps": LSUN_LAYOUT_MAPS,
    "coco_captions": COCO_CAPTIONS,
    "coco_captions_2014": COCO_CAPTIONS_2014,
    "coco_karpathy": COCO_KARPATHY,
    "cuhk03_detected": CUHK03_DETECTED,
    "cuhk03_labeled": CUHK03_LABELED,
    "cuhk03_np_detected": CUHK03_NP_DETECTED,
    "cuhk03_np_labeled": CUHK03_NP_LABELED,
    "ijbb": IJBB,
    "ijbc": IJBC,
    "lfw": LFW,
    "market1501": MARKET,
    "market1501_500k": MARKET_500K,
    "msmt17": MSMT17,
    "recordio": RECORDS,
    "reid": REID,
    "vehicleid": VEHICLE_ID,
    "vehicleid_1600": VEHICLE_ID_1600,
    "vehicleid_2400": VEHICLE_ID_2400,
    "veri776": VERI776,
    "veriwild": VERI_WILD,
    "veriwild_5000": VERI_WILD_5000,
    "veriwild_10000": VERI_WILD_10000,
}
"""What can be read by name. `-`, `_` and capitals make no difference."""

SUBSET = "subset:"


def read_published(name: str, root: str | Path, *, subset: bool = False) -> Data:
    """Reads the published data set `name` from the folder `root`, or from the folder above it.

    Counts that are sure are checked, and checksums of the annotation files are written down on first use and compared
    afterwards. With `subset`, what is there is read, counts are not checked, and the data's name says that it is a
    subset.

    Raises:
        FileNotFoundError: for what is missing, with where it was looked for and where it is published.
        ValueError: for a name that is not known, or counts that are not the published ones.
    """
    key = known_as(name)
    if key is None:
        others = nearest(name, BENCHMARKS) or f" There are {', '.join(BENCHMARKS)}."
        raise ValueError(f"There is no published data set {name!r}.{others}")
    return BENCHMARKS[key].open(key, Path(root).expanduser(), subset=subset)


def named(source: str) -> tuple[str, str, bool] | None:
    """What "cub:/path" or "subset:cub:/path" names: the data set, the folder, and whether a subset is wanted.

    "subset:/path" leaves the data set to the folder's layout; the name is empty where that does not tell. None for a
    path. The drive of a Windows path (`C:\\data`) is no name.

    >>> named("cub:/data/birds"), named("subset:cub:birds"), named("C:\\\\birds"), named("birds")
    (('cub', '/data/birds', False), ('cub', 'birds', True), None, None)
    """
    subset = source.lower().startswith(SUBSET)
    rest = source[len(SUBSET) :] if subset else source
    if found := re.fullmatch(r"([A-Za-z][\w-]+):(?!//)(.+)", rest, re.DOTALL):
        return found[1], found[2], subset
    return (recognise(Path(rest).expanduser()) or "", rest, True) if subset else None


def placed(name: str) -> str | None:
    """Where a package of the system puts the data set `name`; None for what no package brings, and for other text."""
    return next((known.place for key, known in BENCHMARKS.items() if known.place and plain(key) == plain(name)), None)


def recognise(root: Path) -> str | None:
    """The one data set whose layout the folder `root` has; None where none or several have it."""
    found = [name for name, benchmark in BENCHMARKS.items() if benchmark.by_itself and benchmark.root(root)]
    return found[0] if len(found) == 1 else None


def known_as(name: str) -> str | None:
    """The name in `BENCHMARKS` of a data set, however it is spelled; None for one that is not known.

    >>> known_as("In-Shop"), known_as("oxford")
    ('in_shop', None)
    """
    return {plain(key): key for key in BENCHMARKS}.get(plain(name))


def plain(name: str) -> str:
    """A name without what makes no difference."""
    return re.sub(r"[\s_-]", "", name.lower())
