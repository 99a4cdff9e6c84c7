"""The formats that are read: how each is recognised, and the module that reads it. Content counts, the ending does not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from types import MappingProxyType
from typing import Any

from frameworks.errors import InvalidValueError
from frameworks.files.given_options import Answers
from frameworks.files.other_layers import OtherLayer
from frameworks.files.stored import StoredLayer
from frameworks.files.untrusted.archive import Archive
from frameworks.files.untrusted.source import Source

ZIP = b"PK\x03\x04"
_STRANGERS: Mapping[bytes, str] = MappingProxyType(
    {
        b"\x80": "a pickle and not torch's, which nobody should open",
        b"\x93NUMPY": "one array alone",
        b"\x1f\x8b": "packed with gzip: unpack it first",
        b"BZh": "packed with bzip2: unpack it first",
        b"\xfd7zXZ": "packed with xz: unpack it first",
        b"\x28\xb5\x2f\xfd": "packed with zstandard: unpack it first",
        b"version https://": "a pointer of Git LFS and not the file: fetch that with git lfs pull",
        b"<": "a page of HTML or XML: the server sent that instead of the file",
        b"TFL3": "a TensorFlow Lite model, which keeps no layers: give the model that it was made from",
    }
)
"""What is often taken for a checkpoint, by its first bytes, or those after the first four."""


@dataclass(frozen=True)
class Format:
    """One line of the registry.

    Args:
        name: for messages.
        endings: that such files usually have.
        module: with `recognises(source)`, whether a file is one by its content, and `read(source, architecture, answers)`,
            which gives the layers in order. It is imported when a file may be of the format.
        zipped: whether such files are zip archives.
    """

    name: str
    endings: tuple[str, ...]
    module: str
    zipped: bool = False

    def recognises(self, source: Source) -> bool:
        """Tell whether a file is of this format."""
        return (not self.zipped or source.head(len(ZIP)) == ZIP) and bool(import_module(self.module).recognises(source))

    def read(self, source: Source, architecture: Mapping[str, Any] | None, answers: Answers) -> list[StoredLayer | OtherLayer]:
        """Read a file of this format."""
        layers: list[StoredLayer | OtherLayer] = import_module(self.module).read(source, architecture, answers)
        return layers


FORMATS: tuple[Format, ...] = (
    Format("Keras h5", (".h5", ".hdf5", ".weights.h5"), "frameworks.files.keras.h5"),
    Format("Keras zip", (".keras",), "frameworks.files.keras.zip", zipped=True),
    Format("PyTorch zip", (".pt", ".pth", ".bin", ".ckpt", ".jit"), "frameworks.files.torch.zip", zipped=True),
    Format("PyTorch export", (".pt2",), "frameworks.files.torch.export", zipped=True),
    Format("PyTorch before 1.6", (".pt", ".pth"), "frameworks.files.torch.legacy"),
    Format("NumPy", (".npz",), "frameworks.files.torch.npz", zipped=True),
    Format("ONNX", (".onnx",), "frameworks.files.onnx.model"),
    Format("safetensors", (".safetensors",), "frameworks.files.torch.safetensors"),
    Format("index of shards", (".index.json",), "frameworks.files.torch.shards"),
)


def find_format(source: Source) -> Format:
    """Give the format of a file.

    Raises:
        GatewiseError: for a file of no known format, saying what it is as far as that can be told.
    """
    for each in FORMATS:
        if each.recognises(source):
            return each
    known = ", ".join(f"{each.name} ({', '.join(each.endings)})" for each in FORMATS)
    raise InvalidValueError.because(
        source.name, must=f"be of a known format: {known}", but=f"is {_describe(source)}", remedy="Give the checkpoint itself."
    )


def _describe(source: Source) -> str:
    head = source.head(16)
    if head.startswith(ZIP):
        names = list(Archive(source))
        if any(name.endswith(".data/extern_modules") for name in names):
            return "a torch.package archive, which holds code: load it with torch.package and save the state_dict"
        return f"a zip archive of {', '.join(names[:3])}"
    if head.lstrip()[:1] in (b"{", b"["):
        return "JSON, as an architecture is: give the weights, and it as `architecture`"
    known = [what for begin, what in _STRANGERS.items() if head.startswith(begin) or head[4:].startswith(begin)]
    if known:
        return known[0]
    if source.name.endswith((".index", ".meta")) or ".data-0" in source.name or source.name == "checkpoint":
        return "a part of a TensorFlow checkpoint: load it where the model is, and save that as .keras or .h5"
    return f"none of them, beginning with {head[:8].hex(' ')}" if head else "empty"
