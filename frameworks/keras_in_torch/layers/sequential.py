"""Keras's layers around recurrent ones: Masking, Embedding and Dropout, TimeDistributed, Sequential."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from frameworks.errors import InvalidTypeError, InvalidValueError
from frameworks.keras_in_torch.layers.call_and_states import KerasLayer
from frameworks.keras_in_torch.layers.recording import Unscriptable

Tensor = torch.Tensor


class KerasMasking(nn.Module):
    """Keras's Masking: a step whose features all equal `mask_value` is masked and set to zero.

    Args:
        mask_value: the value that all features of a masked step have.

    Example:
        >>> import torch
        >>> from frameworks.emulation.pytorch import KerasMasking
        >>> KerasMasking(-1.0).compute_mask(torch.tensor([[[3.0, -1.0], [-1.0, -1.0]]])).tolist()
        [[True, False]]
    """

    def __init__(self, mask_value: float = 0.0) -> None:
        """Store the value."""
        super().__init__()
        self.mask_value = mask_value

    def forward(self, inputs: Tensor) -> Tensor:
        """Return (batch, time, feature), with zeros at masked steps."""
        return inputs * self.compute_mask(inputs).unsqueeze(-1)

    def compute_mask(self, inputs: Tensor, mask: Tensor | None = None) -> Tensor:  # noqa: ARG002  Keras's signature
        """Return (batch, time), True at valid steps."""
        return (inputs != self.mask_value).any(dim=-1)

    def extra_repr(self) -> str:
        """Show the value."""
        return f"mask_value={self.mask_value}"


class KerasEmbedding(nn.Embedding):
    """Keras's Embedding: with `mask_zero`, steps whose id is 0 are masked; row 0 is trained like any other.

    Args:
        num_embeddings: the number of ids.
        embedding_dim: the number of features.
        mask_zero: whether id 0 is padding.
        how: the other arguments of nn.Embedding.

    Example:
        >>> import torch
        >>> from frameworks.emulation.pytorch import KerasEmbedding
        >>> KerasEmbedding(10, 4, mask_zero=True).compute_mask(torch.tensor([[7, 3, 0]])).tolist()
        [[True, True, False]]
    """

    def __init__(self, num_embeddings: int, embedding_dim: int, *, mask_zero: bool = False, **how: Any) -> None:
        """Draw the weights as Keras does, uniformly between -0.05 and 0.05, unless they are given."""
        super().__init__(num_embeddings, embedding_dim, **how)
        self.mask_zero = mask_zero
        if how.get("_weight") is None:
            nn.init.uniform_(self.weight, -0.05, 0.05)

    def compute_mask(self, inputs: Tensor, mask: Tensor | None = None) -> Tensor | None:  # noqa: ARG002  Keras's signature
        """Return (batch, time), True where an id is not 0; None without `mask_zero`."""
        return inputs != 0 if self.mask_zero else None


class KerasDropout(nn.Dropout):
    """Keras's Dropout between layers: a new mask for every time step, as in torch, and Keras's `training` argument.

    Example:
        >>> import torch
        >>> from frameworks.emulation.pytorch import KerasDropout
        >>> KerasDropout(0.5)(torch.ones(1, 2, 3), training=False).tolist()
        [[[1.0, 1.0, 1.0], [1.0, 1.0, 1.0]]]
    """

    def forward(self, inputs: Tensor, training: bool | None = None) -> Tensor:  # noqa: FBT001  Keras's
        """Drop values in training; `training=None` means the module's own mode."""
        return nn.functional.dropout(inputs, self.p, self.training if training is None else training)


