"""The whole page of a study: one file with its style and script inside, which asks nobody for anything."""

from importlib import resources
from pathlib import Path

from isometry import checkpoint
from isometry.bench.findings import Findings
from isometry.report.page import POLICY
from isometry.report.text import escape

from . import sections
from .view import View

NAMES = {
    "leaderboard": "Leaderboard",
    "pairs": "Pairs",
    "cost": "Cost",
    "budget": "Budget",
    "sensitivity": "Sensitivity",
    "failures": "Failures",
    "ranks": "Ranks",
    "verdicts": "Verdicts",
    "geometry": "Geometry",
    "held": "Held constant",
    "reading": "How to read this",
}


def render(findings: Findings, ranks: sections.Ranks | None = None) -> str:
    """A study as HTML text. Deterministic: the same findings give the same page.

    It needs no network: a content security policy forbids every request. What has not run is shown as not run.
    """
    view = View(findings)
    body = "\n".join((
        sections.leaderboard(view),
        sections.pairs(view),
        sections.cost(view),
        sections.budget(view),
        sections.sensitivity(view),
        sections.failures(view),
        sections.rank_diagram(view, ranks),
        sections.verdicts(view),
        sections.geometry(view),
        sections.held(view),
        sections.reading(view),
    ))  # fmt: skip
    shown = {key: name for key, name in NAMES.items() if f'<section id="{key}"' in body}
    links = "".join(f'<a href="#{key}">{name}</a>' for key, name in shown.items())
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark">'
        f'<title>{escape(findings.name)} · isometry bench</title><link rel="icon" href="data:,">'
        f"<style>{_asset('isometry.report', 'report.css')}\n{_asset('isometry.bench.page', 'bench.css')}</style></head>\n"
        f'<body class="bench">{sections.headline(view)}<nav aria-label="Sections">{links}</nav><main>\n{body}\n</main>'
        f'<div id="tip" hidden></div><script>{_asset("isometry.report", "report.js")}\n'
        f"{_asset('isometry.bench.page', 'bench.js')}</script></body></html>\n"
    )


def write_page(findings: Findings, path: str | Path, ranks: sections.Ranks | None = None) -> Path:
    """Renders to `path`: the file is there whole, or not at all.

    Raises:
        OSError: where it cannot be written.
    """
    checkpoint.write(Path(path), render(findings, ranks))
    return Path(path)


def _asset(package: str, name: str) -> str:
    return resources.files(package).joinpath(name).read_text(encoding="utf-8")
