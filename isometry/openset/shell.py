"""A page in the style of the reports: one file with its style and script inside, which asks nobody for anything."""

from collections.abc import Sequence
from importlib import resources

from isometry.report.page import POLICY
from isometry.report.text import escape


def whole(title: str, over: str, summary: str, tiles: Sequence[str], parts: Sequence[tuple[str, str, str]]) -> str:
    """The page. `parts` are a key, what it is called, and its HTML; empty ones are left out."""
    shown = [(key, name, body) for key, name, body in parts if body]
    links = "".join(f'<a href="#{key}">{escape(name)}</a>' for key, name, _ in shown)
    body = "\n".join(f'<section id="{key}"><h2>{escape(name)}</h2>{html}</section>' for key, name, html in shown)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark">'
        f'<title>{escape(title)} · isometry</title><link rel="icon" href="data:,">'
        f"<style>{_asset('isometry.report', 'report.css')}\n{_asset('isometry.openset', 'openset.css')}</style></head>\n"
        f'<body><header class="top"><p class="over">{escape(over)}</p><h1>{escape(title)}</h1>{summary}'
        f'<div class="tiles">{"".join(tiles)}</div></header>'
        f'<nav aria-label="Sections">{links}</nav><main>\n{body}\n</main><div id="tip" hidden></div>'
        f"<script>{_asset('isometry.report', 'report.js')}</script></body></html>\n"
    )


def tile(title: str, big: str, below: str) -> str:
    """A large number, what it is, and what it means."""
    return (
        f'<div class="tile"><h2>{escape(title)}</h2><p class="big small">{escape(big)}</p>'
        f'<p class="muted">{escape(below)}</p></div>'
    )


def terms(rows: Sequence[tuple[str, str]]) -> str:
    """Definitions."""
    inside = "".join(f"<div><dt>{escape(a)}</dt><dd>{escape(b)}</dd></div>" for a, b in rows)
    return f'<dl class="terms">{inside}</dl>'


def table(head: Sequence[str], rows: Sequence[Sequence[str]], caption: str = "", far: Sequence[bool] = ()) -> str:
    """A table; the first column is what a row is called. Rows that are `far` stand out."""
    marks = [*far, *[False] * (len(rows) - len(far))]
    top = "".join(f'<th scope="col">{escape(one)}</th>' for one in head)
    body = "".join(
        f'<tr><th scope="row">{escape(row[0])}</th>'
        + "".join(f"<td{' class=far' if mark else ''}>{escape(one)}</td>" for one in row[1:])
        + "</tr>"
        for row, mark in zip(rows, marks, strict=True)
    )
    said = f'<caption class="muted">{escape(caption)}</caption>' if caption else ""
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(caption or head[0])}">'
        f'<table class="metrics">{said}<thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>'
    )


def _asset(package: str, name: str) -> str:
    return resources.files(package).joinpath(name).read_text(encoding="utf-8")
