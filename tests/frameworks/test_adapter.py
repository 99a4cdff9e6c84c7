"""The contract of every adapter, over every kind of layer: one body of tests for Keras, tf_keras and PyTorch.

A layer is named after its library, so that a run on another Keras backend takes those of Keras alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from importlib import import_module
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from frameworks import DirectionWeights, KerasOptions, RecurrentOutput, RecurrentSpec, RecurrentWeights, adapt, convert
from frameworks.adapter import Adapter
from frameworks.reference.forward import run_reference
from frameworks.reference.gradients import run_reference_gradients

Array = npt.NDArray[Any]

BATCH, TIME, INPUT, HIDDEN = 6, 4, 9, 7
KERAS_SHAPE = (None, None, INPUT)


@dataclass(frozen=True)
class Case:
    """A layer of a library as a user makes it, and its spec."""

    library: str
    make: Callable[[Any], Any]
    spec: RecurrentSpec
    options: KerasOptions | None = None
    dropout: float = 0.0


def built(layer: Any, size: int = INPUT, batch: int | None = None) -> Any:
    layer.build((batch, None, size))
    return layer


def cell_built(cell: Any) -> Any:
    cell.build((None, INPUT))
    return cell


def lstm(**changes: Any) -> RecurrentSpec:
    return replace(RecurrentSpec("lstm", INPUT, HIDDEN), **changes)


def gru(**changes: Any) -> RecurrentSpec:
    return replace(RecurrentSpec("gru", INPUT, HIDDEN), **changes)


def rnn(**changes: Any) -> RecurrentSpec:
    return replace(RecurrentSpec("rnn", INPUT, HIDDEN), **changes)


SEQUENCES = KerasOptions(return_sequences=True)
STATE = KerasOptions(return_state=True)
BOTH = KerasOptions(return_sequences=True, return_state=True)

ANY_KERAS: dict[str, tuple[Callable[[Any], Any], RecurrentSpec, KerasOptions]] = {
    "SimpleRNN": (lambda k: built(k.layers.SimpleRNN(HIDDEN)), rnn(), KerasOptions()),
    "SimpleRNN relu, no bias, float64": (
        lambda k: built(k.layers.SimpleRNN(HIDDEN, activation="relu", use_bias=False, dtype="float64")),
        rnn(activation="relu", bias=False, dtype="float64"),
        KerasOptions(),
    ),
    "LSTM": (lambda k: built(k.layers.LSTM(HIDDEN, return_state=True)), lstm(), STATE),
    "LSTM no bias": (lambda k: built(k.layers.LSTM(HIDDEN, use_bias=False)), lstm(bias=False), KerasOptions()),
    "LSTM float64, stateful": (
        lambda k: built(k.layers.LSTM(HIDDEN, return_sequences=True, stateful=True, dtype="float64"), batch=BATCH),
        lstm(dtype="float64"),
        replace(SEQUENCES, stateful=True),
    ),
    "LSTM backwards": (
        lambda k: built(k.layers.LSTM(HIDDEN, return_sequences=True, return_state=True, go_backwards=True)),
        lstm(),
        replace(BOTH, go_backwards=True),
    ),
    "LSTM other activations": (
        lambda k: built(k.layers.LSTM(HIDDEN, activation="softsign", recurrent_activation="relu")),
        lstm(activation="softsign", recurrent_activation="relu"),
        KerasOptions(),
    ),
    "LSTM with dropout in its cell": (
        lambda k: built(k.layers.LSTM(HIDDEN, dropout=0.25, recurrent_dropout=0.125)),
        lstm(),
        KerasOptions(dropout=0.25, recurrent_dropout=0.125),
    ),
    "GRU": (lambda k: built(k.layers.GRU(HIDDEN, return_sequences=True)), gru(), SEQUENCES),
    "GRU no bias, float64": (
        lambda k: built(k.layers.GRU(HIDDEN, use_bias=False, dtype="float64")),
        gru(bias=False, dtype="float64"),
        KerasOptions(),
    ),
    "GRU that resets before, float64": (
        lambda k: built(k.layers.GRU(HIDDEN, reset_after=False, dtype="float64")),
        gru(reset_after=False, dtype="float64"),
        KerasOptions(),
    ),
    "GRU unrolled": (lambda k: k.layers.GRU(HIDDEN, unroll=True), gru(), KerasOptions()),
    "Bidirectional LSTM": (
        lambda k: built(k.layers.Bidirectional(k.layers.LSTM(HIDDEN, return_sequences=True, return_state=True))),
        lstm(bidirectional=True),
        replace(BOTH, zero_output_for_mask=True),
    ),
    "Bidirectional GRU, summed": (
        lambda k: built(k.layers.Bidirectional(k.layers.GRU(HIDDEN, return_state=True), merge_mode="sum")),
        gru(bidirectional=True),
        replace(STATE, merge_mode="sum"),
    ),
    "Bidirectional SimpleRNN apart, float64": (
        lambda k: built(
            k.layers.Bidirectional(k.layers.SimpleRNN(HIDDEN, dtype="float64"), merge_mode=None, dtype="float64"),
        ),
        rnn(bidirectional=True, dtype="float64"),
        KerasOptions(merge_mode=None),
    ),
    "Bidirectional LSTM, stateful": (
        # Keras itself cannot call one with return_state=True: its compute_mask fails.
        lambda k: built(k.layers.Bidirectional(k.layers.LSTM(HIDDEN, stateful=True)), batch=BATCH),
        lstm(bidirectional=True),
        KerasOptions(stateful=True),
    ),
    "Bidirectional, backwards": (
        lambda k: built(
            k.layers.Bidirectional(
                k.layers.GRU(HIDDEN, return_sequences=True, go_backwards=True),
                backward_layer=k.layers.GRU(HIDDEN, return_sequences=True),
            )
        ),
        gru(bidirectional=True),
        replace(SEQUENCES, go_backwards=True, zero_output_for_mask=True),
    ),
    "RNN over a cell": (lambda k: built(k.layers.RNN(k.layers.LSTMCell(HIDDEN), return_sequences=True)), lstm(), SEQUENCES),
    "RNN over a cell, stateful": (
        lambda k: built(k.layers.RNN(k.layers.GRUCell(HIDDEN), stateful=True), batch=BATCH),
        gru(),
        KerasOptions(stateful=True),
    ),
    "Bidirectional RNN over a cell": (
        lambda k: built(k.layers.Bidirectional(k.layers.RNN(k.layers.GRUCell(HIDDEN), return_state=True))),
        gru(bidirectional=True),
        STATE,
    ),
    "RNN over three cells": (
        lambda k: built(k.layers.RNN([k.layers.LSTMCell(HIDDEN) for _ in range(3)], return_state=True)),
        lstm(num_layers=3),
        replace(STATE, nesting="cells"),
    ),
    "RNN over two cells, backwards": (
        lambda k: built(k.layers.RNN([k.layers.GRUCell(HIDDEN) for _ in range(2)], return_sequences=True, go_backwards=True)),
        gru(num_layers=2),
        replace(SEQUENCES, go_backwards=True, nesting="cells"),
    ),
    "SimpleRNNCell relu": (
        lambda k: cell_built(k.layers.SimpleRNNCell(HIDDEN, activation="relu")),
        rnn(activation="relu"),
        KerasOptions(nesting="cell"),
    ),
    "LSTMCell float64": (
        lambda k: cell_built(k.layers.LSTMCell(HIDDEN, dtype="float64")),
        lstm(dtype="float64"),
        KerasOptions(nesting="cell"),
    ),
    "GRUCell": (lambda k: cell_built(k.layers.GRUCell(HIDDEN)), gru(), KerasOptions(nesting="cell")),
    "list": (
        lambda k: [
            built(k.layers.LSTM(HIDDEN, return_sequences=True)),
            built(k.layers.LSTM(HIDDEN, return_sequences=True, return_state=True), HIDDEN),
        ],
        lstm(num_layers=2),
        BOTH,
    ),
    "Sequential": (
        lambda k: k.Sequential(
            [k.Input((None, INPUT)), k.layers.GRU(HIDDEN, return_sequences=True), k.layers.GRU(HIDDEN, return_sequences=True)]
        ),
        gru(num_layers=2),
        SEQUENCES,
    ),
    "Sequential of Bidirectionals": (
        lambda k: k.Sequential(
            [
                k.Input((None, INPUT)),
                k.layers.Bidirectional(k.layers.SimpleRNN(HIDDEN, return_sequences=True)),
                k.layers.Bidirectional(k.layers.SimpleRNN(HIDDEN)),
            ]
        ),
        rnn(num_layers=2, bidirectional=True),
        KerasOptions(),
    ),
}

KERAS2 = (
    "SimpleRNN relu, no bias, float64",
    "LSTM",
    "LSTM float64, stateful",
    "LSTM with dropout in its cell",
    "GRU",
    "GRU that resets before, float64",
    "Bidirectional LSTM",
    "Bidirectional GRU, summed",
    "RNN over a cell",
    "RNN over three cells",
    "RNN over two cells, backwards",
    "LSTMCell float64",
    "Sequential of Bidirectionals",
)
"""The layers that are also made from tf_keras."""

KERAS_ONLY: dict[str, tuple[Callable[[Any], Any], RecurrentSpec, KerasOptions]] = {
    "GRU with zeros for masked steps": (
        lambda k: built(k.layers.GRU(HIDDEN, return_sequences=True, zero_output_for_mask=True)),
        gru(),
        replace(SEQUENCES, zero_output_for_mask=True),
    ),
    "RNN over two cells, float64": (
        lambda k: built(
            k.layers.RNN(
                k.layers.StackedRNNCells([k.layers.GRUCell(HIDDEN, dtype="float64") for _ in range(2)], dtype="float64"),
                dtype="float64",
            )
        ),
        gru(num_layers=2, dtype="float64"),
        KerasOptions(nesting="cells"),
    ),
}


def _torch_cases() -> dict[str, tuple[Callable[[Any], Any], RecurrentSpec]]:
    return {
        "RNN": (lambda t: t.nn.RNN(INPUT, HIDDEN), rnn()),
        "RNN relu, batch first, no bias": (
            lambda t: t.nn.RNN(INPUT, HIDDEN, nonlinearity="relu", batch_first=True, bias=False),
            rnn(activation="relu", bias=False),
        ),
        "RNN two layers, float64": (
            lambda t: t.nn.RNN(INPUT, HIDDEN, num_layers=2, dtype=t.float64),
            rnn(num_layers=2, dtype="float64"),
        ),
        "LSTM": (lambda t: t.nn.LSTM(INPUT, HIDDEN), lstm()),
        "LSTM batch first, float64": (
            lambda t: t.nn.LSTM(INPUT, HIDDEN, batch_first=True, dtype=t.float64),
            lstm(dtype="float64"),
        ),
        "LSTM no bias, bidirectional": (
            lambda t: t.nn.LSTM(INPUT, HIDDEN, bias=False, bidirectional=True),
            lstm(bias=False, bidirectional=True),
        ),
        "LSTM three layers, bidirectional, batch first": (
            lambda t: t.nn.LSTM(INPUT, HIDDEN, num_layers=3, bidirectional=True, batch_first=True),
            lstm(num_layers=3, bidirectional=True),
        ),
        "LSTM evaluated, with dropout": (
            lambda t: t.nn.LSTM(INPUT, HIDDEN, num_layers=2, dropout=0.5).eval(),
            lstm(num_layers=2),
        ),
        "LSTM frozen": (lambda t: t.nn.LSTM(INPUT, HIDDEN).requires_grad_(requires_grad=False), lstm()),
        "GRU": (lambda t: t.nn.GRU(INPUT, HIDDEN), gru()),
        "GRU two layers, bidirectional, batch first": (
            lambda t: t.nn.GRU(INPUT, HIDDEN, num_layers=2, bidirectional=True, batch_first=True),
            gru(num_layers=2, bidirectional=True),
        ),
        "GRU no bias, float64": (
            lambda t: t.nn.GRU(INPUT, HIDDEN, bias=False, dtype=t.float64),
            gru(bias=False, dtype="float64"),
        ),
        "RNNCell relu": (lambda t: t.nn.RNNCell(INPUT, HIDDEN, nonlinearity="relu"), rnn(activation="relu")),
        "LSTMCell": (lambda t: t.nn.LSTMCell(INPUT, HIDDEN), lstm()),
        "LSTMCell no bias": (lambda t: t.nn.LSTMCell(INPUT, HIDDEN, bias=False), lstm(bias=False)),
        "GRUCell float64": (lambda t: t.nn.GRUCell(INPUT, HIDDEN, dtype=t.float64), gru(dtype="float64")),
    }


def _with_dropout_between(k: Any) -> list[Any]:
    return [
        built(k.layers.GRU(HIDDEN, return_sequences=True)),
        k.layers.Dropout(0.5),
        built(k.layers.GRU(HIDDEN, return_sequences=True), HIDDEN),
    ]


def _converted(_: Any) -> Any:
    torch = import_module("torch")
    return convert(torch.nn.LSTM(INPUT, HIDDEN, num_layers=2, bidirectional=True), to="keras")


CASES: dict[str, Case] = {
    **{f"keras {name}": Case("keras", *row) for name, row in {**ANY_KERAS, **KERAS_ONLY}.items()},
    "keras list with dropout between": Case("keras", _with_dropout_between, gru(num_layers=2), SEQUENCES, 0.5),
    "keras model that convert made": Case(
        "keras",
        _converted,
        lstm(num_layers=2, bidirectional=True),
        replace(BOTH, zero_output_for_mask=True, nesting="model"),
    ),
    **{f"tf_keras {name}": Case("tf_keras", *ANY_KERAS[name]) for name in KERAS2},
    "tf_keras RNN over two cells, backwards": Case(
        "tf_keras",
        *ANY_KERAS["RNN over two cells, backwards"][:2],
        replace(SEQUENCES, go_backwards=True, nesting="cells", bare_states=True),
    ),
    **{
        f"torch {name}": Case("torch", make, spec, dropout=0.5 if "dropout" in name else 0.0)
        for name, (make, spec) in _torch_cases().items()
    },
}

MARKED = [pytest.param(name, marks=[pytest.mark.backend] if CASES[name].library == "keras" else []) for name in CASES]
every_layer = pytest.mark.parametrize("name", MARKED)


@dataclass(frozen=True)
class Made:
    """A case's layer with random weights, its adapter, and the arguments of a call with random states."""

    case: Case
    native: Any
    adapter: Adapter
    inputs: Array
    states: tuple[Array, ...]


