"""Copies and conversions are exact, complete and independent, and are not begun unless they can be finished."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from importlib import import_module
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compare import check_parity
from frameworks import RecurrentSpec, adapt, build, convert, copy_weights
from frameworks.rows import FrameworkName

pytestmark = pytest.mark.frameworks

Array = npt.NDArray[Any]

BATCH, TIME, INPUT, HIDDEN = 6, 5, 9, 7
KERAS = {"rnn": "SimpleRNN", "lstm": "LSTM", "gru": "GRU"}
TORCH = {"rnn": "RNN", "lstm": "LSTM", "gru": "GRU"}
CELLS = ("rnn", "lstm", "gru")
SPECIAL = np.array([0x80000000, 0x7FC01234, 0xFFC00001, 0x7F800000, 0xFF800000, 0x00000001, 0x7F800001], np.uint32)
"""Special values of float32: -0.0, NaN with payloads, both infinities, the smallest subnormal, a signalling NaN."""


def keras_layer(cell: str, *, two: bool = False, library: str = "keras", dtype: str = "float32", **options: Any) -> Any:
    kinds = import_module(library).layers
    layer = getattr(kinds, KERAS[cell])(HIDDEN, dtype=dtype, **options)
    layer = kinds.Bidirectional(layer, dtype=dtype) if two else layer
    layer.build((None, None, INPUT))
    return layer


def torch_module(cell: str, **options: Any) -> Any:
    torch = import_module("torch")
    return getattr(torch.nn, TORCH[cell])(INPUT, HIDDEN, **options)


def numpy_of(native: Any) -> list[Array]:
    """Return copies of all weights in the framework's own order and layout."""
    if hasattr(native, "get_config"):
        return [np.array(array) for array in native.get_weights()]
    return [parameter.detach().cpu().numpy().copy() for parameter in native.parameters()]


def by_hand(cell: str, kernel: Array, recurrent: Array, bias: Array) -> list[Array]:
    """Write out torch's four arrays of a Keras direction, gate block by gate block, by position."""
    order = {"rnn": [0], "lstm": [0, 1, 2, 3], "gru": [1, 0, 2]}[cell]

    def rows(matrix: Array) -> Array:
        return np.concatenate([matrix[:, gate * HIDDEN : (gate + 1) * HIDDEN].T for gate in order])

    def ordered(vector: Array) -> Array:
        return np.concatenate([vector[gate * HIDDEN : (gate + 1) * HIDDEN] for gate in order])

    first, second = (bias[0], bias[1]) if cell == "gru" else (bias, np.zeros_like(bias))
    return [rows(kernel), rows(recurrent), ordered(first), ordered(second)]


def same_bits(one: list[Array], other: list[Array]) -> bool:
    return [array.tobytes() for array in one] == [array.tobytes() for array in other]


def scatter(arrays: list[Array]) -> list[Array]:
    """Put every special value into each array."""
    for array in arrays:
        array.reshape(-1)[: len(SPECIAL)] = SPECIAL.view(np.float32)
    return arrays


@pytest.mark.backend
@pytest.mark.parametrize("two", [False, True])
@pytest.mark.parametrize("cell", CELLS)
def test_a_copy_into_torch_equals_one_written_by_hand(cell: str, *, two: bool, randomise: Callable[..., Any]) -> None:
    source, target = randomise(keras_layer(cell, two=two)), torch_module(cell, bidirectional=two)
    copy_weights(source, target)
    arrays = numpy_of(source)
    expected = [part for start in range(0, len(arrays), 3) for part in by_hand(cell, *arrays[start : start + 3])]
    assert same_bits(numpy_of(target), expected)
    assert same_bits(numpy_of(convert(source, to="pytorch")), expected)
    assert same_bits(numpy_of(source), arrays)


