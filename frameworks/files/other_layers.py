"""Other layers: what a file holds that is not a recurrent layer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from frameworks.files.untrusted.source import StoredArray

Array = npt.NDArray[Any]


class NotUnderstoodError(Exception):
    """The reason why a recurrent layer could not be read as one: half a sentence, without a full stop."""

    @property
    def warning(self) -> str:
        """The reason as a warning."""
        return f"it is not read as a recurrent layer: {str(self).removesuffix('.')}."


@dataclass(frozen=True, eq=False)
class OtherLayer:
    """A layer that is not recurrent, or a recurrent one that could not be read as such.

    Args:
        name: the layer's name in its model.
        kind: the class that the file names, without its package: "Dense", "Embedding"; "" if it names none.
        stored: its arrays, by Keras's names where those are known: kernel, bias, embeddings, gamma, ...
        config: arguments of Keras's constructor that the file states, or torch's defaults where a torch file does not; under
            "keras" what a file in torch's layout keeps of a Keras layer.
        known: whether the names and meaning of the arrays are those that Keras or torch has for the kind.
        wrappers: the classes that run it other than once a call, such as TimeDistributed.
        warnings: caveats, such as why a recurrent layer could not be read as one.
        place: where Keras 3 keeps the variables of this layer; empty if unknown.

    Example:
        >>> head = open_checkpoint("model.npz").others["head"]
        >>> head.kind, head.arrays["weight"].shape
        ('Linear', (2, 4))
    """

    name: str
    kind: str = ""
    stored: Mapping[str, StoredArray] = field(default_factory=lambda: MappingProxyType({}))
    config: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    known: bool = False
    wrappers: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    place: str = ""

    @property
    def arrays(self) -> dict[str, Array]:
        """The arrays by name, read from the file each time."""
        return {name: np.asarray(array.read()) for name, array in self.stored.items()}


def is_plain(value: Any) -> bool:
    """Return whether a value from a file is a number, a text or a list of whole numbers, none of which can run code."""
    return isinstance(value, (bool, int, float, str)) or (
        isinstance(value, (list, tuple)) and all(type(each) is int for each in value)
    )
