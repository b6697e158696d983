"""Pages of the documentation on determinant regularisation, written from studies that were run.

    isometry bench determinant-emoji --data-root FOLDER
    python benchmarks/determinant_study.py runs/determinant-emoji [runs/determinant-glyphs …] [--out docs/studies]

Nothing in a page is written by hand: the verdicts are those of `determinant_claims.py`, from `findings.json`.
"""

import argparse
import dataclasses
import json
import math
import sys
import tomllib
from pathlib import Path

from determinant_claims import (
    HOSTS,
    LEVEL,
    MAP,
    OURS,
    PAPER,
    R1,
    RATIO,
    TRUNK,
    TWINS,
    UNTESTED,
    WHOLE,
    Claim,
    Pooled,
    pooled,
    ruled,
    twin_of,
)  # fmt: skip
from determinant_figures import effects_figure, stretch_figure
from leaderboard import slim

from isometry import checkpoint
from isometry.bench.findings import SEPARATED, Effect, Findings, Row, from_json
from isometry.bench.markdown import markdown
from isometry.bench.page.numbers import (
    NONE,
    bracket,
    chance,
    digits_for,
    plain,
    signed,
    times,
)  # fmt: skip
from isometry.bench.page.sections.geometry import MEANINGS, measure_name
from isometry.bench.runner import plain as as_json
from isometry.report.text import plural

SHOWN = (R1, MAP, RATIO, WHOLE)
ORDER = ("plain", "flow", *PAPER, *OURS, *TWINS, "NICE log-det")
"""Of the forms in tables."""


def page(findings: Findings, images: dict[str, str]) -> str:
    """The page: the verdicts, what is pooled over losses, every loss and form, the figures, what was not run, what was held."""
    every = markdown(findings)
    rest = every[every.index("## Failures, and what has not run") :]
    done = f"{findings.done:,} of {plural(findings.planned, 'training')} done"
    parts = [
        f"# {findings.name}",
        findings.about,
        f"{done}; {findings.queries:,} test queries of {findings.classes:,} classes that no training saw. {how(findings)}",
        "## What the claims come to",
        *claims(findings),
        "## Pooled over losses",
        over_losses(findings),
        *(f"![{text}]({file})" for file, text in images.items()),
        "## Every loss",
        "A form’s difference from λ = 0 with the same head (of the flow with λ = 0: from the linear head) stands below its "
        "value; anisotropy is that of the linear head. ★: p < 0.05 after Holm over all "
        f"pairs of the study, of each column. {NONE} : not run.",
        every_loss(findings),
        "What the columns are: " + "; ".join(f"{m}, {MEANINGS[m]}" for m in SHOWN if m in MEANINGS) + ".",
        rest,
    ]
    return "\n\n".join(part for part in parts if part.strip()).rstrip() + "\n"


def how(findings: Findings) -> str:
    """How settings were chosen."""
    trials = max((m.planned_trials for m in findings.methods), default=0)
    alone = findings.recipe and not tomllib.loads(findings.recipe).get("search", {}).get("head_lr", True)
    searched = (
        "λ alone (rates and losses as published, or by default; those without a λ have nothing to search)"
        if alone
        else "the rate, the loss’s main knob and λ (so that forms differ by what their searches happened on, too)"
    )
    return (
        f"Every loss and form had {plural(trials, 'trial')} for {searched}, on validation classes; the best was trained with "
        f"{plural(findings.seeds, 'seed')}, the same for all."
    )


def claims(findings: Findings) -> list[str]:
    """The verdict on every sentence, and the rule."""
    said = ruled(findings)
    paper = [row for row in said if not set(row[0].variants) & {*OURS, *TWINS}]
    counts = {v: sum(row[2] == v for row in paper) for v in ("supported", "not supported", "undecided", UNTESTED)}
    rule = (
        "Each form’s effect is the mean over losses and seeds of what it changes against the same loss and head with λ = 0, "
        "[95 % interval], p after Holm over all tests in this table; losses and seeds are both taken for a sample. Supported: "
        "the claimed sign, p < 0.05. Not supported: the other sign likewise, or at best too small to matter (0.005 of a metric, "
        "2 % of a length or a stretch). A sentence is supported where one form is and no other is not."
    )
    rows = [
        f"| {claim.sentence} | **{verdict}** | {measured(findings, claim, tests)} |" for claim, tests, verdict in said
    ]
    total = ", ".join(f"{n} {v}" for v, n in counts.items() if n)
    return [
        f"Of {len(paper)} sentences of the paper: **{total}**.",
        "\n".join(["| claim | verdict | measured |", "|---|---|---|", *rows]),
        rule,
    ]


def measured(findings: Findings, claim: Claim, tests: tuple[Pooled, ...]) -> str:
    """The tests of a claim in a cell."""
    if not tests:
        trained = claim.measure in (TRUNK, WHOLE) and any(e.measure == TRUNK for e in findings.effects)
        if trained or not claim.why:
            forms = tuple(f", {v}" for v in claim.variants)
            ran = (
                any(e.method.endswith(forms) and math.isfinite(e.difference) for e in findings.effects)
                if forms
                else False
            )
            return "run for too few losses to be pooled" if ran else "not run"
        return claim.why
    lines = []
    for t in tests:
        digits = digits_for((t.twin,))
        ends = f"[{signed(t.low, digits)}, {signed(t.high, digits)}]"
        share = f" ({signed(100 * t.difference / t.twin, 1)} %)" if t.twin and t.measure not in (MAP, R1) else ""
        what = f"{t.variant} − {t.twin_name}, {measure_name(t.measure)}"
        lines.append(f"{what}: {signed(t.difference, digits)} {ends}{share}, p {p(t.p_holm)}: {t.verdict}")
    return "<br>".join(lines)


