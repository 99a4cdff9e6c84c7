"""Words and phonemes as numbers, in batches that depend only on the seed and the number of the step."""

from __future__ import annotations

import string
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from compare.report.studies.translation.dictionary import MAX_LENGTH, Entry
from frameworks.errors import InvalidValueError

Tokens = npt.NDArray[np.int32]
Batch = tuple[Tokens, Tokens]
"""Sources and targets, each (batch, LENGTH)."""

PAD, START, END = 0, 1, 2
LENGTH = MAX_LENGTH + 2
"""The length of every row: start, the word or its phonemes, end, padding. With one length no graph is traced twice."""

PHONEMES = (
    *("AA", "AE", "AH", "AO", "AW", "AY", "B", "CH", "D", "DH", "EH", "ER", "EY", "F", "G", "HH", "IH", "IY", "JH", "K"),
    *("L", "M", "N", "NG", "OW", "OY", "P", "R", "S", "SH", "T", "TH", "UH", "UW", "V", "W", "Y", "Z", "ZH"),
)


@dataclass(frozen=True)
class Vocabulary:
    """A numbering of symbols; the first three are padding, start and end."""

    symbols: tuple[str, ...]

    @property
    def size(self) -> int:
        """The number of ids, including padding, start and end."""
        return len(self.symbols) + 3

    def encode(self, symbols: tuple[str, ...]) -> list[int]:
        """Return the row of LENGTH numbers for some symbols."""
        row = [START, *(self.symbols.index(symbol) + 3 for symbol in symbols), END]
        return row + [PAD] * (LENGTH - len(row))

    def decode(self, row: Tokens) -> tuple[str, ...]:
        """Return the symbols of a row up to its end, with or without the start token."""
        kept = row[: list(row).index(END)] if END in row else row
        return tuple(self.symbols[number - 3] for number in kept if number > END)


LETTERS = Vocabulary(tuple(string.ascii_lowercase))
SOUNDS = Vocabulary(PHONEMES)


def encode(entries: tuple[Entry, ...]) -> Batch:
    """Return some entries as one batch."""
    sources = [LETTERS.encode(tuple(entry.word)) for entry in entries]
    targets = [SOUNDS.encode(entry.phonemes) for entry in entries]
    return np.array(sources, np.int32), np.array(targets, np.int32)


class Batches:
    """The words to train on, reshuffled in each epoch; an incomplete last batch is left out of its epoch."""

    def __init__(self, entries: tuple[Entry, ...], batch_size: int, seed: int = 0) -> None:
        """Select the entries that are not held out.

        Raises:
            GatewiseError: if the entries do not fill one batch.
        """
        self.sources, self.targets = encode(tuple(entry for entry in entries if not entry.held_out))
        self.batch_size, self.seed = batch_size, seed
        self.steps_per_epoch = len(self.sources) // batch_size
        if not self.steps_per_epoch:
            raise InvalidValueError.because(
                "batch_size",
                must=f"be at most the number of words, {len(self.sources)}",
                but=f"is {batch_size}",
                remedy="Use smaller batches or more words.",
            )
        self._order = lru_cache(maxsize=1)(self._shuffle)

    def batch(self, step: int) -> Batch:
        """Return the batch of a step, counted from 0. The same words, size and seed always make the same batch."""
        epoch, place = divmod(step, self.steps_per_epoch)
        rows = self._order(epoch)[place * self.batch_size :][: self.batch_size]
        return self.sources[rows], self.targets[rows]

    def _shuffle(self, epoch: int) -> npt.NDArray[np.int64]:
        return np.random.default_rng((self.seed, epoch)).permutation(len(self.sources))


def held_out(entries: tuple[Entry, ...]) -> Batch:
    """Return the held-out words as one batch."""
    return encode(tuple(entry for entry in entries if entry.held_out))