@cache
def layer_of(name: str) -> Any:
    """Build the layer of a case once for all tests, since building takes longer than most tests; each test refills it."""
    return CASES[name].make(import_module(CASES[name].library))


@pytest.fixture
def made(name: str, randomise: Callable[[Any], Any]) -> Made:
    case, native = CASES[name], layer_of(name)
    spec = case.spec
    rng = np.random.default_rng(2)
    inputs = rng.standard_normal((BATCH, TIME, INPUT)).astype(spec.dtype)
    rows = spec.num_layers * (1 + spec.bidirectional)
    states = tuple(rng.uniform(-0.9, 0.9, (rows, BATCH, HIDDEN)).astype(spec.dtype) for _ in "hc"[: 1 + (spec.cell == "lstm")])
    if hasattr(native, "built") and not native.built:
        native(inputs)  # an unrolled layer is built for its length
    randomise(native)
    return Made(case, native, adapt(native), inputs, states)


def tolerance_of(case: Case) -> float:
    """Return 1e-12 where the arithmetic is in float64: everywhere except in Keras on backends other than TensorFlow."""
    backend = import_module("keras").backend.backend() if case.library == "keras" else "tensorflow"
    return 1e-12 if case.spec.dtype == "float64" and backend == "tensorflow" else 1e-5


