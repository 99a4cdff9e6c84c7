"""Recurrent Keras layers as torch source return what Keras returns, for all cells, options, states and masks.

Covers: `frameworks/models/pytorch/recurrent`.
"""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import pytest
import tf_keras
import torch

from frameworks.models.porting import port_model, to_source
from frameworks.models.pytorch.building import built
from frameworks.models.pytorch.writing import write_module
from frameworks.models.reading import read_graph

BATCH, TIME, INPUT, HIDDEN = 5, 6, 3, 4

CELLS: dict[str, list[dict[str, Any]]] = {
    "SimpleRNN": [{"activation": "relu"}, {"activation": "softsign", "use_bias": False}],
    "LSTM": [{}, {"activation": "relu", "recurrent_activation": "hard_sigmoid"}],
    "GRU": [{}, {"reset_after": False, "use_bias": False}, {"recurrent_activation": "hard_sigmoid", "use_bias": False}],
}
MERGES = ("concat", "ave", None, "sum", "mul")


def _inputs(*, holes: bool = True) -> npt.NDArray[Any]:
    """Return inputs whose rows are right-padded, left-padded, holed, empty and full."""
    x = np.random.default_rng(3).normal(size=(BATCH, TIME, INPUT))
    x[0, 3:] = x[3] = 0
    if holes:
        x[1, :2] = x[2, [0, 2, 4]] = 0
    return x


def _calls(framework: Any, kind: str, cells: list[dict[str, Any]]) -> Iterator[tuple[Any, bool, int]]:
    """Yield eight layers, in which every two of six flags take all of their four combinations.

    Yields:
        The layer, whether it is called with a mask, and with how many initial states.
    """
    make, count = getattr(framework.layers, kind), 2 if kind == "LSTM" else 1
    for number, (masked, sequences, starts) in enumerate(itertools.product((False, True), repeat=3)):
        zeroes, backwards, both = masked != sequences, masked != starts, sequences != starts
        flags = {"return_sequences": sequences, "return_state": masked != (sequences != starts), "zero_output_for_mask": zeroes}
        layer = make(HIDDEN, **cells[number % len(cells)], **flags, go_backwards=backwards and not both, dtype="float64")
        if both:
            layer = framework.layers.Bidirectional(layer, merge_mode=MERGES[number % len(MERGES)], dtype="float64")
        yield layer, masked, count * (1 + both) * starts


def _model(framework: Any, calls: list[tuple[Any, bool, int]]) -> Any:
    """Return a model that calls each layer on its input, with random weights."""
    whole = framework.Input((TIME, INPUT), dtype="float64")
    masked = framework.layers.Masking(dtype="float64")(whole)
    states = [framework.Input((HIDDEN,), dtype="float64") for _ in range(4)]
    outputs: list[Any] = []
    for layer, has_mask, count in calls:
        arguments: dict[str, Any] = {"initial_state": states[:count]} if count else {}
        if count and has_mask and framework is keras:
            arguments["mask"] = masked._keras_mask
        result = layer(masked if has_mask else whole, **arguments)
        outputs += [result] if not isinstance(result, (list, tuple)) else result
    model = framework.Model([whole, *states], outputs)
    draw = np.random.default_rng(5)
    model.set_weights([draw.normal(0, 0.5, each.shape) for each in model.get_weights()])
    return model


def _expected(model: Any, x: npt.NDArray[Any]) -> tuple[list[npt.NDArray[Any]], list[torch.Tensor]]:
    draw = np.random.default_rng(7)
    arguments = [x, *(draw.normal(size=(BATCH, HIDDEN)) for _ in range(4))]
    return [np.asarray(each) for each in model(arguments)], [torch.from_numpy(each) for each in arguments]


def _saved(model: Any, folder: Path) -> Path:
    path = folder / ("model.keras" if isinstance(model, keras.Model) else "model.h5")
    model.save(path)
    return path


@pytest.mark.parametrize("kind", CELLS)
def test_every_call_returns_what_keras_returns(kind: str, tmp_path: Path) -> None:
    _check(_model(keras, list(_calls(keras, kind, CELLS[kind]))), tmp_path)


