"""For every combination of arguments and calls, an emulation returns what the Keras layer returns, with equal gradients.

Covers: `frameworks/emulation`, `frameworks/keras_in_torch/layers`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from frameworks import emulate
from frameworks.activations import ACTIVATIONS

if TYPE_CHECKING:
    from tests.frameworks.keras_in_torch.layers.conftest import Compared, Comparison


Array = npt.NDArray[Any]

INPUT = 2
KINDS = ("SimpleRNN", "LSTM", "GRU")
MERGES = ("concat", "sum", "mul", "ave", None)
FORMS = ("layer", "RNN", "stack", "Bidirectional", "Bidirectional of two", "Bidirectional of stacks")


@dataclass(frozen=True)
class Recurrence:
    """One cell, by Keras's arguments."""

    kind: str
    units: int
    activation: str = "tanh"
    recurrent_activation: str = "sigmoid"
    use_bias: bool = True
    reset_after: bool = True
    implementation: int = 2

    @property
    def arguments(self) -> dict[str, Any]:
        """The constructor arguments of Keras's layer or cell."""
        taken = {
            "SimpleRNN": ("units", "activation", "use_bias"),
            "LSTM": ("units", "activation", "recurrent_activation", "use_bias", "implementation"),
            "GRU": ("units", "activation", "recurrent_activation", "use_bias", "implementation", "reset_after"),
        }
        return {name: getattr(self, name) for name in taken[self.kind]}


@dataclass(frozen=True)
class Case:
    """A layer and a call as data, so that a failing example can be read and rerun."""

    form: str
    cells: tuple[Recurrence, ...]
    backward: tuple[Recurrence, ...]
    merge_mode: str | None
    flags: dict[str, bool]
    go_backwards: bool
    batch: int
    time: int
    mask: str
    initial_state: bool
    seed: int

    @property
    def bidirectional(self) -> bool:
        """Whether there are two directions."""
        return self.form.startswith("Bidirectional")

    @property
    def activations(self) -> set[str]:
        """All activations of the layer."""
        return {name for cell in (*self.cells, *self.backward) for name in (cell.activation, cell.recurrent_activation)}


def recurrences(units: st.SearchStrategy[int]) -> st.SearchStrategy[Recurrence]:
    names = [name for name in ACTIVATIONS if name != "keras2_hard_sigmoid"]
    plain = st.builds(Recurrence, st.sampled_from(KINDS), units, use_bias=st.booleans())
    odd = st.builds(
        Recurrence,
        st.sampled_from(KINDS),
        units,
        st.sampled_from(names),
        st.sampled_from(names),
        st.booleans(),
        st.booleans(),
        st.sampled_from((1, 2)),
    )
    return st.one_of(plain, odd)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    form = draw(st.sampled_from(FORMS))
    # Two different stacks, since Keras's Bidirectional of one layer makes the other from the same cells.
    stacks = st.lists(recurrences(st.integers(2, 4)), min_size=1, max_size=3)
    one = st.lists(recurrences(st.just(3)), min_size=1, max_size=1)
    cells = tuple(draw(stacks if "stack" in form else one))
    flags = ("return_sequences", "return_state", "unroll", "zero_output_for_mask")
    return Case(
        form=form,
        cells=cells,
        backward=tuple(draw(one)) if form == "Bidirectional of two" else cells,
        merge_mode=draw(st.sampled_from(MERGES)),
        flags={flag: draw(st.booleans()) for flag in flags},
        go_backwards=draw(st.booleans()) if form not in {"Bidirectional", "Bidirectional of stacks"} else False,
        batch=draw(st.sampled_from((1, 3, 5))),
        time=draw(st.integers(1, 12)),
        mask=draw(st.sampled_from(("none", "right", "left", "holes", "whole rows", "nothing"))),
        initial_state=draw(st.booleans()),
        seed=draw(st.integers(0, 2**16)),
    )


def build(case: Case) -> Any:
    """Make the Keras layer of a case; the wrappers get the dtype too, since they would cast otherwise."""
    layers, dtype = import_module("keras").layers, "float64"

    def cell(one: Recurrence) -> Any:
        return getattr(layers, f"{one.kind}Cell")(dtype=dtype, **one.arguments)

    def layer(cells: tuple[Recurrence, ...], *, go_backwards: bool) -> Any:
        how = {**case.flags, "go_backwards": go_backwards, "dtype": dtype}
        if "stack" in case.form:
            return layers.RNN(layers.StackedRNNCells([cell(one) for one in cells], dtype=dtype), **how)
        if case.form == "RNN":
            return layers.RNN(cell(cells[0]), **how)
        return getattr(layers, cells[0].kind)(**cells[0].arguments, **how)

    forward = layer(case.cells, go_backwards=case.go_backwards)
    if not case.bidirectional:
        return forward
    other = layer(case.backward, go_backwards=not case.go_backwards) if case.form == "Bidirectional of two" else None
    return layers.Bidirectional(forward, merge_mode=case.merge_mode, backward_layer=other, dtype=dtype)


