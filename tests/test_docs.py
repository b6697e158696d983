"""The documentation says what is there: pages for all entries, code that runs, commands that exist, links that lead somewhere."""

import importlib
import itertools
import re
import shlex
import sys
from pathlib import Path

import pytest
import torch
import typer.main
from PIL import Image

import isometry
from isometry.catalogue import entries, kinds
from isometry.cost import Cost, mean
from isometry.loss import Loss
from isometry.term import Term

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
WRITTEN = sorted(DOCS.glob("*.md"))


def module(name: str):
    sys.path.insert(0, str(DOCS))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(DOCS))


generate, prose, force_field = module("generate"), module("prose"), module("force_field")


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("docs") / "catalogue"
    generate.write(out)
    return out


def test_every_entry_of_the_catalogue_has_a_page(catalogue):
    for kind, package in kinds().items():
        names = [n for n, t in entries(package).items() if isinstance(t, type) and issubclass(t, isometry.Component)]
        assert names, kind
        missing = [n for n in names if not (catalogue / kind / f"{n}.md").is_file()]
        assert not missing
        assert (catalogue / kind / "index.md").is_file()
    assert (catalogue / "similarities" / "cosine.md").is_file()
    assert (catalogue / "references" / "batch.md").is_file()


def test_no_two_pages_differ_in_case_only(catalogue):
    pages = [str(p.relative_to(catalogue)).lower() for p in catalogue.rglob("*.md")]
    assert len(pages) == len(set(pages))


def test_every_loss_has_a_small_picture_of_its_force_field(catalogue):
    losses = {n: t for n, t in entries("losses").items() if isinstance(t, type) and issubclass(t, Loss)}
    for name, loss in losses.items():
        if loss.by_columns or loss.whole:
            assert "Not drawn" in (catalogue / "losses" / f"{name}.md").read_text()
            continue
        path = catalogue / "losses" / "images" / f"{name}.png"
        assert path.stat().st_size < 80_000
        with Image.open(path) as picture:
            assert len(picture.convert("RGB").getcolors(1 << 20)) > 50  # something is drawn
        assert f"images/{name}.png" in (catalogue / "losses" / f"{name}.md").read_text()


def test_a_new_file_in_losses_gets_its_page_by_itself(monkeypatch, tmp_path):
    class Newcomer(Loss):
        """Pushes negatives down.

        ℓ_i = mean_N [s + margin]₊, of all negatives.
        """

        margin: float = 0.5

        def objective(self, sim, rel):
            return Cost(push=mean(((sim + self.margin).clamp_min(0) * rel.neg).sum(1)))

    monkeypatch.setitem(importlib.import_module("isometry.expression").names(), "Newcomer", Newcomer)
    (tmp_path / "images").mkdir()
    text = generate.page("Newcomer", Newcomer, "losses", tmp_path)
    assert '<p class="formula">ℓ<sub>i</sub> = mean<sub>N</sub> [s + margin]₊</p>' in text
    assert "| `margin` | float | `0.5` |" in text
    assert '--loss "Newcomer()"' in text
    assert (tmp_path / "images" / "Newcomer.png").is_file()


def test_advice_is_of_things_that_exist():
    known = {n for kind in kinds() for n in generate.members(kind)}
    assert set(generate.guidance()) - {"choose"} <= known
    assert set(generate.guidance()["choose"]) <= set(kinds())


def field(text: str, s_p: float, s_n: float) -> tuple[float, list[float]]:
    loss = isometry.parse(text, num_classes=2, dim=2)
    value, force = force_field.pair_field(loss, torch.tensor([s_p]), torch.tensor([s_n]))
    return float(value), force[0].tolist()


def test_force_of_a_triplet_is_one_on_both_where_the_margin_is_violated():
    assert field("Triplet(margin=0.1)", 0.2, 0.5) == (pytest.approx(0.4), [1.0, -1.0])
    assert field("Triplet(margin=0.1)", 0.5, 0.2) == (0.0, [0.0, 0.0])


def test_force_of_multi_similarity_is_the_weight_of_its_paper():
    """w = e^{β(s−λ)} / (1 + e^{β(s−λ)}): one half at the base; and nothing where the miner keeps nothing."""
    assert field("MultiSimilarity(miner=all_pairs)", 0.5, 0.5)[1] == [pytest.approx(0.5), pytest.approx(-0.5)]
    assert field("MultiSimilarity()", 0.9, 0.5)[1] == [0.0, 0.0]


def test_force_of_a_proxy_loss_whose_rows_are_proxies():
    """Proxy-anchor at s_p = margin, s_n = −margin: log 2 each, and α/2 on both."""
    value, force = field("ProxyAnchor()", 0.1, -0.1)
    assert value == pytest.approx(2 * torch.tensor(2.0).log().item(), rel=1e-6)
    assert force == [pytest.approx(16.0, rel=1e-5), pytest.approx(-16.0, rel=1e-5)]


