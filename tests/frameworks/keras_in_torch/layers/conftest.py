"""The same call of a Keras layer and of the module that emulates it: results and all gradients."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pytest

Array = npt.NDArray[Any]

TORCH_GATES = {"gru": (1, 0, 2)}
"""The place of each of Keras's gates among torch's; cells that are not listed have the same order."""


@dataclass(frozen=True)
class Call:
    """The arguments of a layer's call, in NumPy.

    Args:
        inputs: (batch, time, input).
        states: as the layer nests them, or None.
        mask: (batch, time) bool, or None.
        training: whether dropout is drawn.
    """

    inputs: Array
    states: Any = None
    mask: Array | None = None
    training: bool = False


@dataclass(frozen=True)
class Outcome:
    """The outcome of a call.

    Args:
        returned: nested as it was returned, in NumPy.
        gradients: of a fixed mixture of all returned numbers: with respect to the inputs, each initial state, each weight as
            Keras keeps it. Empty where they were not asked for.
    """

    returned: Any
    gradients: tuple[Array, ...] = ()


def map_nested(function: Callable[[Any], Any], nest: Any) -> Any:
    if isinstance(nest, (list, tuple)):
        return type(nest)(map_nested(function, entry) for entry in nest)
    return function(nest)


def leaves_of(nest: Any) -> list[Any]:
    return [leaf for entry in nest for leaf in leaves_of(entry)] if isinstance(nest, (list, tuple)) else [nest]


def mixture(leaves: Sequence[Any], convert: Callable[[Array], Any]) -> Any:
    """Return a sum over all numbers of all leaves, with a different weight for each."""
    parts = []
    for index, leaf in enumerate(leaves):
        weights = convert(np.random.default_rng(index).normal(size=tuple(leaf.shape)))
        parts.append((leaf * weights).sum() if hasattr(leaf, "sum") else import_module("tensorflow").reduce_sum(leaf * weights))
    return sum(parts[1:], start=parts[0])


def call_keras(layer: Any, call: Call, *, gradients: bool = True) -> Outcome:
    """Call a Keras layer eagerly on its backend."""
    ops = import_module("keras").ops
    inputs = ops.convert_to_tensor(call.inputs)
    states = None if call.states is None else map_nested(ops.convert_to_tensor, call.states)
    mask = None if call.mask is None else ops.convert_to_tensor(call.mask)
    weights = [variable.value for variable in layer.trainable_variables]
    read = [inputs, *([] if states is None else leaves_of(states)), *weights]

    def run() -> Any:
        return layer(inputs, initial_state=states, mask=mask, training=call.training)

    if not gradients:
        return Outcome(map_nested(ops.convert_to_numpy, run()))
    returned, derivatives = _differentiate(run, read)
    arrays = [
        np.zeros(each.shape) if one is None else ops.convert_to_numpy(one) for one, each in zip(derivatives, read, strict=True)
    ]
    return Outcome(map_nested(ops.convert_to_numpy, returned), tuple(arrays))


def _differentiate(run: Callable[[], Any], read: list[Any]) -> tuple[Any, list[Any]]:
    if import_module("keras").backend.backend() == "tensorflow":
        tensorflow = import_module("tensorflow")
        with tensorflow.GradientTape() as tape:
            tape.watch(read)
            returned = run()
            total = mixture(leaves_of(returned), lambda weights: tensorflow.constant(weights, leaves_of(returned)[0].dtype))
        return returned, tape.gradient(total, read)
    torch = import_module("torch")
    for tensor in read:
        tensor.requires_grad_()
    returned = run()
    total = mixture(leaves_of(returned), torch.from_numpy)
    return returned, list(torch.autograd.grad(total, read, allow_unused=True))


def call_torch(module: Any, call: Call, *, gradients: bool = True) -> Outcome:
    """Call the module that emulates a Keras layer."""
    torch = import_module("torch")
    inputs = torch.from_numpy(call.inputs).requires_grad_(gradients)
    states = None
    if call.states is not None:
        states = map_nested(lambda state: torch.from_numpy(state).requires_grad_(gradients), call.states)
    mask = None if call.mask is None else torch.from_numpy(call.mask)
    returned = module(inputs, initial_state=states, mask=mask, training=call.training)
    outcome = Outcome(map_nested(numpy_of, returned))
    if not gradients:
        return outcome
    module.zero_grad(set_to_none=True)
    mixture(leaves_of(returned), torch.from_numpy).backward()
    read = [inputs, *([] if states is None else leaves_of(states))]
    by_inputs = [np.zeros(each.shape) if each.grad is None else numpy_of(each.grad) for each in read]
    return Outcome(outcome.returned, (*by_inputs, *keras_gradients(module)))


def numpy_of(tensor: Any) -> Array:
    """Convert a torch tensor to NumPy, which has no bfloat16."""
    torch = import_module("torch")
    plain = tensor.detach().float() if tensor.dtype == torch.bfloat16 else tensor.detach()
    array: Array = plain.numpy()
    return array


def keras_gradients(module: Any) -> list[Array]:
    """Return the gradients of an emulation's parameters in the order, layout and gate order of Keras's weights."""
    arrays = []
    for slot in module.slots:
        cell, suffix = slot.cell, slot.suffix
        order = TORCH_GATES.get(cell.name, tuple(range(len(cell.gates))))

        def blocks(name: str, *, units: int = cell.units, end: str = suffix, gates: tuple[int, ...] = order) -> Array:
            parameter = getattr(module, f"{name}{end}")
            gradient = np.zeros(parameter.shape) if parameter.grad is None else numpy_of(parameter.grad)
            return np.concatenate([gradient[gate * units : (gate + 1) * units] for gate in gates])

        arrays += [blocks("weight_ih").T, blocks("weight_hh").T]
        if cell.use_bias and cell.name == "gru" and cell.reset_after:
            arrays.append(np.stack([blocks("bias_ih"), blocks("bias_hh")]))
        elif cell.use_bias:
            arrays.append(blocks("bias_ih"))
    return arrays


def form_of(nest: Any) -> Any:
    """Describe how arrays are nested, with their shapes and dtypes."""
    if isinstance(nest, (list, tuple)):
        return type(nest).__name__, [form_of(entry) for entry in nest]
    return tuple(nest.shape), str(nest.dtype)


def error_of(expected: Sequence[Array], actual: Sequence[Array]) -> float:
    """Return the largest difference relative to max(1, |expected|); infinite if only one side is NaN."""
    gaps, scale = [0.0], 1.0
    for one, other in zip(expected, actual, strict=True):
        assert one.shape == other.shape
        if one.size:
            gap = float(np.abs(one.astype(np.float64) - other).max())
            gaps.append(float("inf") if np.isnan(gap) else gap)
            scale = max(scale, float(np.abs(one).max()))
    return max(gaps) / scale


@dataclass(frozen=True)
class Comparison:
    """One call of a layer and of its emulation.

    Args:
        expected: what came of the Keras layer.
        actual: what came of the module.
        tolerance: how near they must be, relative to max(1, |expected|) of each returned array, and of all gradients: they are
            of one number, and where Keras multiplies in float32 the smaller ones get the rounding of the larger ones.
    """

    expected: Outcome
    actual: Outcome
    tolerance: float

    @property
    def calm(self) -> bool:
        """Whether Keras's results are below 10 and its gradients below 100 or NaN, so that rounding errors stay small."""
        returned = all(np.abs(leaf).max() < 10 for leaf in leaves_of(self.expected.returned))
        return returned and not any((np.abs(gradient) > 100).any() for gradient in self.expected.gradients)

    @property
    def returned_error(self) -> float:
        """The error of the results."""
        leaves = zip(leaves_of(self.expected.returned), leaves_of(self.actual.returned), strict=True)
        return max(error_of([expected], [actual]) for expected, actual in leaves)

    @property
    def gradient_error(self) -> float:
        """The error of the gradients."""
        return error_of(self.expected.gradients, self.actual.gradients)

    @property
    def passed(self) -> bool:
        """Whether nesting and dtypes are the same, and the errors within the tolerance."""
        alike = form_of(self.actual.returned) == form_of(self.expected.returned)
        return alike and max(self.returned_error, self.gradient_error) <= self.tolerance

    def __str__(self) -> str:
        """Describe the comparison."""
        forms = form_of(self.expected.returned), form_of(self.actual.returned)
        said = "nested alike" if forms[0] == forms[1] else f"{forms[0]} became {forms[1]}"
        return f"{said}; returned {self.returned_error:.1e}, gradients {self.gradient_error:.1e}, to be {self.tolerance:.0e}"


