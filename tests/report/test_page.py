"""The page as text: nothing missing, nothing unescaped, nothing fetched, at any size."""

import dataclasses
import json
import math
import re
import subprocess
import sys
from html.parser import HTMLParser

import pytest
import torch

from isometry.report import Items, Record, render, write
from isometry.report.sections.curves import chosen_step

from . import bad_records
from .conftest import nearest, pictures, record_of

VOID = {"meta", "link", "img", "input", "br", "path", "circle"}


class Page(HTMLParser):
    """Reads the page strictly: every element is closed in order, and its addresses and words are kept."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.addresses, self.words, self.tags = [], [], [], []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.addresses += [value for name, value in attrs if name in ("src", "href", "action", "data", "srcset")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "script" not in self.open and "style" not in self.open:
            self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())


def test_the_headline_says_what_and_how_good(record):
    page = Page(render(record))
    for part in ("A net trained on noise.", "R@1 0.876 95 % interval 0.856 – 0.896", "MAP@R 0.543", "raw pixels 0.410"):
        assert part in page.text
    for part in (
        "60 queries",
        "6 classes",
        "1 not scored",
        "1 min 15 s",
        "c0ffee1234",
        "MultiSimilarity(alpha=2.0)",
        "0.1.0",
    ):
        assert part in page.text


def test_every_part_is_there_and_defined(record):
    text = render(record)
    for key in ("results", "gallery", "map", "similarity", "classes", "curves", "settings", "reading"):
        assert f'<section id="{key}">' in text
        assert f'<a href="#{key}">' in text
    words = Page(text).text
    for definition in (
        "R@1 The share of queries whose first result is of their own class.",
        "P@5 The share of the first 5 found that are of the query's class, averaged over queries.",
        "MAP@R For a query with R relevant items: (1/R) Σ P(i) over the ranks i ≤ R",
    ):
        assert definition in words


def test_the_page_asks_nobody_for_anything(record):
    text = render(record)
    assert all(address.startswith(("data:", "#")) for address in Page(text).addresses)
    assert re.findall(r"https?://(?!www\.w3\.org/2000/svg)", text) == []
    assert not re.search(r"@import|url\(|fetch\(|XMLHttpRequest|import\(", text)
    assert "default-src 'none'" in text


@pytest.mark.parametrize(
    "attack", ["</script><script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "<!--", "\x00\u2028&amp;"]
)
def test_names_and_settings_stay_text(record, attack):
    changed = dataclasses.replace(
        record, title=attack, summary=attack, classes=[attack] * 6, group_names=[attack, attack], settings={attack: attack},
        version=attack, metrics={"test": {attack: 0.5}, "baselines": {attack: {attack: 0.4}}, "fingerprint": attack},
    )  # fmt: skip
    clean, page = Page(render(dataclasses.replace(changed, **_harmless()))), Page(render(changed))
    assert page.tags == clean.tags


def _harmless():
    return {
        "title": "x", "summary": "x", "classes": ["x"] * 6, "group_names": ["x", "x"], "settings": {"x": "x"}, "version": "x",
        "metrics": {"test": {"x": 0.5}, "baselines": {"x": {"x": 0.4}}, "fingerprint": "x"},
    }  # fmt: skip


def test_the_same_record_gives_the_same_page(record):
    assert render(record) == render(record)


def test_many_classes_of_photographs_are_sampled_and_keep_to_the_size():
    n, fixed = 14_000, torch.Generator().manual_seed(0)
    z, labels = torch.randn(n, 4, generator=fixed), torch.arange(n) % 7_000
    thumbnail = pictures(40, 160, 200)
    items = Items(z=z, labels=labels, thumbnail=lambda i: thumbnail(i % 40))
    text = render(record_of(z, labels, [f"class {k}" for k in range(7_000)], k=3, queries=items))
    assert len(text.encode()) < 5_000_000
    assert "2,000 of 14,000 test items, whole classes drawn at random" in text
    assert "drawn at random because all would be too many" in text


def test_evaluation_alone_has_no_curves_and_no_baselines(record):
    text = render(dataclasses.replace(record, log=(), metrics={"test": record.metrics["test"]}, settings={}))
    assert '<section id="curves">' not in text
    assert "raw pixels" not in text
    Page(text)


def test_the_kept_step_is_given_or_the_best_validation(record):
    assert chosen_step(record) == 60
    assert chosen_step(dataclasses.replace(record, chosen_step=100)) == 100
    assert chosen_step(dataclasses.replace(record, log=())) is None
    assert "marks step 60, whose weights were kept (MAP@R 0.620)" in render(record)


def apart(queries, gallery, **changes):
    metrics = {"test": {"Recall(k=1)": 0.5}}
    found = nearest(queries, gallery, 10, alone=False)
    fields = {"title": "t", "summary": "s", "metrics": metrics, "queries": queries, "gallery": gallery, **found}
    return Record(**{**fields, "per_query": torch.rand(len(queries)), **changes})


def test_queries_and_gallery_of_their_own():
    queries = Items(z=torch.randn(12, 6), labels=torch.arange(12) % 4, thumbnail=pictures(12, channels=0))
    gallery = Items(z=torch.randn(30, 6), labels=torch.arange(30) % 5 - 1, thumbnail=pictures(30, 9, 31))
    text = Page(render(apart(queries, gallery, classes="abcd"))).text
    for part in (
        "12 queries",
        "30 items in the gallery",
        "Filled: queries; hollow: gallery",
        "Every query searches the gallery",
    ):
        assert part in text


@pytest.mark.parametrize("n", [1, 2, 3, 30])
@pytest.mark.parametrize("classes", [1, 2, 30])
@pytest.mark.parametrize("scored", [True, False])
def test_the_smallest_sizes(n, classes, scored):
    labels = torch.arange(n) % classes
    per_query = torch.rand(n) if scored else torch.full((n,), math.nan)
    names = [str(k) for k in range(classes)]
    Page(render(record_of(torch.randn(n, 4), labels, names, per_query=per_query)))


def test_no_pictures_no_metrics_no_neighbours_unknown_labels():
    labels = torch.full((20,), -1)
    items = Items(z=torch.randn(20, 4), labels=labels)
    none = {"neighbours": torch.zeros(20, 0, dtype=torch.int64), "similarities": torch.zeros(20, 0)}
    page = render(
        record_of(items.z, labels, [], queries=items, metrics={}, per_query=torch.full((20,), math.nan), **none)
    )
    assert "There are no pairs of known class" in Page(page).text


def test_writing_leaves_a_whole_file_or_the_old_one(record, tmp_path):
    path = write(record, tmp_path / "report.html")
    assert path.read_text(encoding="utf-8") == render(record)
    broken = dataclasses.replace(
        record, queries=dataclasses.replace(record.queries, thumbnail=lambda i: torch.zeros(2).numpy())
    )
    with pytest.raises(ValueError, match="expected uint8"):
        write(broken, path)
    assert path.read_text(encoding="utf-8") == render(record)
    assert [file.name for file in tmp_path.iterdir()] == ["report.html"]


def test_what_does_not_fit_together_is_named_in_one_line():
    done = subprocess.run([sys.executable, "-m", bad_records.__name__], capture_output=True, text=True)
    assert "RESULT" in done.stdout, done.stderr
    messages = json.loads(done.stdout.split("RESULT")[1])
    for message, (_, says) in zip(messages, bad_records.CASES, strict=True):
        assert says in message
        assert "\n" not in message
