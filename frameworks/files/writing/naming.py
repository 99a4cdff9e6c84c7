"""Names in files of torch's layout: what a layer's arrays are called there, for reading and for writing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from frameworks.counterparts import find_limits
from frameworks.errors import NoCounterpartError
from frameworks.files.stored import StoredLayer
from frameworks.files.untrusted.source import StoredArray

DESCRIPTION = "gatewise"
"""The key of the metadata, and in formats without any the name of the array, that says what the weights mean."""

EMULATED = "emulated"
"""What goes between a layer's name and its arrays where torch.nn's own module of these arrays would compute something else."""


@dataclass(frozen=True)
class Module:
    """A module of torch.nn beside the recurrent ones, and Keras's layer of the same arrays.

    Args:
        name: of the class in torch.nn; "" for a layer that torch.nn does not have, whose arrays keep Keras's names.
        arrays: by Keras's name of each: torch's name, and where each axis there lies in Keras's array, () where it is as it is.
    """

    name: str
    arrays: Mapping[str, tuple[str, tuple[int, ...]]]

    def holds(self, stored: Mapping[str, StoredArray]) -> bool:
        """Tell whether arrays by these names have as many axes as the module's have."""
        ranks = {name: len(axes) for own, (there, axes) in self.arrays.items() for name in (own, there) if axes}
        return all(len(array.shape) == ranks[name] for name, array in stored.items() if name in ranks)


_NORMALISED = {"gamma": ("weight", ()), "beta": ("bias", ())}
_SCALED = {"scale": ("scale", ())}

MODULES: Mapping[str, Module] = MappingProxyType(
    {
        "Embedding": Module("Embedding", {"embeddings": ("weight", (0, 1))}),
        "Dense": Module("Linear", {"kernel": ("weight", (1, 0)), "bias": ("bias", ())}),
        "Conv1D": Module("Conv1d", {"kernel": ("weight", (2, 1, 0)), "bias": ("bias", ())}),
        "Conv2D": Module("Conv2d", {"kernel": ("weight", (3, 2, 0, 1)), "bias": ("bias", ())}),
        "LayerNormalization": Module("LayerNorm", _NORMALISED),
        "BatchNormalization": Module(
            "BatchNorm1d", {**_NORMALISED, "moving_mean": ("running_mean", ()), "moving_variance": ("running_var", ())}
        ),
        "PReLU": Module("PReLU", {"alpha": ("weight", ())}),
        "Attention": Module("", _SCALED),
        "AdditiveAttention": Module("", _SCALED),
    }
)
"""By Keras's class."""

_KERAS: Mapping[str, str] = {
    **{module.name: kind for kind, module in MODULES.items() if module.name},
    "BatchNorm": "BatchNormalization",
    "BatchNorm2d": "BatchNormalization",
    "BatchNorm3d": "BatchNormalization",
}


def keras_kind(kind: str) -> str:
    """Give Keras's class of a torch.nn module or of its own; "" where it has none that is known here."""
    return kind if kind in MODULES else _KERAS.get(kind, "")


def prefix_of(name: str) -> str:
    """Give what the names of a layer's arrays begin with: "inner/lstm" is a module within a module."""
    return f"{name.replace('/', '.')}." if name else ""


def plain_name(name: str) -> str:
    """Give a name as Keras allows it on every backend."""
    return name.replace("/", "_").replace(".", "_")


def cell_suffix(layer: int, direction: int) -> str:
    """Give what torch.nn puts behind the names of an array of a layer: `_l1_reverse`."""
    return f"_l{layer}{'_reverse' if direction else ''}"


def places(layer: StoredLayer) -> Iterator[tuple[int, int, str, str]]:
    """Yield each cell's layer and direction and what stands before and behind its arrays' names."""
    prefix = prefix_of(layer.name) + ("" if fits_torch(layer) else f"{EMULATED}.")
    for index, cells in enumerate(layer.cells):
        for direction in range(len(cells)):
            yield index, direction, prefix, "" if layer.is_cell else cell_suffix(index, direction)


def fits_torch(layer: StoredLayer) -> bool:
    """Tell whether a module of torch.nn with these arrays computes the layer, whatever is done with its results."""
    if layer.arguments.get("proj_size"):  # torch's own, of which there is no spec
        return True
    try:
        spec = layer.spec
    except NoCounterpartError:
        return False
    return next(find_limits(spec, "pytorch"), None) is None
