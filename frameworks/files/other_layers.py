"""Other layers: the layers of a file that are not recurrent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from frameworks.files.untrusted.source import StoredArray
from frameworks.showing import Shown, markdown_blocks, markdown_list, markdown_table, shortened

Array = npt.NDArray[Any]

GENERATOR = "seed_generator"
"""The name of the generator of random numbers of layers with dropout, whose state the files of Keras 3 hold."""

_OF_TRAINING = ("optimizer", "the state of ", "a number of the training", "hyper parameters", "metrics")
"""How the kinds of entries begin that training leaves in a file."""

_NOT_READ = "it is not read as a recurrent layer"


class NotUnderstoodError(Exception):
    """The reason why a recurrent layer could not be read as one: half a sentence, without a full stop.

    Args:
        why: the reason.
        options: the options with which the user can change that.
    """

    def __init__(self, why: str, options: tuple[str, ...] = ()) -> None:
        """Keep the options."""
        super().__init__(why)
        self.options = options

    @property
    def warning(self) -> str:
        """The reason as a warning."""
        return f"{_NOT_READ}: {str(self).removesuffix('.')}."


@dataclass(frozen=True, eq=False, repr=False)
class OtherLayer(Shown):
    """A layer that is not recurrent, or a recurrent one that could not be read as such.

    Args:
        name: the layer's name in its model.
        kind: the class, without its package: "Dense", "Embedding"; "" if it is unknown.
        stored: its arrays; for a known Keras class by their Keras names: kernel, bias, embeddings, gamma, ...
        config: arguments of the Keras constructor: those that the file states, and torch's defaults for what a torch file does
            not state. In files in torch's layout, "keras" holds what is kept of a Keras layer. An ONNX layer of a kind that has
            no record in Keras's table has the arguments of the torch module.
        known: whether the arrays have the names and the meaning of this kind in Keras or torch.
        wrappers: the classes that may run it several times per call, such as TimeDistributed.
        warnings: caveats, such as why a recurrent layer could not be read as one.
        place: the place where Keras 3 stores the variables of this layer; "" if unknown.
        assumed: the names in `config` of values that the file does not state.
        options: the options that the user may give for this layer.

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
    options: tuple[str, ...] = ()
    assumed: frozenset[str] = frozenset()

    def to_markdown(self) -> str:
        """Return the layer as a table of its options and arrays, and a list of the caveats."""
        rows = [("kind", self.kind), *self.config.items(), *((name, each.shape) for name, each in self.stored.items())]
        return markdown_blocks(markdown_table((self.name or "layer", "value"), rows), markdown_list(self.warnings))

    def _in_a_line(self) -> str:
        arrays = ", ".join(f"{shortened(name, 40)} {each.shape}" for name, each in self.stored.items())
        return f"OtherLayer {shortened(repr(self.name), 40)}, {shortened(self.kind, 40) or 'arrays'}: {arrays or 'no arrays'}"

    @property
    def is_recurrent(self) -> bool:
        """Whether it is a recurrent layer that could not be read as one."""
        return any(warning.startswith(_NOT_READ) for warning in self.warnings)

    @property
    def is_of_training(self) -> bool:
        """Whether it is what training leaves in a file, such as the state of an optimizer, and no layer."""
        return not self.stored and self.kind.startswith(_OF_TRAINING)

    @property
    def arrays(self) -> dict[str, Array]:
        """The arrays by name, read from the file each time."""
        return {name: np.asarray(array.read()) for name, array in self.stored.items()}


def is_plain(value: Any) -> bool:
    """Return whether a value from a file is a number, text or a list of integers, none of which can run code."""
    return isinstance(value, (bool, int, float, str)) or (
        isinstance(value, (list, tuple)) and all(type(each) is int for each in value)
    )
