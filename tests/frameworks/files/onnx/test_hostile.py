"""Untrusted ONNX models: every question is answered with bounded work and memory.

Covers: `frameworks/files/onnx`, `frameworks/files/untrusted/protobuf.py`.
"""

from __future__ import annotations

import itertools
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from frameworks.files.untrusted.source import StoredArray
from tests.frameworks.files.onnx.test_nodes import H, field, fields, graph, node, opened, varint, weights


def made_of(kind: str, count: int) -> list[bytes]:
    """Return a node that makes a value from this many inputs, all of them v0."""
    parts = [node(kind, "v0 n", f"t{each}") for each in range(count)]
    return [*parts, node("Concat", " ".join(f"t{each}" for each in range(count)), "h", axis=1)]


def chain(first: str) -> list[bytes]:
    """Concatenate a value with itself, and the result with itself again, up to 2 ** 30 values."""
    names = [first, *(f"v{step}" for step in range(1, 30)), "h"]
    return [node("Concat", f"{one} {one}", other, axis=1) for one, other in itertools.pairwise(names)]


@pytest.mark.parametrize(
    ("nodes", "reads", "zero"),
    [
        (chain("v0"), 1, True),
        (chain("ones"), 1, False),
        ([node("Concat", "h h", "h", axis=1)], 0, False),
        (made_of("Tile", 300), 1, True),
        (made_of("Tile", 900), 1, False),
    ],
    ids=["chain", "chain of ones", "circle", "many", "too many"],
)
def test_each_value_that_a_state_is_made_of_is_checked_for_zero_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, nodes: list[bytes], reads: int, *, zero: bool
) -> None:
    shape, read, seen = (1, 1, H), StoredArray.read, []

    def counted(array: StoredArray) -> Any:
        if array.shape == shape:
            seen.append(array)
            assert len(seen) < 50
        return read(array)

    monkeypatch.setattr(StoredArray, "read", counted)
    states = {"v0": np.zeros(shape, "f4"), "ones": np.ones(shape, "f4")}
    content = graph([*nodes, node("LSTM", "x W R B  h", "y", "rec")], weights("LSTM") | states)
    said = " ".join(opened(tmp_path / "a.onnx", content)["rec"].warnings)
    assert ("initial states" not in said, len(seen)) == (zero, reads)


@pytest.mark.parametrize(
    ("name", "value", "zero"),
    [
        ("value_float", 0.0, True),
        ("value_float", 1.0, False),
        ("value_float", 0, False),
        ("value_float", "0", False),
        ("value_float", [0.0], False),
        ("value_floats", [0.0, 0.0], True),
        ("value_floats", ["a", "b"], False),
        ("value_floats", [0, 0], False),
        ("value_int", 0, True),
        ("value_int", float("nan"), False),
        ("value_int", float("inf"), False),
        ("value_ints", [0, 0], True),
        ("value_ints", [float("nan")], False),
        ("value_ints", ["0"], False),
    ],
)
def test_a_constant_holds_numbers_of_the_type_of_its_attribute_or_nothing(
    tmp_path: Path, name: str, value: Any, *, zero: bool
) -> None:
    content = graph([node("Constant", "", "h", **{name: value}), node("LSTM", "x W R B  h", "y", "rec")], weights("LSTM"))
    said = " ".join(opened(tmp_path / "a.onnx", content)["rec"].warnings)
    assert ("initial states" not in said) == zero


def beside(folder: Path, octets: bytes, shape: tuple[int, int], kind: int = 7, number: int = 7) -> Any:
    """Open a model with an LSTM and with q, numbers of variable length in the field of this number."""
    array = fields(1, shape) + field(2, kind) + field(8, "q") + field(number, octets)
    content = graph([node("LSTM", "x W R B", "y", "rec")], weights("LSTM")) + field(5, array)
    return opened(folder / "a.onnx", content).others


def test_numbers_of_variable_length_are_read_across_blocks(tmp_path: Path) -> None:
    wanted = np.random.default_rng(0).integers(-(1 << 62), 1 << 62, 30_000) >> np.arange(30_000) % 63
    others = beside(tmp_path, b"".join(map(varint, wanted.tolist())), (15_000, 2))
    np.testing.assert_array_equal(others[""].stored["q"].read().reshape(-1), wanted)


def test_half_precision_is_read_from_its_bits_across_blocks(tmp_path: Path) -> None:
    wanted = np.random.default_rng(0).normal(size=(30_000, 2)).astype("f2")
    octets = b"".join(map(varint, wanted.view("u2").reshape(-1).tolist()))
    np.testing.assert_array_equal(beside(tmp_path, octets, wanted.shape, 10, 5)[""].stored["q"].read(), wanted)


@pytest.mark.parametrize("said", [29_999, 30_001])
def test_a_wrong_count_of_numbers_is_refused(tmp_path: Path, said: int, refused: Any) -> None:
    with refused("a.onnx", f"does not have the {said} numbers"):
        beside(tmp_path, b"\x05" * 30_000, (said, 1))


@pytest.mark.parametrize("octets", [b"\x80", b"\x05" * 70_000 + b"\x80", b"\x80" * 70_000 + b"\x05", b"\x80" * 10 + b"\x05"])
def test_bytes_that_do_not_encode_numbers_are_refused(tmp_path: Path, octets: bytes, refused: Any) -> None:
    with refused("a.onnx", "ten bytes"):
        beside(tmp_path, octets, (len(octets), 1))


def test_decoding_numbers_takes_little_more_memory_than_the_numbers(tmp_path: Path) -> None:
    count = 1 << 22
    octets = b"\x05" * count
    beside(tmp_path, octets[:1], (1, 1), 3, 5)  # so that imports are not measured
    tracemalloc.start()
    try:
        array = beside(tmp_path, octets, (count, 1), 3, 5)[""].stored["q"]
        assert array.read().sum() == 5 * count
        assert tracemalloc.get_traced_memory()[1] < 8 * count
    finally:
        tracemalloc.stop()


def test_too_many_numbers_of_variable_length_are_listed_by_name_and_not_read(tmp_path: Path) -> None:
    most = 1 << 22
    assert list(beside(tmp_path, bytes(most), (most, 1), 3, 5)[""].stored) == ["q"]
    unread = beside(tmp_path, bytes(most + 1), (most + 1, 1), 3, 5)["q"]
    assert not unread.stored
    assert f"{most + 1} elements" in unread.warnings[0]


def test_a_circular_input_does_not_prevent_reading_the_layer(tmp_path: Path) -> None:
    circle = [node("Identity", "b", "a"), node("Identity", "a", "b")]
    checkpoint = opened(tmp_path / "a.onnx", graph([*circle, node("LSTM", "a W R B", "y", "rec")], weights("LSTM")))
    assert "reverses" not in " ".join(checkpoint["rec"].warnings)