@pytest.mark.backend
@pytest.mark.parametrize("two", [False, True])
@pytest.mark.parametrize("cell", CELLS)
def test_a_copy_into_keras_equals_one_written_by_hand(cell: str, *, two: bool, randomise: Callable[..., Any]) -> None:
    source, target = randomise(torch_module(cell, bidirectional=two)), keras_layer(cell, two=two)
    copy_weights(source, target)
    arrays, expected = numpy_of(source), []
    for start in range(0, len(arrays), 4):
        kernel, recurrent, first, second = arrays[start : start + 4]
        order = {"rnn": [0], "lstm": [0, 1, 2, 3], "gru": [1, 0, 2]}[cell]
        blocks = [slice(gate * HIDDEN, (gate + 1) * HIDDEN) for gate in order]
        biases = [np.concatenate([bias[block] for block in blocks]) for bias in (first, second)]
        expected += [np.concatenate([matrix[block].T for block in blocks], axis=1) for matrix in (kernel, recurrent)]
        expected.append(np.stack(biases) if cell == "gru" else biases[0] + biases[1])
    assert same_bits(numpy_of(target), expected)
    assert same_bits(numpy_of(convert(source, to="keras")), expected)
    assert same_bits(numpy_of(source), arrays)


@pytest.mark.parametrize(
    ("source", "target"),
    [("keras", "keras"), ("torch", "torch"), ("tf_keras", "torch"), ("torch", "tf_keras"), ("tf_keras", "keras")],
)
@pytest.mark.parametrize("cell", CELLS)
def test_every_way_round_gives_the_same_layer(cell: str, source: str, target: str, randomise: Callable[..., Any]) -> None:
    def make(library: str) -> Any:
        if library == "torch":
            return torch_module(cell, bidirectional=True)
        return keras_layer(cell, two=True, library=library)

    giver, taker = randomise(make(source), 1), randomise(make(target), 2)
    copy_weights(giver, taker)
    inputs = np.random.default_rng(0).standard_normal((BATCH, 2, INPUT)).astype("float32")
    one: Any = adapt(giver).forward(inputs)
    other: Any = adapt(taker).forward(inputs)
    np.testing.assert_allclose(other.output, one.output, rtol=0, atol=2e-6)
    np.testing.assert_allclose(other.h_n, one.h_n, rtol=0, atol=2e-6)
    if source == target:
        assert same_bits(numpy_of(taker), numpy_of(giver))


@pytest.mark.backend
@pytest.mark.parametrize("two", [False, True])
@pytest.mark.parametrize("cell", CELLS)
def test_from_keras_and_back_every_bit_is_kept(cell: str, *, two: bool, randomise: Callable[..., Any]) -> None:
    layer = randomise(keras_layer(cell, two=two))
    layer.set_weights(scatter(numpy_of(layer)))
    there = convert(layer, to="pytorch")
    kernel, *_ = numpy_of(there)
    assert {bits for bits in kernel.view(np.uint32).ravel() if bits in SPECIAL} == set(SPECIAL)
    assert same_bits(numpy_of(convert(there, to="keras")), numpy_of(layer))


@pytest.mark.backend
def test_a_gru_from_torch_and_back_keeps_every_bit(randomise: Callable[..., Any]) -> None:
    torch = import_module("torch")
    module = randomise(torch_module("gru", num_layers=2, bidirectional=True))
    for parameter in module.parameters():
        (array,) = scatter([parameter.detach().numpy().copy()])
        parameter.data = torch.from_numpy(array)
    back = convert(convert(module, to="keras"), to="pytorch")
    assert same_bits(numpy_of(back), numpy_of(module))


@pytest.mark.backend
@pytest.mark.parametrize("cell", ["rnn", "lstm"])
def test_from_torch_and_back_the_two_biases_become_their_rounded_sum(cell: str, randomise: Callable[..., Any]) -> None:
    module = randomise(torch_module(cell))
    kernel, recurrent, first, second = numpy_of(module)
    back = numpy_of(convert(convert(module, to="keras"), to="pytorch"))
    assert same_bits(back[:2], [kernel, recurrent])
    assert not back[3].any()
    for total, one, other in zip(back[2], first, second, strict=True):
        exact = Fraction(float(one)) + Fraction(float(other))
        nearest = np.float32(float(exact))
        assert total == nearest
        error = abs(Fraction(float(total)) - exact)
        assert error <= Fraction(float(np.spacing(np.abs(nearest)))) / 2
    assert (first + second != first).all()
    again = numpy_of(convert(convert(convert(module, to="keras"), to="pytorch"), to="keras"))
    assert again[2].tobytes() == back[2].tobytes()


def test_between_torch_layers_both_biases_stay_apart(randomise: Callable[..., Any]) -> None:
    source = randomise(torch_module("lstm"))
    assert same_bits(numpy_of(convert(source, to="pytorch")), numpy_of(source))


