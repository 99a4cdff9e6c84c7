"""Ports that run: a bare layer, a module that holds layers, or a function that hides what it computes with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import torch

from frameworks import emulate
from tests.acceptance.diagnose import layouts
from tests.acceptance.diagnose.plans import Plan
from tests.acceptance.diagnose.recurrence import Results
from tests.acceptance.diagnose.rights import build_keras, build_torch, read_keras, read_torch
from tests.acceptance.diagnose.settings import Array, Setting


def build_port(plan: Plan) -> Any:
    """Return the planned port, in its form."""
    if plan.setting.form == "layer":
        return _torch_modules(plan)[0] if plan.setting.port == "pytorch" else _one_or_all(_keras_layers(plan, whole=False))
    if plan.setting.form == "cell":
        return _torch_modules(plan)[0] if plan.setting.port == "pytorch" else _keras_layers(plan, whole=False)[0]
    if plan.setting.form == "emulated":
        return emulate(_keras_like_right(plan)).eval()
    if plan.setting.form == "module":
        return TorchPort(plan) if plan.setting.port == "pytorch" else KerasPort(plan)
    return hidden(plan)


def hidden(plan: Plan) -> Callable[..., Any]:
    """Return a plain function of torch's tensors: a loop in NumPy whose weights cannot be observed."""
    rng = np.random.default_rng(0)

    def port(inputs: torch.Tensor, mask: torch.Tensor | None = None, initial_state: Any = None) -> Any:
        states = _joined_states(plan.setting, initial_state, _from_torch)
        results = plan.call(plan.loop, _dropped(plan, inputs.numpy(), rng), None if mask is None else mask.numpy(), states)
        return _nested(plan.setting, [torch.tensor(each.copy()) for each in results])

    return port


class TorchPort(torch.nn.Module):
    """A module that holds torch's, or one for each layer, and returns what the right layer returns."""

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        self._plan = plan
        self.rnn = torch.nn.ModuleList(_torch_modules(plan)) if plan.setting.apart else _torch_modules(plan)[0]
        self.dropout = torch.nn.Dropout(plan.drops) if plan.drops else None
        self.train(plan.drops > 0)

    def forward(self, inputs: torch.Tensor, mask: torch.Tensor | None = None, initial_state: Any = None) -> Any:
        plan = self._plan
        states = _joined_states(plan.setting, initial_state, _from_torch)
        inputs = inputs if self.dropout is None else self.dropout(inputs)
        engine = self._native if _runs_in_torch(plan, mask) else self._loop
        results = plan.call(engine, _from_torch(inputs), None if mask is None else _from_torch(mask), states)
        return _nested(plan.setting, [torch.tensor(each.copy()) for each in results])

    def _loop(self, inputs: Array, mask: Array | None, states: tuple[Array, ...] | None) -> Results:
        plan = self._plan
        modules = list(self.rnn) if isinstance(self.rnn, torch.nn.ModuleList) else [self.rnn]
        stacks = [[each] for each in plan.arrays] if len(modules) > 1 else [plan.arrays]
        held = [row for module, stack in zip(modules, stacks, strict=True) for row in read_torch(module, stack)]
        return plan.recurrence.run(plan.weights(held), inputs, mask, states)

    def _native(self, inputs: Array, _: Array | None, states: tuple[Array, ...] | None) -> Results:
        flow, last = torch.tensor(inputs.copy()), []
        modules = list(self.rnn) if isinstance(self.rnn, torch.nn.ModuleList) else [self.rnn]
        share = self._plan.setting.directions * (1 if len(modules) > 1 else self._plan.setting.layers)
        for number, module in enumerate(modules):
            own = slice(number * share, (number + 1) * share)
            initial = [torch.tensor(each[own].copy()) for each in states] if states is not None else None
            flow, final = module(flow, initial[0] if initial and len(initial) == 1 else initial)
            last.append(final if isinstance(final, tuple) else (final,))
        h_n, *c_n = (_from_torch(torch.cat(each)) for each in zip(*last, strict=True))
        return _from_torch(flow), h_n, c_n[0] if c_n else None


