"""The command line as a user meets it: it works, and wrong input is one line and exit code 2, with nothing half-written."""

import functools
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

from isometry.cli import main
from tests.small import COLOUR, folder

COLOURS = [x for k, v in COLOUR.items() for x in (f"--{k.replace('_', '-')}", str(v))]


def isometry(*words, cwd=None, code=0):
    """Runs the command in this process's Python; returns what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "isometry.cli", *map(str, words)], capture_output=True, text=True, cwd=cwd, timeout=300
    )
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout if code == 0 else done.stderr


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    root = tmp_path_factory.mktemp("cli")
    folder(root / "data", classes=8, each=5)
    said = isometry("train", root / "data", *COLOURS, "--loss", "Triplet()", "--out", root / "run")
    assert "MAPAtR()" in said
    assert str(root / "run" / "report.html") in said
    return root


def here(capsys, monkeypatch, *words):
    """The same in this process, without the seconds in which another one starts."""
    monkeypatch.setattr(sys, "argv", ["isometry", *map(str, words)])
    with pytest.raises(SystemExit) as stopped:
        main()
    said = capsys.readouterr()
    assert stopped.value.code == 0, said.err
    return said.out


def test_a_run_is_evaluated_and_embeds(trained, capsys, monkeypatch):
    run = functools.partial(here, capsys, monkeypatch)
    assert "Recall(k=1)" in isometry("evaluate", trained / "run", "--metrics", "Recall(k=1)", "--workers", "0")
    run("evaluate", trained / "run", "--data", trained / "data", "--out", trained / "measured")
    assert (trained / "measured" / "metrics.json").is_file()
    assert (trained / "measured" / "report.html").is_file()
    said = run("embed", trained / "run", trained / "data", "-o", trained / "z.npy", "--workers", "0")
    assert "40 embeddings of 8 dimensions" in said
    z, rows = np.load(trained / "z.npy"), (trained / "z.csv").read_text().splitlines()
    assert z.shape == (40, 8)
    assert rows[0] == "row,id,label,path"
    assert len(rows) == 41
    run("embed", trained / "run", trained / "data", "-o", trained / "z.npz")
    kept = np.load(trained / "z.npz", allow_pickle=False)
    np.testing.assert_array_equal(kept["z"], z)
    assert kept["ids"].tolist() == list(range(40))


def test_ctrl_c_says_that_all_is_saved_and_how_to_go_on(trained):
    words = [sys.executable, "-m", "isometry.cli", "train", str(trained / "data"), *COLOURS, "--budget", "5000 steps"]
    run = subprocess.Popen(
        [*words, "--out", str(trained / "long")], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    )
    log = trained / "long" / "log.jsonl"
    for _ in range(600):
        if log.is_file() and log.read_text():
            break
        time.sleep(0.1)
    run.send_signal(signal.SIGINT)
    said = run.communicate(timeout=60)[1]
    assert run.returncode == 130
    assert "everything is saved" in said
    assert f"isometry train --resume --out {trained / 'long'}" in said
    assert "Traceback" not in said


def test_list_and_show(capsys, monkeypatch):
    assert "ProxyAnchor" in here(capsys, monkeypatch, "list", "losses")
    assert "alpha = 32.0" in here(capsys, monkeypatch, "show", "ProxyAnchor")
    assert isometry("--version").strip()


def table(path, rows, columns="path,label,split"):
    path.write_text("\n".join([columns, *rows]) + "\n")
    return path


def pictures(root, n=12):
    for i in range(n):
        Image.fromarray(np.full((8, 8, 3), 20 * i, np.uint8)).save(root / f"{i}.png")


WRONG = {
    "a missing folder": (["train", "{root}/datta"], "datta"),
    "a missing table": (["train", "{root}/none.csv"], "none.csv"),
    "a table without labels": (["train", "{root}/unlabelled.csv"], "label"),
    "an empty part": (["train", "{root}/untested.csv"], "test"),
    "no query with a match": (["train", "{root}/alone.csv"], "match"),
    "an unknown loss": (["train", "{root}/data", "--loss", "ProxyAncor()"], "Did you mean 'ProxyAnchor'"),
    "an unknown field": (["train", "{root}/data", "--loss", "ProxyAnchor(aplha=2)"], "Did you mean 'alpha'"),
    "a field of the wrong type": (["train", "{root}/data", "--loss", "ProxyAnchor(alpha='x')"], "is float"),
    "a sampler that cannot be filled": (
        ["train", "{root}/data", "--sampler", "ClassesTimesInstances(classes=99, instances=4)"],
        "99",
    ),
    "an unknown trunk": (["train", "{root}/data", "--trunk", "resnet5O"], "resnet50"),
    "an unknown metric": (["train", "{root}/data", "--metrics", "Recal(k=1)"], "Did you mean 'Recall'"),
    "a folder that exists": (["train", "{root}/data", "--out", "{root}/run"], "--resume"),
    "a truncated checkpoint": (["evaluate", "{root}/broken"], "damaged"),
    "no run": (["evaluate", "{root}/data"], "model.safetensors"),
    "an unknown kind": (["list", "losess"], "Did you mean 'losses'"),
    "an unknown entry": (["show", "ProxyAncor"], "Did you mean 'ProxyAnchor'"),
    "an unknown option": (["train", "{root}/data", "--los", "x"], "--loss"),
    "an unknown command": (["trian"], "train"),
    "nothing to train on": (["train"], "Name the data"),
    "a file that is no embedding": (["embed", "{root}/run", "{root}/data", "-o", "{root}/z.txt"], ".npy"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_input_is_one_line_and_exit_code_2(trained, case, monkeypatch, capsys):
    pictures(trained)
    table(trained / "unlabelled.csv", ["0.png,a"], "path,labl")
    table(trained / "untested.csv", [f"{i}.png,{i // 2},train" for i in range(12)])
    alone = [f"{i}.png,{i // 2},train" for i in range(10)] + ["10.png,x,test", "11.png,y,test"]
    table(trained / "alone.csv", alone)
    (trained / "broken").mkdir(exist_ok=True)
    whole = (trained / "run" / "model.safetensors").read_bytes()
    (trained / "broken" / "model.safetensors").write_bytes(whole[:-100])
    words, says = WRONG[case]
    before = sorted(p.name for p in trained.iterdir())
    words = [w.format(root=trained) for w in words]
    if words[0] == "train" and "--out" not in words:
        words += ["--out", str(trained / "made")]
    monkeypatch.setattr(sys, "argv", ["isometry", *words])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 2
    said = capsys.readouterr().err
    lines = [line for line in said.splitlines() if line and not line.startswith("note:")]
    assert len(lines) == 1, said
    assert lines[0].startswith("isometry: ")
    assert says in lines[0]
    assert sorted(p.name for p in trained.iterdir()) == before


def test_what_only_the_first_step_can_tell_leaves_nothing_either(trained, monkeypatch, capsys):
    pictures(trained)
    words = [
        "train",
        str(trained / "data"),
        "--loss",
        "Contrastive() + 0.05 * Dueling()",
        "--out",
        str(trained / "made"),
    ]
    monkeypatch.setattr(sys, "argv", ["isometry", *words])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 2
    assert "no second flow" in capsys.readouterr().err.splitlines()[-1]
    assert not (trained / "made").exists()
