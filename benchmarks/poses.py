"""Is there something to learn in the drawn figures, and is a linear map of the pixels too little for it?

    python benchmarks/poses.py [--task poses] [--steps 600] [--seed 0]
    python benchmarks/poses.py --task rooms
    python benchmarks/poses.py --sheet docs/images/poses.png

1,000 queries search 7,000 figures (400 and 1,600 rooms). Linear probes are ridge regressions from pixels to labels (joints; for
rooms, which surface is in each cell) on the training part, their strength chosen on the validation part; what is found is what
has the nearest predicted labels. The net is `ConvNet()` with a linear head, trained with `LogRatio()` on random batches.
`gain` is nDCG less that of the random order. `--sheet` draws some of the test pictures instead.
"""

import argparse
import time

import torch
from PIL import Image
from torch import nn
from torch.nn import functional

import isometry
from isometry.losses import LogRatio
from isometry.protocols.retrieval import evaluate
from isometry.relations import Joints, Layouts
from isometry.similarities import cosine, euclidean
from isometry.trunks import ConvNet

METRICS = "NDCG(k=100, gain=DistanceGain()), LabelDistance(k=1), LabelDistance(k=10)"
STRENGTHS = (100.0, 1000.0, 10000.0)
RELATE = {"poses": Joints(), "rooms": Layouts()}


def pixels(data):
    """Pictures between 0 and 1."""
    return data.images.tensor.float() / 255


def pooled(side):
    """The picture, averaged down to `side` × `side`."""
    return lambda data: functional.adaptive_avg_pool2d(pixels(data), side).flatten(1)


def contrast(data):
    """How far each pixel is from its picture's mean, in the picture's standard deviations: a figure against its background."""
    grey = pixels(data).mean(1, keepdim=True)
    centred = grey - grey.mean((2, 3), keepdim=True)
    return (centred / centred.std((2, 3), keepdim=True).clamp_min(0.02)).abs().flatten(1)


def wanted(data, task):
    """What a linear map is to predict."""
    if task == "poses":
        return data.targets
    return functional.one_hot(data.targets.long(), 5).float().flatten(1)


def ridges(x, y):
    """Linear maps with a constant, one for each strength."""
    mean_x, mean_y = x.mean(0), y.mean(0)
    square, along = (x - mean_x).T @ (x - mean_x), (x - mean_x).T @ (y - mean_y)
    for strength in STRENGTHS:
        weight = torch.linalg.solve(square + strength * torch.eye(x.shape[1]), along)
        yield lambda other, weight=weight: (other - mean_x) @ weight + mean_y


def probe(parts, task, seen):
    """The best ridge regression from `seen(data)` to the labels, as an embedding of data."""
    held, aim = seen(parts.validation), wanted(parts.validation, task)
    fits = ridges(seen(parts.train), wanted(parts.train, task))
    best = min(fits, key=lambda fit: (fit(held) - aim).square().mean().item())
    return lambda data: best(seen(data))


def principal(parts, dims):
    """The training pixels' first principal components."""
    x = pooled(24)(parts.train)
    mean = x.mean(0)
    axes = torch.linalg.eigh((x - mean).T @ (x - mean)).eigenvectors[:, -dims:]
    return lambda data: (pooled(24)(data) - mean) @ axes


def trained(parts, task, steps, seed):
    """A small convolutional net, as an embedding of data."""
    torch.manual_seed(seed)
    trunk = ConvNet(widths=(32, 64, 128, 128), channels=3, size=48)
    net = nn.Sequential(trunk, nn.Flatten(), nn.Linear(128 * 6 * 6, 64))
    loss = LogRatio(relate=RELATE[task])
    optimizer = torch.optim.AdamW(net.parameters(), weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, steps)
    for _ in range(steps):
        rows = torch.randint(len(parts.train), (96,))
        z = net(parts.train.images.tensor[rows].float() / 255)
        value = loss(z, parts.train.targets[rows])
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        schedule.step()
    net.eval()
    return torch.no_grad()(lambda data: torch.cat([net(some) for some in pixels(data).split(500)]))


def sheet(data, path, across=16, down=4):
    """Writes the first pictures side by side."""
    some = data.images.tensor[: across * down].unflatten(0, (down, across)).permute(0, 3, 1, 4, 2)
    picture = Image.fromarray(some.reshape(down * 48, across * 48, 3).numpy())
    picture.quantize(256).save(path, optimize=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", choices=RELATE, default="poses")
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="part of a row's name; the random order is always there")
    parser.add_argument("--sheet", default="", help="a file for some of the pictures")
    given = parser.parse_args()
    task, metric = given.task, RELATE[given.task]
    parts = isometry.data.split(isometry.data.read(task))
    test = parts.test
    if given.sheet:
        return sheet(test, given.sheet)
    queries, gallery = test.select(test.is_query), test.select(test.is_gallery)
    g = torch.Generator().manual_seed(given.seed)

    def random(data):
        return torch.randn(len(data), 16, generator=g)

    rows = {
        "random order": lambda: random,
        "pixels, cosine": lambda: lambda data: pixels(data).flatten(1),
        "24 × 24 pixels, 64 principal components": lambda: principal(parts, 64),
        "linear probe, 8 × 8 pixels": lambda: probe(parts, task, pooled(8)),
        "linear probe, 16 × 16 pixels": lambda: probe(parts, task, pooled(16)),
        "linear probe, contrast": lambda: probe(parts, task, contrast),
        "linear probe, all pixels": lambda: probe(parts, task, pooled(48)),
        f"`ConvNet` + `LogRatio`, {given.steps} steps": lambda: trained(parts, task, given.steps, given.seed),
        "nearest labels": lambda: lambda data: data.targets,
    }
    alikes = {"pixels, cosine": cosine, "nearest labels": lambda a, b: -metric.distances(a, b)}
    print("| what searches | nDCG@100 | gain | D@1 | D@10 | seconds |\n|---|---|---|---|---|---|")
    floor = None
    for name, make in rows.items():
        if given.only not in name and floor is not None:
            continue
        start = time.perf_counter()
        embed = make()
        alike = alikes.get(name, euclidean)
        against = (embed(gallery), gallery.targets)
        found = evaluate(
            embed(queries), queries.targets, METRICS, against=against, relate=metric, similarity=alike, samples=0
        )
        ndcg, first, ten = (float(value) for value in found.values())
        floor = ndcg if floor is None else floor
        took = time.perf_counter() - start
        print(f"| {name} | {ndcg:.3f} | {ndcg - floor:+.3f} | {first:.3f} | {ten:.3f} | {took:.0f} |", flush=True)


if __name__ == "__main__":
    main()
