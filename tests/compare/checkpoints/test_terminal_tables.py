"""A long name widens no table."""

from __future__ import annotations

from compare.checkpoints.terminal_tables import table


def test_a_long_name_does_not_widen_a_table() -> None:
    assert len(table(("layer",), [["x" * 1_000_000], ["y"]])) < 500
    assert "y" * 90 in table(("layer",), [["y" * 90]])