@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
def test_every_call_returns_what_keras_2_returned(tmp_path: Path) -> None:
    calls = [call for kind in CELLS for call in _calls(tf_keras, kind, CELLS[kind][::-1])]
    _check(_model(tf_keras, calls[1::5]), tmp_path)  # each takes a second or more to build


def _check(model: Any, folder: Path) -> None:
    """Compare the results of a model and of its port, and lint the source."""
    expected, arguments = _expected(model, _inputs())
    source = to_source(_saved(model, folder))
    results = built(source)(*arguments)
    assert len(results) == len(expected)
    for result, wanted in zip(results, expected, strict=True):
        np.testing.assert_allclose(result.detach(), wanted, rtol=0, atol=1e-13)
    assert max(len(line) for line in source.text.splitlines()) <= 120
    lint = [sys.executable, "-m", "ruff", "check", "--isolated", "-"]
    assert subprocess.run(lint, input=source.text, text=True, check=False).returncode == 0


def test_a_wrong_bias_is_caught(tmp_path: Path) -> None:
    model = _model(
        keras, [(keras.layers.LSTM(HIDDEN, dtype="float64"), True, 0), (keras.layers.GRU(2, dtype="float64"), True, 0)]
    )
    expected, arguments = _expected(model, _inputs())
    module = port_model(_saved(model, tmp_path))
    with torch.no_grad():
        next(each for name, each in module.named_parameters() if name.endswith("bias_ih_l0")).add_(0.01)
        assert np.abs(module(*arguments)[0].numpy() - expected[0]).max() > 1e-4


def test_right_padding_packs_and_a_hole_is_refused(tmp_path: Path) -> None:
    layers = keras.layers
    calls = [
        (layers.LSTM(HIDDEN, return_sequences=True, return_state=True, dtype="float64"), True, 2),
        (layers.Bidirectional(layers.GRU(HIDDEN, return_sequences=True, dtype="float64"), dtype="float64"), True, 0),
        (layers.SimpleRNN(HIDDEN, go_backwards=True, dtype="float64"), True, 0),
    ]
    model = _model(keras, calls)
    expected, arguments = _expected(model, _inputs(holes=False))
    module = port_model(_saved(model, tmp_path), padding="end")
    for result, wanted in zip(module(*arguments), expected, strict=True):
        np.testing.assert_allclose(result.detach(), wanted, rtol=0, atol=2e-15)
    with pytest.raises(ValueError, match="has a hole"):
        module(torch.from_numpy(_inputs()), *arguments[1:])


def test_unlike_cells_and_halves_become_modules_of_their_own(tmp_path: Path) -> None:
    layers, kind = keras.layers, {"dtype": "float64"}
    cells = [layers.LSTMCell(2, **kind), layers.GRUCell(5, **kind), layers.GRUCell(HIDDEN, reset_after=False, **kind)]
    alike = layers.StackedRNNCells([layers.GRUCell(HIDDEN, **kind) for _ in range(2)], **kind)
    backward = layers.LSTM(HIDDEN, go_backwards=True, activation="relu", **kind)
    calls = [
        (layers.RNN(layers.StackedRNNCells(cells, **kind), return_sequences=True, **kind), True, 0),
        (layers.RNN(layers.StackedRNNCells([layers.LSTMCell(HIDDEN, **kind) for _ in range(2)], **kind), **kind), True, 0),
        (layers.Bidirectional(layers.RNN(alike, return_sequences=True, **kind), merge_mode="sum", **kind), True, 0),
        (layers.Bidirectional(layers.LSTM(HIDDEN, **kind), backward_layer=backward, **kind), True, 0),
        (layers.RNN(layers.LSTMCell(HIDDEN, **kind), return_state=True, **kind), False, 2),
    ]
    model = _model(keras, calls)
    expected, arguments = _expected(model, _inputs())
    for result, wanted in zip(port_model(_saved(model, tmp_path))(*arguments), expected, strict=True):
        np.testing.assert_allclose(result.detach(), wanted, rtol=0, atol=2e-15)


