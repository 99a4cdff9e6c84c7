"""The wrong ports that everyone makes first, as changes of a stored layer and of how it is called. All of them run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import numpy as np

from compare.studies.real_models.replay import Call
from compare.studies.real_models.stored import Array, StoredLayer


@dataclass(frozen=True)
class Mistake:
    """One wrong port: the right port of a wrong layer, or the wrong call of a right one.

    Args:
        change: makes the wrong layer of the right one.
        with_states: whether initial states are passed.
        with_mask: whether the mask is passed.
    """

    change: Callable[[StoredLayer], StoredLayer] = lambda stored: stored
    with_states: bool = True
    with_mask: bool = True

    def applied_to(self, call: Call) -> Call:
        """Give the call without what this mistake leaves out."""
        return lambda inputs, states, mask: call(inputs, states if self.with_states else None, mask if self.with_mask else None)


def _changed_config(change: Callable[[dict[str, Any]], dict[str, Any]]) -> Callable[[StoredLayer], StoredLayer]:
    """Change the arguments of the recurrent layer itself, within Bidirectional where it is one."""

    def changed(stored: StoredLayer) -> StoredLayer:
        config = dict(stored.config)
        if "layer" in config:
            config["layer"] = {**config["layer"], "config": change(config["layer"]["config"])}
        else:
            config = change(config)
        return replace(stored, config=MappingProxyType(config))

    return changed


def _changed_weights(change: Callable[[str, list[Array]], list[Array]]) -> Callable[[StoredLayer], StoredLayer]:
    """Change each weight, given its name and its blocks, one for each gate."""

    def changed(stored: StoredLayer) -> StoredLayer:
        gates, axis = len(stored.spec.gates), -1 if stored.origin == "keras" else 0
        blocks = {name: change(name, np.split(array, gates, axis)) for name, array in stored.weights.items()}
        weights = {name: np.concatenate(changed, axis) for name, changed in blocks.items()}
        return replace(stored, weights=MappingProxyType(weights))

    return changed


def _untransposed(name: str, blocks: list[Array]) -> list[Array]:
    recurrent = name.endswith("recurrent_kernel") or name.startswith("weight_hh")
    return [block.T for block in blocks] if recurrent else blocks


def _in_onnx_order(_: str, blocks: list[Array]) -> list[Array]:
    """Put PyTorch's gates where ONNX has them: input, output, forget, candidate; update, reset, candidate."""
    return [blocks[gate] for gate in {4: (0, 3, 1, 2), 3: (1, 0, 2)}[len(blocks)]]


def _in_cudnn_layout(name: str, blocks: list[Array]) -> list[Array]:
    """Put a gate's block of a kernel as a CuDNNLSTM's file has it: transposed, in the same shape."""
    return blocks if name.endswith("bias") else [block.ravel(order="F").reshape(block.shape) for block in blocks]


def _second_bias(name: str, blocks: list[Array]) -> list[Array]:
    return [np.stack([block, np.zeros_like(block)]) for block in blocks] if name.endswith("bias") else blocks


def _as_torch_has_it(stored: StoredLayer) -> StoredLayer:
    """Make a layer that torch.nn's own can hold: its gates, its reset gate and second bias, its direction."""
    if stored.spec.cell == "gru" and not stored.spec.reset_after:
        stored = _changed_weights(_second_bias)(stored)
    own = {"recurrent_activation": "sigmoid", "go_backwards": False, "dropout": 0.0, "recurrent_dropout": 0.0}
    if stored.spec.cell == "gru":
        own["reset_after"] = True
    return _changed_config(lambda config: {**config, **own})(stored)


MISTAKES: Mapping[str, Mistake] = MappingProxyType(
    {
        "recurrent kernel not transposed": Mistake(_changed_weights(_untransposed)),
        "gates left in ONNX's order": Mistake(_changed_weights(_in_onnx_order)),
        "kernels left in CuDNN's layout": Mistake(_changed_weights(_in_cudnn_layout)),
        "taken for torch.nn's own layer": Mistake(_as_torch_has_it, with_mask=False),
        "hard_sigmoid taken for Keras 3's": Mistake(
            _changed_config(lambda config: {**config, "recurrent_activation": "hard_sigmoid"})
        ),
        "mask left out": Mistake(with_mask=False),
        "states not passed on": Mistake(with_states=False),
    }
)
"""By what is wrong; sources.json says which of them a layer is shown with."""
