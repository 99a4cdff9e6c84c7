"""What a user has to know of a node of ONNX is said, and nothing else.

Covers: `frameworks/files/onnx`, `compare/checkpoints/inspection.py`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from compare.cli import main


def test_initial_states_of_zero_in_the_graph_give_no_warning(opened: Any) -> None:
    assert not [warning for warning in opened("gru of constants").warnings if "initial" in warning]
    assert [warning for warning in opened("lstm back").warnings if "initial_h (h0) and initial_c (c0)" in warning]


def test_half_precision_is_reported_even_if_the_graph_widens_it(opened: Any) -> None:
    assert [warning for warning in opened("lstm of halves").warnings if "float16" in warning]


def test_inspect_lists_the_caveats(tmp_path: Path, capsys: Any, opened: Any) -> None:
    opened("gru after, unlike")
    assert main(["inspect", str(tmp_path / "model.onnx"), "--json"]) == 0  # tables wrap long words
    told = capsys.readouterr().out
    for text in ("hard_sigmoid(0.3, 0.25)", "leaky_relu(0.125)", "scaled_tanh(1.75, 0.5)", "softsign", "initial_h (h0)"):
        assert text in told
