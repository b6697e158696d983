"""Training over two processes, launched as a user would."""

import json
import subprocess
import sys

import pytest

from tests.small import COLOUR, folder, spots

WORDS = [x for k, v in COLOUR.items() for x in (f"--{k.replace('_', '-')}", str(v))]


@pytest.mark.slow
def test_two_processes_train_one_run(tmp_path):
    folder(tmp_path / "data", classes=12, each=5)
    words = ["train", str(tmp_path / "data"), *WORDS, "--sampler", "ClassesTimesInstances(classes=4, instances=2)"]
    words += ["--loss", "SupCon() + 0.1 * ProxyAnchor()", "--out", str(tmp_path / "run")]
    launch = [sys.executable, "-m", "accelerate.commands.launch", "--cpu", "--num_processes", "2", "-m", "isometry.cli"]
    done = subprocess.run([*launch, *words], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert 0 <= metrics["test"]["MAPAtR()"]["value"] <= 1
    rows = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert [r["step"] for r in rows if "validation" in r] == [4]


@pytest.mark.slow
def test_two_processes_train_on_continuous_labels(tmp_path):
    words = ["train", str(spots(tmp_path / "data")), "--label-columns", "x0:y0", "--relate", "joints()"]
    settings = {
        **COLOUR,
        "trunk": "ConvNet(widths=(8, 16), channels=3, size=16)",
        "transform": "Same()",
        "augment": "Same()",
        "sampler": "DenseTriplets(batch_size=8, neighbours=2)",
        "metrics": "LabelDistance(k=1)",
    }
    words += [x for k, v in settings.items() for x in (f"--{k.replace('_', '-')}", str(v))]
    launch = [sys.executable, "-m", "accelerate.commands.launch", "--cpu", "--num_processes", "2", "-m", "isometry.cli"]
    done = subprocess.run(
        [*launch, *words, "--out", str(tmp_path / "run")], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr[-2000:]
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert metrics["test"]["LabelDistance(k=1)"]["value"] > 0
    assert metrics["protocol"]["similarity"] == "euclidean"
