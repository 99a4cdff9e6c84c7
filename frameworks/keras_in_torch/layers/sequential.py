"""What stands around recurrent layers in Keras and makes or passes on their masks: Masking, Embedding, Sequential."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from frameworks.errors import InvalidTypeError, InvalidValueError
from frameworks.keras_in_torch.layers.call_and_states import KerasLayer

Tensor = torch.Tensor


class KerasMasking(nn.Module):
    """Keras's Masking: a step whose features all equal `mask_value` is masked, and zero.

    Args:
        mask_value: of every feature of a step to skip.
    """

    def __init__(self, mask_value: float = 0.0) -> None:
        """Keep the value."""
        super().__init__()
        self.mask_value = mask_value

    def forward(self, inputs: Tensor) -> Tensor:
        """Give (batch, time, feature), masked steps zero."""
        return inputs * self.compute_mask(inputs).unsqueeze(-1)

    def compute_mask(self, inputs: Tensor, mask: Tensor | None = None) -> Tensor:  # noqa: ARG002  Keras's signature
        """Give (batch, time), True where a step counts."""
        return (inputs != self.mask_value).any(dim=-1)

    def extra_repr(self) -> str:
        """Show the value."""
        return f"mask_value={self.mask_value}"


class KerasEmbedding(nn.Embedding):
    """Keras's Embedding: with `mask_zero` the steps whose id is 0 are masked; row 0 is a row like any other, and trained.

    Args:
        num_embeddings: ids.
        embedding_dim: features.
        mask_zero: whether id 0 is padding.
        how: torch's other arguments.
    """

    def __init__(self, num_embeddings: int, embedding_dim: int, *, mask_zero: bool = False, **how: Any) -> None:
        """Draw from Keras's distribution, uniform between -0.05 and 0.05, unless weights are given."""
        super().__init__(num_embeddings, embedding_dim, **how)
        self.mask_zero = mask_zero
        if how.get("_weight") is None:
            nn.init.uniform_(self.weight, -0.05, 0.05)

    def compute_mask(self, inputs: Tensor, mask: Tensor | None = None) -> Tensor | None:  # noqa: ARG002  Keras's signature
        """Give (batch, time), True where an id is not 0; None without `mask_zero`."""
        return inputs != 0 if self.mask_zero else None


class KerasDropout(nn.Dropout):
    """Keras's Dropout between layers, which torch's is too: a fresh mask for every time step."""

    def forward(self, inputs: Tensor, training: bool | None = None) -> Tensor:  # noqa: FBT001  Keras's
        """Drop in training: the module's own mode when None."""
        return nn.functional.dropout(inputs, self.p, self.training if training is None else training)


class KerasSequential(nn.Sequential):
    """Layers called one after the other, each handed the mask that the one before passes on, as in Keras.

    Args:
        layers: emulated layers, and torch modules that keep the time axis and so the mask, such as nn.LayerNorm.
    """

    def __init__(self, layers: Sequence[nn.Module]) -> None:
        """Take the layers, of which every one but the last must return one tensor.

        Raises:
            GatewiseError: for none, or for a layer in between that returns states.
        """
        if not layers:
            raise InvalidValueError.because(
                "the layers", must="be at least one", but="are none", remedy="Pass the recurrent layers."
            )
        for index, layer in enumerate(layers[:-1]):
            if isinstance(layer, KerasLayer) and (layer.return_state or layer.merge_mode is None):
                raise InvalidTypeError.because(
                    f"layer {index}",
                    must="return one tensor",
                    but="returns several, of which the next layer would take one",
                    remedy="Call the layers one by one.",
                )
        super().__init__(*layers)

    def forward(self, inputs: Tensor, mask: Tensor | None = None, training: bool | None = None) -> Any:  # noqa: FBT001
        """Call every layer on what the one before returned.

        Args:
            inputs: of the first layer.
            mask: (batch, time), of the inputs.
            training: whether dropout is drawn, in the layers and between them; the module's own mode when None.
        """
        return self._run(inputs, mask, training)[0]

    def _run(self, inputs: Any, mask: Tensor | None, training: bool | None) -> tuple[Any, Tensor | None]:  # noqa: FBT001
        """Give what the last layer returns and the mask that it passes on."""
        result = inputs
        for layer in self:
            before = result
            if isinstance(layer, KerasSequential):
                result, mask = layer._run(result, mask, training)  # noqa: SLF001  one run for both
            elif isinstance(layer, KerasLayer):
                result, mask = layer(result, mask=mask, training=training), layer.compute_mask(before, mask)
            elif isinstance(layer, KerasDropout):
                result = layer(result, training)
            else:
                passed_on: Any = getattr(layer, "compute_mask", None)
                result = layer(result)
                mask = mask if passed_on is None else passed_on(before, mask)
        return result, mask
