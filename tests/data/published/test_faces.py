"""Faces and pairs of them: LFW, packs of InsightFace, IJB."""

import dataclasses
import pickle

import jaxtyping
import numpy as np
import pytest
import torch

from isometry.data import Unreadable, read
from isometry.data.pairs import Pairs
from isometry.data.published.aligned import PLACES, aligned, similarity
from isometry.data.published.face_packs import read_pack
from isometry.data.published.ijb import ijb_pairs, ijb_search, read_ijb
from isometry.data.published.lfw import lfw_pairs, read_lfw
from isometry.data.published.paired import read_pairs
from isometry.protocols.retrieval import evaluate
from isometry.protocols.templates import pool
from isometry.protocols.verification import verify
from tests.data.published import trees

PEOPLE = {"Ann_Lee": 3, "Bo_Li": 2, "Cy_Ng_Jr": 12}
FOLDS = [
    ["Ann_Lee\t1\t3", "Bo_Li\t1\t2", "Ann_Lee\t2\tBo_Li\t2", "Ann_Lee\t1\tCy_Ng_Jr\t12"],
    ["Cy_Ng_Jr\t1\t12", "Cy_Ng_Jr\t2\t3", "Bo_Li\t1\tCy_Ng_Jr\t4", "Bo_Li\t2\tAnn_Lee\t3"],
]


@pytest.fixture(params=["lfw", "lfw_funneled"])
def lfw(request, tmp_path):
    for name, count in PEOPLE.items():
        for i in range(1, count + 1):
            trees.put(tmp_path, f"{request.param}/{name}/{name}_{i:04d}.jpg")
        trees.junk(tmp_path, f"{request.param}/{name}")
    trees.text(tmp_path, "pairs.txt", ["2\t2", *FOLDS[0], *FOLDS[1]], end="\r\n")
    return tmp_path


@pytest.mark.filterwarnings("ignore:LFW. expected 13,233 images and 5,749 classes")
def test_lfw(lfw):
    data = read(f"lfw:{lfw}")
    assert data.classes == tuple(PEOPLE)
    assert torch.bincount(data.labels).tolist() == list(PEOPLE.values())
    same_data, pairs, _ = read_pairs(f"lfw:{lfw}")
    assert same_data.paths == data.paths
    assert repr(pairs) == "<8 pairs, 4 same>"
    assert pairs.fold.tolist() == [0] * 4 + [1] * 4
    assert torch.equal(data.labels[pairs.left] == data.labels[pairs.right], pairs.same)
    names = [
        data.paths[i].rsplit("/", 1)[1][:-4] for i in (*pairs.left[[3, 4]].tolist(), *pairs.right[[3, 4]].tolist())
    ]
    assert names == ["Ann_Lee_0001", "Cy_Ng_Jr_0001", "Cy_Ng_Jr_0012", "Cy_Ng_Jr_0012"]
    assert read_pairs(lfw).pairs.left.tolist() == pairs.left.tolist()


def test_a_list_of_one_fold(lfw):
    trees.text(lfw, "pairs.txt", ["2", *FOLDS[0]])
    assert lfw_pairs(lfw, read_lfw(lfw)).pairs.fold.tolist() == [0] * 4


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        (["2\t2", *FOLDS[0]], "promises 2 × 2 × 2 pairs and has 4 rows"),
        (["Ann", *FOLDS[0]], "starts with the numbers of folds and of pairs"),
        (["1\t2", FOLDS[0][0], *FOLDS[0][:3]], "row 4, is not 'name i name j': 'Bo_Li"),
        (["1\t2", *FOLDS[0][1:], FOLDS[0][0]], "row 3, is not 'name i j': 'Ann_Lee"),
        (["1\t1", "Ann_Lee 1 4", "Ann_Lee 1 Bo_Li 1"], "pairs Ann_Lee_0004, which is not among the 17 pictures"),
    ],
)
def test_lfw_says_which_row_is_wrong(lfw, rows, says):
    trees.text(lfw, "pairs.txt", rows)
    with pytest.raises((ValueError, FileNotFoundError), match=says):
        lfw_pairs(lfw, read_lfw(lfw))


def test_pairs_are_of_one_length(monkeypatch):
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)  # as it is outside of tests
    with pytest.raises(ValueError, match="There are 2 pairs and 3 entries of same"):
        Pairs(torch.tensor([0, 1]), torch.tensor([1, 0]), torch.tensor([True, False, True]))


