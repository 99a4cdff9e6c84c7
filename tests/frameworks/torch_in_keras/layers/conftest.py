"""What these tests share: a torch module and the layer that emulates it, one call of both, and their gradients."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from frameworks.keras.tensors import to_numpy
from frameworks.torch_in_keras.layers import emulate

Array = npt.NDArray[Any]

KINDS = {"RNN": nn.RNN, "LSTM": nn.LSTM, "GRU": nn.GRU}


@dataclass(frozen=True)
class Call:
    """A torch module, the layer that emulates it, and the arguments of one call as NumPy."""

    module: Any
    layer: Any
    inputs: Array
    hx: tuple[Array, ...] | None
    lengths: list[int] | None = None
    cotangents: list[Array] = field(default_factory=list)

    @property
    def tolerance(self) -> float:
        """Parity's tolerance; that of float32 on JAX, where Keras computes tanh in float32."""
        exact = str(self.inputs.dtype) == "float64" and keras.backend.backend() != "jax"
        return 1e-12 if exact else 1e-5

    def torch_results(self, inputs: torch.Tensor, hx: Sequence[torch.Tensor] | None) -> list[torch.Tensor]:
        """Call torch's module, with a packed sequence if there are lengths."""
        sequence: Any = inputs
        batch_first = self.module.batch_first
        if self.lengths is not None:
            sequence = pack_padded_sequence(inputs, torch.tensor(self.lengths), batch_first=batch_first, enforce_sorted=False)
        output, states = self.module(sequence, None if hx is None else hx[0] if len(hx) == 1 else tuple(hx))
        if self.lengths is not None:
            time = inputs.shape[1 if batch_first else 0]
            output, _ = pad_packed_sequence(output, batch_first=batch_first, total_length=time)
        return flat((output, states))

    def layer_results(self, layer: Callable[..., Any], inputs: Any, hx: Sequence[Any] | None) -> list[Any]:
        """Call the layer, or a function in its place."""
        return flat(layer(inputs, None if hx is None else hx[0] if len(hx) == 1 else tuple(hx), lengths=self.lengths))

    def expected(self) -> list[Array]:
        """Return torch's results in inference."""
        with torch.no_grad():
            states = None if self.hx is None else [torch.tensor(state) for state in self.hx]
            results = self.torch_results(torch.tensor(self.inputs), states)
        return [result.numpy() for result in results]

    def actual(self) -> list[Array]:
        """Return the layer's results in inference."""
        return [to_numpy(result) for result in self.layer_results(self.layer, self.inputs, self.hx)]

    def expected_gradients(self) -> dict[str, Array]:
        """Return torch's gradients of the sum of all results, weighted by the cotangents."""
        leaves = [torch.tensor(array, requires_grad=True) for array in (self.inputs, *(self.hx or ()))]
        results = self.torch_results(leaves[0], leaves[1:] or None)
        loss = sum((result * torch.tensor(weight)).sum() for result, weight in zip(results, self.cotangents, strict=True))
        named = dict(zip(("inputs", "h_0", "c_0"), leaves, strict=False)) | dict(self.module.named_parameters())
        gradients = torch.autograd.grad(loss, list(named.values()))  # type: ignore[arg-type]
        return {name: gradient.numpy() for name, gradient in zip(named, gradients, strict=True)}

    def actual_gradients(self) -> dict[str, Array]:
        """Return the layer's gradients of the same sum."""
        leaves = [self.inputs, *(self.hx or ())]

        def loss(layer: Any, tensors: Sequence[Any]) -> Any:
            results = self.layer_results(layer, tensors[0], tensors[1:] or None)
            return sum(keras.ops.sum(keras.ops.multiply(*pair)) for pair in zip(results, self.cotangents, strict=True))

        names = [*("inputs", "h_0", "c_0")[: len(leaves)], *(variable.name for variable in self.layer.trainable_variables)]
        return dict(zip(names, gradients_of(self.layer, leaves, loss), strict=True))


def flat(results: Any) -> list[Any]:
    """Return output, h_n and c_n in one list."""
    output, states = results
    return [output, *(states if isinstance(states, (tuple, list)) else (states,))]


def gradients_of(layer: Any, arrays: Sequence[Array], loss: Callable[[Any, Sequence[Any]], Any]) -> list[Array]:
    """Return the gradients of `loss(layer, tensors)` by the arrays and the layer's trainable variables, on any backend."""
    tensors = [keras.ops.convert_to_tensor(array) for array in arrays]
    variables = layer.trainable_variables
    if keras.backend.backend() == "tensorflow":
        tensorflow = import_module("tensorflow")
        with tensorflow.GradientTape() as tape:
            tape.watch(tensors)
            value = loss(layer, tensors)
        return [to_numpy(gradient) for gradient in tape.gradient(value, [*tensors, *(one.value for one in variables)])]
    if keras.backend.backend() == "torch":
        leaves = [tensor.requires_grad_() for tensor in tensors] + [variable.value for variable in variables]
        return [to_numpy(gradient) for gradient in torch.autograd.grad(loss(layer, tensors), leaves)]
    jax = import_module("jax")

    def stateless(given: Sequence[Any], values: Sequence[Any]) -> Any:
        rest = layer.non_trainable_variables
        return loss(lambda *arguments, **options: layer.stateless_call(values, rest, *arguments, **options)[0], given)

    by_tensors, by_values = jax.grad(stateless, argnums=(0, 1))(tensors, [variable.value for variable in variables])
    return [to_numpy(gradient) for gradient in [*by_tensors, *by_values]]


def draw_call(
    kind: str, options: dict[str, Any], *, batch: int, time: int, lengths: bool = False, hx: bool = False, seed: int = 0
) -> Call:
    """Draw weights within torch's own bounds, biases too, and the arguments of a call."""
    torch.manual_seed(seed)
    module = KINDS[kind](**options)
    rng = np.random.default_rng(seed)
    dtype = str(next(module.parameters()).dtype).removeprefix("torch.")
    leading = (batch, time) if module.batch_first else (time, batch)
    rows = module.num_layers * (1 + module.bidirectional)
    widths = (module.proj_size or module.hidden_size, module.hidden_size)[: 1 + (kind == "LSTM")]
    outer = (*leading, (1 + module.bidirectional) * widths[0])
    shapes = [(rows, batch, width) for width in widths]
    return Call(
        module.eval(),
        emulate(module),
        rng.standard_normal((*leading, module.input_size)).astype(dtype),
        tuple(rng.uniform(-0.9, 0.9, shape).astype(dtype) for shape in shapes) if hx else None,
        rng.integers(1, time, batch, endpoint=True).tolist() if lengths else None,
        [rng.standard_normal(shape).astype(dtype) for shape in (outer, *shapes)],
    )


@pytest.fixture(scope="session")
def draw() -> Callable[..., Call]:
    """Draw a module, the layer that emulates it, and the arguments of one call."""
    return draw_call


@pytest.fixture(scope="session")
def close() -> Callable[..., None]:
    """Require an array to have the expected one's shape, dtype and, within a tolerance, values."""

    def check(actual: Array, expected: Array, tolerance: float) -> None:
        assert actual.shape == expected.shape
        assert actual.dtype == expected.dtype
        if expected.size:
            assert np.abs(actual - expected).max() <= tolerance * max(1, np.abs(expected).max())

    return check


@pytest.fixture(scope="session")
def gradients() -> Callable[..., list[Array]]:
    """Return gradients by arrays and a layer's trainable variables, on any backend."""
    return gradients_of
