"""ONNX models of strangers: what is asked of one is asked in bounded work and memory, and ends in an answer."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from frameworks.files.source import StoredArray
from tests.frameworks.files.test_onnx_nodes import H, graph, node, opened, weights


def made_of(kind: str, count: int) -> list[bytes]:
    """Make a value of as many others, which all are the value v0."""
    parts = [node(kind, "v0 n", f"t{each}") for each in range(count)]
    return [*parts, node("Concat", " ".join(f"t{each}" for each in range(count)), "h", axis=1)]


def chain(first: str) -> list[bytes]:
    """Join a value with itself, and what comes of it with itself again, to 2 ** 30 values."""
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
def test_whether_a_state_is_zero_is_asked_once_of_each_value_that_it_is_made_of(
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
def test_a_constant_is_numbers_of_the_kind_that_its_attribute_says_or_none(
    tmp_path: Path, name: str, value: Any, *, zero: bool
) -> None:
    content = graph([node("Constant", "", "h", **{name: value}), node("LSTM", "x W R B  h", "y", "rec")], weights("LSTM"))
    said = " ".join(opened(tmp_path / "a.onnx", content)["rec"].warnings)
    assert ("initial states" not in said) == zero