def test_opposite_infinities_sum_to_nan_and_other_places_are_left_alone(randomise: Callable[..., Any]) -> None:
    torch = import_module("torch")
    source = randomise(torch_module("rnn"))
    with torch.no_grad():
        source.bias_ih_l0[1], source.bias_hh_l0[1] = float("inf"), float("-inf")
        source.bias_ih_l0[2], source.bias_hh_l0[2] = float("inf"), 2.0
        source.bias_hh_l0[3] = float("nan")
    _, _, bias = numpy_of(convert(source, to="keras"))
    assert np.isnan(bias[[1, 3]]).all()
    assert bias[2] == np.inf
    assert np.isfinite(bias[[0, 4, 5, 6]]).all()


@pytest.mark.backend
@pytest.mark.parametrize("direction", ["to torch", "to keras"])
@pytest.mark.parametrize("cell", CELLS)
def test_after_a_copy_neither_layer_sees_the_other_s_changes(cell: str, direction: str, randomise: Callable[..., Any]) -> None:
    pair = [keras_layer(cell), torch_module(cell)]
    source, target = pair if direction == "to torch" else pair[::-1]
    randomise(source, 1)
    copy_weights(source, target)
    copied = numpy_of(target)
    randomise(source, 2)
    assert same_bits(numpy_of(target), copied)
    kept = numpy_of(source)
    randomise(target, 3)
    assert same_bits(numpy_of(source), kept)


@pytest.mark.backend
@pytest.mark.parametrize("cell", CELLS)
def test_written_variables_can_still_be_trained(cell: str, randomise: Callable[..., Any]) -> None:
    source, target = randomise(torch_module(cell), 1), keras_layer(cell)
    copy_weights(source, target)
    kept, copied = numpy_of(source), numpy_of(target)
    for variable in target.trainable_variables:
        variable.assign_add(np.ones(tuple(variable.shape), "float32"))
    assert same_bits(numpy_of(source), kept)
    assert same_bits(numpy_of(target), [array + np.float32(1) for array in copied])
    copy_weights(source, target)
    assert same_bits(numpy_of(target), copied)


def test_arrays_read_from_tensorflow_before_a_write_stay_as_they_were(randomise: Callable[..., Any]) -> None:
    layer = randomise(keras_layer("gru"))
    held = [variable.value.read_value() for variable in layer.weights]
    shared = [np.asarray(memoryview(tensor)) for tensor in held]
    before = numpy_of(layer)
    copy_weights(randomise(torch_module("gru"), 1), layer)
    assert same_bits([tensor.numpy() for tensor in held], before)
    assert same_bits(shared, before)
    assert not same_bits(numpy_of(layer), before)


def test_a_layer_copied_onto_itself_stays_as_it_is(randomise: Callable[..., Any]) -> None:
    for native in (randomise(torch_module("gru")), randomise(keras_layer("gru")), randomise(torch_module("lstm"))):
        before = numpy_of(native)
        copy_weights(native, native)
        assert same_bits(numpy_of(native), before)


@pytest.mark.parametrize("cell", CELLS)
def test_a_copy_returns_what_was_copied(cell: str, randomise: Callable[..., Any]) -> None:
    layer, module = randomise(keras_layer(cell, two=True)), torch_module(cell, bidirectional=True)
    into_torch, into_keras = copy_weights(layer, module), copy_weights(module, layer)
    assert (into_torch.layers, into_torch.arrays) == (1, len(list(module.parameters())))
    assert (into_keras.layers, into_keras.arrays) == (1, len(layer.get_weights()))
    assert bool(into_torch.biases) is bool(into_keras.biases) is (cell != "gru")
    for summary in (into_torch, into_keras):
        assert repr(layer.name) in str(summary)
        assert f"nn.{TORCH[cell]} ({INPUT} -> {HIDDEN}, two directions)" in str(summary)
    assert (into_torch.source, into_torch.target) == (into_keras.target, into_keras.source)


