"""A checkpoint file: its recurrent layers by name, and its other layers."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from difflib import get_close_matches
from os import PathLike
from pathlib import Path
from typing import Any

from frameworks.errors import GatewiseError, InvalidValueError
from frameworks.escaping import markdown_text
from frameworks.files.formats import Format, find_format
from frameworks.files.given_options import GivenOptions, Options
from frameworks.files.keras.architecture import Architecture
from frameworks.files.other_layers import OtherLayer
from frameworks.files.stored import StoredLayer
from frameworks.files.untrusted.folders import open_path
from frameworks.files.untrusted.foreign_files import names_of_others
from frameworks.files.untrusted.h5_process import started_for
from frameworks.files.untrusted.json_text import MAX_BYTES, read_json
from frameworks.files.untrusted.source import open_source
from frameworks.showing import Shown, markdown_blocks, markdown_table, shortened
from frameworks.shown_layers import sizes_of

_SHARD = re.compile(r".+-\d{5}-of-(\d{5})\.\w+")


class Checkpoint(Shown, Mapping[str, StoredLayer]):
    """The recurrent layers of a file by name, in the order of the model. It is read-only.

    Attributes:
        path: the path of the file.
        format: the name of its format.
        others: the layers that are not recurrent, by name, in order. Arrays that belong to no layer are under "".
        in_order: all layers, each with its name, in the order of the file.
        given: the architecture and the options that it was opened with; None for a format that holds no Keras model.

    Example:
        >>> checkpoint = open_checkpoint("model.npz")
        >>> checkpoint.format, list(checkpoint), list(checkpoint.others)
        ('NumPy', ['encoder'], ['head'])
        >>> checkpoint["encoder"].spec.hidden_size
        4
    """

    def __init__(
        self, path: Path, name: str, layers: list[StoredLayer | OtherLayer], given: Mapping[str, Any] | None = None
    ) -> None:
        """Sort the layers into recurrent and other ones."""
        self.path, self.format, self.given = path, name, given
        self._layers: Mapping[str, StoredLayer] = _by_name([layer for layer in layers if isinstance(layer, StoredLayer)])
        self.others: Mapping[str, OtherLayer] = _by_name([layer for layer in layers if isinstance(layer, OtherLayer)])
        names = {id(layer): name for named in (self._layers, self.others) for name, layer in named.items()}
        self.in_order: tuple[tuple[str, StoredLayer | OtherLayer], ...] = tuple((names[id(each)], each) for each in layers)

    def __getitem__(self, name: str) -> StoredLayer:
        """Return a recurrent layer by name.

        Raises:
            KeyError: for a name that is not there; the message lists the names that are.
        """
        if name not in self._layers:
            what = f"is a {self.others[name].kind or 'layer of unknown kind'}" if name in self.others else "is not there"
            known = [each or repr(each) for each in self._layers]
            raise MissingLayerError.because(
                f"the layer {name!r} of {self.path.name}",
                must=f"be one of the recurrent layers {', '.join(known) or '(there are none)'}",
                but=what,
                remedy="".join(f"Is it {each!r}? " for each in get_close_matches(name, known, 1))
                + "The other layers are in `checkpoint.others`.",
            )
        return self._layers[name]

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names of the recurrent layers."""
        return iter(self._layers)

    def __len__(self) -> int:
        """Count the recurrent layers."""
        return len(self._layers)

    def to_markdown(self) -> str:
        """Return the file's name and format, and a table of its layers."""
        rows = [
            (name or repr(name), each.class_name if isinstance(each, StoredLayer) else each.kind or "arrays", _held(each))
            for name, each in self.in_order
        ]
        title = markdown_text(f"{shortened(self.path.name, 80)}: {self.format}")
        return markdown_blocks(title, markdown_table(("layer", "is", "sizes"), rows))

    def _in_a_line(self) -> str:
        names = ", ".join(name or repr(name) for name in self._layers)
        return f"{self.format} {shortened(self.path.name, 60)}: {names or 'no recurrent layer'}"


