"""The weights of `--weights FILE`, loaded into a model that code has built, without unpickling anything."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

from compare.commands.searching.arguments import Named
from frameworks.errors import InvalidValueError
from frameworks.files.formats import STATE_DICTS, find_format
from frameworks.files.untrusted.folders import open_path


def is_of_keras(path: Path) -> bool:
    """Return whether a file holds weights of Keras.

    Raises:
        GatewiseError: for a file that is not there, or of no known format.
    """
    return find_format(open_path(path)).takes_architecture


def load_weights(path: Path, model: Any, named: Named) -> None:
    """Load weights into a model of the same framework.

    Args:
        path: a Keras file, or a state dict.
        model: a Keras model or a torch module.
        named: where the model is from.

    Raises:
        GatewiseError: for weights of other names or shapes.
    """
    try:
        if is_of_keras(path):
            model.load_weights(path)
        else:
            model.load_state_dict(_state_dict(path))
    except (RuntimeError, ValueError, TypeError, KeyError, AttributeError, OSError, NotImplementedError) as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        raise InvalidValueError.because(
            f"--weights {path}",
            must=f"hold the weights of {named}",
            but=f"loading them failed with: {' '.join(lines)[:500].removesuffix('.')}",
            remedy="Pass the file that was saved from this model, or load the weights in the code that builds it.",
        ) from error


def _state_dict(path: Path) -> dict[str, Any]:
    source = open_path(path)
    arrays, others = find_format(source, STATE_DICTS).read_arrays(source)
    if others:
        raise ValueError(f"it also holds {', '.join(other.name or 'unread arrays' for other in others)}")
    torch = sys.modules["torch"]
    return {name: torch.from_numpy(np.array(array.read())) for name, array in arrays.items()}