class KerasTimeDistributed(Unscriptable, nn.Module):
    """Keras's TimeDistributed of a recurrent layer: the layer runs over each outer time step.

    Args:
        layer: an emulated recurrent layer that returns one tensor.

    Example:
        >>> import torch
        >>> from frameworks.emulation.pytorch import KerasLSTM, KerasTimeDistributed
        >>> KerasTimeDistributed(KerasLSTM(4))(torch.zeros(2, 3, 5, 6)).shape
        torch.Size([2, 3, 4])
    """

    def __init__(self, layer: nn.Module) -> None:
        """Wrap the layer.

        Raises:
            GatewiseError: for a layer that returns several tensors.
        """
        super().__init__()
        if isinstance(layer, KerasLayer) and (layer.return_state or layer.merge_mode is None):
            raise InvalidTypeError.because(
                "the layer of KerasTimeDistributed",
                must="return one tensor",
                but="returns several",
                remedy="Make it with return_state=False and, if it is bidirectional, a merge_mode.",
            )
        self.layer = layer

    def forward(self, inputs: Tensor, mask: Tensor | None = None, training: bool | None = None) -> Tensor:  # noqa: FBT001
        """Run the layer once for each outer time step.

        Args:
            inputs: (batch, outer time, time, input).
            mask: (batch, outer time, time) bool, True at valid steps; None if all steps are valid.
            training: whether dropout is applied; the module's own mode when None.

        Returns:
            (batch, outer time, ...), the layer's results. A stateful layer keeps its states from one outer step to the next.
        """
        steps = range(inputs.shape[1])
        masks = [None if mask is None else mask[:, step] for step in steps]
        return torch.stack([self.layer(inputs[:, step], mask=masks[step], training=training) for step in steps], dim=1)

    def compute_mask(self, inputs: Tensor, mask: Tensor | None = None) -> Tensor | None:  # noqa: ARG002  Keras's
        """Return the mask of the inputs, as Keras does."""
        return mask


class KerasSequential(Unscriptable, nn.Sequential):
    """Layers called one after the other; each gets the mask that the previous layer passes on, as in Keras.

    Args:
        layers: emulated layers, and torch modules that keep the time axis and therefore the mask, such as nn.LayerNorm.

    Example:
        >>> import torch
        >>> from frameworks.emulation.pytorch import KerasEmbedding, KerasLSTM, KerasSequential
        >>> model = KerasSequential([KerasEmbedding(10, 4, mask_zero=True), KerasLSTM(2)])
        >>> model(torch.tensor([[7, 3, 0]])).shape
        torch.Size([1, 2])
    """

    def __init__(self, layers: Sequence[nn.Module]) -> None:
        """Make the model; all layers but the last must return one tensor.

        Raises:
            GatewiseError: for an empty list, or if a layer before the last returns several tensors.
        """
        if not layers:
            raise InvalidValueError.because(
                "the layers", must="be at least one", but="are an empty list", remedy="Pass the recurrent layers."
            )
        for index, layer in enumerate(layers[:-1]):
            if isinstance(layer, KerasLayer) and (layer.return_state or layer.merge_mode is None):
                raise InvalidTypeError.because(
                    f"layer {index}",
                    must="return one tensor",
                    but="returns several, and the next layer takes only one",
                    remedy="Call the layers one by one.",
                )
        super().__init__(*layers)

    def forward(self, inputs: Tensor, mask: Tensor | None = None, training: bool | None = None) -> Any:  # noqa: FBT001
        """Call every layer on the result of the previous one.

        Args:
            inputs: the inputs of the first layer.
            mask: (batch, time), the mask of the inputs.
            training: whether dropout is applied, in the layers and between them; the module's own mode when None.

        Returns:
            The result of the last layer.
        """
        return self._run(inputs, mask, training)[0]

    def _run(self, inputs: Any, mask: Tensor | None, training: bool | None) -> tuple[Any, Tensor | None]:  # noqa: FBT001
        """Return the result of the last layer and the mask that it passes on."""
        result = inputs
        for layer in self:
            before = result
            if isinstance(layer, KerasSequential):
                result, mask = layer._run(result, mask, training)  # noqa: SLF001  to get its mask too
            elif isinstance(layer, (KerasLayer, KerasTimeDistributed)):
                result, mask = layer(result, mask=mask, training=training), layer.compute_mask(before, mask)
            elif isinstance(layer, KerasDropout):
                result = layer(result, training)
            else:
                passed_on: Any = getattr(layer, "compute_mask", None)
                result = layer(result)
                mask = mask if passed_on is None else passed_on(before, mask)
        return result, mask