def tolerance_of(layer: Any, dtype: str) -> float:
    """Return parity's tolerance; on every backend but TensorFlow, Keras multiplies matrices in float32."""
    exact = import_module("keras").backend.backend() == "tensorflow" or type(layer).__module__.startswith("tf_keras")
    return 1e-12 if dtype == "float64" and exact else 1e-5


class Compared(Protocol):
    """The fixture `compared`."""

    def __call__(
        self,
        layer: Any,
        module: Any,
        inputs: Array,
        *,
        states: Any = None,
        mask: Array | None = None,
        training: bool = False,
        gradients: bool = True,
        tolerance: float | None = None,
    ) -> Comparison:
        """Call both with the same arguments."""


@pytest.fixture(scope="session")
def compared() -> Compared:
    """Call a Keras layer and its emulation with the same NumPy arguments, with states nested as the layer nests them."""

    def compare(
        layer: Any, module: Any, inputs: Array, *, gradients: bool = True, tolerance: float | None = None, **how: Any
    ) -> Comparison:
        call = Call(inputs, **how)
        expected, actual = call_keras(layer, call, gradients=gradients), call_torch(module, call, gradients=gradients)
        return Comparison(expected, actual, tolerance or tolerance_of(layer, str(inputs.dtype)))

    return compare
