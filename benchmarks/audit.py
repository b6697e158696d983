"""What `isometry audit` finds of what was planted.

    python benchmarks/audit.py --table copies --data emoji:/data/emoji     # copies, by what was done to them
    python benchmarks/audit.py --table labels --run runs/glyphs            # wrong labels, beside the usual scores
    python benchmarks/audit.py --table bands --data emoji:/data/emoji      # proposals beside comparing all with all

Copies: of pictures drawn by chance, each is copied in one way, into another part, under another name. A false pair is one
of pictures that are neither copies of each other nor of one class. Wrong labels: a share of the labels is replaced, by that
of any other picture ("any"), or by the class that is nearest in the embedding ("near", the hardest).
"""

import argparse
import io
import itertools

import numpy as np
import torch
from PIL import Image

import isometry
from isometry.audit.bands import propose
from isometry.audit.copies import compared, copies
from isometry.audit.mislabels import mislabels
from isometry.audit.planted import as_image
from isometry.audit.signature import grey
from isometry.audit.survey import survey
from isometry.data import Arrays, Data, FromDataset, read
from isometry.data.pixels import pil_to_uint8
from isometry.ops.neighbours import nearest

DONE = ("JPEG 40", "JPEG 40 and 70 %", "70 %", "50 %", "5 % cut", "10 % cut", "mirrored", "mirrored and 5 % cut")


def changed(image: Image.Image, how: str, dice: np.random.Generator) -> Image.Image:
    """The picture after what `how` names."""
    width, height = image.size
    for word, share in (("5 % cut", 0.05), ("10 % cut", 0.1)):
        if word in how:
            x, y = dice.uniform(0, share, 2)
            sides = x * width, y * height, (x + 1 - share) * width, (y + 1 - share) * height
            image = image.crop(tuple(round(side) for side in sides))
    for word, size in (("70 %", 0.7), ("50 %", 0.5)):
        if word in how:
            image = image.resize((round(size * width), round(size * height)), Image.Resampling.BICUBIC)
    if "mirrored" in how:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    if "JPEG" in how:
        file = io.BytesIO()
        image.convert("RGB").save(file, "JPEG", quality=40)
        image = Image.open(file).convert("RGB")
    return image


def found_copies(source: str, each: int, seed: int) -> None:
    """Found / planted by what was done, and false pairs."""
    data = read(source)
    dice = np.random.default_rng(seed)
    chosen = dice.permutation(len(data))[: each * len(DONE)]
    made = [(int(i), DONE[k % len(DONE)]) for k, i in enumerate(chosen)]
    pictures = [data.images[i] for i in range(len(data))]
    pictures += [pil_to_uint8(changed(as_image(pictures[i]), how, dice)) for i, how in made]
    parent = [*range(len(data)), *(i for i, _ in made)]
    whole = Data(FromDataset(pictures), data.labels[parent], data.classes, torch.arange(len(pictures)), name=source)
    result = copies(survey(whole))
    hit = dict.fromkeys(DONE, 0)
    other, same_class = 0, 0
    joined = {(p.first, p.second) for p in result.pairs}
    for k, (i, how) in enumerate(made):
        hit[how] += bool(result.group[len(data) + k] == result.group[i])
    for a, b in joined:
        if parent[a] != parent[b]:
            alike = bool(data.labels[parent[a]] == data.labels[parent[b]])
            same_class, other = same_class + alike, other + (not alike)
    print(f"\n{source}: {len(data):,} pictures and {len(made):,} copies; {result.proposed:,} pairs compared")
    print("| what was done | found | planted | share |\n|---|---|---|---|")
    for how in DONE:
        planted = sum(done == how for _, done in made)
        print(f"| {how} | {hit[how]} | {planted} | {hit[how] / planted:.3f} |")
    print(f"besides, {same_class} pairs of one class and {other} of two", flush=True)


def found_by_bands(source: str, queries: int) -> None:
    """Of the pairs that comparing some pictures with all finds, how many the bands propose."""
    data = read(source)
    seen = survey(data)
    pictures = grey(seen.signatures)
    asked = torch.from_numpy(np.sort(np.random.default_rng(0).permutation(len(data))[:queries]))
    n = len(data)
    first = np.repeat(np.arange(len(asked)), n)
    second = np.tile(np.arange(n), len(asked))
    real = set()
    for mirrored in (False, True):
        every = type(propose(pictures[:0]))(
            first, second, np.zeros(len(first), np.int64), np.full(len(first), mirrored)
        )
        same = compared(seen.signatures[asked], seen.signatures, every)[1]
        real |= {(int(asked[a]), int(b)) for a, b in zip(first[same], second[same], strict=True) if int(asked[a]) != b}
    proposals = propose(pictures)
    proposed = set(zip(proposals.first.tolist(), proposals.second.tolist(), strict=True))
    both = sum((a, b) in proposed or (b, a) in proposed for a, b in real)
    print(
        f"{source}: {both} of {len(real)} pairs that comparing {queries} with all {n:,} finds are proposed", flush=True
    )