def test_a_summary_counts_every_layer_of_a_stack_and_stays_on_one_line() -> None:
    keras = import_module("keras")
    layers = [keras.layers.LSTM(4, return_sequences=True, name=f"one\x1b[31m\nline{index}") for index in range(2)]
    model = keras.Sequential([keras.Input((None, 3)), *layers], name="two\nlines")
    summary = copy_weights(model, import_module("torch").nn.LSTM(3, 4, num_layers=2))
    assert (summary.layers, summary.arrays) == (2, 8)
    assert str(summary).isprintable()


def test_the_target_keeps_its_parameters_and_their_flags(randomise: Callable[..., Any]) -> None:
    target = torch_module("lstm")
    target.weight_hh_l0.requires_grad_(requires_grad=False)
    target.eval()
    before = {name: (id(p), p.data_ptr(), p.requires_grad, p._version) for name, p in target.named_parameters()}
    copy_weights(randomise(keras_layer("lstm")), target)
    after = {name: (id(p), p.data_ptr(), p.requires_grad, p._version) for name, p in target.named_parameters()}
    for name, (identity, address, requires_grad, version) in before.items():
        assert after[name][:3] == (identity, address, requires_grad)
        assert after[name][3] > version
    assert not target.training


@pytest.mark.backend
def test_large_kernels_are_copied_whole() -> None:
    keras = import_module("keras")
    rng = np.random.default_rng(0)
    size, hidden = 530, 601  # larger than the blocks of a copy, and not a multiple of them
    for cell, gates in (("lstm", 4), ("gru", 3)):
        layer = getattr(keras.layers, KERAS[cell])(hidden, kernel_initializer="zeros", recurrent_initializer="zeros")
        layer.build((None, None, size))
        arrays = [rng.standard_normal(array.shape, np.float32) for array in numpy_of(layer)]
        layer.set_weights(arrays)
        module = convert(layer, to="pytorch")
        order = [1, 0, 2] if cell == "gru" else range(gates)
        for weight, matrix in ((module.weight_ih_l0, arrays[0]), (module.weight_hh_l0, arrays[1])):
            expected = np.concatenate([matrix[:, gate * hidden : (gate + 1) * hidden].T for gate in order])
            np.testing.assert_array_equal(weight.detach().numpy(), expected)
        assert same_bits(numpy_of(convert(module, to="keras")), arrays)


def test_weights_transposed_in_memory_are_read_and_written_correctly(randomise: Callable[..., Any]) -> None:
    torch = import_module("torch")
    source, target = randomise(torch_module("lstm"), 1), randomise(torch_module("lstm"), 2)
    for module in (source, target):
        # As left by a port made by hand: the right shape, in the memory of Keras's kernel.
        module.weight_ih_l0.data = module.weight_ih_l0.data.T.contiguous().T
    kept = numpy_of(source)
    copy_weights(source, target)
    assert same_bits(numpy_of(target), kept)
    plain = torch_module("lstm")
    plain.load_state_dict({name: parameter.contiguous() for name, parameter in source.named_parameters()})
    expected, _ = plain(torch.ones(TIME, BATCH, INPUT))
    found: Any = adapt(target).forward(np.ones((BATCH, TIME, INPUT), "float32")).output
    np.testing.assert_allclose(found, expected.detach().transpose(0, 1), atol=1e-6)


MISMATCHES: dict[str, tuple[dict[str, Any], str, str]] = {
    "cell": ({"cell": "gru"}, "cell of the target", "'gru'"),
    "input_size": ({"input_size": 8}, "input_size of the target", "8"),
    "hidden_size": ({"hidden_size": 6}, "hidden_size of the target", "6"),
    "num_layers": ({"num_layers": 2}, "num_layers of the target", "2"),
    "bidirectional": ({"bidirectional": True}, "bidirectional of the target", "True"),
    "bias": ({"bias": False}, "bias of the target", "False"),
    "dtype": ({"dtype": "float64"}, "dtype of the target", "'float64'"),
}


@pytest.mark.backend
@pytest.mark.parametrize("target", ["keras", "pytorch"])
@pytest.mark.parametrize("source", ["keras", "pytorch"])
@pytest.mark.parametrize("field", MISMATCHES)
def test_layers_that_differ_are_refused_and_nothing_is_written(
    field: str, source: FrameworkName, target: FrameworkName, refused: Callable[..., Any], snapshot: Callable[[Any], Any]
) -> None:
    changes, subject, value = MISMATCHES[field]
    giver = build(source, RecurrentSpec("lstm", INPUT, HIDDEN), seed=1).native
    spec: dict[str, Any] = {"cell": "lstm", "input_size": INPUT, "hidden_size": HIDDEN, **changes}
    taker = build(target, RecurrentSpec(**spec), seed=2).native
    before = snapshot(giver), snapshot(taker)
    with refused(subject, value):
        copy_weights(giver, taker)
    assert (snapshot(giver), snapshot(taker)) == before


