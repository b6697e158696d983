"""A writer that is killed at any moment leaves the old state, or the new one: whole, searchable, and open to the next."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.index.conftest import bundle

OPERATIONS = ("first", "replace", "add", "delete", "compact", "bundle")
pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="the test forks")


def fought(tmp_path, operation, stride, chance, *how):
    """What the arena has seen."""
    bundle(tmp_path / "thing.isom")
    bundle(tmp_path / "other.isom", seed=1)
    done = subprocess.run(
        [sys.executable, "-m", "tests.index.arena", str(tmp_path), operation, str(stride), str(chance), *how],
        capture_output=True, text=True, timeout=1800, env={**os.environ, "OMP_NUM_THREADS": "1"},
        cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


@pytest.mark.parametrize("operation", ["replace", "add", "compact"])
def test_killed_now_and_then(tmp_path, operation):
    found = fought(tmp_path, operation, stride=7, chance=3)
    assert found["old"] > 2
    assert found["new"] >= 1


@pytest.mark.parametrize("operation", ["replace", "add"])
def test_ctrl_c_just_after_the_rename_is_no_loss(tmp_path, operation):
    found = fought(tmp_path, operation, 1, 0, "interrupt")
    assert found["old"] == 0
    assert found["new"] > 3


@pytest.mark.slow
@pytest.mark.parametrize("operation", OPERATIONS)
def test_killed_before_every_change_of_a_file_and_at_random(tmp_path, operation):
    found = fought(tmp_path, operation, stride=1, chance=100)
    assert found["changes"] >= (1 if operation == "bundle" else 4)
    assert found["old"] >= found["changes"] // 4
    assert found["new"] >= 1