def planted_labels(z: torch.Tensor, labels: torch.Tensor, share: float, near: bool, seed: int):
    """Labels of which some are wrong, and which."""
    dice = torch.Generator().manual_seed(seed)
    rows = torch.randperm(len(labels), generator=dice)[: round(share * len(labels))]
    wrong = labels[torch.randint(len(labels), (len(rows),), generator=dice)]
    if near:
        unit = torch.nn.functional.normalize(z, dim=1)
        found = labels[nearest(unit[rows], unit, 64)[1]]
        other = found != labels[rows, None]
        wrong = torch.where(other.any(1), found.gather(1, other.int().argmax(1)[:, None])[:, 0], labels[rows])
    given = labels.clone()
    given[rows] = wrong
    return given, given != labels


def usual(z: torch.Tensor, labels: torch.Tensor, k: int = 10) -> dict[str, torch.Tensor]:
    """The scores that are in use: larger is worse."""
    unit, ids = torch.nn.functional.normalize(z, dim=1), torch.arange(len(z))
    near = labels[nearest(unit, unit, k, ids_q=ids, ids_g=ids)[1]]
    votes = (
        torch.zeros(len(z), int(labels.max()) + 1).scatter_add_(1, near, torch.ones_like(near, dtype=torch.float)) / k
    )
    own = votes[ids, labels]
    others = votes.index_put((ids, labels), torch.tensor(-1.0)).amax(1)
    size = torch.bincount(labels, minlength=votes.shape[1]).clamp_min(1)
    typical = (torch.zeros(votes.shape[1]).index_add_(0, labels, own) / size).clamp_min(0.05)
    ratio = votes / typical
    top = ratio.index_put((ids, labels), torch.tensor(-1.0)).amax(1)
    return {"self-confidence": -own, "10-NN vote margin": others - own, "confident learning": top - ratio[ids, labels]}


def average_precision(score: torch.Tensor, wrong: torch.Tensor) -> float:
    """Mean precision over the places of the wrong labels."""
    from sklearn.metrics import average_precision_score

    finite = score.nan_to_num(neginf=float(score[score.isfinite()].min()) - 1)
    return float(average_precision_score(wrong.numpy(), finite.numpy()))


def sets(run: str) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    """Embeddings and labels to plant wrong ones in."""
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    made = {"digits, pixels": (torch.tensor(x - x.mean(0)).float(), torch.tensor(y))}
    test = read("glyphs").part("test")
    labels = torch.unique(test.labels, return_inverse=True)[1]
    made["glyphs' test scripts, pixels"] = (greys(test), labels)
    if run:
        made["glyphs' test scripts, a run"] = (isometry.load(run).embed(test, workers=0)[0], labels)
    return made


def greys(data: Data) -> torch.Tensor:
    """Pictures in memory as vectors, beside their mean."""
    assert isinstance(data.images, Arrays)
    rows = data.images.tensor.flatten(1).float()
    return rows - rows.mean(0)


def found_labels(run: str, seeds: range) -> None:
    """Average precision beside the usual scores; precision and recall of those called wrong; calibration."""
    for name, (z, labels) in sets(run).items():
        print(f"\n{name}: {len(labels):,} pictures, {int(labels.max()) + 1} classes")
        print(
            "| planted | self-confidence | 10-NN vote margin | confident learning | audit "
            "| ≥ 0.5: precision, recall | ≥ 0.9: precision, recall |"
        )
        print("|---|---|---|---|---|---|---|")
        bins = np.zeros((5, 3))
        for near, share in itertools.product((False, True), (0.02, 0.05)):
            rows = []
            for seed in seeds:
                given, wrong = planted_labels(z, labels, share, near, seed)
                found = mislabels(z, given)
                scores = {**usual(z, given), "audit": found.score}
                row = [average_precision(score, wrong) for score in scores.values()]
                for limit in (0.5, 0.9):
                    called = found.chance >= limit
                    hits = float((called & wrong).sum())
                    row += [hits / max(1, int(called.sum())), hits / int(wrong.sum())]
                rows.append(row)
                place = (found.chance * 4.999).long().numpy()
                for b in range(5):
                    inside = place == b
                    bins[b] += inside.sum(), found.chance.numpy()[inside].sum(), wrong.numpy()[inside].sum()
            mean = np.mean(rows, 0)
            kind = "near" if near else "any"
            print(
                f"| {share:.0%} {kind} | "
                + " | ".join(f"{v:.3f}" for v in mean[:4])
                + f" | {mean[4]:.2f}, {mean[5]:.2f} | {mean[6]:.2f}, {mean[7]:.2f} |",
                flush=True,
            )
        print(
            "stated chance → share wrong: " + "; ".join(f"{p / c:.2f} → {w / c:.2f} ({c:.0f})" for c, p, w in bins if c)
        )
        clean = mislabels(z, labels)
        print(f"nothing planted: {int((clean.chance >= 0.5).sum())} called wrong, π ≤ {clean.share:.3f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", choices=("copies", "labels", "bands"), default="copies")
    parser.add_argument("--data", nargs="*", default=["glyphs"])
    parser.add_argument("--run", default="")
    parser.add_argument("--each", type=int, default=50)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--queries", type=int, default=32)
    given = parser.parse_args()
    torch.set_num_threads(1)
    for source in given.data if given.table != "labels" else ():
        found_copies(source, given.each, 0) if given.table == "copies" else found_by_bands(source, given.queries)
    if given.table == "labels":
        found_labels(given.run, range(given.first_seed, given.first_seed + given.seeds))


if __name__ == "__main__":
    main()
