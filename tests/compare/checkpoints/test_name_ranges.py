"""Layers that are numbered in a row are told as one range."""

from __future__ import annotations

import pytest

from compare.checkpoints.name_ranges import together


@pytest.mark.parametrize(
    ("names", "collapsed"),
    [
        (["a0", "a1", "a2"], ["a{0-2}"]),
        (["a0", "a1"], ["a0", "a1"]),
        (["a0", "a1", "a3"], ["a0", "a1", "a3"]),
        (["a0.1", "a1.1", "a1.2"], ["a0.1", "a1.1", "a1.2"]),
        (["b", "", "b"], ["b", "''"]),
        (["9x1", "10x1", "11x1", "y"], ["{9-11}x1", "y"]),
        (["a0", "a00", "a1"], ["a0", "a00", "a1"]),
    ],
)
def test_only_whole_ranges_are_collapsed(names: list[str], collapsed: list[str]) -> None:
    assert together(names) == collapsed
