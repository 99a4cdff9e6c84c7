"""What a framework cannot hold is refused by name, and each limit refuses its own value alone.

Covers: `frameworks/counterparts/limits.py`, `frameworks/rows.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from frameworks import KerasOptions
from frameworks.counterparts import CALL_LIMITS, LIMITS, find_limits, require_counterpart
from tests.frameworks.test_counterparts import BASE

BEYOND: dict[str, Any] = {
    "activation": "softsign",
    "recurrent_activation": "relu",
    "reset_after": False,
    "go_backwards": True,
    "stateful": True,
    "merge_mode": "sum",
    "dropout": 0.5,
    "recurrent_dropout": 0.25,
}


def beyond(to: str, field: str) -> Any:
    return "keras2_hard_sigmoid" if to == "keras" and field.endswith("activation") else BEYOND[field]


@pytest.mark.parametrize(
    ("limit", "cell"),
    [(limit, cell) for limit in (*LIMITS, *CALL_LIMITS) for cell in limit.cells],
    ids=lambda value: value if isinstance(value, str) else f"{value.to} {value.field}",
)
def test_a_value_beyond_a_limit_is_refused_by_name(limit: Any, cell: Any, refused: Callable[..., Any]) -> None:
    value = beyond(limit.to, limit.field)
    if (cell, limit.field) == ("rnn", "recurrent_activation"):
        return  # no spec holds another one
    if limit in LIMITS:
        spec, options = replace(BASE[cell], **{limit.field: value}), None
    else:
        spec, options = replace(BASE[cell], bidirectional=True), KerasOptions(**{limit.field: value})
    with refused(limit.field, repr(value), limit.why, limit.remedy):
        require_counterpart(spec, limit.to, options)
    assert [found for found, _ in find_limits(spec, limit.to, options)] == [limit]


def test_the_merge_mode_of_a_single_direction_is_ignored() -> None:
    require_counterpart(BASE["gru"], "pytorch", KerasOptions(merge_mode="sum"))
