"""The training step beside the bare trunk: forward, backward and optimizer on the same batches, in turn.

    python benchmarks/step.py [--data glyphs] [--steps 60]

"bare" is `model(images).z.square().mean().backward(); optimizer.step()` and nothing else. Then where the rest goes: the
loss alone, the data (loading and augmentation), logging (a row every 10 steps, statistics included).
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import torch


def timed(action):
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="glyphs")
    parser.add_argument("--loss", default="")
    parser.add_argument("--steps", type=int, default=60)
    given = parser.parse_args()

    from isometry import api
    from isometry.data import read, split
    from isometry.pace import Clock
    from isometry.training import Training

    items = read(given.data)
    chosen = api.defaults(items).replace(tracker="none")
    chosen = chosen.replace(loss=given.loss) if given.loss else chosen
    with tempfile.TemporaryDirectory() as folder:
        training = Training(chosen, split(items), Path(folder), lambda row: None)
        source = iter(training.loader)
        loading = []

        def draw():
            start = time.perf_counter()
            batch = next(source)
            loading.append(time.perf_counter() - start)
            return batch

        batches = [draw() for _ in range(min(given.steps, len(training.loader)))]
        clock = Clock(0.0)

        def bare(batch):
            images = batch.images.to(memory_format=torch.channels_last)
            training.model.train()
            training.model(images).z.square().mean().backward()
            training.optimizer.step()
            training.optimizer.zero_grad(set_to_none=True)

        def ours(batch):
            training.last = training._step(iter([batch] * chosen.accumulate), clock)

        def loss(batch):
            z = torch.randn(len(batch.index), training.plain.dim, requires_grad=True)
            values = training.scheme.step(lambda _: z, batch.images, training.labels[batch.index], batch.ids)
            values["loss"].backward()

        for batch in batches[:3]:
            bare(batch), ours(batch), loss(batch)
        rows = []
        for k, batch in enumerate(batches):
            pair = [(timed(lambda b=batch: bare(b)), "bare"), (timed(lambda b=batch: ours(b)), "ours")]
            if k % 2:  # the other order every second time
                pair = [(timed(lambda b=batch: ours(b)), "ours"), (timed(lambda b=batch: bare(b)), "bare")]
            rows.append({name: seconds for seconds, name in pair} | {"loss": timed(lambda b=batch: loss(b))})
        logging = [timed(lambda: training._log(training.last, clock)) / 10 for _ in range(10)]
        training.losses.clear()
    median = {name: statistics.median(row[name] for row in rows) for name in rows[0]}
    ratio = statistics.median(row["ours"] / row["bare"] for row in rows)
    print(
        f"{chosen.trunk} on {given.data}, {chosen.loss}, batch {len(batches[0].index)}, {torch.get_num_threads()} threads\n"
    )
    print("| part | milliseconds | of the bare step |\n|---|---|---|")
    parts = {
        "bare trunk: forward, backward, optimizer": median["bare"],
        "training step (with loss)": median["ours"],
        "… the loss alone, forward and backward": median["loss"],
        "data: loading and augmentation": statistics.median(loading),
        "logging, a step's share": statistics.median(logging),
    }
    for name, seconds in parts.items():
        print(f"| {name} | {1000 * seconds:.2f} | {seconds / median['bare']:.3f} |")
    print(f"\nratio of the training step to the bare trunk, median of {len(rows)} pairs: {ratio:.3f}")


if __name__ == "__main__":
    main()