JPEGS = [trees.jpeg(width) for width in (8, 9, 10, 11)]


def python_2(pictures, same):
    """A pack as Python 2 wrote it: a picture is a `str`."""
    text = b"".join(b"S" + repr(picture)[1:].encode() + b"\na" for picture in pictures)
    return b"((l" + text + b"(l" + b"".join(b"I%02d\na" % answer for answer in same) + b"t."


PACKS = {
    "old": lambda pictures, same: python_2(pictures, same),
    "new": lambda pictures, same: pickle.dumps((pictures, same), 5),
    "arrays": lambda pictures, same: pickle.dumps(
        ([np.frombuffer(picture, np.uint8) for picture in pictures], np.array(same)), 2
    ),
}


@pytest.mark.parametrize("pack", PACKS)
def test_packs(tmp_path, pack):
    order = [0, 1, 2, 3, 1, 0, *[0, 2] * 9]
    path = trees.put(tmp_path, "agedb_30.bin", PACKS[pack]([JPEGS[i] for i in order], [True, False] * 6))
    data, pairs, templates = read_pairs(path)
    assert data.name == "agedb_30"
    assert templates is None
    assert len(data) == 4  # a picture of several pairs is embedded once
    assert [tuple(data.images[i].shape) for i in range(4)] == [(3, 6, width) for width in (8, 9, 10, 11)]
    assert pairs.left.tolist() == order[0::2]
    assert pairs.right.tolist() == order[1::2]
    assert pairs.same.tolist() == [True, False] * 6
    assert pairs.fold.tolist() == [0, 0, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9]
    assert data.labels.tolist() == [-1] * 4
    assert data.select(torch.tensor([3])).images[0].shape == (3, 6, 11)
    assert data.fingerprint() != data.select(torch.tensor([1, 0, 2, 3])).fingerprint()


def test_folds_are_those_of_scikit_learn(tmp_path):
    from sklearn.model_selection import KFold

    path = trees.put(tmp_path, "x.bin", pickle.dumps(([JPEGS[0]] * 2 * 127, [True] * 127)))
    fold = torch.empty(127, dtype=torch.int64)
    for i, (_, tested) in enumerate(KFold(10).split(range(127))):
        fold[tested] = i
    assert torch.equal(read_pack(path).pairs.fold, fold)


def test_the_fingerprint_sees_pairs_and_templates(tmp_path, ijb):
    pack = read_pack(trees.put(tmp_path, "x.bin", pickle.dumps((JPEGS * 5, [True, False] * 5))))
    whole = ijb_pairs(ijb, read_ijb(ijb, name="ijbc"), name="ijbc")
    others = [pack._replace(pairs=dataclasses.replace(pack.pairs, same=~pack.pairs.same))]
    others += [pack._replace(pairs=dataclasses.replace(pack.pairs, fold=None))]
    others += [whole._replace(templates=whole.templates._replace(medium=whole.templates.medium + 1)), whole]
    assert len({paired.fingerprint() for paired in (pack, *others)}) == 5
    assert pack.fingerprint() == read_pack(tmp_path / "x.bin").fingerprint()


def test_a_damaged_picture_is_met_when_it_is_asked_for(tmp_path):
    data = read_pack(trees.put(tmp_path, "x.bin", pickle.dumps(([JPEGS[0], JPEGS[1][:-40]], [True])))).data
    assert data.images[0].shape == (3, 6, 8)
    with pytest.raises(Unreadable, match=r"picture 1 of .*x\.bin cannot be read"):
        data.images[1]


@pytest.mark.parametrize(
    ("pack", "says"),
    [
        (([JPEGS[0]], [True]), "has 1 pairs and 1 pictures: two for each pair"),
        (([], []), "has 0 pairs"),
        ((["text", "text"], [True]), "is no pack of face pairs .*: a picture is str, not bytes"),
        (([np.zeros(3)] * 2, [True]), "a picture is an array of float64"),
        (7, "is no pack of face pairs"),
    ],
)
def test_what_is_no_pack(tmp_path, pack, says):
    with pytest.raises(ValueError, match=says):
        read_pack(trees.put(tmp_path, "x.bin", pickle.dumps(pack)))


def test_a_pack_runs_nothing(tmp_path):
    with pytest.raises(ValueError, match=r"asks for builtins\.eval"):
        read_pack(trees.put(tmp_path, "x.bin", b"cbuiltins\neval\n(S'1'\ntR."))