def _held(layer: StoredLayer | OtherLayer) -> str:
    """Return the sizes of a recurrent layer, or the shapes of another layer's arrays."""
    if isinstance(layer, OtherLayer):
        return ", ".join(f"{name} {each.shape}" for name, each in layer.stored.items())
    try:
        return sizes_of(layer.spec)
    except GatewiseError:  # no single spec describes unlike cells
        return "; ".join(f"{part.cells[0][0].spec.input_size} -> {part.cells[0][0].spec.hidden_size}" for part in layer.parts)


class MissingLayerError(InvalidValueError, KeyError):
    """A layer that a checkpoint does not have."""

    def __str__(self) -> str:
        """Return the message without the quotes that KeyError would add."""
        return str(self.args[0])


def open_checkpoint(
    path: str | PathLike[str],
    architecture: str | PathLike[str] | Mapping[str, Any] | None = None,
    options: Options | None = None,
) -> Checkpoint:
    """Read a checkpoint file without the framework that wrote it. Weights are read only when they are used.

    Args:
        path: the file, the .index.json of a checkpoint in several files, the folder of a SavedModel of Keras 2, or the prefix
            of a TensorFlow checkpoint. The content decides the format.
        architecture: the JSON that Keras wrote for a file of weights, or its path. Only Keras formats accept one.
        options: what the file does not state, by layer name: {"lstm_1": {"recurrent_activation": "keras2_hard_sigmoid"}}.
            Those under None apply to all layers that have the option. Options override the file. A Keras layer has
            activation, recurrent_activation, reset_after and the flags of `KerasOptions`; a torch module has batch_first,
            dropout and nonlinearity; a layer of an ONNX graph has none. `cell` ("lstm", "gru", "rnn") states that a cell that
            looks custom is the framework's own. `kind` states the class of arrays whose kind a torch file does not state,
            such as "Embedding", which then has that module's arguments as options.

    Raises:
        GatewiseError: for a file of unknown format, a damaged file, an architecture for a format that accepts none, or options
            that do not fit the layers.
        MissingFrameworkError: for an h5 or .keras file where h5py is not installed.

    Example:
        >>> checkpoint = open_checkpoint("model.npz", options={"encoder": {"batch_first": True}})
        >>> checkpoint["encoder"].arguments["batch_first"]
        True
        >>> open_checkpoint("model.npz", options={"head": {"kind": "Linear"}}).others["head"].kind
        'Linear'
    """
    return open_described(path, architecture, options, whole=False)[0]


def open_described(
    path: str | PathLike[str],
    architecture: str | PathLike[str] | Mapping[str, Any] | None = None,
    options: Options | None = None,
    *,
    whole: bool = True,
) -> tuple[Checkpoint, Architecture | None]:
    """Read a checkpoint file once for its layers and its architecture; None if neither the file nor the user states one.

    Args:
        path: as in `open_checkpoint`.
        architecture: as in `open_checkpoint`.
        options: as in `open_checkpoint`.
        whole: whether a model with an architecture need not have a recurrent layer.

    Raises:
        GatewiseError: as `open_checkpoint`.
    """
    given = GivenOptions(options)
    with started_for(Path(path)):
        source = open_path(Path(path))
        file_format = find_format(source)
        described = None if architecture is None else parsed_architecture(architecture)
        layers, found = file_format.read_described(source, given, described)
    if found is None or not whole:
        _require_recurrent(layers, Path(path), file_format, is_described=architecture is not None)
    given.check(layers)
    warning = _shard_warning(source.name)
    if warning:
        layers = [replace(layer, warnings=(*layer.warnings, warning)) for layer in layers]
    opened_with = {"architecture": architecture, "options": options} if file_format.takes_architecture else None
    return Checkpoint(Path(path), file_format.name, layers, opened_with), found


