"""Kills writers. Run as a program: `arena.py FOLDER OPERATION STRIDE RANDOM [interrupt]`; prints what it has seen as JSON.

A child of its own does the operation on a copy of the old state. It is killed before its n-th change of a file's name, or
its n-th file that is opened to be written, for every STRIDE-th n; then RANDOM times whenever it happens. After each the
state has to be the old one or the new one, and whole. With `interrupt` it gets a Ctrl-C, at its n-th
file after `gallery.json` has its name.
"""

import json
import os
import random
import shutil
import signal
import sys
import time
from pathlib import Path

import torch

import isometry
from isometry import index
from isometry.bundle import archive
from isometry.index.given import vectors
from isometry.index.lock import NAME

CHANGES = ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "shutil.rmtree")
Z = torch.randn(40, 8, generator=torch.Generator().manual_seed(0))
MORE = torch.randn(40, 8, generator=torch.Generator().manual_seed(1))


def killing(n, place, interrupt=False):
    """Kills this process before its n-th change under `place`; or interrupts it, at its n-th file after the decisive one."""
    left = [n]

    def look(event, arguments):
        changes = event in CHANGES or (
            event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+")
        )
        if changes and not interrupt and str(arguments[0]).startswith(str(place)):
            left[0] -= 1
            if not left[0]:
                os.kill(os.getpid(), signal.SIGKILL)

    decided = []

    def listen(event, arguments):
        if decided and event in ("open", *CHANGES) and str(arguments[0]).startswith(str(place)):
            left[0] -= 1
            if not left[0]:
                raise KeyboardInterrupt
        if event == "os.rename" and str(arguments[1]).endswith("gallery.json"):
            decided.append(True)

    sys.addaudithook(listen if interrupt else look)


def prepare(root, operation):
    """The old state."""
    state = root / "state"
    state.mkdir()
    if operation == "bundle":
        shutil.copy(root / "thing.isom", state / "thing.isom")
    elif operation == "first":
        return
    else:
        kind = "HNSW(links=4)" if operation == "compact" else ""
        held = index.build(root / "thing.isom", vectors(Z, labels=["old"] * 40), state / "g", kind=kind).read()
        held.add_vectors(MORE[:3])
        held.delete([1, 2])


def act(root, state, operation):
    """What is killed."""
    if operation == "bundle":
        archive.write(state / "thing.isom", archive.read(root / "other.isom").content)
    elif operation in ("first", "replace"):
        index.build(root / "thing.isom", vectors(MORE), state / "g", replace=True)
    elif operation == "add":
        index.read(state / "g").add_vectors(MORE, ids=range(20, 60), labels=["new"] * 40)
    elif operation == "delete":
        index.read(state / "g").delete(range(30))
    elif operation == "compact":
        index.read(state / "g").compact()


def seen(state, operation):
    """What a reader finds, or why it finds nothing. Raises where something is damaged."""
    if operation == "bundle":
        return isometry.load(state / "thing.isom").digest
    try:
        held = index.read(state / "g")
    except FileNotFoundError:
        return "none"
    held.check()
    scores, ids = held.search_vectors(torch.cat([Z, MORE]), 5, exact=True)
    items = held.items(held.ids())
    assert held.search_vectors(held.vectors(held.ids()), 1)[1].shape == (len(held), 1)
    found = sorted(zip(items.ids.tolist(), items.labels, strict=True))
    told = held.generation if operation == "compact" else 0  # which changes nothing else that can be seen
    return json.dumps([told, scores.mul(1e4).round().tolist(), [sorted(row) for row in ids.tolist()], found])


def sequel(root, state, operation):
    """The next writer: it is let in, and sweeps away what the dead one has left."""
    if operation == "bundle":
        return
    if operation == "first":
        act(root, state, operation)
    held = index.read(state / "g")
    held.delete([int(held.ids()[0])])
    assert {one.name for one in (state / "g").iterdir()} == held.folder.manifest.names() | {NAME}


def fight(root, operation, stride, chance, interrupt=False):
    """Counts of what was found after a kill: the old state, the new one; and how often the child came to its end."""
    prepare(root, operation)
    state, turn = root / "state", root / "turn"
    old = seen(state, operation)
    shutil.copytree(state, turn)
    start = time.perf_counter()
    act(root, turn, operation)
    took, new = time.perf_counter() - start, seen(turn, operation)
    assert old != new
    found, n, draw = {"old": 0, "new": 0, "finished": 0, "changes": 0}, 1, random.Random(0)
    while not found["finished"] or chance:
        by_chance = bool(found["finished"])
        chance -= by_chance
        shutil.rmtree(turn)
        shutil.copytree(state, turn)
        child = os.fork()
        if not child:
            if not by_chance:
                killing(n, turn, interrupt)
            try:
                act(root, turn, operation)
            except KeyboardInterrupt:
                os._exit(1)
            os._exit(0)
        if by_chance:
            time.sleep(draw.uniform(0, 1.2 * took))
            os.kill(child, signal.SIGKILL)
        status = os.waitpid(child, 0)[1]
        assert status in (0, signal.SIGKILL) or interrupt, f"the child ended with {status}"
        after = seen(turn, operation)
        assert after in (old, new), f"after change {n} of {operation} it is neither the old nor the new: {after[:200]}"
        found["old" if after == old else "new"] += 1
        if not by_chance and status == 0:
            found["finished"], found["changes"] = 1, n - 1
        sequel(root, turn, operation)
        n += stride
    return found


if __name__ == "__main__":
    folder, name, every, times, *how = sys.argv[1:]
    print(json.dumps(fight(Path(folder), name, int(every), int(times), how == ["interrupt"])))