def draw_mask(case: Case, rng: np.random.Generator) -> Array | None:
    steps, lengths = np.arange(case.time), rng.integers(1, case.time + 1, (case.batch, 1))
    holes = rng.random((case.batch, case.time)) < 0.6
    return {
        "none": None,
        "right": steps < lengths,
        "left": steps >= case.time - lengths,
        "holes": holes,
        "whole rows": holes & (rng.random((case.batch, 1)) < 0.5),
        "nothing": np.zeros_like(holes),
    }[case.mask]


def draw_states(layer: Any, case: Case, rng: np.random.Generator) -> Any:
    """Draw an initial state, nested as the layer nests its states."""
    directions = [layer.forward_layer, layer.backward_layer] if case.bidirectional else [layer]

    def drawn(nest: Any) -> Any:
        if isinstance(nest, (list, tuple)):
            return [drawn(entry) for entry in nest]
        return rng.normal(size=tuple(nest.shape))

    return [entry for one in directions for entry in drawn(one.get_initial_state(case.batch))]


def run(
    case: Case, compared: Compared, *, spoil: Callable[[Any], None] = lambda module: None, at_masked: float | None = None
) -> Comparison:
    """Compare a case; if rounding errors are amplified, halve the weights until they are not.

    Args:
        case: the case, run in float64.
        compared: the fixture.
        spoil: a function that changes the emulation before the call.
        at_masked: the value of the inputs at masked steps; None for random numbers.
    """
    rng = np.random.default_rng(case.seed)
    layer = build(case)
    inputs = rng.normal(size=(case.batch, case.time, INPUT))
    layer.build(inputs.shape)
    exact = import_module("keras").backend.backend() == "tensorflow"
    # Where Keras multiplies in float32, a linear GRU can amplify that rounding beyond the tolerance.
    layer.set_weights([rng.normal(0, 0.4 if exact else 0.2, array.shape) for array in layer.get_weights()])
    mask = draw_mask(case, rng)
    states = draw_states(layer, case, rng) if case.initial_state else None
    if at_masked is not None and mask is not None:
        inputs[~mask] = at_masked
    for _ in range(5):
        module = emulate(layer)
        spoil(module)
        comparison = compared(layer, module, inputs, states=states, mask=mask)
        if comparison.calm:
            break
        layer.set_weights([array / 2 for array in layer.get_weights()])
    return comparison


@dataclass(frozen=True)
class Deviation:
    """Calls in which the emulation intentionally differs from Keras, with the reason.

    Args:
        reason: what Keras does.
        applies: whether a case is of this kind.
        example: a case that must deviate; if it passes, Keras has changed.
        backends: the Keras backends that deviate.
    """

    reason: str
    applies: Callable[[Case], bool]
    example: Case
    backends: tuple[str, ...] = ("tensorflow", "torch")


PLAIN = Case(
    form="layer",
    cells=(Recurrence("LSTM", 3),),
    backward=(Recurrence("GRU", 3),),
    merge_mode="concat",
    flags={"return_sequences": True, "return_state": True, "unroll": False, "zero_output_for_mask": False},
    go_backwards=False,
    batch=3,
    time=5,
    mask="right",
    initial_state=False,
    seed=0,
)
DEVIATIONS = {
    "unrolled backwards": Deviation(
        "zeroes the outputs at masked steps by the mask that it did not reverse",
        lambda case: (
            case.mask != "none"
            and case.flags["unroll"]
            and case.flags["return_sequences"]
            and (case.bidirectional or (case.go_backwards and case.flags["zero_output_for_mask"]))
        ),
        replace(PLAIN, form="Bidirectional", flags={**PLAIN.flags, "unroll": True}),
    ),
    "unrolled backwards, on torch": Deviation(
        "asks a tuple of masks for its shape to reverse it, and fails",
        lambda case: case.mask != "none" and case.flags["unroll"] and (case.bidirectional or case.go_backwards),
        replace(PLAIN, go_backwards=True, flags={**PLAIN.flags, "unroll": True}),
        ("torch",),
    ),
    "masked stack of one": Deviation(
        "loses the list around the states of a single stacked cell, and fails",
        lambda case: "stack" in case.form and len(case.cells) == 1 and case.mask != "none",
        replace(PLAIN, form="stack"),
    ),
    "unrolled stack of one": Deviation(
        "loses the list around the states of a single stacked cell, and fails at the second step of an LSTM",
        lambda case: "stack" in case.form and len(case.cells) == 1 and case.flags["unroll"],
        replace(PLAIN, form="stack", mask="none", flags={**PLAIN.flags, "unroll": True}),
    ),
    "states of two kinds": Deviation(
        "halves the list of initial states between the directions, whatever each takes",
        lambda case: (
            case.form == "Bidirectional of two"
            and case.initial_state
            and (case.cells[0].kind == "LSTM") != (case.backward[0].kind == "LSTM")
        ),
        replace(PLAIN, form="Bidirectional of two", mask="none", initial_state=True),
    ),
    "float32 constants": Deviation(
        "computes with float32 constants in float64",
        lambda case: bool(case.activations & {"gelu", "leaky_relu"}),
        replace(PLAIN, cells=(Recurrence("LSTM", 3, "gelu"),)),
        ("tensorflow",),
    ),
}