def test_stateful_layers_go_on_until_their_states_are_reset(tmp_path: Path) -> None:
    layers, options = keras.layers, {"stateful": True, "dtype": "float64"}
    whole = keras.Input((TIME, INPUT), batch_size=BATCH, dtype="float64")
    masked = layers.Masking(dtype="float64")(whole)
    stack = [layers.LSTM(HIDDEN, **options), layers.GRU(2, reset_after=False, **options)]
    bidirectional = layers.Bidirectional(layers.GRU(HIDDEN, return_sequences=True, **options), dtype="float64")
    model = keras.Model(whole, [stack[0](masked), stack[1](masked), bidirectional(whole)])
    model.set_weights([np.random.default_rng(5).normal(0, 0.5, each.shape) for each in model.get_weights()])
    module, x = port_model(_saved(model, tmp_path)), _inputs()
    for layer in (*stack, bidirectional):
        layer.reset_states()
    calls = [[np.asarray(each) for each in model(x)] for _ in range(2)]
    assert np.abs(calls[0][0] - calls[1][0]).max() > 1e-2
    for expected in calls:
        for result, wanted in zip(module(torch.from_numpy(x)), expected, strict=True):
            np.testing.assert_allclose(result.detach(), wanted, rtol=0, atol=2e-15)
    for child in module.children():
        child.reset_states()
    np.testing.assert_allclose(module(torch.from_numpy(x))[0].detach(), calls[0][0], rtol=0, atol=2e-15)


def test_convolutional_layers_are_generated(tmp_path: Path) -> None:
    layers, kind = keras.layers, {"dtype": "float64"}
    images = keras.Input((4, 7, 6, 2), dtype="float64")
    same = {"padding": "same", "recurrent_activation": "hard_sigmoid", **kind}
    outputs = [
        layers.ConvLSTM2D(3, (3, 2), return_sequences=True, **same)(images),
        layers.ConvLSTM2D(3, 3, strides=2, go_backwards=True, **same)(images),
        layers.ConvLSTM2D(2, (2, 3), dilation_rate=2, use_bias=False, activation="relu", **kind)(images),
    ]
    kept = layers.ConvLSTM1D(2, 3, stateful=True, padding="same", **kind)
    fixed = keras.Input((4, 7, 2), batch_size=3, dtype="float64")
    one = keras.Model(fixed, kept(fixed))
    kept.set_weights([np.random.default_rng(5).normal(0, 0.3, each.shape) for each in kept.get_weights()])
    module, frames = port_model(_saved(one, tmp_path)), np.random.default_rng(7).normal(size=(3, 4, 7, 2))
    kept.reset_states()
    for _ in range(2):
        np.testing.assert_allclose(module(torch.from_numpy(frames)).detach(), np.asarray(one(frames)), rtol=0, atol=1e-14)
    outputs += layers.ConvLSTM2D(3, 2, return_state=True, **kind)(images)
    model = keras.Model(images, outputs)
    model.set_weights([np.random.default_rng(5).normal(0, 0.3, each.shape) for each in model.get_weights()])
    x = np.random.default_rng(7).normal(size=(3, 4, 7, 6, 2))
    for result, wanted in zip(port_model(_saved(model, tmp_path))(torch.from_numpy(x)), model(x), strict=True):
        np.testing.assert_allclose(result.detach(), np.asarray(wanted), rtol=0, atol=1e-14)