@pytest.mark.parametrize(
    ("source", "target", "said"),
    [
        (lambda: torch_module("rnn", nonlinearity="relu"), lambda: keras_layer("rnn"), ("activation", "'relu'", "'tanh'")),
        (lambda: keras_layer("gru"), lambda: keras_layer("gru", reset_after=False), ("reset_after of the target", "False")),
        (lambda: keras_layer("gru", reset_after=False), lambda: torch_module("gru"), ("reset_after", "False", "nn.GRU")),
        (lambda: torch_module("gru"), lambda: keras_layer("gru", reset_after=False), ("reset_after of the target", "False")),
        (lambda: keras_layer("lstm", activation="relu"), lambda: torch_module("lstm"), ("activation", "'relu'", "nn.LSTM")),
        (
            lambda: keras_layer("lstm", recurrent_activation="hard_sigmoid"),
            lambda: torch_module("lstm"),
            ("recurrent_activation", "'hard_sigmoid'"),
        ),
        (
            lambda: keras_layer("lstm", library="tf_keras", recurrent_activation="hard_sigmoid"),
            lambda: keras_layer("lstm", recurrent_activation="hard_sigmoid"),
            ("recurrent_activation", "'keras2_hard_sigmoid'"),
        ),
        (lambda: torch_module("lstm"), lambda: torch_module("lstm", num_layers=2), ("num_layers of the target", "2")),
    ],
)
def test_layers_that_compute_differently_are_refused_and_nothing_is_written(
    source: Callable[[], Any],
    target: Callable[[], Any],
    said: tuple[str, ...],
    refused: Callable[..., Any],
    snapshot: Callable[[Any], Any],
) -> None:
    giver, taker = source(), target()
    before = snapshot(giver), snapshot(taker)
    with refused(*said):
        copy_weights(giver, taker)
    assert (snapshot(giver), snapshot(taker)) == before


@pytest.mark.backend
def test_every_activation_of_keras_is_carried_between_keras_layers(randomise: Callable[..., Any]) -> None:
    source = randomise(keras_layer("lstm", activation="softsign", recurrent_activation="hard_sigmoid"))
    there = convert(source, to="keras")
    assert check_parity(source, there)
    assert there.activation is source.activation


def test_weights_are_copied_between_layers_with_different_calls(randomise: Callable[..., Any]) -> None:
    source = randomise(keras_layer("gru", go_backwards=True, return_sequences=True, dropout=0.5))
    target = torch_module("gru")
    copy_weights(source, target)
    assert same_bits(numpy_of(target), by_hand("gru", *numpy_of(source)))


# What convert builds


@pytest.mark.backend
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("cell", CELLS)
def test_a_keras_layer_becomes_one_plain_evaluating_module(cell: str, *, bias: bool, randomise: Callable[..., Any]) -> None:
    torch = import_module("torch")
    module = convert(randomise(keras_layer(cell, two=True, use_bias=bias, return_sequences=True)), to="pytorch")
    assert type(module) is getattr(torch.nn, TORCH[cell])
    assert (module.input_size, module.hidden_size, module.num_layers) == (INPUT, HIDDEN, 1)
    assert module.batch_first
    assert module.bidirectional
    assert module.bias is bias
    assert not module.training
    assert {(p.dtype, p.device.type, p.requires_grad, p.is_leaf) for p in module.parameters()} == {
        (torch.float32, "cpu", True, True)
    }
    result = module(torch.ones(BATCH, TIME, INPUT))[0]
    assert result.shape == (BATCH, TIME, 2 * HIDDEN)
    result.sum().backward()


