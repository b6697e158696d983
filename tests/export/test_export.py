"""An export is the model or it is not written; and it runs where there is no torch."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from PIL import Image

import isometry
from isometry import export, lite
from isometry.bundle import write as bundle
from isometry.cli import main
from isometry.embedder import Ready
from isometry.export import Failed, Gate, Precision
from isometry.export.files import ProgramFile, amend_onnx, save_onnx
from isometry.export.graph import onnx_model, program
from isometry.export.source import some
from isometry.lite import Preparation
from isometry.model import Embedder
from tests.small import COLOUR, folder

SIZE = Preparation(channels=1, height=8, width=8)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A run on a folder of pictures of unequal sides, and its export with codes."""
    root = tmp_path_factory.mktemp("export")
    folder(root / "data", classes=8, each=5, side=31)
    made = {**COLOUR, "transform": "CentreCrop(size=24, resize=26)", "budget": "2 steps", "validate": 2}
    isometry.train(root / "data", loss="Triplet()", out=root / "run", report=False, **made)
    export.write(root / "run", root / "model.onnx", codes="Int8(), Prefix(dim=2)")
    return root


def pictures(n=5):
    return np.random.default_rng(3).integers(0, 256, (n, 40, 31, 3), dtype=np.uint8)


def run(*words):
    sys.argv = ["isometry", *map(str, words)]
    with pytest.raises(SystemExit) as end:
        main()
    return end.value.code or 0


def test_embeddings_are_those_of_the_run(root):
    expected = isometry.load(root / "run")(pictures()).numpy()
    model = lite.load(root / "model.onnx")
    for size in (1, 2, 5):
        assert np.allclose(model(pictures(), batch_size=size), expected, rtol=1e-4, atol=1e-6)
    paths = sorted((root / "data").rglob("*.png"))[:3]
    assert np.allclose(model(paths), isometry.load(root / "run")(paths).numpy(), rtol=1e-4, atol=1e-6)


def test_the_file_says_what_it_is(root):
    model = lite.load(root / "model.onnx", threads=1)
    assert (model.dim, model.similarity, model.transform) == (8, "cosine", "CentreCrop(size=24, resize=26)")
    assert model.version == isometry.__version__
    assert model.digest == hashlib.sha256((root / "run" / "model.safetensors").read_bytes()).hexdigest()
    assert len(model.classes) >= 2
    assert set(model.classes) <= {f"class_{c}" for c in range(8)}
    assert model.about["parity"]["embedding"] < 1e-4
    assert (model.about["parity"]["top1"], model.about["parity"]["top10"]) == (1, 1)
    assert model.about["parity"]["pictures"] == 20
    assert [row["code"] for row in model.about["codes"]] == ["float32", "Int8()", "Prefix(dim=2)"]
    assert model.code("Int8()").encode(model(pictures())).shape == (5, 8)
    assert str(Path.cwd()).encode() not in (root / "model.onnx").read_bytes()
    assert str(root).encode() not in (root / "model.onnx").read_bytes()


def test_it_runs_where_there_is_no_torch(root):
    np.save(root / "pictures.npy", pictures())
    code = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "torchvision", "timm", "pandas", "scipy", "jaxtyping"):
            raise ImportError(name)
