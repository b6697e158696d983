"""Writes `docs/catalogue/`: a page for each component, read from the code, so that it cannot go stale.

    python docs/generate.py            # what `make docs` runs, before mkdocs

A new file in `isometry/losses/` has its page, its formula, its fields and its force field without a line here. Advice on when to
use what is in `guidance/*.toml`, by name; a docstring that opens a paragraph with "Use it" or "When" is advice enough.
"""

import ast
import functools
import inspect
import itertools
import re
import shutil
import sys
import tomllib
import typing
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import force_field
import prose

import isometry
from isometry.catalogue import entries, kinds, shown, summary
from isometry.component import Component, data_fields, fields
from isometry.loss import Loss
from isometry.metrics.metric import Metric
from isometry.metrics.statistic import Statistic
from isometry.references.penalty import Penalty
from isometry.term import Term

HERE = Path(__file__).parent
SAMPLE = {"num_classes": 100, "dim": 128, "in_features": 512}  # what the data would supply
TITLES = {
    "relations": "Relations",
    "heads": "Heads and pools", "metrics": "Metrics", "losses": "Losses", "regularisers": "Regularisers",
    "miners": "Miners", "references": "References", "similarities": "Similarities", "samplers": "Samplers", "trunks": "Trunks",
    "transforms": "Transforms", "rerank": "Re-rankings", "optimizers": "Optimizers", "schedules": "Schedules", "codes": "Codes",
    "indexes": "Kinds of index",
}  # fmt: skip
PARTS = {"Select": "Triplet(select={})", "Step": "Soft(step={})", "Penalty": "PNP(penalty={})",
         "Weigh": "GeneralPairWeighting(weigh={})", "Gain": "NDCG(gain={})", "Volume": "CSG(volume={})",
         "LocalVolume": "MultiSimilarity() + 0.05 * Determinant(volume={})",
         "Points": "MultiSimilarity() + 0.05 * Determinant(points={})",
         "Estimate": "MultiSimilarity() + 0.05 * Determinant(volume=Spherical(by={}))"}  # fmt: skip
HOLDS = {"Step": "losses", "Weigh": "losses", "Metric": "metrics", "Similarity": "similarities", "References": "references",
         "Reference": "references", "Miners": "miners", "Miner": "miners", "Relate": "relations", "Select": "losses",
         "Penalty": "losses", "Penalty | None": "references", "Gain": "metrics", "Volume": "metrics",
         "LocalVolume": "regularisers", "Points": "regularisers", "Estimate": "regularisers", "Code | None": "codes"}  # fmt: skip


@functools.cache
def guidance() -> dict[str, Any]:
    """The hand-written advice: `[choose]` by kind, and a table for each name."""
    found: dict[str, Any] = {}
    for path in sorted((HERE / "guidance").glob("*.toml")):
        found.update(tomllib.loads(path.read_text(encoding="utf-8")))
    return found


def members(kind: str) -> dict[str, Any]:
    """What can be written in an expression; helper functions that a package exports are no entries."""
    found = entries(kinds()[kind])
    written = ("similarities", "references", "miners", "relations")
    plain = {n: t for n, t in found.items() if not inspect.isclass(t) and kind in written}
    return {n: t for n, t in found.items() if n in plain or (inspect.isclass(t) and issubclass(t, Component))}


def file_name(name: str, kind: str) -> str:
    """The page's file; two names that differ in case only get different files on every disk."""
    twins = [other for other in members(kind) if other.lower() == name.lower()]
    return f"{name}-default.md" if len(twins) > 1 and name[0].islower() else f"{name}.md"


def write(out: Path = HERE / "catalogue") -> list[Path]:
    """Writes all pages, and returns them."""
    shutil.rmtree(out, ignore_errors=True)
    pages = []
    for kind in kinds():
        folder = out / kind
        (folder / "images").mkdir(parents=True)
        for name, thing in members(kind).items():
            pages.append(folder / file_name(name, kind))
            pages[-1].write_text(page(name, thing, kind, folder), encoding="utf-8")
        if not any((folder / "images").iterdir()):
            (folder / "images").rmdir()
        pages.append(folder / "index.md")
        pages[-1].write_text(index(kind), encoding="utf-8")
    pages.append(out / "index.md")
    pages[-1].write_text(overview(), encoding="utf-8")
    return pages


def page(name: str, thing: Any, kind: str, folder: Path) -> str:
    """One entry."""
    doc = inspect.getdoc(thing) or ""
    parts = [f"# {name}", *source(thing), prose.markdown(doc, frozenset(fields(thing))), usage(name, thing, kind)]
    if inspect.isclass(thing) and issubclass(thing, Loss) and kind == "losses":
        parts += field_of_force(name, folder)
    parts += table(thing, kind)
    if not re.search(r"^(Use it|When) ", doc, re.MULTILINE):
        parts += advice(name)
    return "\n\n".join(parts) + "\n"


