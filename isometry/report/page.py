"""The whole page: one file with its style, script, pictures and data inside, which asks nobody for anything."""

import os
from importlib import resources
from pathlib import Path

from . import sections
from .record import Record
from .sections.gallery import Albums
from .text import escape

POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
NAMES = {
    "results": "Results",
    "gallery": "What is found",
    "map": "Map",
    "distance": "Label distance",
    "similarity": "Similarity",
    "strangers": "Strangers",
    "classes": "Mistakes",
    "curves": "Learning",
    "geometry": "New classes",
    "settings": "Settings",
    "reading": "How to read this",
}


def render(record: Record) -> str:
    """The report as HTML text. Deterministic: the same record gives the same page.

    It needs no network: a content security policy forbids every request. Large sets are sampled, and the captions say so.
    """
    albums = Albums.of(record)
    parts = (
        sections.results(record),
        *_by_labels(record, albums),
        sections.curves(record),
        sections.geometry(record),
        sections.settings(record),
        sections.reading(record),
    )
    body = "\n".join(part for part in parts if part)
    links = "".join(f'<a href="#{key}">{name}</a>' for key, name in NAMES.items() if f'<section id="{key}">' in body)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark">'
        f'<title>{escape(record.title)} · isometry</title><link rel="icon" href="data:,">'
        f"<style>{_asset('report.css')}</style></head>\n<body>{sections.headline(record)}"
        f'<nav aria-label="Sections">{links}</nav><main>\n{body}\n</main><div id="tip" hidden></div>'
        f"<script>{_asset('report.js')}\n{_asset('map.js')}</script></body></html>\n"
    )


def _by_labels(record: Record, albums: Albums) -> tuple[str, ...]:
    """The sections that say what was found: by class, or by label distance."""
    graded = record.graded
    if graded is None:
        return (
            sections.gallery(record, albums),
            sections.embedding_map(record),
            sections.similarity(record),
            sections.strangers(record),
            sections.classes(record, albums),
        )
    found = sections.neighbours(record, graded, albums), sections.embedding_map(record), sections.distance(graded)
    style = _asset("graded.css") + (_asset("tenths.css") if sections.in_tenths(record) else "")
    return (f"<style>{style}</style>{found[0]}", *found[1:])


def write(record: Record, path: str | Path) -> Path:
    """Renders to `path`, under a temporary name first: the file is there whole, or not at all."""
    path = Path(path)
    draft = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        draft.write_text(render(record), encoding="utf-8")
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)
    return path


def _asset(name: str) -> str:
    return resources.files("isometry.report").joinpath(name).read_text(encoding="utf-8")