sys.meta_path.insert(0, Absent())
import numpy as np
from isometry import lite
model = lite.load("model.onnx")
np.save("z.npy", model(np.load("pictures.npy")))
print(sorted(name for name in sys.modules if name.startswith("isometry.")))
"""
    found = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    used = {"isometry.lite", "isometry.lite.codes", "isometry.lite.pictures", "isometry.version"}
    assert set(eval(found.stdout)) == used
    z = np.load(root / "z.npy")
    assert np.allclose(z, isometry.load(root / "run")(pictures()).numpy(), rtol=1e-4, atol=1e-6)


def test_a_bundle_gives_its_thresholds_and_wants_pictures(root, capsys):
    digest = bundle(root / "run", root / "thing.isom", index=root / "data").digest
    assert run("export", root / "thing.isom", "-o", root / "none.onnx") == 2
    assert "a bundle carries none (a gallery holds embeddings): name some with --data" in capsys.readouterr().err
    assert not (root / "none.onnx").exists()
    made = ["export", root / "thing.isom", "-o", root / "thing.onnx", "--data", root / "data", "--precision", "half"]
    assert run(*made, "--codes", "Binary()") == 0
    said = capsys.readouterr().out
    assert "40 pictures: embeddings differ by up to" in said
    assert "Binary()" in said
    model, thing = lite.load(root / "thing.onnx"), isometry.load(root / "thing.isom")
    assert model.digest == digest
    assert model.classes == thing.classes
    for row in thing.thresholds.rows:
        assert model.threshold(row.rate) == row.score


def test_no_more_pictures_are_compared_than_asked_for():
    few, large = (isometry.data.read((torch.zeros(150, 1, 2, 2), torch.arange(150) // n)) for n in (5, 50))
    assert torch.bincount(some(few, 22).labels).unique().tolist() == [0, 5]
    assert len(some(few, 22)) == 20
    assert len(some(large, 22)) == 22
    assert len(some(large, 22).present()) == 2
    assert len(some(large, 150)) == 150


def test_a_program_of_torch_export_comes_back(root):
    export.write(root / "run", root / "model.pt2")
    extra = {"isometry.json": ""}
    network = torch.export.load(root / "model.pt2", extra_files=extra).module()
    about = json.loads(extra["isometry.json"])
    z = network(torch.from_numpy(Preparation(**about["preparation"])(pictures())))
    assert torch.allclose(z, isometry.load(root / "run")(pictures()), atol=1e-6)
    assert about["graph"] == "torch.export"


def spoilt(model):
    """A graph with one weight changed."""
    held = max(model.graph.initializer, key=lambda held: len(held.raw_data))
    held.CopyFrom(onnx.numpy_helper.from_array(-onnx.numpy_helper.to_array(held), held.name))
    return model


def test_what_is_not_the_model_is_not_written(root):
    before = (root / "model.onnx").read_bytes()
    wrong = Precision(name="spoilt", change=spoilt, gate=Gate(embedding=1e-4, kept=1, metric=1e-3))
    with pytest.raises(Failed, match=r"model\.onnx is not written, for it is not the model: embeddings differ"):
        export.write(root / "run", root / "model.onnx", precision=wrong)
    assert (root / "model.onnx").read_bytes() == before
    assert not list(root.glob(".*"))


def test_every_limit_of_the_gate_is_held():
    gate = Gate(embedding=1e-3, kept=0.9, metric=0.01)
    fine = {"pictures": 20, "embedding": 1e-4, "top1": 1.0, "top10": 0.95, "metrics": {"MAPAtR()": (0.5, 0.5)}}
    assert export.Parity(**fine, gate=gate).faults() == []
    nan = float("nan")
    for name, value in (("embedding", 2e-3), ("embedding", nan), ("top1", 0.8), ("top10", nan)):
        assert len(export.Parity(**{**fine, name: value}, gate=gate).faults()) == 1
    metrics = {"MAPAtR()": (0.5, 0.52), "Recall(k=1)": (0.5, 0.495)}
    (said,) = export.Parity(**{**fine, "metrics": metrics}, gate=gate).faults()
    assert said == "MAPAtR() is 0.5200 instead of 0.5000 (may differ by 0.01)"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["x.onx"], "ends in .onnx or .pt2; got x.onx. Did you mean '.onnx'?"),
        (["nowhere/x.onnx"], "There is no folder"),
        (["x.onnx", "--precision", "int4"], "float32, half, int8; got 'int4'. Did you mean 'int8'?"),
        (["x.pt2", "--precision", "half"], "Weights as half are for ONNX"),
        (["x.onnx", "--codes", "Average()"], "Average() is no code"),
        (["x.onnx", "--data", "few"], "4 pictures are too few to compare neighbours on: name at least 12"),
    ],
)
def test_what_cannot_be_written_is_told_in_one_line(root, words, says, capsys, monkeypatch):
    monkeypatch.chdir(root)
    if "few" in words:
        folder(root / "few", classes=2, each=2)
    assert run("export", "run", "-o", *words) == 2
    said = capsys.readouterr().err
    assert says in said
    assert said.count("\n") == 1
    assert not Path(words[0]).exists()


def test_random_changes_cannot_be_prepared(root):
    ready = isometry.load(root / "run")
    ready.transform = isometry.parse("RandomCrop(size=24)")
    (root / "run2").mkdir()
    ready.save(root / "run2")
    with pytest.raises(ValueError, match=r"prepared by RandomCrop\(size=24\) cannot be prepared without torch"):
        export.write(root / "run2", root / "x.onnx", data=root / "data")


@pytest.fixture(scope="module")
def graph():
    """A model, its traced program, and its ONNX graph."""
    ready, traced = small()
    return ready, traced, onnx_model(ready, traced)


def small():
    torch.manual_seed(0)
    ready = Ready(Embedder.parse("ConvNet(widths=(8, 48, 64), size=8)", "Average()", "Linear(dim=3)"), "Same()")
    return ready, program(ready, SIZE)


def same_embeddings(ready, path, far):
    x = np.random.default_rng(0).random((4, 1, 8, 8), np.float32)
    z = ready.model.embed(torch.from_numpy(x)).numpy()
    session = onnxruntime.InferenceSession(path)
    found = session.run(["z"], {"images": x})[0]
    assert np.linalg.norm(found - z, axis=1).max() <= far * np.linalg.norm(z, axis=1).min()
    return session.get_modelmeta().custom_metadata_map


def test_the_same_model_gives_the_same_bytes(graph, tmp_path):
    again = onnx_model(*small())
    assert again.SerializeToString(deterministic=True) == graph[2].SerializeToString(deterministic=True)
    for name, (ready, traced) in (("first", graph[:2]), ("second", small())):
        ProgramFile(ready, traced, export.FLOAT32).write({"format": 1}, tmp_path / name)
    assert (tmp_path / "first").read_bytes() == (tmp_path / "second").read_bytes()


def test_large_weights_lie_beside_the_file(graph, tmp_path):
    ready, _, model = graph
    save_onnx(copied(model), {"format": 1}, tmp_path / "model.onnx", limit=100_000)
    assert (tmp_path / "model.onnx").stat().st_size < 30_000
    (data,) = tmp_path.glob("model.*.data")
    assert data.stat().st_size > 100_000
    amend_onnx({"format": 1, "more": "said"}, tmp_path / "model.onnx")
    assert same_embeddings(ready, tmp_path / "model.onnx", 1e-5)["more"] == '"said"'


def copied(model):
    return type(model).FromString(model.SerializeToString())


@pytest.mark.parametrize(("precision", "share", "far"), [(export.HALF, 0.6, 1e-2), (export.INT8, 0.45, 0.1)])
def test_fewer_bits_take_fewer_bytes(graph, tmp_path, precision, share, far):
    ready, _, model = graph
    changed = precision.change(copied(model))
    assert changed.ByteSize() < share * model.ByteSize()
    onnx.save(changed, tmp_path / "model.onnx")
    same_embeddings(ready, tmp_path / "model.onnx", far)


def test_half_keeps_what_float16_cannot_hold():
    held = {"large": np.full(5000, 1e5), "epsilon": np.array(1e-12), "bias": np.ones(64), "plain": np.full(5000, 0.5)}
    weights = [onnx.numpy_helper.from_array(value.astype(np.float32), name) for name, value in held.items()]
    model = onnx.helper.make_model(onnx.helper.make_graph([], "g", [], [], weights))
    found = {one.name: onnx.numpy_helper.to_array(one) for one in export.HALF.change(model).graph.initializer}
    assert {name: value.dtype for name, value in found.items()} == {
        "large": np.float32, "epsilon": np.float32, "bias": np.float32, "plain.half": np.float16,
    }  # fmt: skip
    assert found["large"].tolist() == [1e5] * 5000


def test_a_file_of_another_make_is_refused(root, tmp_path):
    with pytest.raises(FileNotFoundError, match="There is no file"):
        lite.load(tmp_path / "none.onnx")
    whole = (root / "model.onnx").read_bytes()
    (tmp_path / "cut.onnx").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=r"cut\.onnx is damaged or no ONNX model"):
        lite.load(tmp_path / "cut.onnx")
    with pytest.raises(ValueError, match="metadata lack a format"):
        lite.read({}, "other.onnx")
    with pytest.raises(ValueError, match="has format 2, and this reads up to 1: upgrade isometry"):
        lite.read({"format": "2"}, "new.onnx")
    model = lite.load(root / "model.onnx")
    for one in ("picture.png", Image.new("RGB", (40, 31)), []):
        with pytest.raises(ValueError, match="Pictures are a list of paths"):
            model(one)
