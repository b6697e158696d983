"""What determinant regularisation costs: training steps with it beside the same step without, in turn; and its memory.

    python benchmarks/determinant.py [--trunk glyphs|resnet50] [--steps 15] [--batch 128]
    python benchmarks/determinant.py --memory

A step is forward, loss, backward and optimizer on one batch of noise. "glyphs" is the net of `make demo`, 32 × 32 pictures;
"resnet50" is timm's, 224 × 224, untrained. Ratios are medians over rounds, in each of which every variant takes four
steps.
Memory is what a step of a head alone adds to the process, for growing batches, each in a process of its own.
"""

import argparse
import statistics
import subprocess
import sys
import time
from pathlib import Path

import torch
from measure import resident, where

HOST = "MultiSimilarity()"
LINEAR, FLOW, SECOND = "Linear(dim=128)", "RealNVP(dim=128)", "RealNVP(dim=128, second=True)"
VARIANTS = {
    "linear head": (LINEAR, HOST),
    "flow, λ = 0": (FLOW, HOST),
    "flow, log-det": (FLOW, f"{HOST} + 0.05 * Determinant(volume=LogDet())"),
    "flow, spherical volume": (FLOW, f"{HOST} + 0.05 * Determinant()"),
    "flow, spherical, in every step": (FLOW, f"{HOST} + 0.05 * Determinant(every=1)"),
    "flow, spherical, points between": (FLOW, f"{HOST} + 0.05 * Determinant(points=Intra())"),
    "flow, conditioned": (FLOW, f"{HOST} + 0.05 * Determinant(volume=Conditioned())"),
    "flow, Frobenius": (FLOW, f"{HOST} + 0.05 * Determinant(volume=Frobenius())"),
    "flow, largest stretch": (FLOW, f"{HOST} + 0.05 * Determinant(volume=LargestStretch())"),
    "two flows, dueling": (SECOND, f"{HOST} + 0.05 * Dueling()"),
    "linear head, spherical volume": (LINEAR, f"{HOST} + 0.05 * Determinant()"),
    "linear head, even singular values": (LINEAR, f"{HOST} + 0.05 * Determinant(volume=Anisotropy())"),
}
FEATURES, AT_ONCE = 256, 4


class Step:
    """One step of training of a model and a loss on one batch."""

    def __init__(self, model, loss, images, y):
        self.model, self.loss, self.images, self.y = model.train(), loss, images, y
        self.ids = torch.arange(len(y))
        parameters = [p for part in (model, loss) for p in part.parameters() if p.requires_grad]
        self.optimizer = torch.optim.AdamW(parameters, lr=1e-4, fused=True)

    def __call__(self):
        start = time.perf_counter()
        for _ in range(AT_ONCE):
            embedded = self.model(self.images)
            self.loss.observe(embedded, self.y, self.ids)
            self.loss(embedded, self.y, ids=self.ids).backward()
            self.optimizer.step()
            self.optimizer.zero_grad(set_to_none=True)
        return (time.perf_counter() - start) / AT_ONCE


def step(trunk, head, loss, batch):
    """A step of a variant; all start from the same weights of the trunk."""
    import isometry
    from isometry.api import defaults
    from isometry.data import read
    from isometry.model import Embedder

    torch.manual_seed(0)
    if trunk == "glyphs":
        chosen = defaults(read("glyphs"))
        model = Embedder.parse(chosen.trunk, chosen.pool, head)
    else:
        model = Embedder.parse(f"Timm(name={trunk!r}, pretrained=False)", "Average()", head)
    side = int(model.trunk.image_size)
    images = torch.rand(batch, int(model.trunk.in_channels), side, side).to(memory_format=torch.channels_last)
    y = torch.arange(batch) // 4
    return Step(
        model.to(memory_format=torch.channels_last), isometry.parse(loss, num_classes=batch, dim=128), images, y
    )


def times(trunk, batch, rounds, names):
    """Seconds of each variant, a list of rounds."""
    steps = {name: step(trunk, *VARIANTS[name], batch) for name in names}
    for one in steps.values():
        one()
    found = []
    for k in range(rounds):
        order = list(steps) if k % 2 else list(reversed(steps))
        found.append({name: steps[name]() for name in order})
    return found


def table(found, names):
    """Lines of Markdown."""
    yield "| variant | a step, ms | of the linear head's | of the flow's with λ = 0 |"
    yield "|---|---|---|---|"
    for name in names:
        own = 1000 * statistics.median(row[name] for row in found)
        ratios = (statistics.median(row[name] / row[base] for row in found) for base in ("linear head", "flow, λ = 0"))
        yield f"| {name} | {own:.1f} | " + " | ".join(f"{r:.3f}" for r in ratios) + " |"


def grow(name, batch):
    """Prints the megabytes by which one step of a head alone grows the process, at its largest."""
    import isometry
    from isometry.bench.heads import Top

    torch.manual_seed(0)
    head, loss = VARIANTS[name]
    top, rows = Top(isometry.parse(head, in_features=FEATURES)), torch.randn(batch, FEATURES)
    term = isometry.parse(loss.removeprefix(f"{HOST} + "), num_classes=2, dim=128) if "+" in loss else None
    for size in (64, batch):  # the small one warms up
        before = resident("VmRSS")
        embedded = top(rows[:size])
        value = embedded.z.square().mean()
        if term is not None:
            value = value + term(embedded, torch.arange(size) // 4)
        value.backward()
    print((resident("VmHWM") - before) / 1024)


def memory(names, batches):
    """Lines of Markdown."""
    yield "| variant | " + " | ".join(f"{b:,} rows" for b in batches) + " |"
    yield "|---|" + "---|" * len(batches)
    for name in names:
        cells = []
        for batch in batches:
            code = f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); import determinant; "
            code += f"determinant.grow({name!r}, {batch})"
            done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
            cells.append(f"{float(done.stdout):.0f} MB")
        yield f"| {name} | " + " | ".join(cells) + " |"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trunk", default="glyphs", help="glyphs, or a name that timm knows")
    parser.add_argument("--steps", type=int, default=15, help="rounds")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--memory", action="store_true")
    parser.add_argument(
        "--only", action="append", choices=list(VARIANTS), help="variants, beside the two that others are held to"
    )
    given = parser.parse_args()
    asked = given.only or list(VARIANTS)
    names = [name for name in VARIANTS if name in asked or name in ("linear head", "flow, λ = 0")]
    print(where())
    if given.memory:
        lines = memory(names, (2048, 8192, 32768))
    else:
        print(f"{given.trunk}, batch of {given.batch}, {HOST}, {given.steps} rounds")
        lines = table(times(given.trunk, given.batch, given.steps, names), names)
    print("", *lines, sep="\n")


if __name__ == "__main__":
    main()