def test_log_ratio_rests_where_ratios_agree():
    loss = isometry.losses.LogRatio()
    value, force = force_field.ratio_field(loss, torch.tensor([4.0, 4.0]), torch.tensor([4.0, 1.0]))
    assert value[0] == pytest.approx(0, abs=1e-12)
    assert force[0].abs().max() < 1e-12
    assert value[1] == pytest.approx((2 * torch.tensor(4.0).log().item()) ** 2, rel=1e-6)
    assert force[1, 0] > 0  # the farther of the two is drawn nearer


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("e^{−α(s − m)}", "e<sup>−α(s − m)</sup>"),
        ("Σ_{p∈P} s_ip", "Σ<sub>p∈P</sub> s<sub>ip</sub>"),
        ("e^{s_iy/T}", "e<sup>s<sub>iy</sub>/T</sup>"),
        ("layer_norm, lr_multiple and x_of_y", "layer_norm, lr_multiple and x_of_y"),
        ("`s_ip` stays, [x]₊^power does not", "`s_ip` stays, [x]₊<sup>power</sup> does not"),
    ],
)
def test_formulas_get_scripts_and_names_stay(text, html):
    assert prose.inline(text) == html


def test_commands_of_the_catalogue_parse(catalogue):
    """What a page offers to paste is an expression that builds."""
    found = 0
    for page in catalogue.rglob("*.md"):
        for option, text in re.findall(r'^isometry train \w+ --(\w+) "(.*)"$', page.read_text(), re.MULTILINE):
            if option != "trunk":  # weights may have to come from the hub
                isometry.parse(text, **generate.SAMPLE)
                found += 1
    assert found > 30


def code_blocks(page: Path, language: str) -> list[str]:
    blocks = re.findall(rf"^```{language}([^\n]*)\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)
    return [code for title, code in blocks if "not run" not in title and "--8<--" not in code]


@pytest.mark.parametrize("page", WRITTEN, ids=lambda p: p.stem)
def test_python_on_the_page_runs(page):
    names: dict = {"print": lambda *_: None}
    for code in code_blocks(page, "python"):
        exec(compile(code, str(page), "exec"), names)  # the pages are part of this repository


def commands() -> list[tuple[str, str]]:
    pages = [*WRITTEN, ROOT / "README.md"]
    lines = [
        (p.name, line) for p in pages if p.is_file() for block in code_blocks(p, "bash") for line in block.splitlines()
    ]
    return [(name, line.partition("  #")[0].strip()) for name, line in lines if line.startswith("isometry ")]


@pytest.mark.parametrize(("page", "line"), commands())
def test_command_exists_with_its_options_and_expressions(page, line):
    app = typer.main.get_command(importlib.import_module("isometry.cli").app)
    _, name, *words = shlex.split(line)
    assert name in app.commands
    options = {
        text: p for p in app.commands[name].params for text in (*p.opts, *p.secondary_opts) if text.startswith("-")
    }
    used = [word for word in words if word.startswith("-")]
    assert not [word for word in used if word not in options]
    for word, value in itertools.pairwise(words):
        if word in ("--loss", "--metrics", "--sampler", "--augment", "--transform", "--head", "--pool"):
            isometry.parse(value, **generate.SAMPLE)


def anchors(text: str) -> set[str]:
    titles = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", t.lower()).strip().replace(" ", "-") for t in titles}


def test_links_between_pages_lead_somewhere(catalogue):
    for page in [*WRITTEN, *catalogue.rglob("*.md")]:
        text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
        for link in re.findall(r"\]\(([^)\s]+)\)", text):
            if "://" in link:
                continue
            path, _, anchor = link.partition("#")
            generated = page.is_relative_to(catalogue)
            at = Path(str((page.parent / path).resolve() if path else page))
            if generated and not at.is_relative_to(catalogue):  # a hand-written page beside the catalogue
                at = DOCS / at.relative_to(catalogue.parent)
            elif not generated and at.is_relative_to(DOCS / "catalogue"):
                at = catalogue / at.relative_to(DOCS / "catalogue")
            assert at.is_file(), f"{page.name}: {link}"
            assert not anchor or anchor in anchors(at.read_text()), f"{page.name}: {link}"


def test_files_that_pages_show_are_there():
    for page in WRITTEN:
        for path in re.findall(r'--8<-- "(.*?)"', page.read_text()):
            assert (ROOT / path).is_file()


def test_every_page_is_in_the_menu():
    menu = (ROOT / "mkdocs.yml").read_text()
    assert [p.name for p in WRITTEN if f"{p.name}\n" not in menu] == []


@pytest.mark.slow
def test_the_site_builds_without_a_warning(tmp_path, monkeypatch):
    pytest.importorskip("mkdocs", reason="mkdocs is not installed: pip install 'isometry[docs]'")
    from mkdocs.commands.build import build
    from mkdocs.config import load_config

    monkeypatch.chdir(ROOT)
    generate.write()
    build(load_config(str(ROOT / "mkdocs.yml"), site_dir=str(tmp_path), strict=True))
    assert (tmp_path / "catalogue" / "losses" / "ProxyAnchor" / "index.html").is_file()


def translations():
    """What stands in the right columns of the tables of names."""
    for line in (DOCS / "coming_from.md").read_text().splitlines():
        cells = [cell.strip() for cell in line.split(" | ")]
        if line.startswith("| ") and len(cells) == 2 and cells[1].startswith("`"):
            yield cells[1].removesuffix("|").strip().strip("`")


@pytest.mark.parametrize("text", list(translations()))
def test_every_translated_name_is_built(text):
    built = isometry.parse(text, num_classes=6, dim=128)
    if isinstance(built, Term):
        assert isometry.parse(repr(built), num_classes=6, dim=128).state_dict().keys() == built.state_dict().keys()


def test_every_loss_of_the_guide_is_built():
    texts = re.findall(r"`([A-Z]\w*\([^`…]*\))`", (DOCS / "choosing.md").read_text())
    assert len(texts) > 20
    for text in texts:
        isometry.parse(text, num_classes=6, dim=128)
