"""`save_checkpoint`: the formats that are written, by their endings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib import import_module
from os import PathLike
from pathlib import Path
from types import MappingProxyType
from typing import Any

from frameworks.errors import InvalidValueError, MissingFrameworkError
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
"""By ending: the module and its function, which takes a path and the layers."""


def save_checkpoint(path: str | PathLike[str], layers: Mapping[str, Any], *, force: bool = False) -> list[Written]:
    """Write layers to a file, whose format is chosen by its ending: .safetensors, .pt, .pth, .npz, .weights.h5 or .keras.

    The first four have torch's layout and names, and beside them what the weights mean, so that `open_checkpoint` gives the
    layers back as they are. What torch.nn computes is named so that its modules load it; what it does not is named otherwise.
    A .weights.h5 file is what Keras's `load_weights` reads; it holds weights alone. That of a whole checkpoint of a Keras model
    fits a model of the same architecture, with models and wrappers within it; that of anything else, a model of these layers in
    this order. A .keras file is one model in which each layer reads an input of its own.
    The file is complete before it takes the place of one that was there.

    Args:
        path: of the file.
        layers: by name: what a checkpoint holds, adapters, or layers that `adapt` takes; a `Checkpoint` with its other layers.
        force: whether a file that is there is replaced.

    Returns:
        What became of each layer, those that the format cannot hold and that are not recurrent among them.

    Raises:
        GatewiseError: for a recurrent layer that the format cannot hold, an ending that is no format's, a file that is there.

    Example:
        >>> written = save_checkpoint("model.safetensors", open_checkpoint("model.npz"))
        >>> {each.name: each.place for each in written}
        {'encoder': 'encoder.', 'head': 'head.'}
    """
    target = Path(path)
    ending = next((each for each in WRITERS if target.name.endswith(each)), "")
    if not ending or target.name == ending:
        raise InvalidValueError.because(
            target.name, must=f"end in one of {', '.join(WRITERS)}", but="does not", remedy="The ending chooses the format."
        )
    given = layers_of(layers)
    _require_text(name for layer in given for name in (layer.name, *getattr(layer, "stored", ())))
    module, function = WRITERS[ending]
    try:
        with quiet_stderr():
            write = getattr(import_module(module), function)
    except ImportError as error:
        raise MissingFrameworkError.because(
            f"what writes {ending}",
            must="be importable",
            but=f"importing it failed with: {error}",
            remedy="Install it with: pip install 'gatewise[files,tensorflow]'.",
        ) from error
    with replacing(target, force=force) as beside, recycling(BLOCK):
        written: list[Written] = write(beside, given)
    return written


def _require_text(names: Iterable[str]) -> None:
    """Refuse names that a format would cut short or cannot encode; they may be those of a stranger's file."""
    for name in names:
        if "\0" in name or any("\ud800" <= character <= "\udfff" for character in name):
            raise InvalidValueError.because(
                f"the name {name[:100]!r}",
                must="be text",
                but="has a NUL, or half of a character",
                remedy="Give the layer another name, in a mapping from name to layer.",
            )
