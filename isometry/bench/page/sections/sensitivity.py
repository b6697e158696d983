"""Which knobs mattered in each search, and the trials of those that mattered most."""

import math
from collections import Counter

from isometry.bench.findings import Knob, Trial
from isometry.report.text import compact, escape

from ..numbers import NONE, listed, plain
from ..plot import Plane, Scale
from ..table import Cell, table
from ..view import View

STRIPS = 6
RATES = ("head_lr", "trunk_lr", "loss_lr")


def sensitivity(view: View) -> str:
    """Shares of variance for each method, strips of trials, and the settings that were chosen."""
    head = '<section id="sensitivity"><h2>Sensitivity to settings</h2>'
    knobs = {name: [k for k in view.findings.knobs if k.method == name] for name in view.methods}
    if not view.findings.trials:
        return f'{head}<p class="muted">No trial has been made yet.</p>{_chosen(view)}</section>'
    cards = "".join(_card(name, own) for name, own in knobs.items() if any(math.isfinite(k.share) for k in own))
    shares = (
        f'<p class="lead">{escape(_words(view, knobs))} Each bar: the share of the variance of a method’s trials that one knob '
        f'explains, with its interval.</p><div class="shares">{cards}</div>'
        if cards
        else '<p class="muted">There are too few trials to tell which knob mattered.</p>'
    )
    return f"{head}{shares}{_strips(view)}{_chosen(view)}</section>"


def _words(view: View, knobs: dict[str, list[Knob]]) -> str:
    top = [
        max(known, key=lambda k: k.share).knob
        for own in knobs.values()
        if (known := [k for k in own if math.isfinite(k.share)])
    ]
    if not top:
        return "There are too few trials to tell which knob mattered."
    knob, count = Counter(top).most_common(1)[0]
    rates = sum(name in RATES for name in top)
    return f"In {count} of {len(top)} methods the knob that mattered most was {knob}" + (
        f"; a learning rate in {rates}." if rates and not (knob in RATES and rates == count) else "."
    )


def _card(name: str, knobs: list[Knob]) -> str:
    rows = "".join(_bar(k) for k in sorted(knobs, key=lambda k: (-k.share if math.isfinite(k.share) else 1, k.knob)))
    return f'<div class="share"><b>{escape(name)}</b><ul>{rows}</ul></div>'


def _bar(k: Knob) -> str:
    if not math.isfinite(k.share):
        return f'<li><span>{escape(k.knob)}</span><span class="lane"></span><span class="reads">{NONE}</span></li>'
    low, high = (min(max(v, 0.0), 1.0) if math.isfinite(v) else k.share for v in (k.low, k.high))
    tip = f"{100 * k.share:.0f} % of the variance [{100 * low:.0f}, {100 * high:.0f}]"
    return (
        f'<li data-tip="{escape(k.knob)}" data-more="{tip}"><span>{escape(k.knob)}</span><span class="lane">'
        f'<i class="fill" style="width:{100 * min(max(k.share, 0.0), 1.0):.1f}%"></i>'
        f'<i class="whisker" style="left:{100 * low:.1f}%;width:{100 * (high - low):.1f}%"></i></span>'
        f'<span class="reads">{100 * k.share:.0f} %</span></li>'
    )


def _strips(view: View) -> str:
    known = [k for k in view.findings.knobs if math.isfinite(k.share) and k.method in view.places]
    top = sorted(known, key=lambda k: (-k.share, view.places[k.method], k.knob))[:STRIPS]
    drawn = "".join(_strip(view, k) for k in top)
    if not drawn:
        return ""
    return (
        "<h3>The trials of the knobs that mattered most</h3>"
        f'<div class="multiples wide">{drawn}</div><p class="muted">Each dot is a trial: the knob’s value and the validation '
        f"{escape(view.chosen_by)}; the other knobs vary as well. Ring: the trial that was chosen. "
        "Cross at the bottom: no value, because a "
        "fold diverged, collapsed or failed.</p>"
    )


