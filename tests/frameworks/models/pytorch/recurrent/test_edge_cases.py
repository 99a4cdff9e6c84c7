"""What is easily forgotten: gradients through masks, states of stateful layers, unrolled layers, single rows and steps.

Covers: `frameworks/models/pytorch/recurrent`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import pytest
import tensorflow as tf
import tf_keras
import torch

from frameworks.models.porting import port_model, to_source
from frameworks.models.pytorch.building import built
from frameworks.models.source import Source

TIME, INPUT, HIDDEN = 6, 3, 4

Layer = Callable[[Any, Any], Any]
"""Applies recurrent layers of a package to masked steps."""


def _steps(batch: int = 4, time: int = TIME) -> npt.NDArray[Any]:
    """Return steps whose rows are holed, left-padded, empty and right-padded."""
    x = np.random.default_rng(3).normal(size=(batch, time, INPUT))
    x[0, 1::2] = 0
    x[1:2, :2], x[2:3], x[3:4, 3:] = 0, 0, 0
    return x


def _model(framework: Any, layer: Layer, *, states: int = 0, batch: int | None = None) -> Any:
    fixed = {} if batch is None else {"batch_size": batch}
    x = framework.Input((None if batch is None else TIME, INPUT), dtype="float64", **fixed)
    given = [framework.Input((HIDDEN,), dtype="float64", **fixed) for _ in range(states)]
    masked = framework.layers.Masking(dtype="float64")(x)
    model = framework.Model([x, *given] if given else x, layer(framework.layers, [masked, *given] if given else masked))
    draw = np.random.default_rng(5)
    model.set_weights([draw.normal(0, 0.5, each.shape) for each in model.get_weights()])
    return model


def _source(model: Any, folder: Path, **options: Any) -> Source:
    path = folder / ("model.keras" if isinstance(model, keras.Model) else "model.h5")
    model.save(path)
    return to_source(path, **options)


def _error(model: Any, port: Any, *arguments: npt.NDArray[Any]) -> float:
    expected, actual = model(list(arguments) if len(arguments) > 1 else arguments[0]), port(*map(torch.from_numpy, arguments))
    pairs = zip(expected, actual, strict=True) if isinstance(actual, tuple) else [(expected, actual)]
    return max(float(np.abs(np.asarray(one) - other.detach().numpy()).max()) for one, other in pairs)


def _bidirectional(k: Any, x: Any) -> Any:
    x = k.Bidirectional(k.GRU(HIDDEN, return_sequences=True, dtype="float64"), dtype="float64")(x)
    return k.LSTM(HIDDEN, recurrent_activation="hard_sigmoid", dtype="float64")(x)


def _stacked(k: Any, x: Any) -> Any:
    x = k.LSTM(HIDDEN, return_sequences=True, dtype="float64")(x)
    return k.GRU(HIDDEN, reset_after=False, dtype="float64")(x)


@pytest.fixture(scope="module", params=[_bidirectional, _stacked])
def ported(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Any]:
    """Return a model of layers that read masked steps, and its port."""
    model = _model(keras, request.param)
    return model, built(_source(model, tmp_path_factory.mktemp("model")))


def test_gradients_through_masks_are_those_of_keras(ported: tuple[Any, Any]) -> None:
    model, port = ported
    inputs = tf.convert_to_tensor(_steps())
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        loss = tf.reduce_sum(model(inputs) ** 2)
    expected = np.asarray(tape.gradient(loss, inputs))
    steps = torch.from_numpy(_steps()).requires_grad_()
    (port(steps) ** 2).sum().backward()
    assert steps.grad is not None
    np.testing.assert_allclose(steps.grad, expected, atol=1e-9)
    assert all(each.grad is not None and each.grad.isfinite().all() for each in port.parameters())


@pytest.mark.parametrize(("batch", "time"), [(1, 6), (4, 1), (1, 1)])
def test_one_row_and_one_step_are_enough(ported: tuple[Any, Any], batch: int, time: int) -> None:
    assert _error(*ported, _steps(batch, time)) < 1e-14


@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
@pytest.mark.parametrize("framework", [keras, tf_keras], ids=["keras", "tf_keras"])
def test_a_stateful_layer_goes_on_from_where_its_version_does(framework: Any, tmp_path: Path) -> None:
    """Given states, Keras 3 starts from them in each call, and Keras 2 only until the layer has states of its own."""
    layer = framework.layers.GRU(HIDDEN, reset_after=False, stateful=True, dtype="float64")
    model = _model(framework, lambda _, x: layer(x[0], initial_state=x[1:]), states=1, batch=4)
    port, arguments = built(_source(model, tmp_path)), (_steps(), np.random.default_rng(7).normal(size=(4, HIDDEN)))
    layer.reset_states()
    calls = [np.asarray(model(list(arguments))) for _ in range(2)]
    assert (float(np.abs(calls[0] - calls[1]).max()) > 1e-2) == (framework is tf_keras)
    for expected in calls:
        np.testing.assert_allclose(port(*map(torch.from_numpy, arguments)).detach(), expected, atol=1e-14)


def _shared(k: Any, x: Any) -> Any:
    """Call layers with a mask and, behind one that takes it away, without."""
    plain = k.Reshape((TIME, INPUT), dtype="float64")(x)
    layers = [k.GRU(HIDDEN, reset_after=False, dtype="float64"), k.LSTM(HIDDEN, dtype="float64")]
    return [layer(each) for layer in layers for each in (x, plain)]


@pytest.mark.filterwarnings("ignore:Layer 'reshape")
@pytest.mark.parametrize("options", [{}, {"padding": "end"}, {"imports_gatewise": True}])
def test_a_layer_is_called_with_a_mask_and_without(options: dict[str, Any], tmp_path: Path) -> None:
    x = _steps()
    x[0] = x[1] = x[3]
    model = _model(keras, _shared, batch=4)
    assert _error(model, built(_source(model, tmp_path, **options)), x) < 1e-14


def _unrolled(k: Any, x: Any) -> Any:
    backward = k.LSTM(HIDDEN, return_sequences=True, go_backwards=True, zero_output_for_mask=True, unroll=True, dtype="float64")
    half = k.GRU(HIDDEN, return_sequences=True, unroll=True, dtype="float64")
    return backward(x), k.Bidirectional(half, merge_mode="sum", dtype="float64")(x)


def test_unrolled_layers_zero_outputs_as_keras_does(tmp_path: Path) -> None:
    model = _model(keras, _unrolled, batch=4)
    source = _source(model, tmp_path)
    assert _error(model, built(source), _steps()) < 1e-14
    assert "forgets to reverse" in source.table[2].how


def _imported(k: Any, x: Any) -> Any:
    cells = [k.LSTMCell(HIDDEN, recurrent_activation="hard_sigmoid", dtype="float64"), k.GRUCell(HIDDEN, dtype="float64")]
    layer = k.Bidirectional(k.GRU(HIDDEN, reset_after=False, return_sequences=True, dtype="float64"), dtype="float64")
    y, (h, _), h_2 = k.RNN(k.StackedRNNCells(cells, dtype="float64"), return_state=True, dtype="float64")(layer(x[0]))
    relu = k.LSTM(HIDDEN, activation="relu", return_state=True, go_backwards=True, dtype="float64")
    return [y, h, h_2, *relu(x[0], initial_state=x[1:]), k.LSTM(2, dtype="float64")(x[0])]


def test_layers_that_torch_lacks_are_imported_from_gatewise(tmp_path: Path) -> None:
    model, draw = _model(keras, _imported, states=2), np.random.default_rng(7)
    states = [draw.normal(size=(4, HIDDEN)) for _ in range(2)]
    generated, source = to_source(model), _source(model, tmp_path, imports_gatewise=True)
    assert "class ReluContinuingLSTM(" in generated.text
    assert source.text.count("\nclass ") == 1  # the model's
    assert "from frameworks.emulation.pytorch import KerasBidirectional, KerasGRU, " in source.text
    assert 'KerasLSTM(4, activation="relu", input_size=3, return_state=True, go_backwards=True)' in source.text
    assert "nn.LSTM(3, 2, batch_first=True)" in source.text
    assert _error(model, built(source), _steps(), *states) < 1e-14
    wrong = port_model(tmp_path / "model.keras", imports_gatewise=True)
    with torch.no_grad():
        next(each for name, each in wrong.named_parameters() if name.endswith("bias_ih_l0_reverse")).add_(0.01)
    assert _error(model, wrong, _steps(), *states) > 1e-4


@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
@pytest.mark.parametrize("framework", [keras, tf_keras], ids=["keras", "tf_keras"])
def test_convolutional_layers_start_from_states_and_zero_outputs_as_their_version_does(framework: Any, tmp_path: Path) -> None:
    """Keras 2 takes `zero_output_for_mask` and forgets it, and lists initial states after the input."""
    frames, mask = framework.Input((4, 5, 2), dtype="float64"), framework.Input((4,), dtype="bool")
    states = [framework.Input((5, 3), dtype="float64") for _ in range(2)]
    layer = framework.layers.ConvLSTM1D(3, 1, return_sequences=True, zero_output_for_mask=True, dtype="float64")
    model = framework.Model([frames, mask, *states], layer(frames, mask=mask, initial_state=states))
    draw = np.random.default_rng(7)
    shown = np.array([[True, False, True, False], [False, True, True, True]])
    arguments = [draw.normal(size=(2, 4, 5, 2)), shown, *(draw.normal(size=(2, 5, 3)) for _ in range(2))]
    assert _error(model, built(_source(model, tmp_path)), *arguments) < 1e-14
    assert (np.asarray(model(arguments))[0, 1] == 0).all() == (framework is keras)
