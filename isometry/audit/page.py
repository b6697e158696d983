"""The audit as one self-contained page with pictures: what copies what, which labels are in doubt, which files are broken."""

from collections.abc import Sequence
from importlib import resources

import numpy as np
import torch

from isometry.audit.audit import Audit
from isometry.audit.findings import KINDS, Finding
from isometry.audit.mislabels import HOPELESS
from isometry.audit.pictures import HUGE
from isometry.report.page import POLICY
from isometry.report.pictures import Album
from isometry.report.record import Items
from isometry.report.sections.gallery import image
from isometry.report.text import escape, number, plural
from isometry.version import __version__

PAIRS, SUSPECTS, LISTED, NEAR = 40, 40, 60, 6
COPIED = ("leaked copy", "disputed copy", "listed twice", "copy")
BY_CLASS = ("class in two parts", "source in two parts", "singleton", "tiny class", "alike names")
NAMES = {
    "copies": "Copies",
    "labels": "Labels",
    "files": "Files",
    "outliers": "Outliers",
    "classes": "Classes",
    "how": "How",
}
MARK = {"high": "wrong", "medium": "unsure", "low": "unsure"}


def render(audit: Audit) -> str:
    """The page as HTML text. The same audit gives the same page; it asks the network for nothing."""
    album = Album(Items(z=torch.zeros(max(1, len(audit.data)), 1), labels=torch.full((max(1, len(audit.data)),), -1),
                        thumbnail=lambda i: _thumbnail(audit, i)))  # fmt: skip
    parts = {
        "copies": copies(audit, album),
        "labels": suspects(audit, album),
        "files": pictures(audit, album, [one for one in audit.findings if len(one.rows) == 1 and _is_file(one)]),
        "outliers": pictures(audit, album, [one for one in audit.findings if one.kind == "outlier"]),
        "classes": by_class(audit),
        "how": how(audit),
    }
    links = "".join(f'<a href="#{key}">{NAMES[key]}</a>' for key, body in parts.items() if body)
    body = "\n".join(
        f'<section id="{key}"><h2>{NAMES[key]}</h2>{text}</section>' for key, text in parts.items() if text
    )
    style = _asset("isometry.report", "report.css") + _asset("isometry.audit", "page.css")
    title = f"Audit of {audit.data.name}"
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark">'
        f'<title>{escape(title)} · isometry</title><link rel="icon" href="data:,"><style>{style}</style></head>\n'
        f'<body>{_headline(audit, title)}<nav aria-label="Sections">{links}</nav><main>\n{body}\n</main>'
        f'<div id="tip" hidden></div><script>{_asset("isometry.report", "report.js")}</script></body></html>\n'
    )


def _headline(audit: Audit, title: str) -> str:
    worst = sum(one.severity == "high" for one in audit.findings)
    said = f"{plural(len(audit.data), 'picture')} of {plural(len(audit.data.present()), 'class', 'classes')}: "
    said += (
        f"{plural(len(audit.findings), 'finding')}, {worst:,} of them grave."
        if audit.findings
        else "nothing was found."
    )
    rows = "".join(
        f'<tr><th scope="row">{escape(kind)}<small>{escape(KINDS[kind])}</small></th>'
        f"<td>{_badge(severity)}</td><td>{count:,}</td></tr>"
        for kind, severity, count in audit.counts()
    )
    table = f"{_head('What', 'How bad', 'How many')}<tbody>{rows}</tbody></table>" if rows else ""
    over = f'<p class="over">isometry audit</p><h1>{escape(title)}</h1>'
    return f'<header class="top">{over}<p class="summary">{said}</p>{table}</header>'


def _head(*columns: str) -> str:
    cells = "".join(f'<th scope="col">{name}</th>' for name in columns)
    return f'<table class="metrics found"><thead><tr>{cells}</tr></thead>'


def copies(audit: Audit, album: Album) -> str:
    """Pairs side by side, the worst first; a few of each kind."""
    blocks = []
    for kind in COPIED:
        found = [one for one in audit.findings if one.kind == kind]
        if not found:
            continue
        shown = "".join(_pair(audit, album, one) for one in found[:PAIRS])
        blocks.append(f'{_title(kind)}{_of(found, PAIRS)}<ul class="doubles">{shown}</ul>')
    return "".join(blocks)


def _pair(audit: Audit, album: Album, one: Finding) -> str:
    sides = "".join(_side(audit, album, i, label) for i, label in zip(one.rows, one.labels, strict=True))
    score = f" · {number(one.score, 2)}" if one.score is not None and one.score < 1 else ""
    return _card(one, sides, escape(one.detail) + score)


def _card(one: Finding, sides: str, below: str) -> str:
    kind = f"double {MARK[one.severity]}"
    return f'<li class="{kind}"><div class="sides">{sides}</div><span class="muted">{below}</span></li>'


def _title(kind: str) -> str:
    return f"<h3>{escape(kind.capitalize())}: {escape(KINDS[kind])}</h3>"


def _side(audit: Audit, album: Album, i: int, label: str) -> str:
    name, part = audit.names[i], audit.parts[i]
    said = " · ".join(text for text in (label or "no label", part) if text)
    return (
        f'<figure data-tip="{escape(name)}" data-more="{escape(said)}">{image(album(i), name)}'
        f'<figcaption><b class="clip">{escape(_last(label) or "no label")}</b><span>{escape(part)}</span>'
        f'<span class="clip path">{escape(name)}</span></figcaption></figure>'
    )


