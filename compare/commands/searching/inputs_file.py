"""The arrays of `--inputs FILE.npz`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy.typing as npt

from compare.groundwork.npz import UnreadableError, read_npz
from frameworks.errors import InvalidValueError

Array = npt.NDArray[Any]
LAYER_NAMES = ("inputs", "mask", "h_0", "c_0")
"""The names of arrays for `diagnose`."""
_POSITION = re.compile(r"arr_(\d+)")


def read_arrays(path: Path) -> dict[str, Array]:
    """Read all arrays of a file by name, without unpickling anything.

    Raises:
        InvalidValueError: for any other file, and for arrays of Python objects.
    """
    try:
        return read_npz(path)
    except UnreadableError as error:
        raise InvalidValueError.because(
            str(path),
            must="be an .npz file of numbers",
            but=f"reading it failed with: {error}",
            remedy="Write it with np.savez(path, inputs=...).",
        ) from error


def read_layer_call(path: Path) -> dict[str, Any]:
    """Return the arguments of `diagnose` that a file holds.

    Raises:
        InvalidValueError: for names that are none of these.
    """
    arrays = read_arrays(path)
    unknown = [name for name in arrays if name not in LAYER_NAMES]
    if unknown or ("c_0" in arrays and "h_0" not in arrays) or not arrays:
        raise InvalidValueError.because(
            str(path),
            must=f"hold arrays of the names {', '.join(LAYER_NAMES)}, and c_0 only beside h_0",
            but=f"holds {', '.join(arrays) or 'no array'}",
            remedy="Write it with np.savez(path, inputs=..., mask=..., h_0=..., c_0=...), without those that are not needed.",
        )
    states = tuple(arrays[name] for name in ("h_0", "c_0") if name in arrays)
    return {"inputs": arrays.get("inputs"), "mask": arrays.get("mask"), "initial_state": states or None}


def read_model_call(path: Path) -> Any:
    """Return the inputs of `compare_models` that a file holds: by name, or in order if their names are arr_0, arr_1, ..."""
    arrays = read_arrays(path)
    if not arrays:
        raise InvalidValueError.because(
            str(path),
            must="hold the inputs of the models",
            but="holds no array",
            remedy="Write it with np.savez(path, x), or by the names of the inputs: np.savez(path, words=...).",
        )
    places = {name: _POSITION.fullmatch(name) for name in arrays}
    if all(places.values()):
        return tuple(arrays[name] for name in sorted(arrays, key=lambda name: int(name.removeprefix("arr_"))))
    return arrays