def arrays_of(weights: RecurrentWeights) -> list[Array]:
    return [array for _, _, one in weights for _, array in one.arrays()]


def assert_keeps_protocol(adapter: Any) -> None:
    """Read everything that the Protocol names."""
    for name, member in vars(Adapter).items():
        if not name.startswith("_"):
            assert callable(getattr(adapter, name)) or isinstance(member, property), name


@every_layer
def test_a_layer_is_described_as_it_is(made: Made) -> None:
    adapter, case = made.adapter, made.case
    assert adapter.spec == case.spec
    assert adapter.options == case.options
    assert adapter.dropout == case.dropout
    assert adapter.native is made.native
    assert adapter.framework == ("pytorch" if case.library == "torch" else "keras")
    assert adapter.precision == ("float64" if tolerance_of(case) == 1e-12 else "float32")
    assert bool(adapter.notes) is (adapter.precision != case.spec.dtype)
    assert_keeps_protocol(adapter)
    assert adapt(adapter) is adapter


@every_layer
def test_weights_have_one_axis_per_meaning_and_belong_to_the_caller(made: Made, randomise: Callable[..., Any]) -> None:
    spec = made.case.spec
    gates = {"rnn": 1, "gru": 3, "lstm": 4}[spec.cell]
    weights = made.adapter.get_weights()
    assert len(weights.layers) == spec.num_layers
    for layer, directions in enumerate(weights.layers):
        assert len(directions) == 1 + spec.bidirectional
        for one in directions:
            size = INPUT if layer == 0 else len(directions) * HIDDEN
            assert len(one.gates) == gates
            assert one.kernel.shape == (gates, size, HIDDEN)
            assert one.recurrent_kernel.shape == (gates, HIDDEN, HIDDEN)
            two = made.case.library == "torch" or (spec.cell == "gru" and spec.reset_after)
            shapes = [None if bias is None else bias.shape for bias in (one.bias, one.recurrent_bias)]
            assert shapes == [(gates, HIDDEN) if spec.bias else None, (gates, HIDDEN) if spec.bias and two else None]
    arrays = arrays_of(weights)
    assert {array.dtype.name for array in arrays} == {spec.dtype}
    assert all(array.flags.owndata and not array.flags.writeable and array.flags.c_contiguous for array in arrays)
    before = [array.tobytes() for array in arrays]
    randomise(made.native, seed=1)
    assert [array.tobytes() for array in arrays] == before
    assert not any(np.array_equal(old, new) for old, new in zip(arrays, arrays_of(made.adapter.get_weights()), strict=True))


