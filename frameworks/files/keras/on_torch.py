"""Layers of Keras in a state dict of torch, as Keras on its torch backend saves them.

Each Keras layer is a torch module that has its variables, and those of the layers in it, as `NAME._torch_params.PATH`, where
PATH is Keras's.

Source: keras/src/backend/torch/layer.py (`_track_variables`, `_post_track_variable`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from frameworks.files.given_options import GivenOptions
from frameworks.files.keras.layers import Reading
from frameworks.files.keras.version import Version
from frameworks.files.keras.weights_only import Layer, is_cell_name, natural, read_bare
from frameworks.files.untrusted.source import StoredArray
from frameworks.kinds import KERAS

_NAME = re.compile(r"(?:(.*)\.)?_torch_params\.(.+)", re.DOTALL)
_RANDOM = "seed_generator_state"
"""The state of a random generator, which a layer with dropout has."""

_ORDER = tuple(dict.fromkeys(("kernel", "recurrent_kernel", *(array.name for kind in KERAS for array in kind.arrays or ()))))
"""The names of arrays, in the order that Keras has in each layer; the state dict has them in alphabetical order."""


def split_off(arrays: Mapping[str, StoredArray]) -> tuple[dict[str, dict[str, StoredArray]], dict[str, StoredArray]]:
    """Return the variables of Keras by path for each module that has them, and the arrays of torch's own modules."""
    owned: dict[str, dict[str, StoredArray]] = {}
    left = {}
    for name, array in arrays.items():
        match = _NAME.fullmatch(name)
        if match is None:
            left[name] = array
        elif match[2].rpartition("/")[2] != _RANDOM:
            owned.setdefault(match[1] or "", {})[match[2]] = array
    outermost = {
        owner: variables
        for owner, variables in owned.items()
        if not any(_is_within(owner, other) and variables.keys() <= owned[other].keys() for other in owned)
    }
    return outermost, left


def _is_within(owner: str, other: str) -> bool:
    return owner != other and (not other or owner.startswith(f"{other}."))


def read_keras(owned: Mapping[str, Mapping[str, StoredArray]], given: GivenOptions) -> Iterator[Layer]:
    """Yield the Keras layers of a state dict of torch.

    Args:
        owned: the variables by path, for each module, see `split_off`.
        given: the user's options.
    """
    for owner, variables in owned.items():
        layers: dict[str, dict[str, StoredArray]] = {}
        for path, array in variables.items():
            name, within = _split(path)
            layers.setdefault(name, {})[within] = array
        inner = _names(owner, layers)
        named = {inner[name]: _in_order(inner[name], parts) for name, parts in layers.items()}
        yield from read_bare(named, Reading("", Version("3"), given, describable=False), ordered=False)


def _split(path: str) -> tuple[str, str]:
    """Return the path of a layer, and that of the variable in it."""
    parts = path.split("/")
    at = len(parts) - 1
    while at > 1 and is_cell_name(parts[at - 1]):
        at -= 1
    return "/".join(parts[:at]), "/".join(parts[at:])


def _names(owner: str, paths: Iterable[str]) -> dict[str, str]:
    """Return the names of layers by their paths: without that of the model, and after the module's."""
    split = {path: path.split("/") for path in paths}
    alone = len(split) == 1 and owner != ""
    skipped = 1 if len({parts[0] for parts in split.values()}) == 1 and all(len(parts) > 1 for parts in split.values()) else 0
    inner = {path: "" if alone and len(parts) - skipped < 2 else "/".join(parts[skipped:]) for path, parts in split.items()}
    return {path: ".".join(filter(None, (owner, name))) for path, name in inner.items()}


def _in_order(name: str, arrays: Mapping[str, StoredArray]) -> dict[str, StoredArray]:
    """Return the variables of a layer by their paths below its name, those of each cell in Keras's order."""
    rank = {leaf: index for index, leaf in enumerate(_ORDER)}

    def place(path: str) -> tuple[list[tuple[str, int]], int]:
        owner, _, leaf = path.rpartition("/")
        return natural(owner), rank.get(leaf, len(rank))

    return {f"{name}/{path}": arrays[path] for path in sorted(arrays, key=place)}