def source(thing: Any) -> list[str]:
    """Where it comes from: the first paragraph of its module."""
    module = inspect.getmodule(getattr(thing, "__wrapped__", thing))
    text = (module.__doc__ or "").strip().split("\n\n")[0] if module else ""
    return [f'<p class="source" markdown>{prose.inline(" ".join(text.split()))}</p>'] if text else []


def usage(name: str, thing: Any, kind: str) -> str:
    """How it is written, on the command line and in Python."""
    line, python = command(name, thing, kind), f"isometry.parse({text_form(name, thing)!r}{supplied(thing)})"
    if name in data_only():
        python = data_only()[name]
    blocks = [f"```bash\n{line}\n```"] if line else []
    return "\n\n".join(["## Write it", *blocks, f"```python\n{python}\n```"])


def data_only() -> dict[str, str]:
    """Components that hold data, or read labels that no file has, and so are made in Python only."""
    taught = "isometry.losses.Contrastive(relate=isometry.relations.{})(z, z_teacher)"
    return {
        "Teacher": taught.format("Teacher(above=0.7)"), "teacher": taught.format("teacher"),
        "Fixed": "loss(z, y, against=(r, y_r))  # or isometry.references.Fixed(embeddings=r, labels=y_r)",
        "hamming": 'isometry.evaluate(z, y, "MAPAtR()", similarity="hamming")',
        "PairwiseReranker": "isometry.rerank.PairwiseReranker(model=model, top=10, items_q=pictures_q, items_g=pictures_g)",
        "Given": "isometry.losses.Contrastive(relate=isometry.relations.Given(affinity=matrix))(z, rows)",
        "By": "isometry.losses.LogRatio(relate=isometry.relations.By(distance=mine))(z, y)",
        "GivenDistances": "isometry.losses.LogRatio(relate=isometry.relations.GivenDistances(matrix=matrix))(z, rows)",
    }  # fmt: skip


def text_form(name: str, thing: Any) -> str:
    """An expression that builds it, with its required fields filled."""
    if not inspect.isclass(thing):
        return name
    needed = {n: f for n, f in fields(thing).items() if shown(f) == "(required)"}
    values = {n: "(1, 10)" if typing.get_origin(f.type) is tuple else "1" for n, f in needed.items()}
    return f"{name}({', '.join(f'{n}={value}' for n, value in values.items())})"


def supplied(thing: Any) -> str:
    """The arguments that the data would fill."""
    return "".join(f", {n}={value}" for n, value in SAMPLE.items() if n in data_fields(thing))


def command(name: str, thing: Any, kind: str) -> str:
    """A command line with it, or nothing where it cannot be written as text."""
    if name in data_only():
        return ""
    text = text_form(name, thing)
    if kind == "indexes":
        return f'isometry index mine.isom DATA --out gallery --kind "{text}"'
    if kind in ("rerank", "codes"):
        return f'isometry evaluate runs/mine --{kind} "{text}"'
    option, value = {
        "losses": ("--loss", text), "regularisers": ("--loss", f"MultiSimilarity() + 0.1 * {text}"),
        "miners": ("--loss", f"MultiSimilarity(miner={text})"), "references": ("--loss", f"Contrastive(reference={text})"),
        "similarities": ("--loss", f"Triplet(similarity={text})"), "relations": ("--loss", f"Contrastive(relate={text})"),
        "optimizers": ("--optimizer", text), "schedules": ("--schedule", text),
        "metrics": ("--metrics", text), "samplers": ("--sampler", text), "trunks": ("--trunk", text),
        "transforms": ("--augment" if name.startswith("Random") else "--transform", text),
        "heads": ("--head" if "in_features" in fields(thing) else "--pool", text),
    }.get(kind, ("--loss", text))  # fmt: skip
    part_of_metric = kind == "metrics" and not issubclass(thing, (Metric, Statistic))
    if part_of_metric or (kind in ("losses", "regularisers") and not issubclass(thing, Term)):
        value = next(host.format(text) for base, host in PARTS.items() if base in {c.__name__ for c in thing.__mro__})
    if inspect.isclass(thing) and issubclass(thing, Penalty):
        value = f"ProxyAnchor(reference=Proxies(penalty={text}))"
    if getattr(thing, "sets", False):
        value = f"NormSoftmax(similarity={text}, reference=Proxies(centres=3))"
    reads = getattr(
        getattr(isometry.parse(text, **SAMPLE), "relate", thing) if kind == "losses" else thing, "reads", "labels"
    )
    glyphs = reads in ("labels", "hierarchy") and kind not in ("trunks", "transforms")
    return f'isometry train {"glyphs" if glyphs else "DATA"} {option} "{value}"'


