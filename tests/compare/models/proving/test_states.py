"""A port keeps the states that its model keeps from call to call, and a proof finds one that forgets them.

Covers: `compare/models/proving/calls.py`, `compare/models/recording/kept_states.py`,
`frameworks/models/pytorch/recurrent/stateful.py`, `frameworks/models/pytorch/classes.py`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import torch

from compare.models.proving import originals
from compare.models.proving.proof import Proof
from compare.models.proving.proving import Port, load_port, prove
from frameworks.models import port_model, to_source

X = np.random.default_rng(0).standard_normal((2, 6, 3)).astype("float32")
KEPT = ("self.state = h.detach(), c.detach()", "pass")


def stateful() -> Any:
    """Return a model whose layers keep their states: alone, both ways, and in a nested model."""
    layers = keras.layers
    keras.utils.set_random_seed(1)
    shape = {"batch_shape": (2, 6, 4)}
    nested = keras.Sequential(
        [keras.Input(**shape), layers.GRU(4, stateful=True, return_sequences=True, name="gru")], name="nested"
    )
    both = layers.Bidirectional(layers.SimpleRNN(2, stateful=True, return_sequences=True), name="both")
    first = layers.LSTM(4, stateful=True, return_sequences=True, name="first")
    return keras.Sequential([keras.Input(batch_shape=(2, 6, 3)), first, nested, both, layers.Dense(2, name="out")])


def proven(folder: Path, *changes: tuple[str, str], inputs: Any = None) -> Proof:
    path = folder / "model.keras"
    stateful().save(path)
    out, _ = to_source(path).write(folder / "port")
    text = out.read_text()
    for one, other in changes:
        assert one in text
        text = text.replace(one, other)
    out.write_text(text)
    return prove(path, Port(load_port(out), "port.py"), inputs)


@pytest.mark.parametrize("inputs", [None, X])
def test_a_call_after_another_is_proven_too(inputs: Any, tmp_path: Path) -> None:
    proof = proven(tmp_path, inputs=inputs)
    assert (proof.status, len(proof.calls)) == (0, 3 if inputs is None else 2)
    assert "right after a call" in str(proof.calls[-1])


def test_without_its_framework_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> Any:
        raise ValueError("it does not open.")

    monkeypatch.setattr(originals, "_loaded", refuse)
    assert proven(tmp_path).status == 0
    (tmp_path / "forgetting").mkdir()
    assert proven(tmp_path / "forgetting", KEPT).status == 1


def test_a_port_that_forgets_is_wrong_and_its_layer_named(tmp_path: Path) -> None:
    proof = proven(tmp_path, KEPT)
    assert proof.status == 1
    assert [call.comparison.passed for call in proof.calls] == [True, True, False]
    assert "they first part in first" in str(proof)
    assert "fix: first begins without states, and must begin with those of its last call" in str(proof)


def test_calls_begin_without_states_that_a_live_model_holds() -> None:
    model = stateful()
    port = port_model(model)
    model(X)
    with torch.no_grad():
        port(torch.from_numpy(X - 1))
    before = np.array(model.layers[0].states[0]), port.first.state[0].clone()
    proof = prove(model, Port(port, "port.py"))
    assert (proof.status, len(proof.calls)) == (0, 3)
    assert [each.notes[0].partition(", and this one ")[2] for each in (call.comparison for call in proof.calls)] == [
        "began without any: first, gru, both" if call < 2 else "began with those of an earlier one: first, gru, both"
        for call in range(3)
    ]
    np.testing.assert_array_equal(model.layers[0].states[0], before[0])
    assert port.first.state[0].equal(before[1]), "the proof puts its own back"


def test_a_port_that_raises_an_error_is_wrong(tmp_path: Path) -> None:
    proof = proven(tmp_path, ("return self.out(", "return self.out.missing("))
    assert (proof.status, proof.calls) == (1, ())
    assert "the port raises" in proof.wrong[0]


def test_states_are_as_in_keras_over_calls_are_reset_and_follow_the_dtype() -> None:
    model = stateful()
    port, x = port_model(model), torch.from_numpy(X)
    with torch.no_grad():
        calls = [port(x).numpy() for _ in range(3)]
        for found in calls:
            np.testing.assert_allclose(found, np.asarray(model(X)), atol=2e-6)
        assert np.abs(calls[1] - calls[0]).max() > 1e-3
        port.reset_states()
        np.testing.assert_array_equal(port(x).numpy(), calls[0])
        np.testing.assert_allclose(port.double()(x.double()).numpy(), calls[1], atol=1e-6)
        assert port.bfloat16()(x.bfloat16()).dtype == torch.bfloat16
