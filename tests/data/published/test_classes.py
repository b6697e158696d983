"""Readers of data sets that are divided by class: CUB-200-2011, Cars196, SOP, In-Shop, iNaturalist, Omniglot,
mini-ImageNet."""

import warnings
from collections import Counter

import pytest

from isometry.data import read, split
from isometry.data.published import read_published
from isometry.fingerprint import content
from tests.data.published import photos, trees

STYLES = ({}, {"end": "\r\n"}, {"bom": True}, {"end": "\r\n", "bom": True})


def parts(data):
    return {
        part: sorted({data.classes[y] for y, own in zip(data.labels.tolist(), data.split, strict=True) if own == part})
        for part in sorted(set(data.split))
    }


@pytest.mark.parametrize("style", STYLES)
def test_cub_is_divided_by_class(tmp_path, style):
    data = read_published("cub", trees.cub(tmp_path / "CUB_200_2011", **style), subset=True)
    assert parts(data) == {
        "train": ["001.Bird_1", "002.Bird_2", "100.Bird_100"],
        "test": ["101.Bird_101", "200.Bird_200"],
    }
    assert data.name == "a subset of CUB-200-2011 (10 images)"
    assert data.is_query is None
    made = split(data)
    assert not set(made.train.labels.tolist()) & set(made.test.labels.tolist())


def test_cub_reads_no_classification_split(tmp_path):
    root = trees.cub(tmp_path)
    before = read(f"subset:cub:{root}").fingerprint()
    (root / "train_test_split.txt").unlink()
    assert read(f"subset:cub:{root}").fingerprint() == before


def test_cub_cut_to_boxes(tmp_path):
    root = trees.cub(tmp_path)
    whole, data = read(f"subset:cub:{root}"), read(f"subset:cub_boxes:{root}")
    assert data.images.boxes.tolist()[0] == [1, 2, 5, 5]
    assert data.images[0].shape == (3, 3, 4)
    assert data.fingerprint() != whole.fingerprint()
    trees.text(root, "bounding_boxes.txt", ["1 1 2 3 4"])
    with pytest.raises(ValueError, match=r"says nothing of 9 images; the first is image 2"):
        read(f"subset:cub_boxes:{root}")


def test_cub_with_wrong_files(tmp_path):
    root = trees.cub(tmp_path)
    trees.text(root, "image_class_labels.txt", ["1 1"])
    with pytest.raises(ValueError, match=r"image_class_labels.txt says nothing of 9 images"):
        read(f"subset:cub:{root}")
    trees.text(root, "image_class_labels.txt", ["1 1 1"])
    with pytest.raises(ValueError, match=r"row 1, has 3 cells and needs 2"):
        read(f"subset:cub:{root}")
    (root / "image_class_labels.txt").unlink()
    with pytest.raises(
        FileNotFoundError, match=r"CUB-200-2011: image_class_labels.txt is missing; looked in .*caltech"
    ):
        read(f"cub:{root}")


def test_nabirds_is_not_cub(tmp_path):
    root = trees.cub(tmp_path)
    (root / "hierarchy.txt").touch()
    assert read(root).name == root.name


@pytest.fixture(scope="module")
def whole_cub(tmp_path_factory):
    """All 11,788 pictures, empty: 5,864 of classes 1–100 and 5,924 of classes 101–200."""
    root = tmp_path_factory.mktemp("whole") / "CUB_200_2011"
    counts = [59] * 64 + [58] * 36 + [59] * 100  # 5,864; 5,900 and 24 more
    counts = [count + (24 if c == 200 else 0) for c, count in enumerate(counts, 1)]
    items = [(c, f"{c:03d}.Bird/{i}.jpg") for c, count in enumerate(counts, 1) for i in range(count)]
    for c in range(1, 201):
        (root / "images" / f"{c:03d}.Bird").mkdir(parents=True)
    for _, path in items:
        (root / "images" / path).touch()
    trees.text(root, "images.txt", [f"{i} {path}" for i, (_, path) in enumerate(items, 1)])
    trees.text(root, "image_class_labels.txt", [f"{i} {c}" for i, (c, _) in enumerate(items, 1)])
    tested = {*range(5995, 11789)}  # 5,794
    trees.text(root, "train_test_split.txt", [f"{i} {int(i not in tested)}" for i in range(1, len(items) + 1)])
    return root