def table(thing: Any, kind: str) -> list[str]:
    """Its fields: its own first, then what every loss has."""
    if not inspect.isclass(thing) or not fields(thing):
        return []
    written = annotations(thing)
    own = sorted(fields(thing), key=lambda n: (n in fields(Loss), n in fields(Loss) and n not in written[0]))
    rows = (
        ["| field | type | default | what it is |", "|---|---|---|---|"]
        if written[2]
        else ["| field | type | default |", "|---|---|---|"]
    )
    for name in own:
        kept = fields(thing)[name]
        default = "from the data" if "from_data" in kept.metadata else shown(kept)
        default = default if default in ("from the data", "(required)") else f"`{default}`"
        about = written[2].get(name, "")
        row = f"| `{name}` | {linked(written[1].get(name, ''), kind)} | {default} |"
        rows.append(f"{row} {prose.inline(about)} |" if written[2] else row)
    return ["## Fields", "\n".join(rows)]


def annotations(thing: type) -> tuple[set[str], dict[str, str], dict[str, str]]:
    """Names that the class itself annotates; types, as written; and the strings below the fields."""
    own: set[str] = set()
    types, about = {}, {}
    for cls in reversed(thing.__mro__):
        if not issubclass(cls, Component) or cls is Component:
            continue
        body = ast.parse(inspect.cleandoc("\n" + inspect.getsource(cls))).body[0].body
        lines = [n for n in body if isinstance(n, ast.AnnAssign)]
        types |= {n.target.id: ast.unparse(n.annotation) for n in lines}
        own = {n.target.id for n in lines} if cls is thing else own
        for first, second in itertools.pairwise(body):
            if (
                isinstance(first, ast.AnnAssign)
                and isinstance(second, ast.Expr)
                and isinstance(second.value, ast.Constant)
            ):
                about[first.target.id] = " ".join(str(second.value.value).split())
    return own, types, {name: text for name, text in about.items() if name in fields(thing)}


def linked(annotation: str, kind: str) -> str:
    """A type, linked to the page of its kind."""
    text = annotation.replace("|", "or")
    where = HOLDS.get(annotation)
    if not where:
        return text
    return f"[{text}](index.md)" if where == kind else f"[{text}](../{where}/index.md)"


def advice(name: str) -> list[str]:
    """When to use it and when not."""
    said = guidance().get(name, {})
    heading = {"use": "When to use it", "avoid": "When not"}
    return [f"## {title}\n\n{said[key].strip()}" for key, title in heading.items() if key in said]


def field_of_force(name: str, folder: Path) -> list[str]:
    """The picture of what the loss does to pairs."""
    loss = isometry.parse(f"{name}()", **SAMPLE)
    if loss.by_columns or loss.whole:
        return [
            "## Force field",
            "Not drawn: the force on a pair depends on other rows of the batch, not on its own alone.",
        ]
    words = force_field.draw(loss, folder / "images" / f"{name}.png")
    return ["## Force field", f"![Force field of {name}](images/{name}.png){{ .field }}", prose.inline(words)]


def index(kind: str) -> str:
    """All entries of a kind, opening with which one to choose first."""
    choice = guidance().get("choose", {}).get(kind, "").strip()
    parts = [f"# {TITLES.get(kind, kind.capitalize())}", choice]
    groups = {"": [], "Choices of other components": []}
    for name, thing in sorted(members(kind).items(), key=lambda item: item[0].lower()):
        part = inspect.isclass(thing) and (
            issubclass(thing, Penalty) or (kind == "losses" and not issubclass(thing, Term))
        )
        groups["Choices of other components" if part else ""].append((name, thing))
    for title, group in groups.items():
        if group:
            lines = [
                f"| [`{n}`]({file_name(n, kind)}) | {prose.inline(summary(t)).replace('|', '&#124;')} |"
                for n, t in group
            ]
            parts.append(
                "\n".join([*([f"## {title}\n"] if title else []), "| name | what it does |", "|---|---|", *lines])
            )
    return "\n\n".join(filter(None, parts)) + "\n"


def overview() -> str:
    """The kinds, and how many entries each has."""
    lines = []
    for kind in kinds():
        names = ", ".join(f"[{n}]({kind}/{file_name(n, kind)})" for n in sorted(members(kind), key=str.lower))
        lines.append(f"| [{TITLES.get(kind, kind)}]({kind}/index.md) | {names} |")
    head = "Everything that can be written in an expression. Each page is made from the code.\n\n| kind | entries |\n|---|---|\n"
    return "# Catalogue\n\n" + head + "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(f"{len(write())} pages in {HERE / 'catalogue'}")