def test_faces_are_aligned_by_least_squares():
    rng = np.random.default_rng(0)
    points = PLACES * 2.5 + rng.normal(0, 6, (5, 2)) + [40, 10]
    a, b = similarity(points)
    rows = [[x, -y, 1, 0] for x, y in points] + [[y, x, 0, 1] for x, y in points]  # of (a x, b x) in real numbers
    solution = np.linalg.lstsq(np.array(rows), PLACES.T.ravel(), rcond=None)[0]
    np.testing.assert_allclose([a.real, a.imag, b.real, b.imag], solution, atol=1e-9)


@pytest.mark.parametrize("turn", [0, 30, -100])
def test_a_ramp_stays_a_ramp(turn):
    """Linear interpolation carries x + y exactly, wherever the similarity takes it."""
    x, y = torch.arange(120.0), torch.arange(110.0)[:, None]
    image = (x + y).expand(3, 110, 120).to(torch.uint8)
    z = (PLACES[:, 0] + 1j * PLACES[:, 1] - 56 - 56j) * np.exp(1j * np.radians(turn)) * 0.7 + 60 + 55j
    drawn = aligned(image, np.stack([z.real, z.imag], 1)).double()
    u, v = np.meshgrid(np.arange(112), np.arange(112))
    source = (u + 1j * v - 56 - 56j) * np.exp(1j * np.radians(turn)) * 0.7 + 60 + 55j
    inside = (source.real >= 0) & (source.real <= 119) & (source.imag >= 0) & (source.imag <= 109)
    outside = (source.real <= -1) | (source.real >= 120) | (source.imag <= -1) | (source.imag >= 110)
    assert inside.sum() > 8000
    np.testing.assert_allclose(drawn[0].numpy()[inside], (source.real + source.imag)[inside], atol=0.51)
    assert (drawn[:, torch.from_numpy(outside)] == 0).all()


def test_a_face_of_one_point_is_moved_only():
    assert similarity(np.full((5, 2), 7.0))[0] == 1


IMAGES = ["1.jpg", "2.jpg", "3.jpg", "4.jpg", "5.jpg"]
POINTS = " ".join(f"{number:.3f}" for number in (PLACES / 20).ravel())


@pytest.fixture
def ijb(tmp_path):
    """Template 7 is a video of two frames and a photograph; 3 and 12 are photographs. Scores without a leading 0."""
    root = tmp_path / "IJBC"
    for name in IMAGES:
        trees.put(root, f"loose_crop/{name}")
    scores = [".9", "0.5", "1.0", ".25", "0.125"]
    trees.text(
        root, "meta/ijbc_name_5pts_score.txt", [f"{n} {POINTS} {s}" for n, s in zip(IMAGES, scores, strict=True)]
    )
    trees.text(root, "meta/ijbc_face_tid_mid.txt", [f"{n} {t} {m}" for n, t, m in zip(
        IMAGES, (7, 7, 7, 3, 12), (69544, 69544, 11, 69544, 4), strict=True)], end="\r\n")  # fmt: skip
    trees.text(root, "meta/ijbc_template_pair_label.txt", ["7 3 1", "7  12 0", "3 12 0 ", "12 7 0"], end="\r\n")
    return root


@pytest.mark.filterwarnings("ignore:IJB-C. expected 469,375 images")
def test_ijb(ijb):
    data, pairs, templates = read_pairs(f"ijbc:{ijb.parent}")
    assert data.images[2].shape == (3, 112, 112)
    assert data.labels.tolist() == [-1] * 5
    assert data.notes[0].startswith("IJB-C: expected 469,375 images, found 5")
    assert templates.of.tolist() == [1, 1, 1, 0, 2]
    assert templates.names.tolist() == [3, 7, 12]
    assert templates.weight.tolist() == pytest.approx([0.9, 0.5, 1, 0.25, 0.125])
    assert (pairs.left.tolist(), pairs.right.tolist()) == ([1, 1, 0, 2], [0, 2, 2, 1])
    assert pairs.same.tolist() == [True, False, False, False]
    z = torch.tensor([[1.0, 0.0], [1.0, 0.0], [1.0, 0.0], [2.0, 0.0], [0.0, 3.0]])
    pooled, _ = pool(z, templates.of, templates.medium, weight=templates.weight)
    torch.testing.assert_close(pooled, torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]))
    assert verify(pooled, pairs).auroc == 1.0
    assert torch.equal(data.select(torch.tensor([4, 2])).images[1], data.images[2])