@every_layer
def test_weights_come_back_bit_for_bit_and_are_not_shared_with_the_source(made: Made) -> None:
    rng = np.random.default_rng(3)
    given = RecurrentWeights(
        tuple(
            tuple(
                DirectionWeights(one.gates, **{part: rng.normal(0, 1, a.shape).astype(a.dtype) for part, a in one.arrays()})
                for one in directions
            )
            for directions in made.adapter.get_weights().layers
        )
    )
    kept = [array.tobytes() for array in arrays_of(given)]
    made.adapter.set_weights(given)
    for array in arrays_of(given):
        array[...] = np.nan
    assert [array.tobytes() for array in arrays_of(made.adapter.get_weights())] == kept


@every_layer
def test_results_are_those_of_the_reference_in_pytorch_s_order(made: Made) -> None:
    padding = np.arange(TIME) < np.array([4, 1, 3, 3, 2, 4])[:, None]
    check_results(made, made.states, None)
    check_results(made, None, padding)


def check_results(made: Made, states: tuple[Array, ...] | None, mask: Array | None) -> None:
    adapter, spec = made.adapter, made.case.spec
    turn = -1 if made.case.options and made.case.options.go_backwards else 1
    turned = None if mask is None else mask[:, ::turn]
    expected = run_reference(adapter.get_weights(), spec, made.inputs[:, ::turn], states, turned)
    # A single state is also accepted without a tuple.
    found = adapter.forward(made.inputs, states[0] if states and len(states) == 1 else states, mask)
    assert found.output is not None
    assert expected.output is not None
    assert found.output.shape == (BATCH, TIME, HIDDEN * (1 + spec.bidirectional))
    steps = np.ones((BATCH, TIME), bool) if mask is None else mask
    pairs = [(expected.output[:, ::turn][steps], found.output[steps]), (expected.h_n, found.h_n), (expected.c_n, found.c_n)]
    assert (found.c_n is None) is (spec.cell != "lstm")
    for one, other in pairs[: 2 + (spec.cell == "lstm")]:
        assert one is not None
        assert other is not None
        assert one.shape == other.shape
        assert other.dtype.name == spec.dtype
        np.testing.assert_allclose(other, one, rtol=0, atol=tolerance_of(made.case))