def _strip(view: View, knob: Knob) -> str:
    trials = [t for t in view.findings.trials if t.method == knob.method and knob.knob in t.values]
    done = [t for t in trials if math.isfinite(t.value)]
    if not done:
        return ""
    best = max(done, key=lambda t: (t.value, -t.number))
    words = sorted({str(t.values[knob.knob]) for t in trials}) if any(_is_word(t, knob.knob) for t in trials) else []
    place = {
        t.number: float(words.index(str(t.values[knob.knob]))) if words else float(t.values[knob.knob]) for t in trials
    }
    x = Scale(-0.5, len(words) - 0.5) if words else Scale.over(list(place.values()), log=_spans(list(place.values())))
    plane = Plane(x, Scale.over([t.value for t in done], margin=0.14), 330, 210)
    body = _axes(plane, knob.knob, words) + "".join(
        _trial(plane, t, place[t.number], t is best, knob.knob) for t in trials
    )
    label = f"{len(trials)} trials of {knob.method} by {knob.knob}; best at {knob.knob} = {_value(best, knob.knob)}."
    return f'<figure class="multiple"><figcaption><b>{escape(knob.method)}</b></figcaption>{plane.picture(body, label)}</figure>'


def _axes(plane: Plane, knob: str, words: list[str]) -> str:
    if not words:
        return plane.axes(knob, "", (4, 3))
    bare = Plane(Scale(plane.x.low, plane.x.low), plane.y, plane.width, plane.height).axes(knob, "", (1, 3))
    bare = bare.replace(f">{compact(plane.x.low).replace('-', '−')}</text>", "></text>")
    floor = plane.height - 26
    marks = (
        f'<text class="tick" x="{plane.px(k):.1f}" y="{floor}" text-anchor="middle">{escape(w)}</text>'
        for k, w in enumerate(words)
    )
    return bare + "".join(marks)


def _trial(plane: Plane, t: Trial, x: float, best: bool, knob: str) -> str:
    at, tip = plane.px(x), f'data-tip="trial {t.number}" data-more="{escape(knob)} = {escape(_value(t, knob))}'
    if not math.isfinite(t.value):
        y = plane.py(plane.y.low) - 7
        states = escape(", ".join(sorted({s for s in t.states if s != "done"})))
        return f'<path class="lost" d="M{at - 4:.1f} {y - 4:.1f}l8 8m0 -8l-8 8" {tip}; {states}"/>'
    y = plane.py(t.value)
    ring = f'<circle class="ring" cx="{at:.1f}" cy="{y:.1f}" r="7.5"/>' if best else ""
    return f'<circle class="spot best" cx="{at:.1f}" cy="{y:.1f}" r="3.5" {tip}; {plain(t.value)}"/>{ring}'


def _is_word(t: Trial, knob: str) -> bool:
    return isinstance(t.values[knob], str | bool)


def _spans(values: list[float]) -> bool:
    return min(values) > 0 and max(values) / min(values) > 20


def _value(t: Trial, knob: str) -> str:
    value = t.values[knob]
    return str(value) if _is_word(t, knob) else compact(float(value))


def _chosen(view: View) -> str:
    rows = [
        [Cell(escape(m.name), m.name), Cell(f"<code>{escape(m.setting.loss)}</code>", m.setting.loss)]
        + [
            Cell(compact(v) if v else NONE, v or math.nan)
            for v in (m.setting.head_lr, m.setting.trunk_lr, m.setting.loss_lr)
        ]
        + [Cell(plain(m.validation), m.validation)]
        for m in view.methods.values()
        if m.setting is not None
    ]
    if not rows:
        return '<p class="muted">No setting has been chosen yet.</p>'
    waiting = [m.name for m in view.methods.values() if m.setting is None]
    caption = f"What the search chose, by validation {escape(view.chosen_by)} alone. – : has no such rate, or it is not trained."
    caption += f" Still searching: {escape(listed(waiting))}." if waiting else ""
    titles = ("Method", "loss", "head_lr", "trunk_lr", "loss_lr", "validation")
    return (
        f'<details class="chosen-settings"><summary>The chosen settings of {len(rows)} methods</summary>'
        f"{table(titles, rows, caption, 'Chosen settings')}</details>"
    )
