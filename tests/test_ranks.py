"""Training over two processes, launched as a user would."""

import json
import subprocess
import sys

import pytest

from tests.small import COLOUR, folder

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
