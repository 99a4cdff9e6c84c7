"""Files of Keras 1: its architecture in the words of Keras 2, and its cells, of which most store one array per gate.

Sources: keras/layers/recurrent.py, core.py and normalization.py of Keras 1.2 (`get_config`, `build`);
keras/engine/saving.py of Keras 2 (`preprocess_weights_for_loading`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from frameworks.cells import GATES, cells_by_name
from frameworks.files.keras.config import MAX_DEPTH, Config
from frameworks.files.untrusted.source import StoredArray
from frameworks.kinds import KERAS
from frameworks.layouts import KERAS1

_LEAF = re.compile(r"(?:(.*)_)?([WUb])(?:_([a-z]))?")
_RECURRENT = MappingProxyType(
    {
        "output_dim": "units",
        "inner_activation": "recurrent_activation",
        "dropout_W": "dropout",
        "dropout_U": "recurrent_dropout",
    }
)
_WAYS = re.compile("(forward|backward)_")


def in_keras_2(entry: Any, depth: int = 0) -> Any:
    """Return a serialised model or layer with the names of Keras 2; one that has these already is returned as it is."""
    config = entry.get("config") if isinstance(entry, Mapping) else None
    if isinstance(config, list):
        config = {"layers": config}
    if not isinstance(config, Mapping) or not isinstance(entry.get("class_name"), str) or depth > MAX_DEPTH:
        return entry
    layers, inner = config.get("layers"), config.get("layer")
    changed = dict(config)
    if isinstance(layers, list):
        changed["layers"] = [in_keras_2(each, depth + 1) for each in layers]
    if isinstance(inner, Mapping):
        changed["layer"] = in_keras_2(inner, depth + 1)
    class_name = entry["class_name"]
    options = {option.formerly: option.name for option in KERAS.get(class_name).options if option.formerly}
    for old, new in (_RECURRENT if class_name in cells_by_name("keras") else options).items():
        if old in changed and new not in changed:
            changed[new] = changed.pop(old)
    if changed.get("mode", 0) != 0 and "momentum" in changed:
        class_name = f"{class_name} of mode {changed['mode']}"  # it normalises otherwise than that of Keras 2
    return {**entry, "class_name": class_name, "config": changed}


def count_arrays(class_name: str, config: Config) -> int:
    """Return the number of arrays of a recurrent layer of Keras 1, or 0 for a layer of a later version."""
    cell = cells_by_name("keras").get(class_name)
    if cell is None or cell not in KERAS1 or config.get("consume_less", "gpu") == "gpu":
        return 0
    return 3 * len(GATES[cell])


def cells_of(arrays: Mapping[str, StoredArray]) -> dict[str, list[StoredArray]]:
    """Return the arrays of each cell in canonical order, by what their names have in common; {} if they are not Keras 1's."""
    cells: dict[str, dict[tuple[str, str], StoredArray]] = {}
    for name, array in arrays.items():
        match = _LEAF.fullmatch(name.rpartition("/")[2].partition(":")[0])
        if match is None:
            return {}
        cells.setdefault(match[1] or "", {})[match[3] or "", match[2]] = array
    ordered = {}
    for owner, named in cells.items():
        keys = {key for key, _ in named}
        wanted = next((each for each in _KEYS if set(each) == keys), ("",) if keys == {""} else ())
        names = [(key, part) for key in wanted for part in "WUb"]
        if set(names) != named.keys():
            return {}
        ordered[owner] = [named[name] for name in names]
    return ordered


def way_of(owner: str) -> str:
    """Return the direction in the name of a cell within a Bidirectional: "forward", "backward" or ""."""
    match = _WAYS.match(owner)
    return match[1] if match else ""


_KEYS: tuple[tuple[str, ...], ...] = tuple(
    tuple(name.rpartition("_")[2] for name in layout.kernel.gates_by_array(())) for layout in KERAS1.values()
)
"""The letters of the gates of each cell, in canonical order."""
