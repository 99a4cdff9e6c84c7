"""A comparison shows as text, as Markdown, in one line and as a figure; long models stay readable.

Covers: `compare/models/comparison.py`, `compare/models/drawing.py`.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import nn

from compare.models.comparison import Divergence, ModelComparison, Row
from tests.compare.models.ports import compared

ROWS = (
    Row("embedding", "embed", 0.0, 0.0, 0.0, "agrees"),
    Row("lstm", "rnn", 0.0, 0.31, 0.31, "wrong here"),
    Row("drop|out", None, verdict="no partner"),
    Row("dense", "fc", 0.31, 0.5, 1e-7, "input differs"),
)
FIRST = Divergence("in", "lstm", "rnn", "embedding", 3, 2, 1, "forget", fix="exchange the gates", line="model.py:12", call=1)
FOUND = ModelComparison(passed=False, rows=ROWS, first=FIRST, error=0.5, allowed=1e-5, notes=("never called: spare",))


def test_the_place_is_said_in_words() -> None:
    words = (
        "in rnn (expected: lstm), called at model.py:12, in its call 2: time step 3, backward direction, gate forget, unit 2"
    )
    assert FIRST.place == words
    assert (
        replace(FIRST, kind="between", call=0).place
        == "between embedding and rnn (expected: lstm), which is called at model.py:12"
    )
    assert Divergence("between", None, None, "dense").place == "between dense and the result of the model"
    assert Divergence("between", "a", "a").place == "between the inputs and a"


def test_text_and_markdown_say_the_same() -> None:
    for text in (str(FOUND), FOUND.to_markdown()):
        assert "the models' results differ: 0.5 off, 1e-05 allowed" in text
        assert "they first part in rnn" in text
        assert "exchange the gates" in text
        assert "never called: spare" in text
    assert FOUND._repr_markdown_() == FOUND.to_markdown()
    lines = FOUND.to_markdown().splitlines()
    table = [line for line in lines if line.startswith("|")]
    assert len(table) == 2 + len(ROWS)
    assert len({line.replace("\\|", "").count("|") for line in table}) == 1
    assert repr(FOUND).count("\n") == 0
    assert repr(FOUND).startswith("<ModelComparison failed: 4 pairs, first in rnn")
    assert not FOUND


def test_of_a_long_model_what_differs_and_both_ends_are_shown() -> None:
    rows = tuple(Row(f"a{number}", f"b{number}", 0.0, 0.0, 0.0) for number in range(200))
    rows = (*rows[:120], replace(rows[120], verdict="wrong here"), *rows[121:])
    text = str(replace(FOUND, rows=rows))
    assert len(text.splitlines()) < 30
    assert all(f"a{number} " in text for number in (0, 1, 119, 120, 121, 198, 199))
    assert "... 117 pairs" in text
    assert "a60 " not in text
    assert len(str(replace(FOUND, rows=rows[:30])).splitlines()) > 30


def test_the_figure_shows_each_pair_and_the_wrong_layers() -> None:
    (panel,) = FOUND.figure().axes
    assert [label.get_text() for label in panel.get_xticklabels()] == ["embedding | embed", "lstm | rnn", "dense | fc"]
    lines = {line.get_label(): list(map(float, np.asarray(line.get_ydata()))) for line in panel.get_lines()}
    assert lines["output"][1:] == [0.31, 0.5]
    assert lines["alone, on the expected model's input"][1] == 0.31
    assert len(panel.patches) == 1
    assert "they part in rnn" in panel.get_title()
    (panel,) = replace(FOUND, passed=True, first=None).figure().axes
    assert panel.get_title() == "the models' results agree"


def test_a_deep_model_is_compared_in_a_readable_table() -> None:
    torch.manual_seed(0)
    deep = nn.Sequential(*(each for _ in range(40) for each in (nn.Linear(6, 6), nn.Tanh())))
    port = nn.Sequential(*(each for _ in range(40) for each in (nn.Linear(6, 6), nn.Tanh())))
    port.load_state_dict(deep.state_dict())
    x = np.random.default_rng(0).standard_normal((3, 6)).astype("float32")
    assert compared(deep, port, x)
    with torch.no_grad():
        port[74].weight.copy_(port[74].weight.T.clone())  # type: ignore[operator]  # torch's types know no item of a Sequential
    found = compared(deep, port, x)
    assert len(found.rows) == 80
    assert found.first is not None
    assert (found.first.actual, found.first.after) == ("74", "73")
