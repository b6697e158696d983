"""What the loss benchmarks share: a batch, a timed step, and the memory by which a fresh process grows."""

import contextlib
import os
import subprocess
import sys
import time
from pathlib import Path

import torch


def batch(size, dim, each=4):
    """Clustered embeddings `[size dim]` with gradient, and their labels."""
    g = torch.Generator().manual_seed(0)
    y = torch.arange(size) // each
    centres = torch.randn(int(y.max()) + 1, dim, generator=g)
    return (centres[y] + 1.5 * torch.randn(size, dim, generator=g)).requires_grad_(), y


def ours(text, classes, dim, memory=0):
    """A loss of ours; `memory`: a full cross-batch memory of so many references, other items of the batch's classes and more.

    `one_pair(loss)` is a loss of the first item of each class, of four, against the second items.
    """
    import isometry

    if text.startswith("one_pair("):
        inner = ours(text.removeprefix("one_pair(").removesuffix(")"), classes, dim)
        return lambda z, y: inner(z[::4], y[::4], against=(z[1::4], y[1::4]))
    torch.manual_seed(0)
    loss = isometry.parse(text, num_classes=classes, dim=dim)
    if memory:
        z, y = batch(memory, dim)
        for some in torch.arange(memory).split(2048):
            loss.observe(z.detach()[some], y[some], some + 10**9)
    return loss


def peer(text, classes, dim):
    """A loss of pytorch-metric-learning; `mined(loss, miner)` is one after a miner."""
    from pytorch_metric_learning import distances, losses, miners, regularizers

    def mined(loss, miner):
        return lambda z, y: loss(z, y, miner(z, y))

    torch.manual_seed(0)
    named = {**vars(losses), **vars(distances), **vars(regularizers), **vars(miners)}
    return eval(text, {**named, "mined": mined, "C": classes, "D": dim})


def once(loss, z, y, **roles):
    """Seconds of forward and backward, and the value."""
    z.grad = None
    start = time.perf_counter()
    value = loss(z, y, **roles)
    value.backward()
    return time.perf_counter() - start, float(value.detach())


def apart(side, text, size, dim, *, memory=0, limit=120.0, gigabytes=14.0, budget=""):
    """Seconds and megabytes in a process of its own; None where it takes longer than `limit` or runs out of memory."""
    call = f"grow({side!r}, {text!r}, {size}, {dim}, {memory}, {gigabytes}, {budget!r})"
    code = f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); import measure; measure.{call}"
    try:
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=limit)
    except subprocess.TimeoutExpired:
        return None
    if done.returncode:
        out_of_memory = done.returncode < 0 or "memory" in done.stderr.lower()
        if not out_of_memory:
            raise RuntimeError(f"{text} at {size}: {done.stderr.strip().splitlines()[-1]}")
        return None
    seconds, grown = done.stdout.split()[-2:]
    return float(seconds), float(grown)


def grow(side, text, size, dim, memory, gigabytes, budget=""):
    """Prints the seconds of a step and the growth of the largest resident size, after a warm-up on a small batch; within a
    memory budget if one is given.
    """
    import resource

    resource.setrlimit(resource.RLIMIT_DATA, (int(gigabytes * 2**30), resource.RLIM_INFINITY))
    small, y = batch(64, dim)
    classes = max(size, memory, 8) // 4
    loss = ours(text, classes, dim, memory) if side == "ours" else peer(text, classes, dim)
    roles = {"ids": torch.arange(64)} if memory else {}
    once(loss, small, y, **roles)
    z, y = batch(size, dim)
    z.grad = torch.zeros_like(z)
    if memory:
        roles = {"ids": torch.arange(size)}
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")  # forget the peak so far (Linux)
    before = resident("VmRSS")
    with within(budget):
        seconds, _ = once(loss, z, y, **roles)
    print(seconds, (resident("VmHWM") - before) / 1024)


def within(budget):
    """A memory budget of ours ("256 KB"), or none."""
    import isometry

    return isometry.memory_budget(budget) if budget else contextlib.nullcontext()


def resident(name):
    """A figure of this process's memory, in kB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name + ":"))


def where():
    """A line on the machine."""
    return f"{torch.get_num_threads()} threads of {os.cpu_count()} processors, torch {torch.__version__}"
