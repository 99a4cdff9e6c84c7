"""What is drawn before a port is written: the right layer, its weights, how it is called, and the form of the port."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Needs = Mapping[str, tuple[Any, ...]]
"""Field of a setting -> what it may be."""

GATES = {
    "lstm": ("input", "forget", "candidate", "output"),
    "gru": ("update", "reset", "candidate"),
    "gru-before": ("update", "reset", "candidate"),
    "rnn": ("candidate",),
}
"""The gates in Keras's order; gru-before is Keras's GRU with reset_after=False."""

# What is likely where nothing is needed: an entry for each ticket.
_ODDS: Mapping[str, tuple[Any, ...]] = {
    "right": ("keras", "pytorch"),
    "cell": ("lstm", "gru", "gru-before", "rnn"),
    "layers": (1, 1, 2, 3),
    "two": (False, True),
    "units": (4, 5, 7, 8, 12, 16, 16, 24, 32, 48, 64, 100, 128, 256),
    "inputs": (2, 3, 3, 5, 6, 9, 11, 20, 40),
    "square_kernel": (False,) * 9 + (True,),
    "dtype": ("float32", "float32", "float64"),
    "activation": ("tanh",) * 9 + ("relu",),
    "recurrent_activation": ("sigmoid",) * 9 + ("hard_sigmoid",),
    "sequences": (False, True, True),
    "state": (False, True),
    "merge": ("concat",) * 5 + ("sum", "ave", "mul", None),
    "backwards": (False,) * 5 + (True,),
    "stateful": (False,),
    "zero_masked": (False,) * 5 + (True,),
    "mask": ("",) * 8 + ("right", "left", "gaps"),
    "from_state": (False,) * 3 + (True,),
    "form": ("layer", "layer", "cell", "module", "module", "module", "emulated", "emulated"),
    "apart": (False, False, True),
    "loop": (False, False, False, True),
    "square_inputs": (False,),
    "given": (False, True),
    "steps": (5, 6, 7, 9, 12, 12, 24, 40),
    "gain": (1.0, 1.5, 1.5, 2.0, 2.5),
}


class UnfitError(Exception):
    """What is needed cannot be had together."""


@dataclass(frozen=True)
class Setting:
    """A right layer, how it is called, and the form of its port."""

    right: str
    cell: str
    layers: int
    two: bool
    units: int
    inputs: int
    square_kernel: bool
    dtype: str
    activation: str
    recurrent_activation: str
    sequences: bool
    state: bool
    merge: str | None
    backwards: bool
    stateful: bool
    zero_masked: bool
    mask: str
    from_state: bool
    form: str
    apart: bool
    loop: bool
    square_inputs: bool
    given: bool
    steps: int
    gain: float

    @property
    def gates(self) -> tuple[str, ...]:
        """The names of the gates in Keras's order."""
        return GATES[self.cell]

    @property
    def directions(self) -> int:
        """How many directions there are."""
        return 2 if self.two else 1

    @property
    def places(self) -> tuple[tuple[int, int], ...]:
        """Each (layer, direction)."""
        return tuple((layer, direction) for layer in range(self.layers) for direction in range(self.directions))

    @property
    def port(self) -> str:
        """The framework of the port."""
        return "pytorch" if self.right == "keras" else "keras"

    @property
    def tolerance(self) -> float:
        """The allowed error as a share of max(1, max |expected|)."""
        return 1e-5 if self.dtype == "float32" else 1e-12

    def width(self, layer: int) -> int:
        """Return how many numbers a layer reads at a step."""
        return self.inputs if layer == 0 else self.units * self.directions


def merge_needs(*each: Needs) -> dict[str, tuple[Any, ...]]:
    """Return what fulfils all of several needs.

    Raises:
        UnfitError: if nothing does.
    """
    merged: dict[str, tuple[Any, ...]] = {}
    for needs in each:
        for name, allowed in needs.items():
            merged[name] = tuple(value for value in merged.get(name, allowed) if value in allowed)
            if not merged[name]:
                raise UnfitError(name)
    return merged


def draw_setting(rng: np.random.Generator, needs: Needs) -> Setting:
    """Return a setting that fulfils needs.

    Raises:
        UnfitError: if what was drawn cannot be had together; another draw may do.
    """
    drawn = {name: _ticket(rng, tickets, needs.get(name)) for name, tickets in _ODDS.items()}
    free = drawn.keys() - needs.keys()
    for name, value in _consequences(drawn).items():
        if name in free:
            drawn[name] = value
        elif drawn[name] != value:
            raise UnfitError(name)
    if drawn["square_kernel"]:
        drawn["inputs"] = drawn["units"]
    return Setting(**drawn)


def _ticket(rng: np.random.Generator, tickets: tuple[Any, ...], allowed: tuple[Any, ...] | None) -> Any:
    kept = tickets if allowed is None else [ticket for ticket in tickets if ticket in allowed] or list(allowed)
    return kept[int(rng.integers(len(kept)))]


