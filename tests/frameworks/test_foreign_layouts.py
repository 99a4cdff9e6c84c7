"""Tables can describe the cells of other libraries: from their arrays, the reference computes what these cells compute.

Each cell is written out here as its library has it, over arrays of its library's names and shapes. Sources:
dm-haiku, haiku/_src/recurrent.py (LSTM, GRU); tensorflow 1, python/ops/rnn_cell_impl.py (GRUCell, BasicLSTMCell, BasicRNNCell);
flax, linen/recurrent.py (LSTMCell, GRUCell); equinox, nn/_rnn.py (GRUCell).

Covers: `frameworks/layouts.py`, `frameworks/part_layout.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from compare.parity.cases import draw_weights
from frameworks import DirectionWeights, RecurrentOutput, RecurrentSpec, RecurrentWeights
from frameworks.copying import fill
from frameworks.files.stored import StoredCell
from frameworks.files.untrusted.source import in_memory
from frameworks.files.writing.blocks import cell_tensors
from frameworks.gradients import arrange
from frameworks.layouts import KERAS, PYTORCH, Layout, tensorflow1
from frameworks.part_layout import Stored
from frameworks.reference.forward import run_reference
from frameworks.reference.gradients import run_reference_gradients

Array = npt.NDArray[Any]
Arrays = Mapping[str, Array]
States = tuple[Array, ...]
Step = Callable[[Arrays, Array, States], States]

INPUT, HIDDEN, BATCH, TIME = 3, 4, 2, 5


def sigmoid(x: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-x)))


def haiku_lstm(p: Arrays, x: Array, states: States) -> States:
    h, c = states
    i, g, f, o = np.split(np.concatenate([x, h], axis=-1) @ p["linear/w"] + p["linear/b"], 4, axis=-1)
    c = sigmoid(f + 1) * c + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c


def haiku_gru(p: Arrays, x: Array, states: States) -> States:
    (h,) = states
    w_z, w_r, w_a = np.split(p["w_h"], 3, axis=-1)
    x_z, x_r, x_a = np.split(x @ p["w_i"] + p["b"], 3, axis=-1)
    z, r = sigmoid(x_z + h @ w_z), sigmoid(x_r + h @ w_r)
    a = np.tanh(x_a + (r * h) @ w_a)
    return ((1 - z) * h + z * a,)


def tensorflow_gru(p: Arrays, x: Array, states: States) -> States:
    (h,) = states
    gates = np.concatenate([x, h], axis=-1) @ p["gates/kernel"] + p["gates/bias"]
    r, u = np.split(sigmoid(gates), 2, axis=-1)
    c = np.tanh(np.concatenate([x, r * h], axis=-1) @ p["candidate/kernel"] + p["candidate/bias"])
    return (u * h + (1 - u) * c,)


def tensorflow_lstm(p: Arrays, x: Array, states: States) -> States:
    h, c = states
    i, j, f, o = np.split(np.concatenate([x, h], axis=-1) @ p["kernel"] + p["bias"], 4, axis=-1)
    c = c * sigmoid(f + 0.5) + sigmoid(i) * np.tanh(j)
    return np.tanh(c) * sigmoid(o), c


def tensorflow_rnn(p: Arrays, x: Array, states: States) -> States:
    (h,) = states
    return (np.tanh(np.concatenate([x, h], axis=-1) @ p["kernel"] + p["bias"]),)


def flax_lstm(p: Arrays, x: Array, states: States) -> States:
    h, c = states
    i, f, g, o = (x @ p[f"i{gate}/kernel"] + h @ p[f"h{gate}/kernel"] + p[f"h{gate}/bias"] for gate in "ifgo")
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c


def flax_gru(p: Arrays, x: Array, states: States) -> States:
    (h,) = states
    r = sigmoid(x @ p["ir/kernel"] + p["ir/bias"] + h @ p["hr/kernel"])
    z = sigmoid(x @ p["iz/kernel"] + p["iz/bias"] + h @ p["hz/kernel"])
    n = np.tanh(x @ p["in/kernel"] + p["in/bias"] + r * (h @ p["hn/kernel"] + p["hn/bias"]))
    return ((1 - z) * n + z * h,)


def equinox_gru(p: Arrays, x: Array, states: States) -> States:
    (h,) = states
    i_r, i_z, i_n = np.split(x @ p["weight_ih"].T + p["bias"], 3, axis=-1)
    h_r, h_z, h_n = np.split(h @ p["weight_hh"].T, 3, axis=-1)
    r, z = sigmoid(i_r + h_r), sigmoid(i_z + h_z)
    n = np.tanh(i_n + r * (h_n + p["bias_n"]))
    return (n + z * (h - n),)


@dataclass(frozen=True)
class Foreign:
    """A cell of another library: its step, the shapes of its arrays, and the table that describes them."""

    spec: RecurrentSpec
    step: Step
    shapes: Mapping[str, tuple[int, ...]]
    layout: Layout


LSTM = RecurrentSpec("lstm", INPUT, HIDDEN, dtype="float64")
RNN = RecurrentSpec("rnn", INPUT, HIDDEN, dtype="float64")
GRU = RecurrentSpec("gru", INPUT, HIDDEN, dtype="float64")
GRU_BEFORE = replace(GRU, reset_after=False)
LSTM_GATES = {"i": ("input",), "f": ("forget",), "g": ("candidate",), "o": ("output",)}
GRU_GATES = {"r": ("reset",), "z": ("update",), "n": ("candidate",)}
TWO = {"gates": ("reset", "update"), "candidate": ("candidate",)}


def unused() -> tuple[Stored, Stored]:
    return Stored("none", "(gate hidden)"), Stored("none", "(gate hidden)")


FOREIGN: Mapping[str, Foreign] = MappingProxyType(
    {
        "Haiku's LSTM": Foreign(
            LSTM,
            haiku_lstm,
            {"linear/w": (INPUT + HIDDEN, 4 * HIDDEN), "linear/b": (4 * HIDDEN,)},
            Layout(
                gates={"lstm": ("input", "candidate", "forget", "output")},
                kernel=Stored("linear/w", "input+from (gate hidden)"),
                recurrent_kernel=Stored("linear/w", "input+from (gate hidden)"),
                one_bias=Stored("linear/b", "(gate hidden)", added={"forget": 1.0}),
                two_biases=unused(),
            ),
        ),
        "Haiku's GRU": Foreign(
            GRU_BEFORE,
            haiku_gru,
            {"w_i": (INPUT, 3 * HIDDEN), "w_h": (HIDDEN, 3 * HIDDEN), "b": (3 * HIDDEN,)},
            Layout(
                gates={"gru": ("update", "reset", "candidate")},
                kernel=Stored("w_i", "input (gate hidden)", negated=("update",)),
                recurrent_kernel=Stored("w_h", "from (gate hidden)", negated=("update",)),
                one_bias=Stored("b", "(gate hidden)", negated=("update",)),
                two_biases=unused(),
            ),
        ),
        "TensorFlow 1's GRU": Foreign(
            GRU_BEFORE,
            tensorflow_gru,
            {
                "gates/kernel": (INPUT + HIDDEN, 2 * HIDDEN),
                "candidate/kernel": (INPUT + HIDDEN, HIDDEN),
                "gates/bias": (2 * HIDDEN,),
                "candidate/bias": (HIDDEN,),
            },
            tensorflow1("gru"),
        ),
        "TensorFlow 1's LSTM": Foreign(
            LSTM,
            tensorflow_lstm,
            {"kernel": (INPUT + HIDDEN, 4 * HIDDEN), "bias": (4 * HIDDEN,)},
            tensorflow1("lstm", forget_bias=0.5),
        ),
        "TensorFlow 1's RNN": Foreign(
            RNN,
            tensorflow_rnn,
            {"kernel": (INPUT + HIDDEN, HIDDEN), "bias": (HIDDEN,)},
            tensorflow1("rnn"),
        ),
        "Flax's LSTM": Foreign(
            LSTM,
            flax_lstm,
            {
                **{f"i{gate}/kernel": (INPUT, HIDDEN) for gate in "ifgo"},
                **{f"h{gate}/kernel": (HIDDEN, HIDDEN) for gate in "ifgo"},
                **{f"h{gate}/bias": (HIDDEN,) for gate in "ifgo"},
            },
            Layout(
                gates={"lstm": ("input", "forget", "candidate", "output")},
                kernel=Stored("i{}/kernel", "input (gate hidden)", spread=LSTM_GATES),
                recurrent_kernel=Stored("h{}/kernel", "from (gate hidden)", spread=LSTM_GATES),
                one_bias=Stored("h{}/bias", "(gate hidden)", spread=LSTM_GATES),
                two_biases=unused(),
            ),
        ),
        "Flax's GRU": Foreign(
            GRU,
            flax_gru,
            {
                **{f"i{gate}/kernel": (INPUT, HIDDEN) for gate in "rzn"},
                **{f"h{gate}/kernel": (HIDDEN, HIDDEN) for gate in "rzn"},
                **{f"i{gate}/bias": (HIDDEN,) for gate in "rzn"},
                "hn/bias": (HIDDEN,),
            },
            Layout(
                gates={"gru": ("reset", "update", "candidate")},
                kernel=Stored("i{}/kernel", "input (gate hidden)", spread=GRU_GATES),
                recurrent_kernel=Stored("h{}/kernel", "from (gate hidden)", spread=GRU_GATES),
                one_bias=unused()[0],
                two_biases=(
                    Stored("i{}/bias", "(gate hidden)", spread=GRU_GATES),
                    Stored("h{}/bias", "(gate hidden)", spread={"n": ("candidate",)}),
                ),
            ),
        ),
        "Equinox's GRU": Foreign(
            GRU,
            equinox_gru,
            {
                "weight_ih": (3 * HIDDEN, INPUT),
                "weight_hh": (3 * HIDDEN, HIDDEN),
                "bias": (3 * HIDDEN,),
                "bias_n": (HIDDEN,),
            },
            Layout(
                gates={"gru": ("reset", "update", "candidate")},
                kernel=Stored("weight_ih", "(gate hidden) input"),
                recurrent_kernel=Stored("weight_hh", "(gate hidden) from"),
                one_bias=unused()[0],
                two_biases=(
                    Stored("bias", "(gate hidden)"),
                    Stored("bias_{}", "(gate hidden)", spread={"n": ("candidate",)}),
                ),
            ),
        ),
    }
)


@pytest.fixture(params=FOREIGN)
def foreign(request: pytest.FixtureRequest) -> Foreign:
    return FOREIGN[request.param]


def draw(foreign: Foreign, dtype: str = "float64") -> dict[str, Array]:
    rng = np.random.default_rng(0)
    return {name: rng.normal(0, 0.8, shape).astype(dtype) for name, shape in foreign.shapes.items()}


INPUTS = np.random.default_rng(1).normal(size=(BATCH, TIME, INPUT))
STARTS = np.random.default_rng(2).normal(size=(2, 1, BATCH, HIDDEN))


def run_by_hand(foreign: Foreign, arrays: Arrays) -> RecurrentOutput:
    states: States = tuple(start[0] for start in STARTS[: len(foreign.spec.state_names)])
    outputs = []
    for time in range(TIME):
        states = foreign.step(arrays, INPUTS[:, time], states)
        outputs.append(states[0])
    return RecurrentOutput(np.stack(outputs, axis=1), *(state[None] for state in states))


def run_canonical(weights: DirectionWeights, spec: RecurrentSpec) -> RecurrentOutput:
    return run_reference(RecurrentWeights(((weights,),)), spec, INPUTS, tuple(STARTS[: len(spec.state_names)]))


def distance(one: RecurrentOutput, other: RecurrentOutput) -> float:
    pairs = [(one.output, other.output), (one.h_n, other.h_n), (one.c_n, other.c_n)]
    return max(float(np.abs(a - b).max()) for a, b in pairs if a is not None and b is not None)


def written(layout: Layout, foreign: Foreign, weights: DirectionWeights, dtype: str = "float64") -> dict[str, Array]:
    arrays = {name: np.full(shape, np.nan, dtype) for name, shape in foreign.shapes.items()}
    fill(arrays, layout, foreign.spec, 0, weights)
    return arrays


def test_a_table_names_the_arrays_of_the_cell_and_their_shapes(foreign: Foreign) -> None:
    assert foreign.layout.shapes(foreign.spec, 0) == foreign.shapes
    assert foreign.layout.names(foreign.spec) == tuple(foreign.layout.shapes(foreign.spec, 0))


def test_the_reference_computes_with_the_arrays_read_what_the_cell_computes(foreign: Foreign) -> None:
    arrays = draw(foreign)
    weights = foreign.layout.read(arrays, foreign.spec, 0)
    assert distance(run_canonical(weights, foreign.spec), run_by_hand(foreign, arrays)) < 1e-13


def test_the_cell_computes_with_the_arrays_written_what_the_reference_computes(foreign: Foreign) -> None:
    weights = draw_weights(foreign.spec, seed=3).layers[0][0]  # with a recurrent bias for every gate, where there are two
    expected = run_canonical(weights, foreign.spec)
    assert distance(run_by_hand(foreign, written(foreign.layout, foreign, weights)), expected) < 1e-13


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_reading_and_writing_back_keeps_every_bit_except_where_an_offset_is_rounded(foreign: Foreign, dtype: str) -> None:
    arrays = draw(foreign, dtype)
    if not any(stored.added for stored in foreign.layout.parts(foreign.spec).values()):
        for array in arrays.values():
            array.flat[0], array.flat[1] = -0.0, np.nan
    weights = RecurrentWeights(((foreign.layout.read(arrays, foreign.spec, 0),),)).owned().layers[0][0]
    found = written(foreign.layout, foreign, weights, dtype)
    offset = {stored.name for stored in foreign.layout.parts(foreign.spec).values() if stored.added}
    for name, array in arrays.items():
        if name in offset:
            np.testing.assert_allclose(found[name], array, rtol=0, atol=4 * float(np.finfo(dtype).eps))
        else:
            assert found[name].tobytes() == array.tobytes(), name


def test_arrays_written_one_at_a_time_are_those_written_together(foreign: Foreign) -> None:
    weights = draw_weights(foreign.spec, seed=3).layers[0][0]
    together, apart = written(foreign.layout, foreign, weights), {}
    for name, shape in foreign.shapes.items():
        apart[name] = np.full(shape, np.nan)
        fill({name: apart[name]}, foreign.layout, foreign.spec, 0, weights)
    for name, array in together.items():
        np.testing.assert_array_equal(apart[name], array)


WRONG: Mapping[str, tuple[str, Callable[[Layout], Layout]]] = MappingProxyType(
    {
        "the offset left out": (
            "Haiku's LSTM",
            lambda layout: replace(layout, one_bias=replace(layout.one_bias, added={})),
        ),
        "the offset of another gate": (
            "Haiku's LSTM",
            lambda layout: replace(layout, one_bias=replace(layout.one_bias, added={"input": 1.0})),
        ),
        "gates in Keras's order": ("Haiku's LSTM", lambda layout: replace(layout, gates=KERAS.gates)),
        "the state before the input": (
            "Haiku's LSTM",
            lambda layout: replace(
                layout,
                kernel=replace(layout.kernel, axes="from+input (gate hidden)"),
                recurrent_kernel=replace(layout.recurrent_kernel, axes="from+input (gate hidden)"),
            ),
        ),
        "a gate not negated": (
            "Haiku's GRU",
            lambda layout: replace(
                layout,
                kernel=replace(layout.kernel, negated=()),
                recurrent_kernel=replace(layout.recurrent_kernel, negated=()),
                one_bias=replace(layout.one_bias, negated=()),
            ),
        ),
        "a bias not negated": (
            "Haiku's GRU",
            lambda layout: replace(layout, one_bias=replace(layout.one_bias, negated=())),
        ),
        "two gates of one array exchanged": (
            "TensorFlow 1's GRU",
            lambda layout: replace(layout, kernel=replace(layout.kernel, spread={**TWO, "gates": ("update", "reset")})),
        ),
        "the arrays of two gates exchanged": (
            "Flax's LSTM",
            lambda layout: replace(
                layout, kernel=replace(layout.kernel, spread={**LSTM_GATES, "i": ("forget",), "f": ("input",)})
            ),
        ),
        "the one recurrent bias of another gate": (
            "Flax's GRU",
            lambda layout: replace(
                layout,
                two_biases=(layout.two_biases[0], replace(layout.two_biases[1], spread={"n": ("reset",)})),
            ),
        ),
    }
)


@pytest.mark.parametrize("mistake", WRONG)
def test_a_wrong_table_is_caught_both_ways(mistake: str) -> None:
    name, change = WRONG[mistake]
    foreign, wrong = FOREIGN[name], change(FOREIGN[name].layout)
    arrays, weights = draw(foreign), draw_weights(foreign.spec, seed=3).layers[0][0]
    assert distance(run_canonical(wrong.read(arrays, foreign.spec, 0), foreign.spec), run_by_hand(foreign, arrays)) > 1e-2
    expected = run_canonical(weights, foreign.spec)
    assert distance(run_by_hand(foreign, written(wrong, foreign, weights)), expected) > 1e-2


def test_unchanged_numbers_are_read_as_views_and_all_others_as_read_only_copies() -> None:
    lstm, gru = FOREIGN["Haiku's LSTM"], FOREIGN["Haiku's GRU"]
    arrays = draw(lstm)
    views = lstm.layout.views(arrays, lstm.spec, 0)
    assert np.shares_memory(views["kernel"], arrays["linear/w"])
    assert np.shares_memory(views["recurrent_kernel"], arrays["linear/w"])
    assert not np.shares_memory(views["kernel"], views["recurrent_kernel"])
    for changed in (views["bias"], gru.layout.views(draw(gru), gru.spec, 0)["kernel"]):
        with pytest.raises(ValueError, match="read-only"):
            changed[...] = 0


def test_gradients_of_the_arrays_are_arranged_as_those_of_the_weights(foreign: Foreign) -> None:
    """The expected values are finite differences of the hand-written cell, one array element at a time."""
    arrays, spec = draw(foreign), foreign.spec
    cotangents = RecurrentOutput(
        *(np.random.default_rng(4).normal(size=(BATCH, TIME, HIDDEN)), *(np.ones((1, BATCH, HIDDEN)) for _ in spec.state_names))
    )

    def loss() -> float:
        found = run_by_hand(foreign, arrays)
        pairs = ((found.output, cotangents.output), (found.h_n, cotangents.h_n), (found.c_n, cotangents.c_n))
        return sum(float((a * b).sum()) for a, b in pairs if a is not None and b is not None)

    def derivative(array: Array, place: int) -> float:
        kept, around = array.flat[place], []
        for step in (1e-6, -1e-6):
            array.flat[place] = kept + step
            around.append(loss())
        array.flat[place] = kept
        return (around[0] - around[1]) / 2e-6

    weights = RecurrentWeights(((foreign.layout.read(arrays, spec, 0),),))
    states = tuple(STARTS[: len(spec.state_names)])
    expected = run_reference_gradients(weights, spec, INPUTS, states, None, cotangents).weights.layers[0][0]
    slopes = [
        np.array([derivative(arrays[name], place) for place in range(arrays[name].size)]).reshape(arrays[name].shape)
        for name in foreign.layout.names(spec)
    ]
    found = arrange([INPUTS, *states, *slopes], foreign.layout, spec).weights.layers[0][0]
    for (part, wanted), (_, given) in zip(expected.arrays(), found.arrays(), strict=True):
        np.testing.assert_allclose(given, wanted, rtol=0, atol=1e-6, err_msg=part)


@pytest.mark.parametrize("target", [KERAS, PYTORCH], ids=["keras", "pytorch"])
def test_a_stored_cell_of_such_a_table_is_written_in_our_frameworks_layouts(foreign: Foreign, target: Layout) -> None:
    arrays, spec = draw(foreign), foreign.spec
    cell = StoredCell(spec, foreign.layout, {name: in_memory(array) for name, array in arrays.items()})
    tensors = cell_tensors(cell, target)
    found = {
        name: np.concatenate([block.ravel() for block in tensor.blocks()]).reshape(tensor.shape)
        for name, tensor in tensors.items()
    }
    assert {name: array.shape for name, array in found.items()} == target.shapes(spec, 0)
    assert distance(run_canonical(target.read(found, spec, 0), spec), run_by_hand(foreign, arrays)) < 1e-13
