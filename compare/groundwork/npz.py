"""Reading an .npz file of numbers that anybody may have written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
_ZIP = (b"PK\x03\x04", b"PK\x05\x06")
"""How an archive begins; the second is one without members."""


class UnreadableError(Exception):
    """The reason why a file could not be read: half a sentence, without a full stop."""


def read_npz(path: Path) -> dict[str, Array]:
    """Read all arrays of a file by name, without unpickling anything.

    Raises:
        UnreadableError: for any other file, a damaged one, and arrays of Python objects.
    """
    try:
        return _load(path)
    except UnreadableError:
        raise
    except Exception as error:  # a damaged header makes NumPy raise errors of zipfile, zlib, tokenize and ast
        raise UnreadableError(str(error).partition("\n")[0].rstrip(".") or type(error).__name__) from error


def _load(path: Path) -> dict[str, Array]:
    with path.open("rb") as stream:
        if stream.read(4) not in _ZIP:
            raise UnreadableError("it is not an archive of arrays")  # NumPy would advise to unpickle it
        stream.seek(0)
        with np.load(stream, allow_pickle=False) as file:
            return dict(file)
