"""A Keras layer of the source: how it is constructed, the shapes it is built for, and its arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class KerasLayer:
    """A layer that the source constructs.

    Args:
        text: the call of its constructor.
        built: what its `build` is given: "(None, None, 64)"; "" for a layer without weights.
        arrays: by the path of a group within the layer, as "cell": its variables in Keras's order.
        variables: for a parameter of the torch module: the attribute of the Keras layer, and whether its axes are reversed.
        remark: what differs from the module, for the source's comment.
    """

    text: str
    built: str = ""
    arrays: Mapping[str, tuple[Array, ...]] = field(default_factory=dict)
    variables: Mapping[str, tuple[str, bool]] = field(default_factory=dict)
    remark: str = ""

    @property
    def became(self) -> str:
        """What the module became, in words."""
        inner = self.text.partition("(keras.layers.")[2].partition("(")[0]
        kind = f"{self.class_name} of {inner}" if inner else self.class_name
        return f"{kind}; {self.remark}" if self.remark and self.class_name != "Sequential" else kind

    @property
    def class_name(self) -> str:
        """The name of its class."""
        return self.text.split("(")[0].rsplit(".", 1)[-1]


def array_of(tensor: Any) -> Array:
    """Return a tensor of torch as an array."""
    made: Array = np.ascontiguousarray(tensor.detach().cpu().numpy())
    return made