def _require_recurrent(layers: list[StoredLayer | OtherLayer], path: Path, file_format: Format, *, is_described: bool) -> None:
    if any(isinstance(layer, StoredLayer) for layer in layers):
        return
    others = [layer for layer in layers if isinstance(layer, OtherLayer)]
    kinds = dict.fromkeys(layer.kind or "layers of unknown kind" for layer in others)
    article = "an" if file_format.name[0] in "AEIOU" or file_format.name.startswith("index") else "a"
    but = f"is {article} {file_format.name} file of {_few(list(kinds)) or 'no layers'}"
    unread = [layer for layer in others if layer.is_recurrent]
    unknown = [layer for layer in others if not layer.known]
    reasons = _reasons(unread or unknown)
    if reasons and not unread:
        but += f" ({reasons[:1000]})"
    if arrays := _arrays([layer for layer in unread if not layer.kind or not layer.options] if unread else unknown):
        but += f", with the arrays {arrays}"
    if _shard_warning(path.name):
        but += f". {_shard_warning(path.name).removesuffix('.').capitalize()}"
    if unread:
        raise InvalidValueError.because(path.name, must="hold a recurrent layer", but=but, remedy=reasons)
    what, remedy = names_of_others(
        [f"{layer.name}.{array}".removeprefix(".") for layer in unknown for array in layer.stored], str(path)
    )
    if what:
        but += f", {what}"
    elif others and not any(layer.stored for layer in others):
        remedy = "Open the model's own file."
    elif others and all(layer.known or not layer.stored for layer in others):
        remedy = "There is nothing to port in it: open a file that has a recurrent layer."
    elif file_format.takes_architecture and not is_described:
        remedy = "Open the model's own file, or pass the JSON of the architecture with its weights."
    raise InvalidValueError.because(path.name, must="hold a recurrent layer", but=but, remedy=remedy)


def _arrays(layers: list[OtherLayer]) -> str:
    listed = {layer.name: _few([f"{name} {array.shape}" for name, array in layer.stored.items()]) for layer in layers}
    return _few([f"of {name}: {arrays}" if name else arrays for name, arrays in listed.items() if arrays], "; ")


def _reasons(layers: list[OtherLayer]) -> str:
    """Return the warnings of layers; one that differs only in the name of its layer is stated once."""
    told: dict[str, tuple[str, list[str]]] = {}
    for layer in layers:
        for warning in layer.warnings:
            key = warning.replace(repr(layer.name), "").replace(f"{layer.name}.", ".")
            first = f"{layer.name}: {warning}" if layer.name else warning
            if layer.is_recurrent:
                first = f"{f'The layer {layer.name}' if layer.name else 'It'} {warning.removeprefix('it ')}"
            told.setdefault(key, (first, []))[1].append(layer.name or repr(layer.name))
    return " ".join(f"{first} Likewise {_few(names[1:])}." if names[1:] else first for first, names in told.values())


def _shard_warning(file: str) -> str:
    """Return a warning if the name of a file is that of one shard of several, otherwise ""."""
    shard = _SHARD.fullmatch(file)
    if shard is None or int(shard[1]) < 2:
        return ""
    return (
        f"by its name the file is one of {int(shard[1])} parts, and the layer may continue in another: open their .index.json."
    )


def _few(names: list[str], between: str = ", ") -> str:
    listed = between.join(names[:5])
    return f"{listed} and {len(names) - 5} more" if len(names) > 5 else listed


def parsed_architecture(given: str | PathLike[str] | Mapping[str, Any]) -> Mapping[str, Any]:
    """Return an architecture that the user gives as JSON, as its path or parsed.

    Raises:
        GatewiseError: for a file that is not the JSON of an architecture.
    """
    if isinstance(given, Mapping):
        return given
    source = open_source(Path(given))
    head, wrong = source.head(16), ""
    if source.size > MAX_BYTES:
        wrong = f"has {source.size} bytes, more than {MAX_BYTES >> 20} MiB"
    elif head.lstrip()[:1] not in (b"{", b"["):
        wrong = f"begins with {head!r}"
    if wrong:
        raise InvalidValueError.because(
            source.name,
            must="be the JSON of an architecture",
            but=wrong,
            remedy="Pass the text that Keras's model.to_json() returns.",
        )
    parsed = read_json(source.read(0, source.size), source.name)
    if "class_name" not in parsed:
        raise InvalidValueError.because(
            source.name,
            must="be the JSON of an architecture",
            but=f"has no class_name, but {_few(list(parsed)) or 'nothing'}",
            remedy="Pass the text that Keras's model.to_json() returns.",
        )
    return parsed


def _by_name(layers: list[Any]) -> dict[str, Any]:
    """Return layers by name; a number is added to a name that occurs again."""
    named: dict[str, Any] = {}
    for layer in layers:
        name, number = layer.name, 1
        while name in named:
            number += 1
            name = f"{layer.name} ({number})"
        named[name] = layer
    return named
