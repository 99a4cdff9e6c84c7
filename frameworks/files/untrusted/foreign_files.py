"""Files that gatewise does not read: how each is recognised, what it is, and how to save a file from it that is read."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from frameworks.errors import GatewiseError
from frameworks.files.untrusted import foreign_code as code
from frameworks.files.untrusted.json_text import MAX_BYTES, read_json
from frameworks.files.untrusted.source import Source

UNKNOWN = "not one of these"
_HEAD = 4096
_GRAPH, _COREML = 7, 200
"""The field of an ONNX model that holds its graph, and the least of those in which Core ML stores the kinds of models."""
_GRAPH_DEF = re.compile(rb"\n.{1,3}?\n[\x01-\x7f][\x20-\x7e]+\x12[\x01-\x7f][A-Z]\w+", re.DOTALL)
_PART = r".*\.(meta|data-\d{5}-of-\d{5})"
_ORIGIN = "Open the model that it was made from."
_AS_NUMPY = "Save its arrays with np.savez under torch's names, as in NAME.weight_ih_l0, and open that file."
_PICKLE = "If you trust it, load it where it was made, and save its weights with torch.save, np.savez or model.save."


def _run(line: str, file: str) -> str:
    return f"run `{line}` in Python, and open {file}."


@dataclass(frozen=True)
class Foreign:
    """A kind of file that gatewise does not read.

    Args:
        what: what it is.
        remedy: what the user can do, in sentences; `{path}` stands for the file, and `{name}` for its name.
        begins: the bytes that it has at `at`.
        at: see `begins`.
        recognises: returns whether a file is of this kind, if that takes more than these bytes.
    """

    what: str
    remedy: str
    begins: bytes = b""
    at: int = 0
    recognises: Callable[[Source], bool] = lambda _: True

    def matches(self, source: Source) -> bool:
        """Return whether a file is of this kind."""
        return source.head(self.at + len(self.begins))[self.at :] == self.begins and self.recognises(source)


def _mentions(pattern: bytes) -> Callable[[Source], bool]:
    """Return a check for words near the beginning of a file."""
    return lambda source: re.search(pattern, source.head(_HEAD)) is not None


def _named(pattern: str) -> Callable[[Source], bool]:
    """Return a check for the name of a file."""
    return lambda source: re.fullmatch(pattern, source.name, re.IGNORECASE) is not None


def _fields(source: Source) -> set[int]:
    """Return the numbers of the outermost fields of a protocol buffer; none if it is damaged."""
    from frameworks.files.untrusted.protobuf import message_of  # noqa: PLC0415  few files need it

    try:
        return {number for number, _ in message_of(source).fields()}
    except GatewiseError:
        return set()


def is_saved_model(source: Source) -> bool:
    """Return whether a file is the saved_model.pb of a TensorFlow SavedModel: a version, 1, and graphs."""
    return source.head(3) == b"\x08\x01\x12" and _fields(source) == {1, 2}


def has_onnx_graph(source: Source) -> bool:
    """Return whether a file that begins as a model of ONNX does has a graph, or is damaged."""
    fields = _fields(source)
    return not fields or _GRAPH in fields


def _json(source: Source) -> Mapping[str, object]:
    """Return a JSON object, or {} for anything else."""
    try:
        return read_json(source.read(0, source.size), source.name) if source.size <= MAX_BYTES else {}
    except GatewiseError:
        return {}


def _topology(source: Source) -> object:
    """Return how a model of TensorFlow.js states its layers or its graph; None for any other file."""
    return _json(source).get("modelTopology")


_RUNS_CODE = "and opening a pickle runs its code"
FOREIGN: tuple[Foreign, ...] = (
    Foreign(
        f"a pickled Keras model, {_RUNS_CODE}",
        f"If you trust it, where it was made, {_run(code.PICKLED_KERAS, 'model.keras')}",
        b"\x80",
        recognises=_mentions(rb"\b(tf_)?keras\b"),
    ),
    Foreign(
        f"a pickle of torch objects that torch.save did not write, {_RUNS_CODE}",
        "If you trust it, load it with pickle, and write its state_dict() with torch.save.",
        b"\x80",
        recognises=_mentions(b"torch"),
    ),
    Foreign(f"a pickle that joblib wrote, {_RUNS_CODE}", _PICKLE, b"\x80", recognises=_mentions(b"joblib")),
    Foreign(f"a pickle that torch did not write, {_RUNS_CODE}", _PICKLE, b"\x80"),
    *(
        Foreign(f"compressed, as joblib does with a pickle, {_RUNS_CODE}", _PICKLE, begins)
        for begins in (b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda")
    ),
    Foreign(
        "a single array of NumPy", "Save all arrays of a layer in one file with np.savez, under torch's names.", b"\x93NUMPY"
    ),
    Foreign(
        "data of R",
        "In R, save the model with save_model_hdf5() of keras, or its arrays with safe_save_file() of safetensors.",
        recognises=_named(r".*\.(rds|rda|rdata)"),
    ),
    *(
        Foreign(f"packed with {program}", "Unpack it first.", begins)
        for program, begins in (
            ("gzip", b"\x1f\x8b"),
            ("bzip2", b"BZh"),
            ("xz", b"\xfd7zXZ"),
            ("zstandard", b"\x28\xb5\x2f\xfd"),
        )
    ),
    Foreign("a pointer of Git LFS and not the file", "Fetch the file with git lfs pull.", b"version https://"),
    Foreign("a page of HTML or XML", "Fetch the file again: the server sent the page instead of it.", b"<"),
    Foreign("a TensorFlow Lite model, which keeps no layers", _ORIGIN, b"TFL3", 4),
    Foreign("an ExecuTorch program, which keeps no layers", _ORIGIN, b"ET", 4, _named(r".*\.pte")),
    Foreign("a GGUF file, as llama.cpp reads it", "Open the checkpoint that it was converted from.", b"GGUF"),
    Foreign(
        "a MATLAB 7.3 file",
        f"Read it with h5py, which shows the axes of each array in reverse. {_AS_NUMPY}",
        b"MATLAB 7.3 MAT-file",
    ),
    Foreign("a MATLAB file", f"Load it with scipy.io.loadmat. {_AS_NUMPY}", b"MATLAB 5.0 MAT-file"),
    Foreign(
        "a Core ML model, which keeps no layers of Keras or torch",
        _ORIGIN,
        b"\x08",
        recognises=lambda source: max(_fields(source), default=0) >= _COREML,
    ),
    Foreign(
        "a frozen graph of TensorFlow (a GraphDef), which states no layers",
        "Open the model that it was frozen from, or read its constants with tf.compat.v1.GraphDef.FromString and "
        f"tf.make_ndarray. {_AS_NUMPY}",
        b"\n",
        recognises=lambda source: _GRAPH_DEF.match(source.head(_HEAD)) is not None,
    ),
    Foreign(
        "the metadata of a TensorFlow SavedModel", "Pass its folder.", recognises=_named(r"(keras_metadata|fingerprint)\.pb")
    ),
    Foreign(
        "a TensorFlow.js model whose weights are rounded to integers",
        _ORIGIN,
        b"{",
        recognises=lambda source: (
            _topology(source) is not None and "'quantization'" in str(_json(source).get("weightsManifest"))
        ),
    ),
    Foreign(
        "a TensorFlow.js model",
        f"In its folder, {_run(code.TENSORFLOW_JS, 'model.h5')}",
        b"{",
        recognises=lambda source: isinstance(layers := _topology(source), Mapping) and "model_config" in layers,
    ),
    Foreign(
        "a TensorFlow.js graph, which states no layers", _ORIGIN, b"{", recognises=lambda source: _topology(source) is not None
    ),
    Foreign(
        "the weights of a TensorFlow.js model", "Pass its model.json.", recognises=_named(r"group\d+-shard\d+of\d+(\.bin)?")
    ),
    Foreign(
        "JSON, as an architecture is",
        "Open the weights, and pass this file as `architecture`.",
        b"{",
        recognises=lambda source: "class_name" in _json(source),
    ),
    *(Foreign("JSON without an architecture of Keras", "Open the checkpoint itself.", begins) for begins in (b"{", b"[")),
    Foreign("the list of a folder's TensorFlow checkpoints", "Pass its folder.", b"model_checkpoint_path: "),
    Foreign("a part of a TensorFlow checkpoint", "Pass its .index file.", recognises=_named(_PART)),
)
"""In the order in which they are tried."""


def describe(source: Source) -> tuple[str, str]:
    """Return what a file of no known format is, and what the user can do."""
    foreign = next((each for each in FOREIGN if each.matches(source)), None)
    if foreign is None:
        head = source.head(8)
        return f"{UNKNOWN}; it begins with {head.hex(' ')}" if head else "empty", "Open the checkpoint itself."
    return foreign.what, foreign.remedy.format(path=str((source.folder or Path()) / source.name), name=source.name)


def names_of_others(names: Sequence[str], file: str) -> tuple[str, str]:
    """Return whose names the arrays of a file have, "" if unknown, and what the user can do."""
    ending = "lateral/W"
    owner = next((name.removesuffix(ending) for name in names if name.endswith(ending)), None)
    if owner is not None and f"{owner}upward/W" in names:
        what = "as Chainer names them, whose LSTM stores the four gates of a unit side by side"
        return what, f"To reorder them, {_run(code.CHAINER.format(path=file, owner=owner), 'lstm.npz')}"
    return "", "Open the model's own file, or save its arrays under torch's names, as in NAME.weight_ih_l0."
