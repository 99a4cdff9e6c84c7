"""The formats that are read: how each is recognised, and the module that reads it. Content counts, the ending does not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from frameworks.errors import InvalidValueError
from frameworks.files.answers import Answers
from frameworks.files.archive import Archive
from frameworks.files.h5 import is_h5
from frameworks.files.npz import is_npz
from frameworks.files.onnx_graph import is_onnx
from frameworks.files.others import OtherLayer
from frameworks.files.safetensors import is_safetensors
from frameworks.files.source import Source
from frameworks.files.stored import StoredLayer
from frameworks.files.torch_legacy import is_torch_legacy
from frameworks.files.torch_zip import is_torch_zip

ZIP, PICKLE = b"PK\x03\x04", 0x80


_STRANGERS: Mapping[bytes, str] = {
    b"\x1f\x8b": "packed with gzip: unpack it first",
    b"BZh".lower(): "packed with bzip2: unpack it first",
    b"\xfd7zxz": "packed with xz: unpack it first",
    b"version https://": "a pointer of Git LFS and not the file: fetch that with git lfs pull",
    b"<": "a page of HTML or XML: the server sent that instead of the file",
    b"TFL3": "a TensorFlow Lite model, which keeps no layers: give the model that it was made from",
}
"""What is often taken for a checkpoint, by its first bytes in small letters."""


@dataclass(frozen=True)
class Format:
    """One line of the registry.

    Args:
        name: for messages.
        endings: that such files usually have.
        recognise: whether a file is one, by its content.
        module: with `read(source, architecture, answers)`, which gives the layers in order.
    """

    name: str
    endings: tuple[str, ...]
    recognise: Callable[[Source], bool]
    module: str

    def read(self, source: Source, architecture: Mapping[str, Any] | None, answers: Answers) -> list[StoredLayer | OtherLayer]:
        """Read a file of this format."""
        layers: list[StoredLayer | OtherLayer] = import_module(self.module).read(source, architecture, answers)
        return layers


def _zip_of(recognise: Callable[[Source], bool]) -> Callable[[Source], bool]:
    return lambda source: source.head(4) == ZIP and recognise(source)


FORMATS: tuple[Format, ...] = (
    Format("Keras h5", (".h5", ".hdf5", ".weights.h5"), is_h5, "frameworks.files.keras_h5"),
    Format("Keras zip", (".keras",), _zip_of(lambda source: "config.json" in Archive(source)), "frameworks.files.keras_zip"),
    Format("PyTorch zip", (".pt", ".pth", ".jit"), _zip_of(is_torch_zip), "frameworks.files.torch_zip"),
    Format("PyTorch before 1.6", (".pt", ".pth"), is_torch_legacy, "frameworks.files.torch_legacy"),
    Format("NumPy", (".npz",), _zip_of(is_npz), "frameworks.files.npz"),
    Format("ONNX", (".onnx",), is_onnx, "frameworks.files.onnx"),
    Format("safetensors", (".safetensors",), is_safetensors, "frameworks.files.safetensors"),
)


def find_format(source: Source) -> Format:
    """Give the format of a file.

    Raises:
        GatewiseError: for a file of no known format, saying what it is as far as that can be told.
    """
    for each in FORMATS:
        if each.recognise(source):
            return each
    known = ", ".join(f"{each.name} ({', '.join(each.endings)})" for each in FORMATS)
    raise InvalidValueError.because(
        source.name, must=f"be of a known format: {known}", but=f"is {_describe(source)}", remedy="Give the checkpoint itself."
    )


def _describe(source: Source) -> str:
    head = source.head(16)
    if head.startswith(ZIP):
        names = ", ".join(list(Archive(source))[:3])
        return f"a zip archive of {names}"
    if head[:1] == bytes([PICKLE]):
        return "a pickle and not torch's, which nobody should open"
    if head.lstrip()[:1] in (b"{", b"["):
        return "JSON, as an architecture is: give the weights, and it as `architecture`"
    known = [what for begin, what in _STRANGERS.items() if begin in (head.lower()[: len(begin)], head[4 : 4 + len(begin)])]
    if known:
        return known[0]
    if source.name.endswith((".index", ".meta")) or ".data-0" in source.name or source.name == "checkpoint":
        return "a part of a TensorFlow checkpoint: load it where the model is, and save that as .keras or .h5"
    return f"none of them, beginning with {head[:8].hex(' ')}" if head else "empty"