class KerasPort(keras.Model):  # type: ignore[misc]  # Keras has no types
    """A model that holds a Keras layer for each layer, and returns what the right module returns."""

    def __init__(self, plan: Plan) -> None:
        super().__init__(dtype=plan.setting.dtype)
        self._plan = plan
        self.layers_in_order = _keras_layers(plan, whole=True)
        self.dropout = keras.layers.Dropout(plan.drops, dtype=plan.setting.dtype)

    def build(self, input_shape: Any) -> None:
        """Build nothing: the layers are built."""

    def call(self, inputs: Any, initial_state: Any = None) -> Any:
        plan = self._plan
        states = _joined_states(plan.setting, initial_state, _from_keras)
        inputs = self.dropout(inputs, training=True) if plan.drops else inputs
        engine = self._native if plan.recurrence.builtin and not plan.setting.loop else self._loop
        results = plan.call(engine, _from_keras(inputs), None, states)
        return _nested(plan.setting, [keras.ops.convert_to_tensor(each.copy()) for each in results])

    def _loop(self, inputs: Array, mask: Array | None, states: tuple[Array, ...] | None) -> Results:
        plan = self._plan
        held = [read_keras(layer, row) for layer, row in zip(self.layers_in_order, plan.arrays, strict=True)]
        return plan.recurrence.run(plan.weights(held), inputs, mask, states)

    def _native(self, inputs: Array, _: Array | None, states: tuple[Array, ...] | None) -> Results:
        flow, last = keras.ops.convert_to_tensor(inputs), []
        directions, kinds = self._plan.setting.directions, 2 if self._plan.setting.cell == "lstm" else 1
        for number, layer in enumerate(self.layers_in_order):
            places = range(number * directions, (number + 1) * directions)
            flat = [keras.ops.convert_to_tensor(kind[at]) for at in places for kind in states or ()]
            flow, *final = layer(flow, initial_state=flat or None)
            last += [_from_keras(each) for each in final]
        h_n, *c_n = (np.stack(last[kind::kinds]) for kind in range(kinds))
        return _from_keras(flow), h_n, c_n[0] if c_n else None


def _torch_modules(plan: Plan) -> list[Any]:
    relu = plan.recurrence.activation == "relu"
    stacks = [[each] for each in plan.arrays] if plan.setting.apart else [plan.arrays]
    modules = [build_torch(plan.setting, stack, biased=plan.biased, relu=relu).eval() for stack in stacks]
    for name, array in plan.laid.items():
        setattr(modules[0], name, torch.nn.Parameter(torch.tensor(array)))
    return modules


def _keras_layers(plan: Plan, *, whole: bool) -> list[Any]:
    """Return a layer for each layer; whole ones return sequences and states wherever they stand."""
    other: dict[str, Any] = {"activation": plan.recurrence.activation}
    if plan.setting.cell != "rnn":
        other["recurrent_activation"] = plan.recurrence.recurrent_activation
    if plan.setting.cell == "gru":
        other["reset_after"] = plan.recurrence.cell == "gru"
    if not plan.biased:
        other["use_bias"] = False
    return [build_keras(plan.setting, each, last=whole or each is plan.arrays[-1], **other) for each in plan.arrays]


def _keras_like_right(plan: Plan) -> Any:
    """Return the Keras layer that computes what an emulated port computes."""
    setting, recurrence = plan.setting, plan.recurrence
    held = [layouts.to_keras(recurrence.cell, each) for each in plan.weights(plan.arrays)[0]]
    other: dict[str, Any] = {"activation": recurrence.activation, "use_bias": plan.biased}
    if setting.cell != "rnn":
        other["recurrent_activation"] = recurrence.recurrent_activation
    if setting.cell.startswith("gru"):
        other["reset_after"] = recurrence.cell == "gru"
    return build_keras(setting, held, last=True, **other)


def _one_or_all(layers: list[Any]) -> Any:
    return layers[0] if len(layers) == 1 else layers


def _runs_in_torch(plan: Plan, mask: torch.Tensor | None) -> bool:
    """Whether a torch module computes what is planned."""
    recurrence = plan.recurrence
    usual = recurrence.activation in (("tanh", "relu") if recurrence.cell == "rnn" else ("tanh",))
    usual = usual and recurrence.recurrent_activation == "sigmoid" and recurrence.cell != "gru-before"
    return usual and mask is None and recurrence.builtin and not plan.setting.loop


def _dropped(plan: Plan, inputs: Array, rng: np.random.Generator) -> Array:
    """Return inputs of which some are zero, where dropout is active."""
    if not plan.drops:
        return inputs
    kept = rng.random(inputs.shape) >= plan.drops
    return (inputs * kept / (1 - plan.drops)).astype(inputs.dtype)


def _joined_states(setting: Setting, given: Any, read: Callable[[Any], Array]) -> tuple[Array, ...] | None:
    """Return initial states as (h_0, c_0), given as the right layer's own call takes them."""
    if given is None:
        return None
    flat = [read(each) for each in given] if isinstance(given, list | tuple) else [read(given)]
    if setting.right == "pytorch":
        return tuple(flat)
    kinds = 2 if setting.cell == "lstm" else 1
    return tuple(np.stack(flat[kind::kinds]) for kind in range(kinds))


def _nested(setting: Setting, results: Sequence[Any]) -> Any:
    """Return the results nested as the right layer's own call nests them."""
    if setting.right == "pytorch":
        return results[0], results[1] if len(results) == 2 else tuple(results[1:])  # output and h_n
    return results[0] if len(results) == 1 else tuple(results)


def _from_torch(tensor: torch.Tensor) -> Array:
    return tensor.detach().numpy()


def _from_keras(tensor: Any) -> Array:
    array: Array = keras.ops.convert_to_numpy(tensor)
    return array
