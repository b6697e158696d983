"""What a run with continuous labels finds, as one picture: queries, their neighbours, and the nearest by label.

    python benchmarks/continuous_gallery.py runs/poses --out poses.png
    python benchmarks/continuous_gallery.py runs/poses --data other.csv --relate "joints" --queries 8 --neighbours 6

A row is a query of the test part, on the left; then its nearest neighbours in the embedding, and after a gap its nearest by
label. Below each picture is its label distance from the query, in the unit of the relation. Queries are drawn at random
(--seed), so that nobody chose them; with --spread they are taken from the best to the worst instead, evenly.
"""

import argparse
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from isometry import config
from isometry.component import show
from isometry.data import read
from isometry.embedder import load
from isometry.evaluation import Embeddings, embed
from isometry.label_metric import LabelMetric
from isometry.ops.neighbours import nearest
from isometry.protocols.retrieval import geometry
from isometry.relations import close_targets
from isometry.run import CONFIG
from isometry.supervision import labels, metric_of, relation
from isometry.use import chosen_part

TILE, EDGE, GAP, LINE, TEXT = 96, 6, 28, 18, 13  # pixels
INK, FAINT, PAPER, OWN = "#1b1b1f", "#6b6b76", "#ffffff", "#3f51b5"


class Row(NamedTuple):
    """A query and what is shown beside it, as positions in the data, with label distances."""

    query: int
    found: list[tuple[int, float]]
    best: list[tuple[int, float]]

    @property
    def excess(self) -> float:
        """How much farther what was found is than what could have been, in the mean."""
        return float(np.mean([d for _, d in self.found]) - np.mean([d for _, d in self.best]))


def rows(test: Embeddings, metric: LabelMetric, similarity: str, asked: Int[Tensor, " q"], k: int) -> list[Row]:
    """The queries at these positions of the data, each with its k nearest neighbours by embedding and by label."""
    data, gallery = test.data, test.roles()[1]
    at = torch.arange(len(data)) if gallery is None else gallery
    y, (embed_by, compare) = labels(data, metric, show(metric)), geometry(similarity)
    known = metric.known(metric.prepared(y))
    at, asked = at[known[at]], asked[known[asked]]
    z, ids = embed_by(test.z), data.ids
    found = nearest(z[asked], z[at], k, ids_q=ids[asked], ids_g=ids[at], similarity=compare)[1]
    made = []
    for i, query in enumerate(asked.tolist()):
        gap: Float[Tensor, " m"] = metric.distances(y[query : query + 1], y[at])[0]
        best = gap.masked_fill(ids[at] == ids[query], torch.inf).topk(min(k, len(at) - 1), largest=False).indices
        near = found[i][found[i] >= 0]
        made.append(Row(query, *([(int(at[j]), float(gap[j])) for j in side.tolist()] for side in (near, best))))
    return made


def picture(array: np.ndarray) -> Image.Image:
    """A picture of the data `[c h w]` on a square tile."""
    pixels = np.asarray(array).transpose(1, 2, 0)
    image = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels).convert("RGB")
    scale = TILE / max(image.size)
    size = [max(1, round(scale * side)) for side in image.size]
    image = image.resize((size[0], size[1]), Image.Resampling.LANCZOS)
    tile = Image.new("RGB", (TILE, TILE), PAPER)
    tile.paste(image, ((TILE - image.width) // 2, (TILE - image.height) // 2))
    return tile


def drawn(test: Embeddings, shown: list[Row], title: str) -> Image.Image:
    """The whole picture."""
    k = max(len(row.found) for row in shown)
    step, high = TILE + EDGE, TILE + LINE + EDGE
    starts = (EDGE, EDGE + step + GAP, EDGE + step + GAP + k * step + GAP)
    sheet = Image.new("RGB", (starts[2] + k * step, 2 * LINE + EDGE + high * len(shown)), PAPER)
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(TEXT)
    pen.text((EDGE, 2), title, INK, font)
    for x, head in zip(starts, ("query", "nearest by embedding", "nearest by label"), strict=True):
        pen.text((x, LINE), head, FAINT, font)
    for number, row in enumerate(shown):
        y = 2 * LINE + EDGE + number * high
        sheet.paste(picture(test.data.images[row.query]), (starts[0], y))
        pen.rectangle((starts[0] - 1, y - 1, starts[0] + TILE, y + TILE), outline=OWN, width=2)
        for x, side in zip(starts[1:], (row.found, row.best), strict=True):
            for place, (item, distance) in enumerate(side):
                sheet.paste(picture(test.data.images[item]), (x + place * step, y))
                pen.text((x + place * step + TILE // 2, y + TILE + 1), f"{distance:.3g}", INK, font, anchor="ma")
    return sheet


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--data", default="", help="other data, whole; default: the test part of the run's own")
    parser.add_argument("--relate", default="", help="default: the run's")
    parser.add_argument("--similarity", default="", help="default: the run's")
    parser.add_argument("--queries", type=int, default=6)
    parser.add_argument("--neighbours", type=int, default=5)
    parser.add_argument("--spread", action="store_true", help="from the best to the worst of 300 queries")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("gallery.png"))
    told = parser.parse_args()
    chosen = config.read(told.run / CONFIG)
    items = read(told.data or chosen.data, label=chosen.label, label_columns=chosen.label_columns)
    items = chosen_part(items, "all" if told.data else "test", chosen.seed)[0]
    relate = relation(told.relate or chosen.relate) or close_targets
    metric = metric_of(relate)
    if metric is None:
        parser.error(f"{show(relate)} is no distance between labels, such as joints or CloseTargets().")
    ready = load(told.run)
    test = embed(ready, items)
    similarity = told.similarity or ready.note.get("similarity", "cosine")
    query, noise = test.roles()[0], torch.Generator().manual_seed(told.seed)
    asked = query[torch.randperm(len(query), generator=noise)]
    shown = rows(test, metric, similarity, asked[: 300 if told.spread else told.queries], told.neighbours)
    if told.spread:
        ordered = sorted(shown, key=lambda row: row.excess)
        shown = [ordered[i] for i in np.linspace(0, len(ordered) - 1, told.queries).round().astype(int)]
    title = f"{chosen.loss} on {items.name}: label distance {show(relate)} below each picture"
    sheet = drawn(test, shown, title)
    beside = told.out.with_name(f"{told.out.name}.part")
    sheet.save(beside, "PNG", optimize=True)
    beside.replace(told.out)
    print(f"{told.out}: {len(shown)} queries, {sheet.width} × {sheet.height} pixels")


if __name__ == "__main__":
    main()