@every_layer
def test_gradients_are_those_of_the_reference(made: Made) -> None:
    adapter, spec = made.adapter, made.case.spec
    mask = None if spec.num_layers > 1 else np.arange(TIME) < np.array([4, 1, 3, 3, 2, 4])[:, None]
    rng = np.random.default_rng(4)
    output = rng.standard_normal((BATCH, TIME, HIDDEN * (1 + spec.bidirectional))).astype(spec.dtype)
    cotangents = RecurrentOutput(output, *(rng.standard_normal(state.shape).astype(spec.dtype) for state in made.states))
    found = adapter.gradients(made.inputs, made.states, mask, cotangents)
    turn = -1 if made.case.options and made.case.options.go_backwards else 1
    expected = run_reference_gradients(
        adapter.get_weights(),
        spec,
        made.inputs[:, ::turn],
        made.states,
        None if mask is None else mask[:, ::turn],
        replace(cotangents, output=output[:, ::turn]),
        zero_masked=adapter.zeroes_masked_steps,
    )
    pairs: list[tuple[Any, Any]] = [
        (expected.inputs[:, ::turn], found.inputs),
        (expected.h_0, found.h_0),
        (expected.c_0, found.c_0),
    ]
    assert (found.c_0 is None) is (spec.cell != "lstm")
    pairs = pairs[: 2 + (spec.cell == "lstm")]
    pairs += zip(arrays_of(expected.weights), arrays_of(found.weights), strict=True)
    for one, other in pairs:
        assert one.shape == other.shape
        assert other.dtype.name == spec.dtype
        np.testing.assert_allclose(other, one, rtol=0, atol=tolerance_of(made.case) * max(1, np.abs(one).max()))


