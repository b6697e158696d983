"""Pages of the documentation on continuous labels, written from studies that were run.

    isometry bench continuous-poses
    python benchmarks/continuous_study.py runs/continuous-poses [runs/continuous-emoji …] [--out docs/studies]

Nothing in a page is written by hand: the answers are those of `continuous_answers.py`, from `findings.json`.
"""

import argparse
import dataclasses
import json
import math
import sys
from pathlib import Path

from continuous_answers import NDCG, NEAR, NEARER, Answer, answers, effects_by, verdict_of
from continuous_figures import dimension_figure, mining_figure, rows_by
from continuous_grid import ALONE, CENTRE, DIMS, LENGTHS, LOSSES, MINED, Method, grid
from leaderboard import slim

from isometry import checkpoint
from isometry.bench.findings import SEPARATED, Effect, Findings, Row, from_json
from isometry.bench.markdown import markdown
from isometry.bench.page.numbers import NONE, bracket, chance, plain, signed
from isometry.bench.runner import plain as as_json
from isometry.bench.verdicts import LEVEL
from isometry.report.text import plural

SHOWN = (
    (NDCG, "nDCG@100"),
    ("NDCG(k=10, gain=DistanceGain())", "nDCG@10"),
    (NEARER, "label distance@1"),
    (NEAR, "label distance@10"),
)
DIGITS = 4


def page(findings: Findings, images: dict[str, str]) -> str:
    """The page: the answers, what they rest on, tables by factor, figures, every cell, what was not run, what was held."""
    every = markdown(findings)
    known, tested = rows_by(findings), effects_by(findings)
    free = {loss: CENTRE._replace(loss=loss) for loss in LOSSES}
    alone = {f"{cell.loss}, k = {k}": cell for k in (0, CENTRE.mined)
             for cell in (CENTRE._replace(loss=loss, mined=k) for loss in ALONE)}  # fmt: skip
    sizes = {(loss, n): [free[loss]._replace(dim=d, length=n) for d in DIMS] for loss in LOSSES for n in LENGTHS}
    by_length = {", ".join(key): cells for key, cells in sizes.items()}
    parts = [
        f"# {findings.name}",
        findings.about,
        f"{findings.done:,} of {plural(findings.planned, 'training')} done; {findings.queries:,} test queries, "
        f"{plural(findings.seeds, 'seed')}. {ran(findings, known)}",
        "## The answers",
        *(answer(a) for a in answers(findings)),
        "“k = 5” is a batch of as many anchors as fit, each beside its five nearest in label space, and 0 a batch at random; all "
        "rows of a batch are anchors of the loss. “free” embeddings are as long as they come out, “unit” ones have length 1; all "
        f"are compared by straight-line distance, which on unit vectors ranks as the cosine does. The centre is {CENTRE.name}.",
        "Supported: better, with p < .05 after Holm. Not supported: worse likewise, or the "
        "whole 95 % interval lies below what matters (half a point of nDCG, 2 % of a label distance). Undecided: neither. "
        "Intervals are over test items and seeds; Holm corrects over the comparisons in one metric. An answer that rests on "
        "several comparisons is what all come to, *in part* where some are supported and none is not, and else undecided.",
        *(f"![{text}]({file})" for file, text in images.items()),
        "## By loss",
        table("loss", [*free.items(), *alone.items()], known),
        controls(findings),
        "The same with embeddings of length 1:",
        table("loss", [(loss, cell._replace(length="unit")) for loss, cell in free.items()], known),
        "## By mining",
        crossed("loss", {loss: [cell._replace(mined=k) for k in MINED] for loss, cell in free.items()},
                [f"k = {k}" for k in MINED], known, tested, lambda cell: cell._replace(mined=0)),
        "Below a value stands its difference from k = 0.",
        "## By dimension and normalisation",
        crossed("loss", by_length, [f"d = {d}" for d in DIMS], known, tested,
                lambda cell: cell._replace(length="free")),
        "Below a value with length 1 stands its difference from the free one.",
        "## Every comparison",
        comparisons(findings),
        "## Rates that were chosen",
        "Rates alone were searched, the same three for all; margins and thresholds stand as written, which log-ratio has none "
        "of: a loss with a margin may do better with another one. Where the smallest or the largest rate was chosen, one beyond "
        "it may be better still.",
        chosen(findings),
        every[every.index("## Failures, and what has not run") :],
    ]  # fmt: skip
    return "\n\n".join(part for part in parts if part.strip()).rstrip() + "\n"


def ran(findings: Findings, known) -> str:
    """How much of the grid that is."""
    cells = {cell for cell, metric in known if metric == NDCG} & set(grid())
    full = sum(known[cell, NDCG].seeds >= findings.seeds for cell in cells)
    return (
        f"Of the grid’s {len(grid())} cells {len(cells)} were run, {full} of them with all seeds; the others were not. Every "
        "method was tried with the same learning rates, and the best on the validation part was trained for the test."
    )


def answer(found: Answer) -> str:
    """A question with its answer."""
    return f"**{found.question}** {found.claim} *{found.verdict.capitalize()}.* {found.said}".strip()


