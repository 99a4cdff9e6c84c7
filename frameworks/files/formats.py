"""The formats that can be read: how each is recognised by its content, and the module that reads it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Protocol, cast

from frameworks.errors import GatewiseError, InvalidValueError
from frameworks.files.given_options import GivenOptions
from frameworks.files.other_layers import OtherLayer
from frameworks.files.stored import StoredLayer
from frameworks.files.untrusted.archive import Archive
from frameworks.files.untrusted.foreign_files import UNKNOWN, describe, has_onnx_graph, is_saved_model
from frameworks.files.untrusted.json_text import MAX_BYTES, read_json
from frameworks.files.untrusted.sorted_table import is_table
from frameworks.files.untrusted.source import Source, StoredArray

ZIP = b"PK\x03\x04"
_USER_BLOCKS = (0, *(512 << power for power in range(8)))
Layers = list[StoredLayer | OtherLayer]


class Reader(Protocol):
    """The interface of a module that reads a format."""

    def read(self, source: Source, given: GivenOptions) -> Layers:
        """Return the layers of a file, in order.

        Args:
            source: the file.
            given: the user's options.

        Raises:
            GatewiseError: for a damaged file.
        """


class DescribedReader(Protocol):
    """The interface of a module whose format accepts an architecture."""

    def read(self, source: Source, given: GivenOptions, architecture: Mapping[str, Any] | None) -> Layers:
        """Return the layers of a file, in order.

        Args:
            source: the file.
            given: the user's options.
            architecture: the JSON that overrides the architecture in the file; None for no override.

        Raises:
            GatewiseError: for a file that is damaged or that Keras did not write.
        """

    def read_described(self, source: Source, given: GivenOptions, architecture: Mapping[str, Any] | None) -> tuple[Layers, Any]:
        """Return the layers of a file, and its `Architecture`, or None if neither the file nor the user states one."""


class StateDictReader(Reader, Protocol):
    """The interface of a module whose files may each be a part of a larger checkpoint."""

    def read_arrays(self, source: Source) -> tuple[dict[str, StoredArray], list[OtherLayer]]:
        """Return the arrays of a file by name, and a layer for each entry that cannot be read as an array."""


@dataclass(frozen=True)
class Format:
    """One row of the table.

    Args:
        name: the name in messages.
        endings: the usual endings of such files.
        module: the reader, imported only for its own files.
        recognises: returns whether a file is of this format, by its first bytes or by the names in its zip archive.
        takes_architecture: whether the module is a `DescribedReader`.
        is_state_dict: whether the module is a `StateDictReader`.
    """

    name: str
    endings: tuple[str, ...]
    module: str
    recognises: Callable[[Source], bool]
    takes_architecture: bool = False
    is_state_dict: bool = False

    def read(self, source: Source, given: GivenOptions, architecture: Mapping[str, Any] | None = None) -> Layers:
        """Return the layers of a file of this format.

        Raises:
            GatewiseError: for a damaged file, or for an architecture that the format does not accept.
        """
        module: Any = import_module(self.module)
        if self.takes_architecture:
            return cast("DescribedReader", module).read(source, given, architecture)
        if architecture is not None:
            raise InvalidValueError.because(
                f"architecture for {source.name}",
                must="be left out",
                but=f"is given for a {self.name} file, and only Keras files accept one",
                remedy="Open the file without it, and pass what the file does not state as options.",
            )
        return cast("Reader", module).read(source, given)

    def read_described(self, source: Source, given: GivenOptions, architecture: Mapping[str, Any] | None) -> tuple[Layers, Any]:
        """Return the layers of a file, and its architecture, or None if there is none. See `read`."""
        if not self.takes_architecture:
            return self.read(source, given, architecture), None
        return cast("DescribedReader", import_module(self.module)).read_described(source, given, architecture)

    def read_arrays(self, source: Source) -> tuple[dict[str, StoredArray], list[OtherLayer]]:
        """Return the arrays of a file, if the format is one of state dicts; see `StateDictReader`."""
        return cast("StateDictReader", import_module(self.module)).read_arrays(source)


def _begins_with(magic: bytes, offsets: Sequence[int] = (0,)) -> Callable[[Source], bool]:
    """Return a check for certain bytes at any of some offsets."""
    size = len(magic)
    return lambda source: any(at + size <= source.size and source.read(at, size) == magic for at in offsets)


def _zip_where(quantifier: Callable[[Iterable[bool]], bool], pattern: str) -> Callable[[Source], bool]:
    """Return a check for a zip archive with any or all of its member names matching a pattern."""
    matches = re.compile(pattern, re.DOTALL).fullmatch

    def recognises(source: Source) -> bool:
        if source.head(len(ZIP)) != ZIP:
            return False
        names = list(Archive(source))
        return bool(names) and quantifier(matches(name) is not None for name in names)

    return recognises


def _is_h5(source: Source) -> bool:
    """Return whether a file is h5, at its beginning or after a user block; zip archives and MATLAB files may look like one."""
    return not source.head(6).startswith((ZIP, b"MATLAB")) and _begins_with(b"\x89HDF\r\n\x1a\n", _USER_BLOCKS)(source)


def _is_torch_legacy(source: Source) -> bool:
    """Return whether a file begins with a pickle, in any protocol, of torch's magic number."""
    head = source.head(24)
    return head[:1] == b"\x80" and b"\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19." in head