@every_layer
def test_looking_changes_nothing(made: Made, snapshot: Callable[[Any], Any]) -> None:
    torch = import_module("torch")
    for parameter in made.native.parameters() if made.case.library == "torch" else ():
        parameter.grad = torch.full_like(parameter, 3.0) if parameter.requires_grad else None
    if made.case.options is not None and made.case.options.stateful:
        made.native(made.inputs)  # so that the stored states are not zeros
    before, random = snapshot(made.native), torch.get_rng_state()
    given = [made.inputs.copy(), *(state.copy() for state in made.states)]
    mask = np.ones((BATCH, TIME), bool)
    from frameworks.keras import KerasAdapter

    adapter = adapt(made.native)
    adapter.get_weights()
    results = [adapter.forward(made.inputs, made.states, mask)]
    ones = RecurrentOutput(*(np.ones_like(array) for array in (results[0].output, *made.states) if array is not None))
    adapter.gradients(made.inputs, made.states, mask, ones)
    if isinstance(adapter, KerasAdapter) and not adapter.is_cell:
        adapter.call(made.inputs, made.states)

    assert snapshot(made.native) == before
    if not (made.case.options and made.case.options.dropout):
        # On its torch backend Keras draws the masks of a cell's dropout in inference too, from torch's global generator.
        assert torch.equal(torch.get_rng_state(), random)
    for result in results:
        for array in (result.output, result.h_n, result.c_n):
            if array is not None and array.flags.writeable:
                array[...] = np.nan  # the returned array is shared with nobody
    assert snapshot(made.native) == before
    for array, kept in zip([made.inputs, *made.states], given, strict=True):
        np.testing.assert_array_equal(array, kept)


@pytest.mark.backend
@pytest.mark.parametrize("flags", [{}, {"zero_output_for_mask": True}, {"go_backwards": True}, {"two": True}])
def test_keras_layers_accept_any_mask_and_fill_masked_steps_as_keras_does(
    flags: dict[str, bool], randomise: Callable[..., Any]
) -> None:
    keras = import_module("keras")
    two = flags.pop("two", False) if flags else False
    layer = keras.layers.LSTM(HIDDEN, return_sequences=True, **flags)
    native = randomise(built(keras.layers.Bidirectional(layer) if two else layer))
    inputs = np.random.default_rng(0).standard_normal((4, TIME, INPUT)).astype("float32")
    # Right padding, left padding, gaps, and no step at all.
    mask = np.array([[1, 1, 0, 0], [0, 0, 1, 1], [1, 0, 0, 1], [0] * TIME], bool)
    expected = np.asarray(keras.ops.convert_to_numpy(native(inputs, mask=mask)))
    found: Any = adapt(native).forward(inputs, mask=mask).output
    turned = expected[:, ::-1] if "go_backwards" in flags else expected
    np.testing.assert_allclose(found, turned, rtol=0, atol=1e-6)


@pytest.mark.backend
def test_masked_steps_of_two_directions_are_zeros_whatever_the_flags(randomise: Callable[..., Any]) -> None:
    keras = import_module("keras")
    torch = import_module("torch")
    mask = np.arange(TIME) < np.array([4, 1, 3])[:, None]
    inputs = np.random.default_rng(0).standard_normal((3, TIME, INPUT)).astype("float32")
    for sequences in (False, True):
        native = randomise(built(keras.layers.Bidirectional(keras.layers.GRU(HIDDEN, return_sequences=sequences))))
        found: Any = adapt(native).forward(inputs, mask=mask)
        assert not found.output[~mask].any()
        assert (found.output[mask] != 0).all()
    padded: Any = adapt(torch.nn.GRU(INPUT, HIDDEN)).forward(inputs, mask=mask)
    assert not padded.output[~mask].any()
    assert padded.output.shape == (3, TIME, HIDDEN)


def test_a_module_that_would_draw_random_numbers_is_not_run(refused: Callable[..., Any]) -> None:
    torch = import_module("torch")
    module = torch.nn.LSTM(INPUT, HIDDEN, num_layers=2, dropout=0.25)
    adapter = adapt(module)
    with refused("nn.LSTM(dropout=0.25)", "eval mode"):
        adapter.forward(np.zeros((BATCH, TIME, INPUT), "float32"))
    module.eval()
    adapter.forward(np.zeros((BATCH, TIME, INPUT), "float32"))
    assert adapt(torch.nn.GRU(INPUT, HIDDEN)).forward(np.zeros((1, 1, INPUT), "float32")).output is not None


@pytest.mark.backend
def test_a_keras_layer_belongs_to_keras_on_every_backend(refused: Callable[..., Any]) -> None:
    keras = import_module("keras")
    assert adapt(built(keras.layers.GRU(HIDDEN))).framework == "keras"
    with refused("Dense"):
        adapt(keras.layers.Dense(HIDDEN))


def test_a_graph_recorded_before_a_write_is_invalidated() -> None:
    torch = import_module("torch")
    module = torch.nn.GRU(INPUT, HIDDEN)
    adapter = adapt(module)
    loss = module(torch.ones(TIME, BATCH, INPUT))[0].sum()
    adapter.set_weights(adapter.get_weights())
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


