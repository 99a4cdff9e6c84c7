"""A made-up framework and its adapter: what a third framework takes, in as few lines as possible.

Its one layer is an LSTM in NumPy that reads time first and keeps its gates in an order of its own.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from frameworks import copying
from frameworks.adapter import Adapter, Mask, States, check_call
from frameworks.errors import InvalidTypeError, InvalidValueError
from frameworks.gradients import RecurrentGradients
from frameworks.layouts import Layout
from frameworks.output import RecurrentOutput
from frameworks.part_layout import Stored
from frameworks.rows import Framework, Layers
from frameworks.spec import RecurrentSpec
from frameworks.weights import DirectionWeights, RecurrentWeights

Array = npt.NDArray[Any]


class ToyLSTM:
    """Weights `w` (4 * units, inputs), `u` (units, 4 * units) and `b` (4 * units), gates output, forget, input, candidate."""

    def __init__(self, inputs: int, units: int, seed: int | None = None) -> None:
        rng = np.random.default_rng(seed)
        shapes = {"w": (4 * units, inputs), "u": (units, 4 * units), "b": (4 * units,)}
        self.arrays = {name: rng.normal(0, 0.3, shape).astype("float32") for name, shape in shapes.items()}

    def step(self, x: Array, h: Array, c: Array) -> tuple[Array, Array]:
        """Run one time step of x (batch, input)."""
        sums = x @ self.arrays["w"].T + h @ self.arrays["u"] + self.arrays["b"]
        o, f, i, g = np.split(sums, 4, axis=1)
        c = c / (1 + np.exp(-f)) + np.tanh(g) / (1 + np.exp(-i))
        return np.tanh(c) / (1 + np.exp(-o)), c


TABLE = Layout(
    gates={"lstm": ("output", "forget", "input", "candidate")},
    kernel=Stored("w", "(gate hidden) input"),
    recurrent_kernel=Stored("u", "from (gate hidden)"),
    one_bias=Stored("b", "(gate hidden)"),
    two_biases=(Stored("b", "(pair gate hidden)"), Stored("b", "(pair gate hidden)")),
)


class ToyAdapter:
    """The adapter of a ToyLSTM."""

    framework: Any = "toy"
    options = None
    dropout = 0.0
    is_cell = False
    batch_size = None
    time_major = False
    mask = ""
    zeroes_masked_steps = True
    precision: Any = "float32"
    notes = ()

    def __init__(self, native: ToyLSTM) -> None:
        if not isinstance(native, ToyLSTM):
            raise InvalidTypeError.because("the layer", must="be a ToyLSTM", but=f"is {type(native)}", remedy="Pass one.")
        self.native = native
        self.spec = RecurrentSpec("lstm", native.arrays["w"].shape[1], len(native.arrays["u"]))

    def get_weights(self) -> RecurrentWeights:
        return copying.get_weights(self)

    def set_weights(self, weights: RecurrentWeights) -> None:
        copying.set_weights(self, weights)

    def read(self, layer: int, direction: int) -> DirectionWeights:  # noqa: ARG002  the Protocol's
        return TABLE.read(self.native.arrays, self.spec, layer)

    def write(self, layer: int, direction: int, source: DirectionWeights) -> int:  # noqa: ARG002  the Protocol's
        copying.fill(self.native.arrays, TABLE, self.spec, layer, source)
        return len(self.native.arrays)

    def forward(self, inputs: Array, initial_state: Array | States | None = None, mask: Mask | None = None) -> RecurrentOutput:
        (h, c), mask = check_call(self.spec, inputs, initial_state, mask)
        h, c, outputs = h[0], c[0], []
        for time in range(inputs.shape[1]):
            counts = np.ones((len(inputs), 1), bool) if mask is None else mask[:, time, None]
            new_h, new_c = self.native.step(inputs[:, time], h, c)
            h, c = np.where(counts, new_h, h), np.where(counts, new_c, c)
            outputs.append(np.where(counts, new_h, np.zeros_like(new_h)))
        return RecurrentOutput(np.stack(outputs, axis=1), h[None], c[None])

    def gradients(self, *_: Any) -> RecurrentGradients:
        raise InvalidValueError.because("a ToyLSTM", must="be trained", but="is not", remedy="Compare results alone.")


def adapt(native: Any) -> ToyAdapter:
    return ToyAdapter(native)


def build(spec: RecurrentSpec, seed: int | None = None) -> ToyAdapter:
    return ToyAdapter(ToyLSTM(spec.input_size, spec.hidden_size, seed))


def build_like(source: Adapter) -> ToyLSTM:
    return ToyLSTM(source.spec.input_size, source.spec.hidden_size)


ROW = Framework("toy", "Toy", Layers("toy", ("toy",)), TABLE, {"lstm": "ToyLSTM"}, extra="toy")
