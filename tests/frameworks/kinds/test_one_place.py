"""Only its table names a kind of layer, and a new record is enough to port it.

Covers: `frameworks/kinds`, `frameworks`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from frameworks.kinds import KERAS, PYTORCH

ROOT = Path(__file__).parents[3] / "frameworks"

ALLOWED = {
    "files/keras/h5.py": ({"Bidirectional"}, "counts the arrays of a recurrent layer's directions"),
    "files/keras/layers.py": ({"Bidirectional"}, "reads recurrent layers from what composes them"),
    "files/keras/weights_only.py": ({"Bidirectional"}, "puts recurrent layers together from their cells"),
    "files/writing/keras/layout.py": ({"Bidirectional"}, "names the class of a recurrent layer of two directions"),
    "files/onnx/folding.py": ({"Identity", "Reshape"}, "an operator of ONNX"),
    "files/onnx/graph.py": ({"Identity"}, "an operator of ONNX"),
    "files/onnx/modules.py": ({"Dropout", "Identity", "Reshape"}, "operators of ONNX"),
    "files/onnx/normalisation.py": ({"Add", "LayerNormalization"}, "operators of ONNX"),
    "files/onnx/operators.py": ({"Identity", "Reshape"}, "an operator of ONNX"),
    "files/onnx/other_layers.py": ({"Add", "Identity", "Reshape"}, "operators of ONNX"),
    "files/onnx/recurrent.py": ({"Identity"}, "an operator of ONNX"),
    "files/onnx/written_cells.py": ({"Add", "Identity"}, "operators of ONNX"),
    "files/onnx/written_out.py": ({"Add", "Identity", "Reshape"}, "operators of ONNX"),
    "keras/stacks.py": ({"Dropout"}, "checks what lies between the live layers of a stack, by their classes"),
    "keras/structure.py": ({"Bidirectional", "Sequential", "TimeDistributed"}, "takes live layers apart, by their classes"),
    "keras_in_torch/layers/porting.py": (
        {"Bidirectional", "Dropout", "Embedding", "Masking", "Sequential", "TimeDistributed"},
        "chooses the function that emulates a live layer, by its class",
    ),
}
"""By module of `frameworks`: the kinds that it may name, and why."""


def kinds_named_in(text: str) -> set[str]:
    """Return the names of kinds among the strings of a module."""
    strings = {
        node.value for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    return strings & {*KERAS.kinds, *PYTORCH.kinds}


BY_KIND = ("kinds", "models")
"""The folders that name kinds: the tables, and the whole models, whose calls and sources are written kind by kind."""


def modules() -> Iterator[Path]:
    folders = [ROOT / name for name in BY_KIND]
    yield from (path for path in sorted(ROOT.rglob("*.py")) if not any(map(path.is_relative_to, folders)))


def test_only_the_tables_name_kinds() -> None:
    named = {path.relative_to(ROOT).as_posix(): kinds_named_in(path.read_text()) for path in modules()}
    assert {path: names for path, names in named.items() if names} == {path: names for path, (names, _) in ALLOWED.items()}


@pytest.mark.parametrize("text", ['kind == "Dense"', 'kind in ("Conv1d", "x")', '_RULES = {"Masking": 1}', 'f(kind, "PReLU")'])
def test_a_module_that_names_a_kind_is_detected(text: str) -> None:
    assert kinds_named_in(text)
    assert not kinds_named_in(f"'''{text}, in words.'''")