@pytest.mark.gpu
def test_on_a_gpu_layers_stay_there(randomise: Callable[..., Any], snapshot: Callable[[Any], Any]) -> None:
    torch = import_module("torch")
    for make in (torch.nn.RNN, torch.nn.LSTM, torch.nn.GRU):
        module = randomise(make(INPUT, HIDDEN, num_layers=2, bidirectional=True, dtype=torch.float64).cuda()).eval()
        host = make(INPUT, HIDDEN, num_layers=2, bidirectional=True, dtype=torch.float64)
        before, adapter = snapshot(module), adapt(module)
        weights, inputs = adapter.get_weights(), np.random.default_rng(0).standard_normal((BATCH, TIME, INPUT))
        expected: Any = run_reference(weights, adapter.spec, inputs)
        found: Any = adapter.forward(inputs)
        np.testing.assert_allclose(found.h_n, expected.h_n, rtol=0, atol=1e-12)
        counted = (expected.output, expected.h_n, expected.c_n)
        ones = RecurrentOutput(*(np.ones_like(array) for array in counted if array is not None))
        slopes = run_reference_gradients(weights, adapter.spec, inputs, None, None, ones)
        np.testing.assert_allclose(adapter.gradients(inputs, None, None, ones).inputs, slopes.inputs, rtol=0, atol=1e-12)
        assert snapshot(module) == before
        assert "TF32" in "".join(adapter.notes)
        adapt(host).set_weights(weights)
        adapter.set_weights(adapt(randomise(make(INPUT, HIDDEN, num_layers=2, bidirectional=True).double(), 1)).get_weights())
        assert not torch.equal(module.weight_hh_l1.cpu(), host.weight_hh_l1)
        adapter.set_weights(adapt(host).get_weights())
        assert {parameter.device.type for parameter in module.parameters()} == {"cuda"}
        assert all(torch.equal(here.cpu(), there) for here, there in zip(module.parameters(), host.parameters(), strict=True))
        if make is not torch.nn.RNN:
            back = convert(convert(module, to="keras"), to="pytorch")
            assert torch.equal(back.weight_ih_l1_reverse, module.weight_ih_l1_reverse.cpu())


WRONG_CALLS: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "no batch": ({"inputs": np.zeros((TIME, INPUT), "f4")}, ("inputs", "(batch, time, 9)", "(4, 9)")),
    "rank 4": ({"inputs": np.zeros((1, BATCH, TIME, INPUT), "f4")}, ("inputs", "(1, 6, 4, 9)")),
    "features": ({"inputs": np.zeros((BATCH, TIME, 8), "f4")}, ("inputs", "(batch, time, 9)", "(6, 4, 8)")),
    "float64": ({"inputs": np.zeros((BATCH, TIME, INPUT))}, ("inputs", "float32", "float64")),
    "integers": ({"inputs": np.zeros((BATCH, TIME, INPUT), "i4")}, ("inputs", "float32", "int32")),
    "a list": ({"inputs": [[[0.0] * INPUT]]}, ("inputs", "NumPy array", "list")),
    "a masked array": (
        {"inputs": np.ma.masked_array(np.zeros((BATCH, TIME, INPUT), "f4"), mask=True)},
        ("inputs", "MaskedArray", "`mask`"),
    ),
    "no rows": ({"inputs": np.zeros((0, TIME, INPUT), "f4")}, ("inputs", "(0, 4, 9)")),
    "no steps": ({"inputs": np.zeros((BATCH, 0, INPUT), "f4")}, ("inputs", "(6, 0, 9)")),
    "h alone": ({"initial_state": np.zeros((2, BATCH, HIDDEN), "f4")}, ("initial_state", "h_0 and c_0", "1 array")),
    "no state": ({"initial_state": ()}, ("initial_state", "0 arrays")),
    "three states": ({"initial_state": (np.zeros((2, BATCH, HIDDEN), "f4"),) * 3}, ("initial_state", "3 arrays")),
    "batch first": ({"initial_state": (np.zeros((BATCH, 2, HIDDEN), "f4"),) * 2}, ("h_0", "(2, 6, 7)", "(6, 2, 7)")),
    "no directions": ({"initial_state": (np.zeros((BATCH, HIDDEN), "f4"),) * 2}, ("h_0", "(2, 6, 7)", "(6, 7)")),
    "a batch of one": ({"initial_state": (np.zeros((2, 1, HIDDEN), "f4"),) * 2}, ("h_0", "(2, 6, 7)", "(2, 1, 7)")),
    "c of another size": (
        {"initial_state": (np.zeros((2, BATCH, HIDDEN), "f4"), np.zeros((2, BATCH, 8), "f4"))},
        ("c_0", "(2, 6, 7)", "(2, 6, 8)"),
    ),
    "c in float64": (
        {"initial_state": (np.zeros((2, BATCH, HIDDEN), "f4"), np.zeros((2, BATCH, HIDDEN)))},
        ("c_0", "float32", "float64"),
    ),
    "None for c": ({"initial_state": (np.zeros((2, BATCH, HIDDEN), "f4"), None)}, ("c_0", "NumPy array", "NoneType")),
    "mask of 0 and 1": ({"mask": np.ones((BATCH, TIME), "i4")}, ("mask", "bool", "int32")),
    "mask as a list": ({"mask": [[True] * TIME] * BATCH}, ("mask", "bool", "list")),
    "mask turned": ({"mask": np.ones((TIME, BATCH), bool)}, ("mask", "(6, 4)", "(4, 6)")),
    "mask of one row": ({"mask": np.ones(TIME, bool)}, ("mask", "(6, 4)", "(4,)")),
}


