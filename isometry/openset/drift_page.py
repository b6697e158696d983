"""The page of a drift check."""

import torch
from torch import Tensor

from isometry.openset.drift import Drift
from isometry.openset.shell import table, terms, tile, whole
from isometry.report.svg import Frame, Reading, chart
from isometry.report.text import escape, number

BARS, DOTS = 40, 400


def render(found: Drift, name: str) -> str:
    """The page as HTML text. Deterministic: the same findings give the same page."""
    kind = "said drifted" if found.drifted else "said"
    parts = [
        ("tests", "Tests", _tests(found)),
        ("pictures", "Where the new pictures lie", _pictures(found)),
        ("reading", "How to read this", terms(_terms(found))),
    ]
    tiles = [
        tile("Verdict", "drift" if found.drifted else "no drift", f"corrected p below {found.level:g} is one"),
        *(tile("Share of unknowns", t.after, f"{t.before} in calibration")
          for t in found.tests if t.name == "share of unknowns"),
    ]  # fmt: skip
    verdict = f'<p class="{kind}">{escape(found.verdict[0].upper() + found.verdict[1:])}.</p>'
    return whole(name, "isometry drift", verdict, tiles, parts)


def _tests(found: Drift) -> str:
    rows = [
        (t.name, t.before, t.after, f"{number(t.effect)} ({t.unit})", f"{t.p:.3g}", f"{t.corrected:.3g}")
        for t in found.tests
    ]
    far = [t.corrected < found.level for t in found.tests]
    head = ("Of", "Calibration", "New", "Effect", "p", "p corrected")
    said = "".join(f'<p class="muted">{escape(note)}</p>' for note in found.notes)
    return table(head, rows, "Permutation tests; p values corrected for all of them by Holm.", far) + said


def _pictures(found: Drift) -> str:
    return f'<div class="pair">{_similarities(found)}{_plane(found)}</div>'


def _similarities(found: Drift) -> str:
    values = [side.found.similarity.double() for side in (found.before, found.after)]
    low, high = (float(q) for q in torch.cat(values).quantile(torch.tensor([0.002, 0.998], dtype=torch.float64)))
    high = high if high > low else low + 1.0
    shares = [torch.histc(v.clamp(low, high), BARS, low, high) / len(v) for v in values]
    size = (high - low) / BARS
    xs = [low + (k + 0.5) * size for k in range(BARS)]
    frame = Frame((low, high), (0, 1.12 * float(torch.stack(shares).max()) or 1), height=320)
    body = frame.axes("similarity of the best match", "share of pictures", y_ticks=False)
    for share, kind in zip(shares, ("positive", "negative"), strict=True):
        body += frame.path(xs, share.tolist(), f"area {kind}", closed=True) + frame.path(
            xs, share.tolist(), f"line {kind}"
        )
    readings = [
        Reading(x, [f"about {number(x)}", f"{100 * a:.1f} % in calibration", f"{100 * b:.1f} % of the new"], [a, b])
        for x, a, b in zip(xs, *(share.tolist() for share in shares), strict=True)
    ]
    label = "Shares of pictures by the similarity of their best match, in calibration and now"
    return f'<figure id="similarities"><h3>Best matches</h3>{chart(frame, body, label, readings)}{_key()}</figure>'


def _key() -> str:
    return '<ul class="key"><li><i class="swatch known"></i>calibration</li><li><i class="swatch new"></i>new</li></ul>'


def _plane(found: Drift) -> str:
    """The two directions in which both together vary the most."""
    sides = [side.held.z[_spread_out(len(side.held))] for side in (found.before, found.after)]
    both = torch.cat([torch.nn.functional.normalize(z.double(), dim=1) for z in sides])
    centred = both - both.mean(0)
    turn = torch.linalg.svd(centred, full_matrices=False).Vh[:2]
    turn = turn * torch.sign(turn.gather(1, turn.abs().argmax(1, keepdim=True)))
    flat = torch.nn.functional.pad(centred @ turn.T, (0, 2 - len(turn)))
    (x0, y0), (x1, y1) = flat.amin(0).tolist(), flat.amax(0).tolist()
    frame = Frame((x0, x1), (y0, y1), height=320)
    body = frame.axes("first direction", "second direction", y_ticks=False)
    for part, kind in zip(flat.split([len(z) for z in sides]), ("spread", "spread new"), strict=True):
        body += "".join(
            f'<circle class="{kind}" cx="{frame.px(x):.1f}" cy="{frame.py(y):.1f}" r="3"/>' for x, y in part.tolist()
        )
    label = "Embeddings of both samples along the two directions in which they vary the most"
    return (
        f'<figure id="plane"><h3>Embeddings</h3>{chart(frame, body, label, [])}{_key()}'
        "<figcaption>Of length one, on their two principal directions; other directions may tell them apart where these do "
        "not.</figcaption></figure>"
    )


def _spread_out(n: int) -> Tensor:
    return torch.linspace(0, n - 1, min(n, DOTS)).round().long()


def _terms(found: Drift) -> list[tuple[str, str]]:
    return [
        (
            "p",
            "How often a random division of all units into two such sides is as far apart. The corrected ones are right for all "
            "tests at once: where nothing has changed, a drift is found in at most the share "
            f"{found.level:g} of checks.",
        ),
        (
            "Unit",
            "What could have been drawn independently: a class with its pictures. Pictures of one object are not independent; "
            "where the new ones have no labels they are taken for it, and a drift may then be nothing but the same few objects.",
        ),
        (
            "Effect",
            "How large the change is, whatever the number of pictures: with many of them, small changes have small p values.",
        ),
        (
            "Drift",
            "The new pictures are not like those of calibration. It may be another camera, other classes, or another mixture of "
            "known and unknown ones; the promise on false matches was made for pictures like those of calibration.",
        ),
    ]