def _consequences(drawn: Mapping[str, Any]) -> dict[str, Any]:
    """Return what follows from what was drawn."""
    return {name: value for holds, follows in _RULES if holds(drawn) for name, value in follows.items()}


# Options that a framework, a cell or a combination does not have; what is later goes first.
_RULES: tuple[tuple[Callable[[Mapping[str, Any]], bool], Mapping[str, Any]], ...] = (
    (lambda drawn: drawn["right"] == "pytorch", dict.fromkeys(("backwards", "stateful", "zero_masked"), False)),
    (lambda drawn: drawn["right"] == "pytorch", {"mask": "", "sequences": True, "state": True, "merge": "concat"}),
    (lambda drawn: drawn["right"] == "pytorch" or drawn["cell"] == "rnn", {"recurrent_activation": "sigmoid"}),
    (lambda drawn: drawn["right"] == "pytorch" and drawn["cell"] != "rnn", {"activation": "tanh"}),
    (lambda drawn: drawn["right"] == "pytorch" and drawn["cell"] == "gru-before", {"cell": "gru"}),
    (lambda drawn: not drawn["two"], {"merge": "concat"}),
    (lambda drawn: drawn["two"] or drawn["layers"] > 1, {"backwards": False}),
    (lambda drawn: drawn["two"] or not drawn["sequences"] or not drawn["mask"], {"zero_masked": False}),
    (lambda drawn: drawn["stateful"], {"from_state": False, "mask": "", "layers": 1}),
    # Keras fails, which counts what its generator of states yields.
    (lambda drawn: drawn["stateful"] and drawn["two"], {"state": False}),
    (lambda drawn: any(drawn[name] for name in ("mask", "from_state", "stateful", "square_inputs")), {"given": True}),
    (lambda drawn: drawn["form"] in ("layer", "cell"), {"loop": False, "mask": "", "apart": False, "stateful": False}),
    (lambda drawn: drawn["form"] == "cell", {"layers": 1, "two": False, "backwards": False, "merge": "concat"}),
    (lambda drawn: drawn["form"] == "emulated", {"right": "keras", "layers": 1, "loop": False, "apart": False}),
    (lambda drawn: drawn["activation"] == "relu", {"gain": 1.0, "steps": 6}),
)


@dataclass(frozen=True)
class Data:
    """What a call is given: inputs (batch, time, input), states (layer * direction, batch, hidden), a mask (batch, time)."""

    inputs: Array
    states: tuple[Array, ...] | None
    mask: Array | None


def draw_data(rng: np.random.Generator, setting: Setting) -> Data:
    """Return inputs, initial states and a mask for a setting."""
    batch = int(rng.integers(2, 6))
    steps = batch if setting.square_inputs else setting.steps
    inputs = rng.normal(size=(batch, steps, setting.inputs)).astype(setting.dtype)
    shape = (len(setting.places), batch, setting.units)
    kinds = 2 if setting.cell == "lstm" else 1
    states = tuple((0.7 * rng.normal(size=shape)).astype(setting.dtype) for _ in range(kinds)) if setting.from_state else None
    return Data(inputs, states, _mask(rng, setting.mask, batch, steps))


def _mask(rng: np.random.Generator, kind: str, batch: int, steps: int) -> Array | None:
    """Return a mask whose rows have different counts of valid steps, one of them all."""
    if not kind:
        return None
    lengths = np.concatenate(([steps], rng.integers(1, steps, batch - 1)))
    mask = np.arange(steps) < rng.permutation(lengths)[:, None]
    if kind == "gaps":
        mask = rng.permuted(mask, axis=1)
    return mask[:, ::-1].copy() if kind == "left" else mask


Weights = tuple[tuple[dict[str, Array], ...], ...]
"""[layer][direction] -> kernel (gate, input, hidden), recurrent (gate, hidden, hidden), bias (2, gate, hidden)."""


def draw_weights(rng: np.random.Generator, setting: Setting) -> Weights:
    """Return weights as large as trained ones, with biases; where the right layer has one bias, the second is zero."""
    two_biases = setting.right == "pytorch" or setting.cell == "gru"

    def draw(layer: int) -> dict[str, Array]:
        gates, width, units = len(setting.gates), setting.width(layer), setting.units
        bias = 0.4 * rng.normal(size=(2, gates, units)) * np.array([1.0, float(two_biases)])[:, None, None]
        if setting.cell == "lstm":
            bias[0, 1] += 1.0
        drawn = {
            "kernel": rng.normal(size=(gates, width, units)) * setting.gain / np.sqrt(width),
            "recurrent": rng.normal(size=(gates, units, units)) * setting.gain / np.sqrt(units),
            "bias": bias,
        }
        return {name: array.astype(setting.dtype) for name, array in drawn.items()}

    return tuple(tuple(draw(layer) for _ in range(setting.directions)) for layer in range(setting.layers))