def _is_safetensors(source: Source) -> bool:
    """Return whether a file begins with the size of a header (below 1 TiB) and a JSON object."""
    head = source.head(9)
    return head[5:] == b"\x00\x00\x00{" and any(head[:5])


def _is_onnx(source: Source) -> bool:
    """Return whether a file begins with a version of ONNX, followed by a name, another version or the graph."""
    head = source.head(3)
    begins = len(head) == 3 and head[0] == 0x08 and 0 < head[1] < 0x40 and head[2] in _AFTER_VERSION
    return begins and has_onnx_graph(source)


_AFTER_VERSION = (0x12, 0x1A, 0x22, 0x28, 0x32, 0x3A, 0x42)


def _is_index(source: Source) -> bool:
    """Return whether a file is JSON that maps arrays to files."""
    if source.head(1) != b"{" or source.size > MAX_BYTES:
        return False
    try:
        return isinstance(read_json(source.read(0, source.size), source.name).get("weight_map"), Mapping)
    except GatewiseError:
        return False


_EXPORTED = r"(.*/)?(data/(weights|constants)/[^/]+_\3_config\.json|data/weights/[^/]+\.pt|serialized_state_dict\.pt)"
_KERAS, _TORCH, _TENSORFLOW = (f"frameworks.files.{name}" for name in ("keras", "torch", "tensorflow"))

FORMATS: tuple[Format, ...] = (
    Format(
        "Keras h5",
        (".h5", ".hdf5", ".weights.h5"),
        f"{_KERAS}.h5",
        _is_h5,
        takes_architecture=True,
    ),
    Format("Keras zip", (".keras",), f"{_KERAS}.zip", _zip_where(any, r"config\.json"), takes_architecture=True),
    Format(
        "PyTorch zip",
        (".pt", ".pth", ".bin", ".ckpt", ".jit"),
        f"{_TORCH}.zip",
        _zip_where(any, r"([^/]*/)?data\.pkl"),
        is_state_dict=True,
    ),
    Format("PyTorch export", (".pt2",), f"{_TORCH}.export", _zip_where(any, _EXPORTED)),
    Format("PyTorch before 1.6", (".pt", ".pth"), f"{_TORCH}.legacy", _is_torch_legacy, is_state_dict=True),
    Format("NumPy", (".npz",), f"{_TORCH}.npz", _zip_where(all, r".*\.npy")),
    Format("safetensors", (".safetensors",), f"{_TORCH}.safetensors", _is_safetensors, is_state_dict=True),
    Format("ONNX", (".onnx",), "frameworks.files.onnx.model", _is_onnx),
    Format("SavedModel", ("saved_model.pb",), f"{_TENSORFLOW}.saved_model", is_saved_model, takes_architecture=True),
    Format("TensorFlow checkpoint", (".index",), f"{_TENSORFLOW}.checkpoint", is_table),
    Format("index of shards", (".index.json",), f"{_TORCH}.shards", _is_index),
)
STATE_DICTS = tuple(each for each in FORMATS if each.is_state_dict)


def find_format(source: Source, formats: tuple[Format, ...] = FORMATS) -> Format:
    """Return the format of a file.

    Args:
        source: the file.
        formats: the formats to choose from.

    Raises:
        GatewiseError: for a file of another format; the message describes its content.
    """
    for each in formats:
        if each.recognises(source):
            return each
    what, remedy = _describe(source)
    known = ", ".join(f"{each.name} ({', '.join(each.endings)})" for each in formats)
    is_listed = what.startswith(UNKNOWN) or formats is not FORMATS
    must = f"be of a known format{f': {known}' if is_listed else ''}"
    raise InvalidValueError.because(source.name, must=must, but=f"is {what}", remedy=remedy)


def _describe(source: Source) -> tuple[str, str]:
    """Return what a file of another format is, and what the user can do."""
    if source.head(len(ZIP)) != ZIP:
        return describe(source)
    names = list(Archive(source))
    if any(name.endswith(".data/extern_modules") for name in names):
        return "a torch.package archive, which holds code", "Load it with torch.package, and save the state_dict."
    return f"a zip archive of {', '.join(names[:3])}", "Open the checkpoint itself."
