"""The report's section on new classes."""

import dataclasses
import re

from isometry.report import render
from tests.report.conftest import log
from tests.report.conftest import record as record

STRETCH = {"median": 0.02, "q95": 0.05, "largest": 0.09, "quarters": 0.03, "at": None, "between": None}


def rows(left_out=()):
    def one(radius, gap):
        named = {
            "images": 120,
            "classes": 9,
            "radius": radius,
            "radius_max": radius + 0.1,
            "gap": gap,
            "separated": 0.25,
        }
        named |= {"farthest": 0.9, "nearest": 0.9 + gap, "whole": STRETCH, "head": STRETCH, "certificate": -0.5}
        return {**named, "anisotropy": None, "left_out": list(left_out)}

    values = {20: (0.5, 0.5), 60: (0.4, 0.48), 100: (0.3, 0.45)}
    return [
        {
            "step": step,
            "geometry": {"train": one(r, 0.1), "unseen": one(star, -0.2), "ratio": star / r, "room": 0.1 / (2 * star)},
        }
        for step, (r, star) in values.items()
    ]


def section(record):
    found = re.search(r'<section id="geometry">.*?</section>', render(record), re.S)
    return found[0] if found else ""


def test_an_old_log_has_no_section(record):
    assert section(record) == ""
    assert (
        section(dataclasses.replace(record, log=[*log(), {"step": 20, "geometry": {"left_out": "no classes"}}])) == ""
    )


def test_known_and_new_classes_are_drawn_over_steps_and_named(record):
    text = section(dataclasses.replace(record, log=[*log(), *rows()]))
    assert text.count("<svg") == 4
    assert text.count(">known classes</text>") == text.count(">new classes</text>") == 4
    assert text.count('class="dot main"') == text.count('class="dot second"') == 12
    for words in ("δ₁ is the distance to the farthest picture", "120 pictures of 9 known classes", "σ_max"):
        assert (words in text) == (words != "σ_max")  # what was not measured has no row


def test_the_sentence_is_of_the_step_that_was_kept(record):
    text = section(dataclasses.replace(record, log=[*log(), *rows()]))  # step 60 is the best
    assert "A new class is 20% larger than a known one (r*/r = 1.20)." in text
    assert "is 0.104 times the width of a new class: none fits between them" in text
    last = section(dataclasses.replace(record, log=[*log(), *rows()], chosen_step=100))
    assert "(r*/r = 1.50)" in last


def test_no_gap_is_no_room(record):
    changed = [{**row, "geometry": {**row["geometry"], "room": -0.2}} for row in rows()]
    assert "Known classes leave no gap" in section(dataclasses.replace(record, log=[*log(), *changed]))


def test_reasons_are_given(record):
    text = section(dataclasses.replace(record, log=[*log(), *rows(left_out=["head: <it> cannot"])]))
    assert "Not measured: head: &lt;it&gt; cannot." in text


def test_a_single_validation_is_drawn(record):
    assert section(dataclasses.replace(record, log=rows()[:1])).count('class="dot main"') == 4