@pytest.mark.parametrize("recurrent", [0.0, 0.25])
def test_dropout_that_the_model_states_acts_where_keras_drops(
    recurrent: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mask of the same number everywhere is a factor of the kernel, or of the recurrent kernel."""
    layers, rates = keras.layers, {"dropout": 0.5, "recurrent_dropout": recurrent, "dtype": "float64"}
    made = [layers.SimpleRNN(HIDDEN, **rates), layers.LSTM(HIDDEN, **rates), layers.GRU(HIDDEN, **rates)]
    made.append(layers.GRU(HIDDEN, reset_after=False, return_sequences=True, **rates))
    made.append(layers.Bidirectional(layers.LSTM(HIDDEN, **rates), dtype="float64"))
    x = keras.Input((TIME, INPUT), dtype="float64")
    model = keras.Model(x, [layer(x, training=True) for layer in made])
    draw = np.random.default_rng(5)
    model.set_weights([draw.normal(0, 0.5, each.shape) for each in model.get_weights()])
    module = port_model(_saved(model, tmp_path))
    drawn = module(torch.from_numpy(_inputs())), module(torch.from_numpy(_inputs()))
    assert all((one != other).any() for one, other in zip(*drawn, strict=True))
    monkeypatch.setattr("torch.nn.functional.dropout", lambda ones, p, training=True: ones * (1 - p) if training else ones)
    results = module(torch.from_numpy(_inputs()))
    for weight in (each for each in model.weights if "kernel" in each.name):
        weight.assign(weight * (1 - recurrent if "recurrent" in weight.name else 0.5))
    for result, layer in zip(results, made, strict=True):
        np.testing.assert_allclose(result.detach(), np.asarray(layer(_inputs())), rtol=0, atol=1e-7)


def test_dropout_acts_while_a_port_is_trained_and_only_then(tmp_path: Path) -> None:
    """Keras 3 writes `training=False` for each of these calls, which means nothing: `fit` drops all the same."""
    layers, rates = keras.layers, {"dropout": 0.5, "dtype": "float64"}
    cells = [layers.LSTM(HIDDEN, **rates), layers.GRU(HIDDEN, reset_after=False, **rates), layers.SimpleRNN(HIDDEN, **rates)]
    x = keras.Input((TIME, INPUT), dtype="float64")
    module = port_model(_saved(keras.Model(x, [layer(x) for layer in cells]), tmp_path))
    steps = torch.from_numpy(_inputs())
    assert all(torch.equal(one, other) for one, other in zip(module(steps), module(steps), strict=True))
    module.train()
    assert all((one != other).any() for one, other in zip(module(steps), module(steps), strict=True))


def test_a_state_of_one_row_serves_all_rows(tmp_path: Path) -> None:
    x, one = keras.Input((TIME, INPUT), dtype="float64"), keras.Input((HIDDEN,), batch_size=1, dtype="float64")
    model = keras.Model([x, one], keras.layers.GRU(HIDDEN, dtype="float64")(x, initial_state=[one]))
    arguments = [_inputs(), np.random.default_rng(2).normal(size=(1, HIDDEN))]
    expected = np.asarray(model(arguments))
    result = port_model(_saved(model, tmp_path))(*map(torch.from_numpy, arguments))
    np.testing.assert_allclose(result.detach(), expected, rtol=0, atol=2e-15)


def test_before_keras_2_3_both_directions_repeat_their_last_output(tmp_path: Path) -> None:
    layers = keras.layers
    forward = layers.GRU(HIDDEN, return_sequences=True, dtype="float64", name="forward")
    both = layers.Bidirectional(forward, dtype="float64")
    model = _model(keras, [(both, True, 0)])
    _, arguments = _expected(model, _inputs())
    x, mask = _inputs(), (_inputs() != 0).any(-1)
    for half in (both.forward_layer, both.backward_layer):
        half.zero_output_for_mask = False  # as Keras 2.2 left them
    expected = [np.asarray(both.forward_layer(x, mask=mask)), np.asarray(both.backward_layer(x, mask=mask))[:, ::-1]]
    graph = replace(read_graph(_saved(model, tmp_path)), version=(2, 2, 4))
    results = built(write_module(graph))(*arguments)
    results = results if isinstance(results, torch.Tensor) else results[0]
    np.testing.assert_allclose(results.detach(), np.concatenate(expected, axis=-1), rtol=0, atol=2e-15)


def test_a_layer_with_a_function_that_is_not_in_the_file_is_a_gap(tmp_path: Path) -> None:
    def own(x: Any) -> Any:
        return 2 * x

    twice = keras.saving.register_keras_serializable("own", "twice")(own)
    model = keras.Sequential([keras.Input((TIME, INPUT)), keras.layers.LSTM(2, activation=twice), keras.layers.Dense(3)])
    (gap,) = to_source(_saved(model, tmp_path)).gaps
    assert gap.kind == "LSTM"
    assert "own>twice" in gap.why
