"""What the row of a framework is silent about is a limit, and messages name every framework.

Covers: `frameworks/rows.py`, `frameworks/counterparts/limits.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from frameworks import KerasOptions, RecurrentSpec, adapt, build
from frameworks.counterparts import find_limits
from frameworks.rows import BETWEEN_LAYERS
from tests.frameworks.toy.conftest import HIDDEN, INPUT, TOY


def test_every_option_of_a_call_that_a_row_does_not_declare_is_a_limit() -> None:
    options = KerasOptions(go_backwards=True, merge_mode=None, stateful=True, dropout=0.5, recurrent_dropout=0.5)
    spec = RecurrentSpec("lstm", INPUT, HIDDEN, bidirectional=True)
    found = [limit.field for limit, _ in find_limits(spec, TOY, options, dropout=0.5)]
    assert found == ["bidirectional", "go_backwards", "stateful", "merge_mode", "dropout", "recurrent_dropout", BETWEEN_LAYERS]


def test_messages_that_name_every_framework_name_it(refused: Callable[..., Any]) -> None:
    with refused("'keras' or 'pytorch' or 'toy'", "'jax'"):
        build("jax", RecurrentSpec("lstm", INPUT, HIDDEN))  # type: ignore[arg-type]
    with refused("Keras or PyTorch or Toy", "int"):
        adapt(3)