def deviating(case: Case) -> bool:
    backend = import_module("keras").backend.backend()
    return any(one.applies(case) for one in DEVIATIONS.values() if backend in one.backends)


@pytest.mark.backend
@settings(max_examples=64)
@given(case=cases())
def test_the_emulation_returns_what_the_layer_returns_gradients_included(case: Case, compared: Compared) -> None:
    assume(not deviating(case))
    comparison = run(case, compared)
    assume(comparison.calm)  # gates that are exponentials overflow whatever the weights
    assert comparison.passed, str(comparison)


@pytest.mark.backend
@pytest.mark.parametrize("name", DEVIATIONS)
def test_every_known_deviation_still_is_one(name: str, compared: Compared) -> None:
    deviation = DEVIATIONS[name]
    assert deviation.applies(deviation.example)
    try:
        passed = run(deviation.example, compared).passed
    except (AttributeError, IndexError, ValueError):
        passed = False
    deviates = import_module("keras").backend.backend() in deviation.backends
    assert passed is not deviates, f"that Keras {deviation.reason} is no longer so, or new"


def exchange_gates(module: Any) -> None:
    one, other = module.weight_ih_l0.data.chunk(len(module.slots[0].cell.gates))[:2]
    kept = one.clone()
    one.copy_(other)
    other.copy_(kept)


def transpose_recurrent_blocks(module: Any) -> None:
    for block in module.weight_hh_l0.data.chunk(len(module.slots[0].cell.gates)):
        block.copy_(block.t().clone())


def exchange_biases(module: Any) -> None:
    module.bias_ih_l0, module.bias_hh_l0 = module.bias_hh_l0, module.bias_ih_l0


def exchange_directions(module: Any) -> None:
    for name in ("weight_ih", "weight_hh"):
        one, other = (getattr(module, f"{name}_l0{end}") for end in ("", "_reverse"))
        one.data, other.data = other.data, one.data


def read_otherwise(**changes: Any) -> Callable[[Any], None]:
    def change(module: Any) -> None:
        module.readings = tuple(replace(reading, **changes) for reading in module.readings)

    return change


def compute_otherwise(**changes: Any) -> Callable[[Any], None]:
    def change(module: Any) -> None:
        slots = tuple(replace(slot, cell=replace(slot.cell, **changes)) for slot in module.slots)
        module.readings = tuple(replace(reading, slots=slots) for reading in module.readings)

    return change


def damp_a_gradient(module: Any) -> None:
    module.weight_hh_l0.register_hook(lambda gradient: gradient * 0.99)


GRU = replace(PLAIN, cells=(Recurrence("GRU", 3),))
HOLES = replace(PLAIN, mask="holes", time=9)
MISTAKES: dict[str, tuple[Case, Callable[[Any], None]]] = {
    "gates exchanged": (PLAIN, exchange_gates),
    "recurrent kernel transposed": (PLAIN, transpose_recurrent_blocks),
    "biases exchanged": (GRU, exchange_biases),
    "directions exchanged": (replace(PLAIN, form="Bidirectional"), exchange_directions),
    "zeros at masked steps": (HOLES, read_otherwise(zero_output_for_mask=True)),
    "read from the other end": (PLAIN, read_otherwise(go_backwards=True)),
    "reset before the product": (GRU, compute_otherwise(reset_after=False)),
    "Keras 2's hard sigmoid": (
        replace(PLAIN, cells=(Recurrence("LSTM", 3, "tanh", "hard_sigmoid"),)),
        compute_otherwise(recurrent_activation="keras2_hard_sigmoid"),
    ),
    "a gradient alone": (PLAIN, damp_a_gradient),
}


@pytest.mark.backend
@pytest.mark.parametrize("mistake", MISTAKES)
def test_every_classic_mistake_is_caught(mistake: str, compared: Compared) -> None:
    case, spoil = MISTAKES[mistake]
    assert run(case, compared).passed
    assert not run(case, compared, spoil=spoil).passed


@pytest.mark.backend
@pytest.mark.parametrize("cell", [Recurrence("LSTM", 3), Recurrence("GRU", 3, reset_after=False)], ids=["fused", "loop"])
@pytest.mark.parametrize("form", ["layer", "Bidirectional"])
def test_nan_at_masked_steps_reaches_nothing(form: str, cell: Recurrence, compared: Compared) -> None:
    case = replace(HOLES, form=form, cells=(cell,), backward=(cell,))
    clean, spoilt = run(case, compared), run(case, compared, at_masked=np.nan)
    assert clean.passed
    assert spoilt.returned_error <= spoilt.tolerance
    for expected, gradient in zip(clean.actual.gradients, spoilt.actual.gradients, strict=True):
        np.testing.assert_array_equal(gradient, expected)
    # A known deviation: Keras multiplies gradients at masked steps by zero, and zero times NaN is NaN.
    assert any(np.isnan(gradient).any() for gradient in spoilt.expected.gradients)
