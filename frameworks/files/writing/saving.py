"""`save_checkpoint`, which chooses the format by the ending of the path."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib import import_module
from os import PathLike
from pathlib import Path
from types import MappingProxyType
from typing import Any

from frameworks.errors import InvalidValueError, MissingFrameworkError
from frameworks.files.checkpoint import Checkpoint
from frameworks.files.untrusted.source import recycling
from frameworks.files.writing.blocks import BLOCK
from frameworks.files.writing.outcome import Written, layers_of
from frameworks.files.writing.replacing import replacing
from frameworks.registry import quiet_stderr

_HERE = "frameworks.files.writing"

WRITERS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        ".safetensors": (f"{_HERE}.torch.safetensors", "write"),
        ".pt": (f"{_HERE}.torch.zipped", "write_pt"),
        ".pth": (f"{_HERE}.torch.zipped", "write_pt"),
        ".npz": (f"{_HERE}.torch.zipped", "write_npz"),
        ".weights.h5": (f"{_HERE}.keras.weights_h5", "write"),
        ".keras": (f"{_HERE}.keras.model", "write"),
    }
)
"""By ending: a module and a function in it that takes a path and the layers."""

WHOLE_MODELS: Mapping[str, tuple[str, str]] = MappingProxyType({".keras": ("frameworks.models.keras.saving", "write")})
"""By ending: the same for a checkpoint of Keras, whose layers are written as the model that connects them."""


def save_checkpoint(path: str | PathLike[str], layers: Mapping[str, Any], *, force: bool = False) -> list[Written]:
    """Write layers to a file. Its ending chooses the format: .safetensors, .pt, .pth, .npz, .weights.h5 or .keras.

    The first four have torch's layout and names. They also hold a description of the weights, so that `open_checkpoint` returns
    the same layers. A layer that torch.nn can compute has the names that its module loads; any other layer has different names.

    A .weights.h5 file is for Keras's `load_weights` and holds only weights. If a whole checkpoint of a Keras model is written,
    the file fits a model of the same architecture, including inner models and wrappers. Otherwise it fits a model with these
    layers in this order. If a whole checkpoint of a Keras model is written to a .keras file, the file holds the same model,
    connected, which Keras 3 opens by itself. Otherwise it holds one model in which each layer has a separate input.

    An existing file is replaced only when the new one is complete.

    Args:
        path: the file to write.
        layers: layers by name, each from a checkpoint, an adapter, or a layer that `adapt` accepts. A `Checkpoint` is written
            with its other layers.
        force: whether to replace an existing file.

    Returns:
        The outcome of each layer, including non-recurrent layers that the format cannot hold.

    Raises:
        GatewiseError: for an unknown ending, a recurrent layer that the format cannot hold, or an existing file (see `force`).

    Example:
        >>> written = save_checkpoint("model.safetensors", open_checkpoint("model.npz"))
        >>> {each.name: each.place for each in written}
        {'encoder': 'encoder.', 'head': 'head.'}
    """
    target = Path(path)
    ending = next((each for each in WRITERS if target.name.endswith(each)), "")
    if not ending or target.name == ending:
        raise InvalidValueError.because(
            target.name or str(target),
            must=f"end in one of {', '.join(WRITERS)}",
            but="does not",
            remedy="The ending chooses the format. gatewise port MODEL OUT.py writes a whole model as source.",
        )
    given = layers_of(layers)
    _require_text(name for layer in given for name in (layer.name, *getattr(layer, "stored", ())))
    is_whole = isinstance(layers, Checkpoint) and layers.given is not None and ending in WHOLE_MODELS
    module, function = (WHOLE_MODELS if is_whole else WRITERS)[ending]
    try:
        with quiet_stderr():
            write = getattr(import_module(module), function)
    except ImportError as error:
        raise MissingFrameworkError.of(f"the module that writes {ending}", error, extra="files,tensorflow") from error
    with replacing(target, force=force) as temporary, recycling(BLOCK):
        written: list[Written] = write(temporary, layers if is_whole else given)
    return written


def _require_text(names: Iterable[str]) -> None:
    """Reject names that a format would truncate or cannot encode. They may come from an untrusted file."""
    for name in names:
        if "\0" in name or any("\ud800" <= character <= "\udfff" for character in name):
            raise InvalidValueError.because(
                f"the name {name[:100]!r}",
                must="be text",
                but="contains a NUL or a lone surrogate",
                remedy="Give the layer another name, in a mapping from name to layer.",
            )
