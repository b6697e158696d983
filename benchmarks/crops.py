"""Vectors to search, as a gallery has them: crops of letters, turned, stretched and shifted at random, embedded by a model.

    python benchmarks/crops.py --n 100000 --folder /tmp/crops

The letters are those that training saw and those that it did not, the same number of crops of each. Queries are further crops.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import torch

import isometry
from isometry.data.glyphs import glyphs

BATCH = 512
QUERIES = 10_000


def model(folder: Path, run: str, dim: int, budget: str) -> torch.nn.Module:
    """The model of a run; without one, a small model is trained on the letters, once for each folder."""
    path = Path(run) if run else folder / "run"
    if not (path / "model.safetensors").is_file():
        head, augment = f"Linear(dim={dim})", "Chain(steps=(RandomReflection(), RandomAffine()))"
        isometry.train("glyphs", trunk="ConvNet()", head=head, augment=augment, budget=budget, out=path, report=False)
    return isometry.load(str(path)).model.eval()


@torch.inference_mode()
def embedded(embed: torch.nn.Module, n: int, path: Path, seed: int) -> np.ndarray:
    """n crops, embedded to length one in a memory map; drawn and embedded a batch at a time, so any n fits."""
    if path.is_file() and (kept := np.load(path, mmap_mode="r")).shape[0] == n:
        return kept
    torch.manual_seed(seed)
    pictures, change = glyphs().images, isometry.parse("RandomAffine()")
    which = torch.arange(n) % len(pictures)
    which = which[torch.randperm(n)]
    half = path.with_suffix(".part")
    z = np.lib.format.open_memmap(half, mode="w+", dtype=np.float32, shape=(n, embed.dim))
    start = told = time.perf_counter()
    for first in range(0, n, BATCH):
        rows = which[first : first + BATCH]
        made = torch.nn.functional.normalize(embed.embed(change(pictures[rows])).float(), dim=1)
        z[first : first + len(rows)] = made.numpy()
        if time.perf_counter() - told > 30:
            told = time.perf_counter()
            print(
                f"  {first + len(rows):,} of {n:,} crops, {(first + len(rows)) / (told - start):,.0f} a second",
                flush=True,
            )
    z.flush()
    half.replace(path)
    return np.load(path, mmap_mode="r")


def crops(
    n: int, folder: Path, *, run: str = "", dim: int = 128, budget: str = "600 steps"
) -> tuple[np.ndarray, np.ndarray]:
    """Vectors `[n dim]` and queries, from the folder if they are there."""
    folder.mkdir(parents=True, exist_ok=True)
    embed = model(folder, run, dim, budget)
    return embedded(embed, n, folder / f"vectors-{n}.npy", 0), embedded(embed, QUERIES, folder / "queries.npy", 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=100_000)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--run", default="", help="a trained run; by default one is trained")
    asked = parser.parse_args()
    z, q = crops(asked.n, asked.folder, run=asked.run)
    sample = torch.from_numpy(np.array(z[:: max(1, len(z) // 20_000)]))
    spread = torch.linalg.eigvalsh(sample.T @ sample / len(sample))
    print(f"{len(z):,} × {z.shape[1]} vectors, {len(q):,} queries; {float(spread.sum() ** 2 / spread.square().sum()):.0f} "
          "directions take part (participation ratio)")  # fmt: skip


if __name__ == "__main__":
    main()