def table(what: str, rows: list[tuple[str, Method]], known) -> str:
    """Cells against all metrics."""
    lines = [f"| {what} | " + " | ".join(name for _, name in SHOWN) + " | seeds |", "|---|" + "---|" * (len(SHOWN) + 1)]
    for name, cell in rows:
        found = [known.get((cell, metric)) for metric, _ in SHOWN]
        seeds = str(found[0].seeds) if found[0] else NONE
        lines.append("| " + " | ".join([name, *map(value, found), seeds]) + " |")
    return "\n".join(lines) + f"\n\n{NONE} : not run." * any((cell, NDCG) not in known for _, cell in rows)


def controls(findings: Findings) -> str:
    """What embeddings score that nothing was trained for."""
    found = {(r.method, r.metric): r for r in findings.rows if r.control and r.reading == SEPARATED}
    names = dict.fromkeys(name for name, _ in found)
    lines = ["| untrained | " + " | ".join(name for _, name in SHOWN) + " |", "|---|" + "---|" * len(SHOWN)]
    lines += ["| " + " | ".join([n, *(value(found.get((n, metric))) for metric, _ in SHOWN)]) + " |" for n in names]
    return "Embeddings that nothing was trained for:\n\n" + "\n".join(lines) if names else ""


def crossed(what: str, rows: dict[str, list[Method]], titles: list[str], known, tested, twin) -> str:
    """nDCG of a row's cells, with the tested difference of each from its twin; rows without a cell are left out."""
    lines = [f"| {what} | " + " | ".join(titles) + " |", "|---|" + "---|" * len(titles)]
    for name, cells in rows.items():
        if any((cell, NDCG) in known for cell in cells):
            shown = [below(known.get((c, NDCG)), tested.get((c, twin(c), NDCG))) for c in cells]
            lines.append("| " + " | ".join([name, *shown]) + " |")
    return "\n".join(lines)


def value(row: Row | None) -> str:
    if row is None:
        return NONE
    return f"{plain(row.value, DIGITS)} {bracket(row.low, row.high, DIGITS)}".strip()


def below(row: Row | None, effect: Effect | None) -> str:
    if row is None:
        return NONE
    text = plain(row.value, DIGITS)
    return text if effect is None else f"{text}<br>{signed(effect.difference, DIGITS)}{' ★' * (effect.p_holm < LEVEL)}"


def comparisons(findings: Findings) -> str:
    """All tested differences, in nDCG and label distance."""
    known, lines = (
        effects_by(findings),
        ["| method | twin | nDCG@100 | | label distance@10 | |", "|---|---|---|---|---|---|"],
    )
    for pair in dict.fromkeys((m, t) for m, t, _ in known):
        found = [known.get((*pair, metric)) for metric in (NDCG, NEAR)]
        cells = [part for e in found for part in (difference(e), verdict_of(e))]
        lines.append("| " + " | ".join([pair[0].name, pair[1].name, *cells]) + " |")
    return "\n".join(lines) if len(lines) > 2 else "None was run."


def difference(effect: Effect | None) -> str:
    if effect is None:
        return NONE
    ends = f" [{signed(effect.low, DIGITS)}, {signed(effect.high, DIGITS)}], p {chance(effect.p_holm)}"
    return signed(effect.difference, DIGITS) + ends * math.isfinite(effect.low)


def chosen(findings: Findings) -> str:
    """The head's rate of every method, and what a training cost."""
    lines = ["| method | loss | rate | validation nDCG@100 | seconds |", "|---|---|---|---|---|"]
    for m in findings.methods:
        if m.setting:
            lines.append(
                f"| {m.name} | `{m.loss}` | {m.setting.head_lr:g} | {plain(m.validation, DIGITS)} | {plain(m.seconds, 0)} |"
            )
    return "\n".join(lines) if len(lines) > 2 else "No search is over."


def written(folder: Path, out: Path, images: Path) -> Path:
    """The page of a study, its findings as data, and its figures."""
    path = folder / "findings.json"
    if not path.is_file():
        sys.exit(f"There are no findings in {folder}: run `isometry bench {folder.name}` first.")
    findings = dataclasses.replace(slim(from_json(json.loads(path.read_text(encoding="utf-8")))), pairs=())
    drawn = {}
    for name, draw, text in (
        ("dimension", dimension_figure, "Quality against dimension, with and without normalisation"),
        ("mining", mining_figure, "Quality against the neighbours mined for the anchor, by loss"),
    ):
        figure = draw(findings)
        if figure is not None:
            images.mkdir(parents=True, exist_ok=True)
            file = images / f"{findings.name}-{name}.svg"
            figure.savefig(file, metadata={"Date": None})
            drawn[f"../images/{file.name}"] = text
    out.mkdir(parents=True, exist_ok=True)
    checkpoint.write(out / f"{findings.name}.md", page(findings, drawn))
    values = json.dumps(as_json(dataclasses.asdict(findings)), indent=1, ensure_ascii=False)
    checkpoint.write(out / f"{findings.name}.json", values + "\n")
    return out / f"{findings.name}.md"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("studies", nargs="+", type=Path, help="folders that isometry bench wrote")
    parser.add_argument("--out", type=Path, default=Path("docs/studies"))
    parser.add_argument("--images", type=Path, help="default: images beside the folder of the pages")
    given = parser.parse_args()
    for folder in given.studies:
        print(written(folder, given.out, given.images or given.out.parent / "images"))


if __name__ == "__main__":
    main()
