"""The losses that a Keras model adds by its regularisers, and the same ones for its port."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import keras
import torch
from torch import nn

from compare.returns.mapping import returns_map
from frameworks.errors import NoCounterpartError
from frameworks.keras_in_torch.optimizers.pairing import pair_layer
from frameworks.keras_in_torch.regularizers import penalty_like
from frameworks.pytorch.structure import LAYER_CLASSES

Tensor = torch.Tensor
Pairs = Sequence[tuple[Any, Any]]

_REMEDY = (
    "Leave it out on both sides; or train with compare.training.train_together, and add it in the `loss_of` of a KerasSide and "
    "a PyTorchSide."
)


class Penalties:
    """The penalties of the weights and outputs of paired layers, computed for the torch side.

    Attributes:
        names: what is penalised, by the names of the layers.
    """

    def __init__(self, model: Any, pairs: Pairs) -> None:
        """Find the regularisers of a Keras model.

        Raises:
            GatewiseError: for a custom regulariser; for an output's regulariser whose layer has no partner.
        """
        self._weights = list(_weight_penalties(model, pairs))
        self._outputs = [(layer, module) for layer, module in pairs if layer.activity_regularizer is not None]
        self._collected: list[Tensor] = []
        paired = {id(layer) for layer, _ in pairs}
        for layer in _layers(model):
            if layer.activity_regularizer is not None and id(layer) not in paired:
                raise NoCounterpartError.because(
                    f"the layer {layer.name}",
                    must="have a partner in the module for its activity_regularizer",
                    but="has none",
                    remedy=_REMEDY,
                )
        arrays: dict[str, dict[str, None]] = {}
        for layer, name, _ in self._weights:
            arrays.setdefault(layer, {})[name] = None
        self.names = [f"{' and '.join(names)} of {layer}" for layer, names in arrays.items()]
        self.names += [f"the output of {layer.name}" for layer, _ in self._outputs]

    def of_module(self) -> Tensor | float:
        """Return the penalties of the module's weights and of all outputs since the last call."""
        outputs, self._collected = self._collected, []
        return sum([penalty() for *_, penalty in self._weights] + outputs)

    @contextmanager
    def collecting(self) -> Iterator[None]:
        """Collect the penalties of outputs while the module is called."""
        with ExitStack() as hooks:
            for layer, module in self._outputs:
                penalty = penalty_like(layer.activity_regularizer, f"the output of {layer.name}")
                hooks.callback(module.register_forward_hook(self._hook(layer, penalty)).remove)
            yield

    def _hook(self, layer: Any, penalty: Callable[[Tensor], Tensor]) -> Callable[..., None]:
        def add(module: nn.Module, _: Any, result: Any) -> None:
            returned = returns_map(layer).to_keras(*result) if isinstance(module, tuple(LAYER_CLASSES)) else result
            for output in keras.tree.flatten(returned):
                self._collected.append(penalty(output) / len(output))

        return add


def require_no_further_losses(model: Any) -> None:
    """Require a model, after a call, to have added no losses but those of regularisers.

    Raises:
        GatewiseError: naming the layer that calls add_loss.
    """
    for layer in _layers(model):
        if layer._get_own_losses() and layer.activity_regularizer is None:
            raise NoCounterpartError.because(
                f"the layer {layer.name}",
                must="have no loss other than regularisers",
                but="adds one with add_loss",
                remedy=_REMEDY,
            )


def _layers(model: Any) -> Iterator[Any]:
    yield from model._flatten_layers()


def _weight_penalties(model: Any, pairs: Pairs) -> Iterator[tuple[str, str, Callable[[], Tensor]]]:
    trained = {id(variable) for variable in model.trainable_variables}  # Keras penalises no others
    for layer, module in dict.fromkeys(pairs):
        if not any(variable.regularizer is not None and id(variable) in trained for variable in layer.weights):
            continue
        parts: dict[int, list[Any]] = {}
        for pairing in pair_layer(layer, module):
            parts.setdefault(id(pairing.variable), []).append(pairing)
        for pairings in parts.values():
            variable = pairings[0].variable
            if variable.regularizer is not None and id(variable) in trained:
                yield layer.name, variable.name, _penalty(pairings)


def _penalty(pairings: Sequence[Any]) -> Callable[[], Tensor]:
    """Return a function that penalises the parameters of one Keras variable, in its shape."""
    variable = pairings[0].variable
    penalty = penalty_like(variable.regularizer, variable.path)

    def value() -> Tensor:
        parameters = [(one.parameter, one.transposes) for one in pairings]
        arrays = [array.permute(*reversed(range(array.ndim))) if transposes else array for array, transposes in parameters]
        if len(arrays) == 1:
            return penalty(arrays[0])
        # Two biases in torch: Keras has their sum, or both as the rows of one matrix.
        stacked = torch.stack(arrays)
        return penalty(stacked if len(variable.shape) == 2 else stacked.sum(0))

    return value