@pytest.mark.backend
@pytest.mark.parametrize("two", [False, True])
@pytest.mark.parametrize("cell", CELLS)
def test_one_torch_layer_becomes_a_keras_layer_that_returns_all(cell: str, *, two: bool, randomise: Callable[..., Any]) -> None:
    keras = import_module("keras")
    torch = import_module("torch")
    module = randomise(torch_module(cell, bidirectional=two, dtype=torch.float32))
    layer = convert(module, to="keras")
    kind = getattr(keras.layers, KERAS[cell])
    assert type(layer) is (keras.layers.Bidirectional if two else kind)
    assert type(getattr(layer, "forward_layer", layer)) is kind
    returned = [np.asarray(keras.ops.convert_to_numpy(array)) for array in layer(np.ones((BATCH, TIME, INPUT), "float32"))]
    output, finals = module(torch.ones(TIME, BATCH, INPUT))
    h_n, c_n = finals if cell == "lstm" else (finals, None)
    expected = [output.transpose(0, 1)]
    for direction in range(1 + two):
        expected += [h_n[direction]] if c_n is None else [h_n[direction], c_n[direction]]
    assert len(returned) == len(expected)
    for array, tensor in zip(returned, expected, strict=True):
        np.testing.assert_allclose(array, tensor.detach().numpy(), rtol=0, atol=2e-6)


@pytest.mark.backend
@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_several_torch_layers_become_a_model_that_returns_output_and_states(cell: str, randomise: Callable[..., Any]) -> None:
    keras = import_module("keras")
    torch = import_module("torch")
    module = randomise(torch_module(cell, num_layers=2, bidirectional=True, batch_first=True))
    model = convert(module, to="keras")
    assert isinstance(model, keras.Model)
    x = np.random.default_rng(0).standard_normal((BATCH, TIME, INPUT)).astype("float32")
    output, finals = module(torch.from_numpy(x))
    h_n, c_n = finals if cell == "lstm" else (finals, None)
    expected = [output]
    for row in range(4):  # layer by layer, direction by direction, h before c
        expected += [h_n[row]] if c_n is None else [h_n[row], c_n[row]]
    returned = model(x)
    assert len(returned) == len(expected)
    for array, tensor in zip(returned, expected, strict=True):
        found = np.asarray(keras.ops.convert_to_numpy(array))
        np.testing.assert_allclose(found, tensor.detach().numpy(), rtol=0, atol=2e-6)
    if cell == "gru":
        assert [array.shape for array in model.predict(x, batch_size=4, verbose=0)] == [tuple(each.shape) for each in expected]


@pytest.mark.backend
@pytest.mark.parametrize(("cell", "options"), [("rnn", {"activation": "relu"}), ("lstm", {"use_bias": False}), ("gru", {})])
def test_a_cell_becomes_a_cell_and_comes_back(cell: str, options: dict[str, Any], randomise: Callable[..., Any]) -> None:
    keras = import_module("keras")
    torch = import_module("torch")
    native = getattr(keras.layers, f"{KERAS[cell]}Cell")(HIDDEN, **options)
    native.build((None, INPUT))
    randomise(native)
    there = convert(native, to="pytorch")
    assert type(there) is getattr(torch.nn, f"{TORCH[cell]}Cell")
    assert getattr(there, "nonlinearity", "tanh") == ("relu" if options.get("activation") else "tanh")
    back = convert(there, to="keras")
    assert type(back) is type(native)
    assert same_bits(numpy_of(back), numpy_of(native))
    x = np.random.default_rng(0).standard_normal((BATCH, INPUT)).astype("float32")
    states = [np.full((BATCH, HIDDEN), 0.25, "float32"), np.full((BATCH, HIDDEN), -0.5, "float32")][: 1 + (cell == "lstm")]
    h = np.asarray(keras.ops.convert_to_numpy(native(x, states)[0]))
    given = tuple(torch.from_numpy(state) for state in states)
    stepped = there(torch.from_numpy(x), given if cell == "lstm" else given[0])
    np.testing.assert_allclose(h, (stepped[0] if cell == "lstm" else stepped).detach().numpy(), rtol=0, atol=1e-6)
    assert bool(check_parity(native, there))