def suspects(audit: Audit, album: Album) -> str:
    """Pictures whose label is in doubt, each with its nearest neighbours."""
    found = [one for one in audit.findings if one.kind == "mislabel"]
    if audit.mislabels is None:
        return ""
    if not found:
        told = audit.mislabels.share <= HOPELESS
        said = "No label is more likely wrong than right." if told else f"Of labels, {audit.mislabels.said}."
        return f'<p class="muted">{said}</p>'
    row_of = {int(position): row for row, position in enumerate(audit.index)}
    rows = "".join(_suspect(audit, album, one, row_of[one.rows[0]]) for one in found[:SUSPECTS])
    lead = (
        "Left, the picture and its label; right, its nearest neighbours. The chance that the label is wrong is an upper bound: "
        "it takes the labels that look most wrong for wrong. "
        '<span class="legend right"><i class="mark">✓</i> of the given label</span> '
        '<span class="legend wrong"><i class="mark">✗</i> of another one</span>'
    )
    return f'<p class="lead">{lead}</p>{_of(found, SUSPECTS)}{rows}'


def _suspect(audit: Audit, album: Album, one: Finding, row: int) -> str:
    assert audit.mislabels is not None
    i, label = one.rows[0], one.labels[0]
    near = [int(audit.index[j]) for j in audit.mislabels.neighbours[row, :NEAR].tolist() if j >= 0]
    hits = []
    for rank, j in enumerate(near):
        y = int(audit.data.labels[j])
        name = audit.data.classes[y] if y >= 0 else "no label"
        kind, mark = ("right", "✓") if name == label else ("wrong", "✗")
        similarity = number(float(audit.mislabels.similarity[row, rank]), 2)
        hits.append(
            f'<li class="hit {kind}" data-tip="{escape(audit.names[j])}" data-more="{escape(name)} · similarity {similarity}">'
            f'<span class="frame">{image(album(j), name)}<i class="mark" aria-hidden="true">{mark}</i></span>'
            f'<span class="score">{similarity}</span><span class="clip">{escape(_last(name))}</span></li>'
        )
    return (
        f'<div class="row"><figure class="query" data-tip="{escape(audit.names[i])}">{image(album(i), "labelled " + label)}'
        f'<figcaption><b class="clip">{escape(_last(label))}</b><span>rather: {escape(_last(one.other))}</span>'
        f"<span>wrong: {number(one.score or 0, 2)}</span></figcaption></figure>"
        f'<ol class="hits">{"".join(hits)}</ol></div>'
    )


def pictures(audit: Audit, album: Album, found: Sequence[Finding]) -> str:
    """Single pictures with what is wrong with them, by kind."""
    blocks = []
    for kind in dict.fromkeys(one.kind for one in found):
        own = [one for one in found if one.kind == kind]
        shown = "".join(
            _card(one, _side(audit, album, one.rows[0], one.labels[0]), escape(one.detail)) for one in own[:LISTED]
        )
        blocks.append(f'{_title(kind)}{_of(own, LISTED)}<ul class="doubles single">{shown}</ul>')
    return "".join(blocks)


def by_class(audit: Audit) -> str:
    """Findings about classes and parts, as a table."""
    found = [one for one in audit.findings if one.kind in BY_CLASS]
    rows = "".join(
        f'<tr><th scope="row">{escape(", ".join(dict.fromkeys(one.labels)))}</th><td>{escape(one.kind)}</td>'
        f"<td>{_badge(one.severity)}</td><td>{escape(one.detail)}</td></tr>"
        for one in found[: 2 * LISTED]
    )
    table = f"{_head('Class or source', 'What', 'How bad', 'Detail')}<tbody>{rows}</tbody></table>"
    return f'{_of(found, 2 * LISTED)}<div class="scroll">{table}</div>' if found else ""


def how(audit: Audit) -> str:
    """What was done, and how well it would have found copies made of these very pictures."""
    seen = audit.copies.found
    facts = {
        "parts": audit.rule,
        "embedding": audit.embedding or "none: nothing is said of labels and outliers",
        "pairs compared": f"{audit.copies.proposed:,}",
        **{f"copies made: {name}": f"{hit:,} of {count:,} found" for name, (hit, count) in seen.items()},
        **({"labels that may be wrong": audit.mislabels.said} if audit.mislabels is not None else {}),
        **({"note": audit.data.notes[0]} if audit.data.notes else {}),
        "isometry": __version__,
    }
    rows = "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(text)}</dd></div>" for name, text in facts.items())
    lead = "Copies of a few of these pictures were made on purpose; how many were found says what to expect of others."
    return f'<p class="muted">{lead}</p><dl class="settings">{rows}</dl>'


def _last(label: str) -> str:
    """The end of a label path, which is where two labels differ; the whole is shown on pointing at it."""
    return label.rsplit("/", 1)[-1]


def _is_file(one: Finding) -> bool:
    return one.kind not in (*COPIED, *BY_CLASS, "mislabel", "outlier")


def _of(found: Sequence[Finding], most: int) -> str:
    return (
        f'<p class="muted">{most} of {len(found):,} are shown; all are in findings.csv.</p>'
        if len(found) > most
        else ""
    )


def _badge(severity: str) -> str:
    return f'<span class="badge {severity}">{severity}</span>'


def _thumbnail(audit: Audit, i: int) -> np.ndarray:
    """The picture, read again for the page; its stored greys stand in for none."""
    if audit.survey.troubles.get(i, ("",))[0] == HUGE:
        raise ValueError("it is not decoded")
    return audit.data.images[i].permute(1, 2, 0).numpy()


def _asset(package: str, name: str) -> str:
    return resources.files(package).joinpath(name).read_text(encoding="utf-8")
