"""Docstrings as Markdown: formulas get real sub- and superscripts, sections become lists, examples become code."""

import html
import inspect
import re
import textwrap

SECTIONS = ("Args", "Attributes", "Raises", "Returns", "Yields", "Shapes")
WORDS = {"log", "exp", "max", "min", "var", "mean", "rel"}  # words that stand in formulas
AFTER = {"of", "over", "where", "for"}  # words that may follow one without a comma
SCRIPT = r"(\{[^{}]*\}|[A-Za-z0-9]+)"
LOWER = re.compile(
    r"(?<![\w`])([A-Za-zℓΣ]|[A-Za-z][²⁺⁻̃]|[\])}₊Σ])_" + SCRIPT + r"(?![\w`])|(Σ|min|max|mean|log)_" + SCRIPT
)
UPPER = re.compile(r"(\w|[\])}₊])\^(\{[^{}]*\}|\([^()]*\)|[A-Za-z0-9]+)")


def markdown(doc: str, known: frozenset[str] = frozenset()) -> str:
    """A docstring (dedented) as Markdown; `known` are names of fields, which may stand in a formula."""
    parts = []
    for block in blocks(doc):
        title, _, rest = block.partition("\n")
        if block.lstrip().startswith(">>>"):
            parts.append(f"```pycon\n{textwrap.dedent(block)}\n```")
        elif title.rstrip(":") in SECTIONS and title.endswith(":") and rest:
            parts.append(section(title.rstrip(":"), textwrap.dedent(rest)))
        elif title.partition(":")[0] in SECTIONS:
            name, _, text = " ".join(block.split()).partition(":")
            parts.append(f"**{name}:** {inline(text.strip())}")
        elif block.lstrip().startswith("- "):
            parts.append(inline(block))
        else:
            parts.append(paragraph(" ".join(block.split()), known))
    return "\n\n".join(parts)


def blocks(doc: str) -> list[str]:
    """Paragraphs; a section's title keeps its indented lines, and an example stays whole."""
    return [block.rstrip() for block in re.split(r"\n\s*\n", inspect.cleandoc(doc)) if block.strip()]


def section(name: str, text: str) -> str:
    """`Args:` and its like as a list."""
    entries = re.split(r"\n(?=\S)", text)
    return f"**{name}**\n\n" + "\n".join(f"- {inline(' '.join(entry.split()))}" for entry in entries)


def paragraph(text: str, known: frozenset[str]) -> str:
    """A paragraph; a formula at its beginning stands alone."""
    formula, rest = leading_formula(text, known)
    if not formula:
        return inline(text)
    shown = f'<p class="formula">{scripts(html.escape(formula, quote=False))}</p>'
    return shown + (f"\n\n{inline(rest)}" if rest else "")


def leading_formula(text: str, known: frozenset[str]) -> tuple[str, str]:
    """The formula at the beginning of a paragraph, and what follows it; nothing if prose begins it."""
    end, depth = 0, 0
    for match in re.finditer(r"\S+", text):
        word = match.group()
        bare = word.strip("()[]{}.,;:₊")
        if "`" in word or (re.fullmatch(r"[A-Za-z]{2,}", bare) and bare not in WORDS | known):
            end = match.start() if bare in AFTER and depth <= 0 else end
            break
        depth += sum(map(word.count, "([{")) - sum(map(word.count, ")]}"))
        if depth <= 0 and (word[-1] in ",.;" or match.end() == len(text)):
            end = match.end()
            if word[-1] in ".;":
                break
    formula = text[:end].rstrip(" ,;.")
    if len(formula.split()) < 3 or not re.search(r"[=Σ₊^]", formula):
        return "", text
    return formula, text[end:].lstrip(" ,;.")


def inline(text: str) -> str:
    """Sub- and superscripts outside of code; html is kept from being read as such."""
    pieces = re.split(r"(`[^`]*`)", text)
    return "".join(p if p.startswith("`") else scripts(p.replace("<", "&lt;").replace("*", r"\*")) for p in pieces)


def scripts(text: str) -> str:
    """`s_ip`, `e^{−α(s − m)}` and `Σ_{p∈P}` as HTML; names such as `layer_norm` stay."""

    def low(match: re.Match[str]) -> str:
        base, below = (match[1], match[2]) if match[1] else (match[3], match[4])
        return f"{base}<sub>{below.strip('{}')}</sub>"

    for _ in range(3):  # scripts on scripts, from the inside out
        text = LOWER.sub(low, UPPER.sub(lambda m: f"{m[1]}<sup>{m[2].strip('{}')}</sup>", text))
    return text
