"""Whatever is wrong with an annotation file, a reader gives data or says what is wrong in one line."""

import warnings

import numpy as np
import pytest

from isometry.data import Data, read
from tests.data.published import photos, trees

TREES = {
    "cub_boxes": trees.cub, "cars": photos.cars_one_archive, "cars_boxes": photos.cars_two_archives,
    "Cars": photos.cars_tables, "sop": photos.sop, "in_shop_boxes": photos.in_shop,
    "inat2018_taxonomy": photos.inat2018, "gldv2": photos.gldv2,
    "gldv2_full": photos.gldv2, "roxford": photos.revisited, "dyml_animal_fine": photos.dyml,
    "dyml_product_middle": photos.dyml_product, "omniglot_vinyals": photos.omniglot,
    "mini_imagenet": photos.mini_imagenet,
}  # fmt: skip
DAMAGES = {
    "empty": lambda data: b"",
    "cut short": lambda data: data[: len(data) // 2],
    "noise": lambda data: np.random.default_rng(0).bytes(len(data)),
    "another file": lambda data: b"a b c\nd e f\n",
    "twice": lambda data: data + data,
}


def complaint(source):
    """What reading says is wrong; None where it reads."""
    try:
        assert isinstance(read(source), Data)
    except (ValueError, FileNotFoundError) as error:
        return str(error)
    return None


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", TREES)
def test_damaged_annotations(tmp_path, name, damage):
    TREES[name](tmp_path)
    files = [path for path in tmp_path.rglob("*") if path.suffix in (".txt", ".csv", ".mat", ".pkl", ".json")]
    assert files
    for path in files:
        whole = path.read_bytes()
        path.write_bytes(DAMAGES[damage](whole))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            said = complaint(f"subset:{name}:{tmp_path}")
        assert said is None or (said.strip() and "\n" not in said), path
        path.write_bytes(whole)
