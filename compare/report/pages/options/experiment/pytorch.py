"""Trials of torch arguments: a module compared with its converted and emulated counterparts."""

from __future__ import annotations

import warnings
from importlib import import_module
from typing import Any

import numpy as np

from compare.report.arrays import Array, flat
from compare.report.pages.options.experiment.examples import BATCH, HIDDEN, INPUT, TIME, Example, pytorch_examples
from compare.report.pages.options.experiment.trials import Outcome, effect_of, try_out
from frameworks import adapt, convert, emulate
from frameworks.errors import GatewiseError


class PyTorchTrials:
    """Trials of torch arguments."""

    def __init__(self) -> None:
        """Load the examples."""
        self._examples = pytorch_examples()

    def kind(self, name: str) -> type:
        """Return a class of torch.nn by name."""
        import torch

        kind: type = getattr(torch.nn, name)
        return kind

    def run(self, name: str, argument: str, index: int) -> Outcome:
        """Try the example of an argument's fate, given by its index, on one class."""
        example = self._examples[argument][index]
        module = self._make(name, example, with_argument=True)
        call = _Call(module, is_cell=name.endswith("Cell"))
        expected = call.own()
        ways = {"convert": try_out(call.converted, expected), "emulate": try_out(call.emulated, expected)}
        without = self._make(name, example, with_argument=False)
        if without.input_size != module.input_size:
            return Outcome(ways)
        return Outcome(ways, effect_of(_Call(without, is_cell=call.is_cell).own(), expected))

    def can_be_written(self, name: str, argument: str, index: int) -> bool | None:
        """Return whether the Keras layer, constructed directly, accepts a value; None if the value is an object of torch."""
        arguments = self._examples[argument][index].arguments
        kind = getattr(import_module("frameworks.emulation.keras"), f"Torch{name}", None)
        if kind is None or not arguments or not all(isinstance(value, (str, int, float)) for value in arguments.values()):
            return None
        try:
            kind(**{"input_size": INPUT, "hidden_size": HIDDEN, **self._examples[argument][index].beside, **arguments})
        except (GatewiseError, TypeError, ValueError):
            return False
        return True

    def _make(self, name: str, example: Example, *, with_argument: bool) -> Any:
        import torch

        arguments = {"input_size": INPUT, "hidden_size": HIDDEN, **example.beside}
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(3)
            module: Any = self.kind(name)
            return module(**{**arguments, **(example.arguments if with_argument else {})}).eval()


class _Call:
    """One call of a module, and of its counterparts in Keras, on the same inputs."""

    def __init__(self, module: Any, *, is_cell: bool) -> None:
        """Draw the inputs, with torch's order of axes."""
        rng = np.random.default_rng(14)
        self.module, self.is_cell = module, is_cell
        shape = (BATCH, TIME) if getattr(module, "batch_first", False) else (TIME, BATCH)
        dtype = next(module.parameters()).detach().numpy().dtype
        self._x = rng.normal(size=(*shape, module.input_size)).astype(dtype)
        self._states = [rng.normal(size=(BATCH, module.hidden_size)).astype(dtype) for _ in range(2)]

    def own(self) -> list[Array]:
        """Return the results of the module."""
        import torch

        if not self.is_cell:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # torch warns once that oneDNN has no projections
                return flat(self.module(torch.from_numpy(self._x)))
        states = [torch.from_numpy(state) for state in self._cell_states()]
        return flat(self.module(torch.from_numpy(self._step()), tuple(states) if len(states) > 1 else states[0]))

    def converted(self) -> list[Array]:
        """Return the results of the Keras layer made by `convert`, with torch's order of axes."""
        layer = convert(self.module, to="keras")
        if self.is_cell:
            return flat(layer(self._step(), self._cell_states())[1])
        turned = not self.module.batch_first
        result = adapt(layer).forward(self._x.swapaxes(0, 1) if turned else self._x)
        assert result.output is not None  # noqa: S101  for the type checker
        output = result.output.swapaxes(0, 1) if turned else result.output
        return [output, *(state for state in (result.h_n, result.c_n) if state is not None)]

    def emulated(self) -> list[Array]:
        """Return the results of the Keras layer made by `emulate`."""
        layer = emulate(self.module, to="keras")
        if not self.is_cell:
            return flat(layer(self._x))
        states = self._cell_states()
        return flat(layer(self._step(), tuple(states) if len(states) > 1 else states[0]))

    def _step(self) -> Array:
        step: Array = self._x.reshape(-1, self._x.shape[-1])[:BATCH]
        return step

    def _cell_states(self) -> list[Array]:
        return self._states[: 2 if "LSTM" in type(self.module).__name__ else 1]
