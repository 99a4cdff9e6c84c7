"""A .weights.h5 file of variables whose places are known."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import h5py

from frameworks.files.writing.blocks import Tensor


def write_variables(path: Path, variables: Mapping[str, Tensor]) -> None:
    """Write variables.

    Args:
        path: the file.
        variables: by place: "encoder/lstm/cell/vars/0".
    """
    # This process has locked it already.
    with h5py.File(path, "w", locking=False) as file:
        file.create_group("vars")  # the model's own, also if it has none: Keras up to 3.5 asks for it
        for place, tensor in variables.items():
            group, _, name = place.rpartition("/")
            write_variable(file.require_group(group), name, tensor)


def write_variable(group: h5py.Group, name: str, tensor: Tensor) -> None:
    """Write one array, block by block."""
    variable = group.create_dataset(name, tensor.shape, tensor.dtype)
    done = 0
    for block in tensor.blocks():
        # Blocks hold whole rows; a scalar has no rows and is one block.
        if not tensor.shape:
            variable[()] = block.reshape(())
            return
        rows = block.reshape(-1, *tensor.shape[1:])
        variable[done : done + len(rows)] = rows
        done += len(rows)