def test_strangers_of_ijb_are_those_of_the_other_gallery(ijb):
    """Subject 40 is in the first gallery, 50 in the second; a template has a row for each of its media."""
    title = "TEMPLATE_ID,SUBJECT_ID,FILENAME"
    trees.text(ijb, "meta/ijbc_1N_gallery_G1.csv", [title, "3,40,img/1.png"], end="\r\n")
    trees.text(ijb, "meta/ijbc_1N_gallery_G2.csv", [title, "12, 50,img/3.png", "12,50,frames/4.png"])
    trees.text(ijb, "meta/ijbc_1N_probe_mixed.csv", [title, "7,40,img/1.png", "7,40,img/2.png", "12,50,img/3.png"])
    templates = ijb_pairs(ijb, read_ijb(ijb, name="ijbc"), name="ijbc").templates
    search = ijb_search(ijb, templates, name="ijbc")
    assert [side.tolist() for side in search] == [[0], [40], [1, 2], [40, 50]]
    assert [side.tolist() for side in ijb_search(ijb, templates, name="ijbc", gallery=2)][:2] == [[2], [50]]
    z = torch.tensor([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0]])
    known = (z[search.gallery], search.gallery_subject)
    found = evaluate(z[search.probe], search.probe_subject, "DIR(far=1.0)", against=known, samples=0)
    assert float(found["DIR(far=1.0)"]) == 1
    with pytest.raises(FileNotFoundError, match=r"gallery_G3\.csv or .*gallery_S3\.csv is missing"):
        ijb_search(ijb, templates, name="ijbc", gallery=3)
    trees.text(ijb, "meta/ijbc_1N_gallery_G1.csv", [title, "img/1.png,3,40"])
    with pytest.raises(ValueError, match="does not start each row with the numbers of a template and of its subject"):
        ijb_search(ijb, templates, name="ijbc")


def test_ijb_says_what_does_not_fit(ijb):
    data = read_ijb(ijb, name="ijbc")
    trees.text(ijb, "meta/ijbc_template_pair_label.txt", ["7 3 1", "7 8 0"])
    with pytest.raises(
        ValueError, match=r"ijbc_template_pair_label\.txt names template 8, which no picture belongs to"
    ):
        ijb_pairs(ijb, data, name="ijbc")
    trees.text(ijb, "meta/ijbc_template_pair_label.txt", ["7 3 1", "7 12"])
    with pytest.raises(ValueError, match="is no list of 3 columns") as error:
        ijb_pairs(ijb, data, name="ijbc")
    assert "\n" not in str(error.value)
    trees.text(ijb, "meta/ijbc_template_pair_label.txt", ["7 3 1 5"])
    with pytest.raises(ValueError, match="has 4 columns and needs 3"):
        ijb_pairs(ijb, data, name="ijbc")
    trees.text(ijb, "meta/ijbc_face_tid_mid.txt", ["1.jpg 1 1"])
    with pytest.raises(ValueError, match="has 1 rows for 5 pictures"):
        ijb_pairs(ijb, data, name="ijbc")
    (ijb / "loose_crop/4.jpg").unlink()
    with pytest.raises(FileNotFoundError, match=r"IJB-C: 1 of 5 pictures are missing from .*loose_crop, first 4\.jpg"):
        read(f"ijbc:{ijb}")


def test_pictures_that_are_called_otherwise_go_by_row(ijb):
    names = [f"img/{name}" for name in IMAGES]
    trees.text(ijb, "meta/ijbc_face_tid_mid.txt", [f"{n} {t} 1" for n, t in zip(names, (3, 3, 7, 7, 12), strict=True)])
    data, _, templates = ijb_pairs(ijb, read_ijb(ijb, name="ijbc"), name="ijbc")
    assert templates.of.tolist() == [0, 0, 1, 1, 2]
    assert "calls 5 pictures otherwise" in data.notes[-1]


def test_what_holds_no_pairs(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nothing holds no pairs that are known\. There are lfw:folder"):
        read_pairs(tmp_path / "nothing")
    with pytest.raises(ValueError, match=r"lfv:.* Did you mean 'lfw'\?"):
        read_pairs(f"lfv:{tmp_path}")
    with pytest.raises(ValueError, match="holds no pairs that are known"):
        read_pairs(f"market1501:{tmp_path}")
    with pytest.raises(FileNotFoundError, match=r"LFW: lfw or .* is missing"):
        read_pairs(f"lfw:{tmp_path}")