@pytest.mark.backend
def test_dropout_between_layers_is_carried_both_ways(randomise: Callable[..., Any]) -> None:
    keras = import_module("keras")
    module = randomise(torch_module("gru", num_layers=3, dropout=0.25))
    model = convert(module, to="keras")
    kinds = [type(layer).__name__ for layer in model.layers]
    assert kinds == ["InputLayer", "GRU", "Dropout", "GRU", "Dropout", "GRU"]
    assert [layer.rate for layer in model.layers if isinstance(layer, keras.layers.Dropout)] == [0.25, 0.25]
    x = np.ones((BATCH, TIME, INPUT), "float32")
    trained, evaluated = (keras.ops.convert_to_numpy(model(x, training=flag)[0]) for flag in (True, False))
    assert not np.array_equal(trained, evaluated)
    back = convert(model, to="pytorch")
    assert back.dropout == 0.25
    assert same_bits(numpy_of(back), numpy_of(module))
    stack = [keras.layers.GRU(4, return_sequences=True), keras.layers.Dropout(0.5), keras.layers.GRU(4)]
    sequential = keras.Sequential([keras.Input((None, INPUT)), *stack])
    assert convert(sequential, to="pytorch").dropout == 0.5
    assert convert(stack, to="pytorch").dropout == 0.5
    assert convert([stack[0], stack[2]], to="pytorch").dropout == 0.0


@pytest.mark.backend
def test_every_conversion_s_dropout_draws_numbers_of_its_own() -> None:
    keras = import_module("keras")
    module = torch_module("gru", num_layers=3, dropout=0.25)
    models = [convert(module, to="keras") for _ in range(2)]
    drawing = [layer for model in models for layer in model.layers if isinstance(layer, keras.layers.Dropout)]
    drawing.append(keras.layers.Dropout(0.25))  # the user's next
    seeds = {keras.ops.convert_to_numpy(layer.seed_generator.state).tobytes() for layer in drawing}
    assert len(seeds) == len(drawing) == 5


def test_a_module_s_own_mode_is_kept() -> None:
    module = torch_module("lstm")
    assert convert(module, to="pytorch").training
    assert not convert(module.eval(), to="pytorch").training
    assert convert(module, to="pytorch") is not module


@pytest.mark.backend
def test_an_adapter_is_converted_like_its_layer(randomise: Callable[..., Any]) -> None:
    layer = randomise(keras_layer("lstm"))
    assert same_bits(numpy_of(convert(adapt(layer), to="pytorch")), numpy_of(convert(layer)))


@pytest.mark.backend
def test_a_stack_becomes_one_module_whatever_form_it_has(randomise: Callable[..., Any]) -> None:
    keras = import_module("keras")
    first, second = (keras.layers.GRU(HIDDEN, return_sequences=True) for _ in range(2))
    cells = keras.layers.RNN([keras.layers.GRUCell(HIDDEN), keras.layers.GRUCell(HIDDEN)])
    cells.build((None, None, INPUT))
    sequential = randomise(keras.Sequential([keras.Input((None, INPUT)), first, second]))
    cells.set_weights(sequential.get_weights())
    arrays = numpy_of(sequential)
    expected = by_hand("gru", *arrays[:3]) + by_hand("gru", *arrays[3:])
    for native in (sequential, [first, second], (first, second), cells):
        module = convert(native, to="pytorch")
        assert module.num_layers == 2
        assert same_bits(numpy_of(module), expected)


CONVERT_REFUSES: dict[str, tuple[dict[str, Any], str]] = {
    "go_backwards": ({"go_backwards": True}, "True"),
    "stateful": ({"stateful": True}, "True"),
    "dropout": ({"dropout": 0.25}, "0.25"),
    "recurrent_dropout": ({"recurrent_dropout": 0.125}, "0.125"),
}


@pytest.mark.backend
@pytest.mark.parametrize("to", ["keras", "pytorch"])
@pytest.mark.parametrize("field", CONVERT_REFUSES)
def test_a_counterpart_that_would_behave_differently_is_not_built(
    field: str, to: FrameworkName, refused: Callable[..., Any]
) -> None:
    keras = import_module("keras")
    options, value = CONVERT_REFUSES[field]
    layer = keras.layers.LSTM(HIDDEN, **options)
    layer.build((BATCH, TIME, INPUT))
    with refused(field, value):
        convert(layer, to=to)
    if field != "go_backwards":  # which adapt refuses inside a stack
        lower, upper = keras.layers.LSTM(HIDDEN, return_sequences=True), keras.layers.LSTM(HIDDEN, **options)
        lower.build((BATCH, TIME, INPUT))
        upper.build((BATCH, TIME, HIDDEN))
        with refused(field, value):
            convert([lower, upper], to=to)


