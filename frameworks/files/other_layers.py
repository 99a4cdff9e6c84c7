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
    """Why a recurrent layer is not read as one, as the second half of a sentence without its full stop."""

    @property
    def warning(self) -> str:
        """Say so."""
        return f"it is not read as a recurrent layer: {str(self).removesuffix('.')}."


@dataclass(frozen=True, eq=False)
class OtherLayer:
    """What a file holds that is no recurrent layer, or none that is understood.

    Args:
        name: of the layer in its model.
        kind: the class that the file names, without a package: "Dense", "Embedding"; "" where it names none.
        stored: its arrays, by Keras's names of them where known: kernel, bias, embeddings, gamma, ...
        config: arguments of the constructor of Keras's layer, as far as the file says, or torch assumes where its files do not;
            what a file in torch's layout keeps of a layer of Keras's lies under "keras".
        known: whether the arrays' names and meaning are Keras's or torch's own for that kind.
        wrappers: the classes that run it otherwise than once a call: TimeDistributed.
        warnings: what to beware of, such as why a recurrent layer was not understood.
        place: where Keras 3 keeps the variables of this layer of the model that it is from; empty where that is not known.
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
        """Its arrays, read from the file each time."""
        return {name: np.asarray(array.read()) for name, array in self.stored.items()}


def is_plain(value: Any) -> bool:
    """Tell whether a value of a file's is a number, a text or a few whole numbers, which nothing can be run by."""
    return isinstance(value, (bool, int, float, str)) or (
        isinstance(value, (list, tuple)) and all(type(each) is int for each in value)
    )