def test_the_cub_of_5794_test_images_is_never_the_cub_of_5924(whole_cub):
    """The trap: the classification split tests 5,794 images of 200 classes. It cannot be read as the benchmark, nor have
    its fingerprint, however it is read."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        data = read(whole_cub)
    assert data.name == "CUB-200-2011"
    assert Counter(data.split) == {"train": 5864, "test": 5924}
    given = [line.split()[1] for line in (whole_cub / "train_test_split.txt").read_text().splitlines()]
    rows = [("train" if own == "1" else "test") for own in given]
    assert Counter(rows)["test"] == 5794
    table = "path,label,split\n" + "".join(
        f"{path},{data.classes[y]},{part}\n"
        for path, y, part in zip(data.paths, data.labels.tolist(), rows, strict=True)
    )
    (whole_cub / "oml.csv").write_text(table)
    other = read(whole_cub / "oml.csv")
    assert len(other.part("test")) == 5794
    assert len(other) == len(data)
    assert other.fingerprint() != data.fingerprint()
    assert other.part("test").fingerprint() != data.part("test").fingerprint()
    assert content(other.part("test")) != content(data.part("test"))  # what the protocol of a result holds
    assert other.name != data.name


def test_a_cub_of_other_counts_is_refused(whole_cub, tmp_path):
    root = tmp_path / "CUB_200_2011"
    root.mkdir()
    (root / "images").symlink_to(whole_cub / "images")
    for name in ("images.txt", "image_class_labels.txt"):
        lines = (whole_cub / name).read_text().splitlines()
        trees.text(root, name, lines[:-130])
    with pytest.raises(ValueError, match=r"expected 5,924 test images and 100 test classes, found 5,794 and 99"):
        read(root)
    part = read(f"subset:cub:{root}")
    assert len(part.part("test")) == 5794
    assert part.name == "a subset of CUB-200-2011 (11,658 images)"


@pytest.mark.parametrize(
    "tree",
    [
        photos.cars_one_archive,
        photos.cars_two_archives,
        lambda root: photos.cars_two_archives(root, "cars_test_annos_withlabels.mat"),
        photos.cars_tables,
        lambda root: photos.cars_tables(root, end="\r\n", bom=True),
    ],
    ids=["one archive", "two archives", "two archives, labels beside", "tables", "tables with CRLF and BOM"],
)
def test_cars_in_every_layout(tmp_path, tree):
    root = tree(tmp_path / "cars")
    data = read(f"subset:cars:{root}")
    names = dict(photos.CARS)
    assert parts(data) == {"train": sorted([names[1], names[98]]), "test": sorted([names[99], names[196]])}
    assert len(data) == 8
    assert data.images[7].shape == (3, 6, 8)
    cut = read(f"subset:cars_boxes:{root}")
    assert cut.images.boxes.min() >= 0
    assert cut.images[0].shape[1] < 7
    assert cut.fingerprint() != data.fingerprint()
    with pytest.raises(ValueError, match="Cars196: expected 8,054 train images"):
        read(root)


def test_cars_boxes_are_inclusive_and_from_one(tmp_path):
    data = read(f"subset:cars_boxes:{photos.cars_tables(tmp_path)}")  # 1, 2, 7, 5
    assert data.images.boxes[0].tolist() == [0, 1, 7, 5]


def test_cars_with_wrong_files(tmp_path):
    root = photos.cars_two_archives(tmp_path)
    lacking = photos.annotations([(1, 1, 2, 2, "00001.jpg")], *photos.SIDES, "fname")
    photos.matlab(root, "devkit/cars_test_annos_withlabels.mat", annotations=lacking)
    with pytest.raises(ValueError, match="annotations without 'class': the file with labels is wanted"):
        read(f"subset:cars:{root}")
    (root / "devkit/cars_test_annos_withlabels.mat").write_bytes(b"no MATLAB")
    with pytest.raises(ValueError, match="is no MATLAB file that can be read"):
        read(f"subset:cars:{root}")
    (root / "devkit/cars_test_annos_withlabels.mat").unlink()
    with pytest.raises(FileNotFoundError, match=r"Cars196: devkit/cars_test_annos_withlabels\.mat or"):
        read(f"cars:{root}")
    root = photos.cars_tables(tmp_path / "c")
    trees.text(root, "anno_test.csv", ["1.jpg,1,2,3,4,500"])
    with pytest.raises(ValueError, match=r"anno_test.csv says that 1.jpg is of class 500, and names.csv has 196"):
        read(f"subset:cars:{root}")
    trees.text(root, "anno_test.csv", ["1.jpg,1,2,three,4,5"])
    with pytest.raises(ValueError, match=r"anno_test.csv has 'three' where a number is expected"):
        read(f"subset:cars:{root}")


@pytest.mark.parametrize("style", STYLES)
def test_sop_has_super_classes(tmp_path, style):
    data = read(f"subset:sop:{photos.sop(tmp_path / 'Stanford_Online_Products', **style)}")
    assert parts(data) == {"train": ["bicycle/1", "chair/2"], "test": ["bicycle/11319", "chair/11320"]}
    assert data.levels == ("super_class", "class")
    assert data.categories == ("bicycle", "chair")
    assert data.category.tolist() == [0, 0, 1, 1] * 2
    assert data.hierarchy[:, 0].tolist() == data.category.tolist()
    assert data.hierarchy[:, 1].tolist() == data.labels.tolist()
    assert data.images[0].shape == (3, 6, 8)
    with pytest.raises(ValueError, match=r"expected 59,551 train images and 11,318 train classes and 60,502 test"):
        read(tmp_path)


@pytest.mark.parametrize("style", STYLES)
def test_in_shop_has_queries_and_a_gallery(tmp_path, style):
    data = read(f"subset:in-shop:{photos.in_shop(tmp_path, **style)}")
    assert parts(data) == {"train": ["id_00000002", "id_00000003"], "test": ["id_00000007", "id_00000008"]}
    assert data.is_query.tolist() == [False, False, False, True, False, True, False]
    assert data.is_gallery.tolist() == [False, False, False, False, True, False, True]
    assert data.categories == ("MEN/Denim", "MEN/Tees", "WOMEN/Dresses")
    assert data.images[0].shape == (3, 6, 8)
    with pytest.raises(ValueError, match=r"expected 25,882 train images .* 14,218 query images"):
        read(tmp_path)
    cut = read(f"subset:in_shop_boxes:{tmp_path}")
    assert cut.images[6].shape == (3, 6, 6)
    with pytest.raises(
        FileNotFoundError, match=r"In-Shop in high resolution: img_highres or Img/img_highres is missing"
    ):
        read(f"subset:in_shop_highres:{tmp_path}")


def test_in_shop_as_it_was_unpacked(tmp_path):
    photos.in_shop(tmp_path / "In-shop Clothes Retrieval Benchmark", "Img/img", ("", "Anno/"))
    assert len(read(f"subset:inshop:{tmp_path}")) == 7
    photos.in_shop(tmp_path / "large", "img_highres", ("Eval/", "Anno/"))
    assert len(read(f"subset:in_shop_highres:{tmp_path / 'large'}")) == 7


def test_in_shop_says_what_is_odd(tmp_path):
    path = photos.in_shop(tmp_path) / "Eval/list_eval_partition.txt"
    path.write_text(path.read_text().replace("7\n", "52712\n", 1))
    assert "lists 52712 pictures, and lists 7" in " ".join(read(f"subset:in_shop:{tmp_path}").notes).replace(
        "says that it ", ""
    )
    path.write_text(path.read_text().replace("gallery", "galery"))
    with pytest.raises(ValueError, match="has the status 'galery'"):
        read(f"subset:in_shop:{tmp_path}")


@pytest.mark.parametrize("style", STYLES)
def test_inaturalist(tmp_path, style):
    root = photos.inat2018(tmp_path / "Inaturalist", **style)
    with pytest.warns(UserWarning, match=r"expected 325,846 train images .* not verified"):
        data = read(root)
    assert data.name == "iNaturalist 2018, classes as in Smooth-AP"
    assert parts(data) == {"train": ["Aves/10", "Plantae/9"], "test": ["Aves/100", "Plantae/8"]}
    assert data.categories == ("Aves", "Plantae")
    deep = read(f"subset:inat2018_taxonomy:{root}")
    assert deep.levels == ("kingdom", "phylum", "class", "order", "family", "genus", "species")
    assert deep.hierarchy.shape == (8, 7)
    assert deep.classes[deep.labels[0]] == "kingdom1/phylum1/class1/order1/family1/genus1/10"
    trees.text(root, "categories.json", ['[{"id": 10}]'])
    with pytest.raises(ValueError, match="holds no taxonomy"):
        read(f"subset:inat2018_taxonomy:{root}")


def test_omniglot(tmp_path):
    root = photos.omniglot(tmp_path / "omniglot")
    data = read(f"subset:omniglot:{root}")
    assert parts(data) == {
        "train": [f"{a}/character0{c}" for a in ("Greek", "Japanese_(hiragana)") for c in (1, 2)],
        "test": [f"{a}/character0{c}" for a in ("Angelic", "Tengwar") for c in (1, 2)],
    }
    assert data.categories == ("Angelic", "Greek", "Japanese_(hiragana)", "Tengwar")
    data = read(f"subset:omniglot_vinyals:{root}")
    assert parts(data) == {
        "train": ["Angelic/character02", "Greek/character01"],
        "validation": ["Greek/character02"],
        "test": ["Tengwar/character01", "Tengwar/character02"],
    }
    assert len(data) == 10
    (root / "splits/vinyals/val.txt").unlink()
    with pytest.raises(FileNotFoundError, match=r"Matching networks: splits/vinyals/val\.txt or"):
        read(f"subset:omniglot_vinyals:{root}")


@pytest.mark.parametrize("folder", ["", "splits/", "splits/ravi/"])
@pytest.mark.parametrize("style", STYLES)
def test_mini_imagenet(tmp_path, folder, style):
    root = photos.mini_imagenet(tmp_path / "mini", folder, **style)
    data = read(f"subset:miniimagenet:{root}")
    assert parts(data) == {"train": ["n0a", "n0b"], "validation": ["n0c", "n0d"], "test": ["n0e", "n0f"]}
    with pytest.raises(ValueError, match=r"expected 38,400 train images and 64 train classes, found 4 and 2"):
        read(f"mini-imagenet:{root}")
