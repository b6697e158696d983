"""How long a batch takes: torch as it is, torch's exported program, and onnxruntime with float32 and int8 weights.

    python benchmarks/export.py                                       # ConvNet and EfficientNetLite0, batches of 1 and 64
    python benchmarks/export.py --trunk "ConvNet(levels=3)" --rounds 50

One thread each. The four take turns, so that what else the machine does meets all of them; medians of processor time, which
on an idle machine is the latency, and beside them the share of torch's. Weights are those that a trunk starts with, pictures
are noise: neither matters to the time.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
import torch

from isometry.embedder import Ready
from isometry.export import FLOAT32, INT8
from isometry.export.files import OnnxFile, ProgramFile
from isometry.export.graph import program
from isometry.lite import Preparation
from isometry.model import Embedder

TRUNKS = ("ConvNet(levels=3)", "EfficientNetLite0()")


def session(path: Path) -> Callable[[np.ndarray], np.ndarray]:
    """A file on onnxruntime, with one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    held = onnxruntime.InferenceSession(path, options)
    return lambda x: held.run(["z"], {"images": x})[0]


def engines(trunk: str, folder: Path) -> tuple[dict[str, Callable[[np.ndarray], object]], dict[str, int], Preparation]:
    """What embeds a batch, by name; the files' bytes; and the pictures' size."""
    ready = Ready(Embedder.parse(trunk, "Average()", "Linear(dim=128)"), "Same()")
    side, channels = int(ready.model.trunk.image_size), int(ready.model.trunk.in_channels)
    size = Preparation(channels=channels, height=side, width=side)
    made = program(ready, size)
    paths = {"program": folder / "model.pt2", "float32": folder / "float32.onnx", "int8": folder / "int8.onnx"}
    ProgramFile(ready, made, FLOAT32).write({}, paths["program"])
    for precision in (FLOAT32, INT8):
        OnnxFile(ready, made, precision).write({"format": 1}, paths[precision.name])
    exported = torch.export.load(paths["program"]).module()

    def eager(x: np.ndarray) -> torch.Tensor:
        return ready.model.embed(torch.from_numpy(x))

    @torch.no_grad()
    def of_program(x: np.ndarray) -> torch.Tensor:
        return exported(torch.from_numpy(x))

    runs = {
        "torch": eager,
        "torch.export": of_program,
        "onnxruntime, float32": session(paths["float32"]),
        "onnxruntime, int8": session(paths["int8"]),
    }
    bytes_of = {
        "torch.export": paths["program"],
        "onnxruntime, float32": paths["float32"],
        "onnxruntime, int8": paths["int8"],
    }
    return runs, {name: path.stat().st_size for name, path in bytes_of.items()}, size


def milliseconds(runs: dict[str, Callable[[np.ndarray], object]], x: np.ndarray, rounds: int) -> dict[str, float]:
    """The median processor time of each, in turns, after one that does not count."""
    times: dict[str, list[float]] = {name: [] for name in runs}
    for turn in range(rounds + 1):
        for name, run in runs.items():
            start = time.process_time()
            run(x)
            if turn:
                times[name].append(1000 * (time.process_time() - start))
    return {name: statistics.median(found) for name, found in times.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--trunk", action="append", help="Trunks, as expressions.")
    parser.add_argument("--rounds", type=int, default=0, help="Of each batch; default: 60 of one picture, 5 of 64.")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    print("| trunk | engine | file, MB | batch of 1, ms | batch of 64, ms |\n|---|---|---|---|---|")
    for trunk in chosen.trunk or TRUNKS:
        with tempfile.TemporaryDirectory() as folder:
            runs, bytes_of, size = engines(trunk, Path(folder))
            x = np.random.default_rng(0).random((64, size.channels, size.height, size.width), np.float32)
            one = milliseconds(runs, x[:1], chosen.rounds or 60)
            many = milliseconds(runs, x, chosen.rounds or 5)
        for name in runs:
            held = f"{bytes_of[name] / 1e6:.2f}" if name in bytes_of else ""
            cells = [f"{t[name]:.3g} ({t[name] / t['torch']:.2f}×)" for t in (one, many)]
            print(f"| `{trunk}`, {size.height} px | {name} | {held} | {cells[0]} | {cells[1]} |", flush=True)


if __name__ == "__main__":
    main()
