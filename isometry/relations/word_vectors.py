"""Word vectors: those of a file, or the word-piece table of the packaged sentence model."""

import functools
import re
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from isometry.relations.sentences import folder


class WordVectors(NamedTuple):
    """A vector for each word.

    Attributes:
        table: `[v d]`. number: a word's row. split: the words of a sentence, in lower case.
    """

    table: Float[Tensor, "v d"]
    number: dict[str, int]
    split: Callable[[str], Sequence[str]]

    def bag(self, sentence: str) -> Counter[int]:
        """How often each word occurs. Words that say little (scikit-learn's list of English ones) are left out unless nothing
        else is there, and so are words without a vector."""
        found = [word for word in self.split(sentence) if word in self.number]
        telling = [word for word in found if word not in _stop_words()]
        return Counter(self.number[word] for word in telling or found)


@functools.cache
def word_vectors(path: str = "") -> WordVectors:
    """Word vectors of a text file (a word and its numbers on each line), or of an `.npz` with `words` and `vectors`.

    Without a path: the word pieces of the packaged sentence model.

    Raises:
        ValueError: for a file that is not there or holds something else.
    """
    if not path:
        return _pieces(folder())
    file = Path(path).expanduser()
    if not file.is_file():
        raise ValueError(
            f"There are no word vectors in {path}: it is a text file, a word and its numbers a line, or an .npz."
        )
    words, table = _npz(file) if file.suffix == ".npz" else _text(file)
    if table.ndim != 2 or len(words) != len(table) or not len(words):
        raise ValueError(
            f"{path} has {len(words)} words and vectors of shape {list(table.shape)}: a vector for each word."
        )
    number = {word: row for row, word in reversed(list(enumerate(words)))}
    return WordVectors(torch.from_numpy(table.astype(np.float32)), number, lambda s: re.findall(r"\w+", s.lower()))


def _npz(file: Path) -> tuple[list[str], np.ndarray]:
    with np.load(file, allow_pickle=False) as held:
        if missing := {"words", "vectors"} - set(held.files):
            raise ValueError(f"{file} has no {' and no '.join(sorted(missing))}; it has {', '.join(held.files)}.")
        return [str(word) for word in held["words"]], held["vectors"]


def _text(file: Path) -> tuple[list[str], np.ndarray]:
    words, rows = [], []
    for at, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
        word, *numbers = line.rstrip().split(" ")
        if at == 1 and len(numbers) == 1:
            continue  # word2vec's first line: how many words of how many dimensions
        try:
            rows.append([float(number) for number in numbers])
        except ValueError:
            raise ValueError(f"Line {at} of {file} is no word with its numbers: {line[:40]!r}.") from None
        words.append(word)
        if len(rows[-1]) != len(rows[0]):
            raise ValueError(f"Line {at} of {file} has {len(rows[-1])} numbers, and the first has {len(rows[0])}.")
    return words, np.array(rows)


def _pieces(model: Path) -> WordVectors:
    from safetensors import safe_open
    from tokenizers import Tokenizer

    with safe_open(str(model / "model.safetensors"), framework="pt") as file:
        table = file.get_tensor("embeddings.word_embeddings.weight").float()
    tokenizer = Tokenizer.from_file(str(model / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    number = {w: i for w, i in tokenizer.get_vocab().items() if w.removeprefix("##").isalnum()}
    return WordVectors(table, number, lambda s: tokenizer.encode(s, add_special_tokens=False).tokens)


@functools.cache
def _stop_words() -> frozenset[str]:
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

    return ENGLISH_STOP_WORDS
