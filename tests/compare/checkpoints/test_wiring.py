"""`inspect` shows what feeds what, and `--graph` draws it; labels are data, whatever is in a name."""

from __future__ import annotations

import re
from typing import Any

from compare.checkpoints.mermaid import to_mermaid
from compare.checkpoints.wiring import describe_wiring, render_wiring
from frameworks.files.keras.architecture import Architecture
from frameworks.files.keras.version import Version
from frameworks.models.graph import Graph
from frameworks.models.reading.reading import graph_of

NAME = 'x"]; click #/é`<b>'


def _layer(kind: str, name: str, reads: list[Any], **config: Any) -> dict[str, Any]:
    return {"class_name": kind, "name": name, "config": {"name": name, **config}, "inbound_nodes": [reads] if reads else []}


def _graph(depth: int = 1) -> Graph:
    layers = [
        _layer("InputLayer", "tokens", [], batch_input_shape=[None, None], dtype="int32"),
        _layer("Embedding", "embed", [["tokens", 0, 0, {}]], input_dim=9, output_dim=3, mask_zero=True),
        _layer("LSTM", "encoder", [["embed", 0, 0, {}]], units=3, return_state=True),
        _layer("LSTM", NAME, [["embed", 0, 0, {}], ["encoder", 0, 1, {}], ["encoder", 0, 2, {}]], units=3),
        *(_layer("Dense", f"d{at}", [[f"d{at - 1}" if at else NAME, 0, 0, {}]], units=3) for at in range(depth)),
    ]
    config = {"layers": layers, "input_layers": [["tokens", 0, 0]], "output_layers": [[f"d{depth - 1}", 0, 0]]}
    return graph_of(Architecture({"class_name": "Functional", "config": config}, Version("2.4.0"), "model.h5"), [])


def test_states_and_masks_are_shown_with_the_call_that_they_go_to() -> None:
    (model,) = describe_wiring(_graph())
    decoder = next(call for call in model["calls"] if call["layer"] == NAME)
    assert decoder["reads"] == ["embed"]
    assert decoder["states"] == ["encoder[1]", "encoder[2]"]
    assert decoder["masks"] == ["of embed"]
    text = "\n".join(render_wiring([model]))
    assert max(map(len, text.splitlines())) <= 80
    assert "of embed" in text


def test_a_long_model_is_folded_unless_all_is_asked_for() -> None:
    models = describe_wiring(_graph(100))
    assert "... 73 more" in "\n".join(render_wiring(models))
    assert "d50" in "\n".join(render_wiring(models, verbose=True))
    assert "d50" not in "\n".join(render_wiring(models))


def test_the_flowchart_is_valid_whatever_a_name_holds() -> None:
    box = r"\w+(\(\[|\[\[?|\{\{)\"[^\"`]*\"(\]\)|\]\]?|\}\})"
    arrow = r"\w+ (-->|-\. [\w ]+ \.->) \w+"
    first, *lines = to_mermaid(_graph()).splitlines()
    assert first == "flowchart TD"
    for line in lines:
        assert re.fullmatch(f"{box}|{arrow}", line.strip()), line
    assert sum("state" in line for line in lines) == 1
    assert sum("mask" in line for line in lines) == 2