@pytest.mark.backend
@pytest.mark.parametrize("to", ["keras", "pytorch"])
@pytest.mark.parametrize("mode", ["sum", "mul", "ave", None])
def test_directions_that_are_not_concatenated_are_not_converted(
    mode: str | None, to: FrameworkName, refused: Callable[..., Any]
) -> None:
    keras = import_module("keras")
    layer = keras.layers.Bidirectional(keras.layers.GRU(HIDDEN), merge_mode=mode)
    layer.build((None, None, INPUT))
    with refused("merge_mode", repr(mode)):
        convert(layer, to=to)


@pytest.mark.parametrize("activation", ["linear", "relu", "sigmoid", "softsign", "hard_sigmoid", "gelu"])
@pytest.mark.parametrize("cell", CELLS)
def test_activations_that_torch_cannot_hold_are_refused_by_name(
    cell: str, activation: str, refused: Callable[..., Any]
) -> None:
    layer = keras_layer(cell, activation=activation)
    if (cell, activation) == ("rnn", "relu"):
        assert convert(layer).nonlinearity == "relu"
        return
    with refused("activation", repr(activation), f"nn.{TORCH[cell]}"):
        convert(layer)
    if cell != "rnn" and activation != "sigmoid":
        with refused("recurrent_activation", repr(activation), f"nn.{TORCH[cell]}"):
            convert(keras_layer(cell, recurrent_activation=activation))


def test_a_gru_that_resets_before_the_product_is_refused_by_torch_and_built_by_keras(refused: Callable[..., Any]) -> None:
    spec = RecurrentSpec("gru", INPUT, HIDDEN, reset_after=False)
    with refused("reset_after", "False", "nn.GRU", "reset gate after the recurrent product"):
        build("pytorch", spec)
    source = build("keras", spec, seed=1)
    with refused("reset_after", "False"):
        convert(source.native, to="pytorch")
    assert check_parity(source.native, convert(source.native, to="keras"))


def test_keras_2_s_hard_sigmoid_is_not_mistaken_for_keras_3_s(refused: Callable[..., Any]) -> None:
    layer = keras_layer("lstm", library="tf_keras", recurrent_activation="hard_sigmoid")
    with refused("'keras2_hard_sigmoid'", "LSTM"):
        convert(layer, to="keras")


# Any spec, both ways


@st.composite
def specs(draw: st.DrawFn) -> RecurrentSpec:
    cell = draw(st.sampled_from(["rnn", "lstm", "gru"]))
    return RecurrentSpec(
        cell=cell,  # type: ignore[arg-type]
        input_size=draw(st.integers(1, 6)),
        hidden_size=draw(st.integers(1, 6)),
        num_layers=draw(st.integers(1, 2)),
        bidirectional=draw(st.booleans()),
        bias=draw(st.booleans()),
        dtype=draw(st.sampled_from(["float32", "float64"])),
        activation=draw(st.sampled_from(["tanh", "relu"])) if cell == "rnn" else "tanh",
    )


@pytest.mark.backend
@pytest.mark.parametrize(("origin", "other"), [("keras", "pytorch"), ("pytorch", "keras")])
@given(spec=specs(), seed=st.integers(0, 2**32 - 1))
@settings(max_examples=10)
def test_any_layer_goes_there_and_back_and_stays_the_same(
    origin: FrameworkName, other: FrameworkName, spec: RecurrentSpec, seed: int, randomise: Callable[..., Any]
) -> None:
    native = randomise(build(origin, spec).native, seed)
    before = numpy_of(native)
    there = convert(native, to=other)
    back = convert(there, to=origin)
    assert adapt(there).spec == adapt(back).spec == spec
    rows = spec.num_layers * spec.num_directions
    states = tuple(np.random.default_rng(seed + 1).uniform(-0.9, 0.9, (len(spec.state_names), rows, 2, spec.hidden_size)))
    result = check_parity(native, there, initial_state=tuple(state.astype(spec.dtype) for state in states))
    assert result, str(result)
    if origin == "keras" or spec.cell == "gru" or not spec.bias:
        assert same_bits(numpy_of(back), before)
    assert same_bits(numpy_of(convert(back, to=other)), numpy_of(there))
    assert same_bits(numpy_of(native), before)