@cache
def plain(library: str) -> Adapter:
    if library == "torch":
        return adapt(import_module("torch").nn.LSTM(INPUT, HIDDEN, bidirectional=True))
    kinds = import_module(library).layers
    return adapt(built(kinds.Bidirectional(kinds.LSTM(HIDDEN))))


@pytest.mark.backend
@pytest.mark.parametrize("library", ["keras", "torch"])
@pytest.mark.parametrize("name", WRONG_CALLS)
def test_a_call_that_does_not_fit_is_refused(name: str, library: str, refused: Callable[..., Any]) -> None:
    wrong, said = WRONG_CALLS[name]
    adapter = plain(library)
    call = {"inputs": np.zeros((BATCH, TIME, INPUT), "f4"), **wrong}
    with refused(*said):
        adapter.forward(**call)
    if library == "keras":
        with refused(*said):
            adapter.call(**call)  # type: ignore[attr-defined]


def test_two_states_of_a_gru_are_refused(refused: Callable[..., Any]) -> None:
    torch = import_module("torch")
    states = (np.zeros((1, BATCH, HIDDEN), "f4"),) * 2
    with refused("initial_state", "h_0 for this GRU", "2 arrays"):
        adapt(torch.nn.GRU(INPUT, HIDDEN)).forward(np.zeros((BATCH, TIME, INPUT), "f4"), states)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ([False, True, True, True], "[0, 1, 1, 1]"),
        ([True, False, True, False], "[1, 0, 1, 0]"),
        ([False] * TIME, "[0, 0, 0, 0]"),
    ],
)
@pytest.mark.parametrize("kind", ["LSTM", "LSTMCell"])
def test_torch_refuses_masks_that_packing_cannot_hold(
    kind: str, row: list[bool], said: str, refused: Callable[..., Any]
) -> None:
    torch = import_module("torch")
    mask = np.ones((BATCH, TIME), bool)
    mask[4] = row
    with refused("row 4 of mask", "right padding", said):
        adapt(getattr(torch.nn, kind)(INPUT, HIDDEN)).forward(np.zeros((BATCH, TIME, INPUT), "f4"), mask=mask)


@pytest.mark.backend
@pytest.mark.parametrize("library", ["keras", "torch"])
def test_arrays_are_accepted_in_any_memory_order(library: str) -> None:
    adapter = plain(library)
    x = np.random.default_rng(0).standard_normal((BATCH, TIME, INPUT)).astype("f4")
    states = np.random.default_rng(1).standard_normal((2, 2, BATCH, HIDDEN)).astype("f4")
    expected = adapter.forward(np.ascontiguousarray(x[:, ::-1]), (states[0].copy(), states[1].copy()))
    strided = np.asfortranarray(x)[:, ::-1]
    strided.flags.writeable = False
    backwards = np.ascontiguousarray(states[:, :, ::-1])[:, :, ::-1]
    found = adapter.forward(strided, (backwards[0], backwards[1]))
    np.testing.assert_array_equal(found.output, expected.output)
    np.testing.assert_array_equal(found.c_n, expected.c_n)


@pytest.mark.backend
@pytest.mark.parametrize("library", ["keras", "torch"])
def test_a_single_reversed_time_step_is_accepted(library: str) -> None:
    # NumPy reports x[:, ::-1] of one step as contiguous, despite its negative stride.
    adapter = plain(library)
    x = np.random.default_rng(0).standard_normal((BATCH, 1, INPUT)).astype("f4")
    states = (np.full((2, BATCH, HIDDEN), 0.5, "f4"),) * 2
    found = adapter.forward(x[:, ::-1], (states[0][:, ::-1], states[1]), np.ones((BATCH, 1), bool)[:, ::-1])
    np.testing.assert_array_equal(found.output, adapter.forward(x, states).output)