def p(value: float) -> str:
    text = chance(value)
    return text if text.startswith("<") else f"= {text}"


def over_losses(findings: Findings) -> str:
    """Every form against its twin, pooled; with how many losses get better or worse by a test of their own."""
    known = [v for v in ORDER if v in PAPER + OURS + TWINS] + ["flow"]
    rows = []
    for variant in known:
        found = {m: pooled(findings, m, variant, twin_of(variant)) for m in SHOWN}
        if any(found.values()):
            name = f"{variant} − {'linear head' if twin_of(variant) == 'plain' else 'flow'}, λ = 0"
            rows.append("| " + " | ".join([name, *(map(one_pooled, found.values())), cost(findings, variant)]) + " |")
    if not rows:
        return "Not enough has run: a pooled difference takes two losses and two seeds."
    head = ["| | " + " | ".join(map(measure_name, SHOWN)) + " | cost |", "|---|" + "---|" * (len(SHOWN) + 1)]
    note = (
        "Mean difference over losses and seeds [95 % interval], uncorrected p, and how many losses are better or worse by a test "
        "of their own (Holm over the study’s pairs). Cost: processor time of a training, over that of the same loss with λ = 0, "
        "the middle over losses."
    )
    return "\n".join([*head, *rows]) + f"\n\n{note}"


def one_pooled(t: Pooled | None) -> str:
    if t is None:
        return NONE
    digits = digits_for((t.twin,))
    ends = f"[{signed(t.low, digits)}, {signed(t.high, digits)}]"
    counts = f"{t.better} better, {t.worse} worse of {len(t.hosts)}"
    return f"{signed(t.difference, digits)} {ends}<br>p {p(t.p)}; {counts}"


def cost(findings: Findings, variant: str) -> str:
    """Processor time of a training with this form over that with λ = 0."""
    seconds = {m.name: m.seconds for m in findings.methods}
    twin = twin_of(variant)
    both = [(seconds.get(f"{h}, {variant}", math.nan), seconds.get(f"{h}, {twin}", math.nan)) for h in HOSTS]
    ratios = sorted(one / other for one, other in both if math.isfinite(one / other))
    return times(ratios[len(ratios) // 2]) if ratios else NONE


def every_loss(findings: Findings) -> str:
    """Loss by form: values, and differences from the twin."""
    rows = {(r.method, r.metric): r for r in (*findings.rows, *findings.geometry) if r.reading == SEPARATED}
    effects = {(e.method, e.measure): e for e in findings.effects if e.twin.endswith((", flow", ", plain"))}
    lines = [
        "| loss | form | " + " | ".join(map(measure_name, SHOWN)) + " | λ |",
        "|---|---|" + "---|" * (len(SHOWN) + 1),
    ]
    known = {m.name: m for m in findings.methods}
    for host in HOSTS:
        for form in (f for f in ORDER if f"{host}, {f}" in known):
            name = f"{host}, {form}"
            cells = [value(rows.get((name, m)), effects.get((name, m))) for m in SHOWN]
            lines.append("| " + " | ".join([host, form, *cells, factor(known[name].setting)]) + " |")
    return "\n".join(lines)


def value(row: Row | None, effect: Effect | None) -> str:
    if row is None or not math.isfinite(row.value):
        return NONE
    digits = digits_for((row.value,))
    text = f"{plain(row.value, digits)} {bracket(row.low, row.high, digits)}".strip()
    if effect is None or not math.isfinite(effect.difference):
        return text
    ends = f" [{signed(effect.low, digits)}, {signed(effect.high, digits)}]" if math.isfinite(effect.low) else ""
    return f"{text}<br>{signed(effect.difference, digits)}{ends}{' ★' if effect.p_holm < LEVEL else ''}"


def factor(setting) -> str:
    """λ as it was chosen: the factor of the last term."""
    terms = setting.loss.rsplit(" + ", 1) if setting else []
    if len(terms) < 2:
        return NONE
    return terms[1].partition(" * ")[0] if " * " in terms[1] else "1"


def written(folder: Path, out: Path, images: Path) -> Path:
    """The page of a study, its findings as data, and its figures."""
    path = folder / "findings.json"
    if not path.is_file():
        sys.exit(f"There are no findings in {folder}: run `isometry bench {folder.name}` first.")
    whole = slim(from_json(json.loads(path.read_text(encoding="utf-8"))))
    findings = dataclasses.replace(whole, pairs=())  # of every two methods; effects are those that are asked about
    if not findings.geometry and findings.done:
        sys.exit(f"{folder} has no geometry: its recipe has no `geometry = true`, or no final training is done.")
    drawn = {}
    for name, draw, text in (
        ("effects", effects_figure, "What each form changes for each loss, with 95 % intervals"),
        ("stretch", stretch_figure, "Stretch end to end against MAP@R of new classes"),
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
