"""Pages of the documentation written from studies that were run: the whole study as Markdown, and its findings as data.

    isometry bench emoji --data-root FOLDER
    python benchmarks/leaderboard.py runs/emoji [runs/glyphs …] [--out docs/studies]

Nothing in a page is written by hand: sentences, tables and verdicts come from `findings.json`. Where data lay and where
results went is left out of the command. It also prints how the methods' years, and their validation values, go with the
test values (Spearman's ρ).
"""

import argparse
import dataclasses
import json
import shlex
import sys
from pathlib import Path

from isometry import checkpoint
from isometry.bench.findings import SEPARATED, Findings, from_json
from isometry.bench.markdown import markdown
from isometry.bench.runner import plain

PLACES = ("--cache", "--out", "-o", "--store", "--workers", "--limit")
"""Options that say where and when, and not what."""


def portable(command):
    """The command without the places of one machine."""
    words, kept = shlex.split(command), []
    while words:
        word = words.pop(0)
        if word in PLACES:
            words.pop(0)
        elif word == "--data-root":
            kept += [word, "FOLDER"]
            words.pop(0)
        else:
            kept.append(word)
    return shlex.join(kept)


def slim(findings: Findings) -> Findings:
    """Without the learning curves and single outcomes, which are most of the file."""
    methods = tuple(dataclasses.replace(method, curves=()) for method in findings.methods)
    return dataclasses.replace(findings, methods=methods, outcomes={}, command=portable(findings.command))


def by_year(findings: Findings) -> str:
    """Whether newer methods are better, and whether validation told: rank correlations over the methods."""
    from scipy.stats import spearmanr

    values = {
        row.method: row.value
        for row in findings.rows
        if row.metric == findings.metric and row.reading == SEPARATED and not row.control
    }
    said = []
    for what, of in (("year", lambda m: m.year), ("validation", lambda m: m.validation)):
        known = [(of(m), values[m.name]) for m in findings.methods if m.name in values and of(m) > 0]
        if len(known) > 9:
            found = spearmanr(*zip(*known, strict=True))
            said.append(f"{what} and test: ρ = {found.statistic:+.2f} (p = {found.pvalue:.2f}, {len(known)} methods)")
    return "; ".join(said) or "too few methods to rank"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("studies", nargs="+", type=Path, help="folders that isometry bench wrote")
    parser.add_argument("--out", type=Path, default=Path("docs/studies"))
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    for folder in given.studies:
        path = folder / "findings.json"
        if not path.is_file():
            sys.exit(f"There are no findings in {folder}: run `isometry bench {folder.name}` first.")
        findings = slim(from_json(json.loads(path.read_text(encoding="utf-8"))))
        checkpoint.write(given.out / f"{findings.name}.md", markdown(findings))
        values = json.dumps(plain(dataclasses.asdict(findings)), indent=1, ensure_ascii=False)
        checkpoint.write(given.out / f"{findings.name}.json", values + "\n")
        print(f"{given.out / findings.name}.md: {findings.done} of {findings.planned} trainings; {by_year(findings)}")


if __name__ == "__main__":
    main()
