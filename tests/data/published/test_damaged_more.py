"""The same of data that come as packages, of poses, captions and rooms, and of tars."""

import warnings

import pytest

from tests.data import test_web
from tests.data.published import test_captions, test_graded, test_rooms, test_small, trees
from tests.data.published.test_damaged import DAMAGES, complaint


def emoji(root):
    test_small.package(root / "emoji-datasource-google")
    test_small.package(root / "emoji-datasource-twitter", ["twitter"])


TREES = {
    "subset:fashion_mnist": test_small.fashion,
    "subset:fashion_mnist_classes": lambda root: test_small.fashion(root, packed=False),
    "subset:emoji": emoji,
    "subset:mpii": test_graded.poses,
    "SUBSET:mpii": test_graded.release,
    "subset:lsun_layout": test_rooms.rooms,
    "subset:lsun_layout_maps": test_rooms.rooms,
    "subset:coco_captions": test_captions.coco,
    "subset:coco_karpathy": lambda root: (test_captions.coco(root), test_captions.karpathy(root)),
    "web": lambda root: test_web.tar(root / "000.tar", test_web.labelled(0, 4, json=b'{"caption": "a"}')),
}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", TREES)
def test_damaged_files(tmp_path, name, damage):
    TREES[name](tmp_path)
    pictures = (".jpg", ".png")
    files = [path for path in tmp_path.rglob("*") if path.is_file() and path.suffix not in pictures]
    assert files
    for path in files:
        whole = path.read_bytes()
        trees.put(path.parent, path.name, DAMAGES[damage](whole))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            said = complaint(f"{name}:{tmp_path}")
        assert said is None or (said.strip() and "\n" not in said), path
        path.write_bytes(whole)


def test_undamaged_files(tmp_path):
    for number, (name, made) in enumerate(TREES.items()):
        made(tmp_path / str(number))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            assert complaint(f"{name}:{tmp_path}/{number}") is None, name
