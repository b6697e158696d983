"""Numbers as the page and the tables print them: true minus signs, intervals in brackets, a dash where there is none."""

import math
from collections.abc import Iterable

from isometry.report.text import Number, number

NONE = "–"


def plain(value: Number, digits: int = 3) -> str:
    """A metric's value.

    >>> plain(0.4123), plain(float("nan"))
    ('0.412', '–')
    """
    return number(value, digits) if math.isfinite(value) else NONE


def signed(value: Number, digits: int = 3) -> str:
    """A difference.

    >>> signed(0.0123), signed(-0.0123), signed(0.00001), signed(float("nan"))
    ('+0.012', '−0.012', '0.000', '–')
    """
    text = plain(value, digits)
    return f"+{text}" if math.isfinite(value) and round(value, digits) > 0 else text


def digits_for(values: Iterable[float]) -> int:
    """Digits after the point that give the largest of these values three that count; three of those near 1.

    >>> digits_for([0.512, 0.03]), digits_for([0.0123]), digits_for([24.1]), digits_for([])
    (3, 4, 1, 3)
    """
    largest = max((abs(v) for v in values if math.isfinite(v)), default=0.0)
    return 3 if largest == 0 or 0.1 <= largest < 10 else min(6, max(1, 2 - math.floor(math.log10(largest))))


def bracket(low: Number, high: Number, digits: int = 3) -> str:
    """An interval; nothing where it is not known.

    >>> bracket(0.4, 0.43), bracket(float("nan"), 1)
    ('[0.400, 0.430]', '')
    """
    return f"[{plain(low, digits)}, {plain(high, digits)}]" if math.isfinite(low) and math.isfinite(high) else ""


def signed_bracket(low: Number, high: Number) -> str:
    """The interval of a difference.

    >>> signed_bracket(-0.004, 0.02)
    '[−0.004, +0.020]'
    """
    return f"[{signed(low)}, {signed(high)}]" if math.isfinite(low) and math.isfinite(high) else ""


def chance(p: Number) -> str:
    """
    >>> chance(0.0312), chance(1e-9), chance(1), chance(float("nan"))
    ('0.031', '< 0.001', '1.000', '–')
    """
    return NONE if not math.isfinite(p) else "< 0.001" if p < 0.001 else f"{p:.3f}"


def p_is(p: Number) -> str:
    """
    >>> p_is(0.0312), p_is(0)
    ('p = 0.031', 'p < 0.001')
    """
    text = chance(p)
    return f"p {text}" if text.startswith("<") else f"p = {text}"


def times(ratio: Number) -> str:
    """
    >>> times(1.84), times(14.2), times(float("nan"))
    ('1.8×', '14×', '–')
    """
    return NONE if not math.isfinite(ratio) else f"{ratio:.0f}×" if ratio >= 9.95 else f"{ratio:.1f}×"


def of_seeds(seeds: int, planned: int, paired: int) -> str:
    """How many seeds there are; and how many a difference has, where the reference has fewer of them.

    >>> of_seeds(5, 5, 5), of_seeds(4, 5, 3)
    ('5 of 5', '4 of 5, 3 paired')
    """
    return f"{seeds} of {planned}" + (f", {paired} paired" if 0 < paired < seeds else "")


def listed(names: list[str], most: int = 0) -> str:
    """Names in a sentence; with `most`, only so many of them.

    >>> listed(["a", "b", "c"]), listed(["a"]), listed(["a", "b", "c", "d"], most=2)
    ('a, b and c', 'a', 'a, b and 2 others')
    """
    if most and len(names) > most + 1:
        names = [*names[:most], f"{len(names) - most} others"]
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def short(name: str, most: int = 24) -> str:
    """A name cut to fit beside a chart.

    >>> short("Method A"), short("MultiSimilarity(alpha=2.0, beta=50.0)")
    ('Method A', 'MultiSimilarity(alpha=2…')
    """
    return name if len(name) <= most else f"{name[: most - 1]}…"
