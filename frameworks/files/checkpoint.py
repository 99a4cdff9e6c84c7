"""A checkpoint file: the recurrent layers in it by name, and what it holds beside them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from difflib import get_close_matches
from os import PathLike
from pathlib import Path
from typing import Any

from frameworks.errors import InvalidValueError, printable
from frameworks.files.formats import find_format
from frameworks.files.given_options import GivenOptions, Options
from frameworks.files.other_layers import OtherLayer
from frameworks.files.stored import StoredLayer
from frameworks.files.untrusted.h5_process import started_for
from frameworks.files.untrusted.json_text import MAX_BYTES, read_json
from frameworks.files.untrusted.source import damaged, open_source

_SHARD = re.compile(r".+-\d{5}-of-(\d{5})\.\w+")


class Checkpoint(Mapping[str, StoredLayer]):
    """The recurrent layers of a file by name, in the order of the model; read-only.

    Attributes:
        path: of the file.
        format: what it was recognised as.
        others: the layers that are not recurrent, in order, by name; arrays that belong to no layer under "".
    """

    def __init__(self, path: Path, name: str, layers: list[StoredLayer | OtherLayer]) -> None:
        """Sort the layers."""
        self.path, self.format = path, name
        self._layers: Mapping[str, StoredLayer] = _by_name([layer for layer in layers if isinstance(layer, StoredLayer)])
        self.others: Mapping[str, OtherLayer] = _by_name([layer for layer in layers if isinstance(layer, OtherLayer)])

    def __getitem__(self, name: str) -> StoredLayer:
        """Give a recurrent layer.

        Raises:
            KeyError: naming those that there are.
        """
        if name not in self._layers:
            what = (
                f"is a {self.others[name].kind or 'layer of a kind that is not known'}"
                if name in self.others
                else "is not there"
            )
            known = [each or repr(each) for each in self._layers]
            raise MissingLayerError.because(
                f"the layer {name!r} of {self.path.name}",
                must=f"be one of the recurrent layers {', '.join(known) or '(there is none)'}",
                but=what,
                remedy="".join(f"Is it {each!r}? " for each in get_close_matches(name, known, 1))
                + "The others are in `checkpoint.others`.",
            )
        return self._layers[name]

    def __iter__(self) -> Iterator[str]:
        """Give the names of the recurrent layers."""
        return iter(self._layers)

    def __len__(self) -> int:
        """Count the recurrent layers."""
        return len(self._layers)

    def __repr__(self) -> str:
        """Say what the file holds."""
        return printable(f"<{self.format} {self.path.name}: {', '.join(self._layers) or 'no recurrent layer'}>")


class MissingLayerError(InvalidValueError, KeyError):
    """A layer that a checkpoint does not have."""

    def __str__(self) -> str:
        """Give the message as it is, not quoted as KeyError would."""
        return str(self.args[0])


def open_checkpoint(
    path: str | PathLike[str],
    architecture: str | PathLike[str] | Mapping[str, Any] | None = None,
    options: Options | None = None,
) -> Checkpoint:
    """Read what a checkpoint file holds, without the framework that wrote it; weights are read when asked for.

    Args:
        path: of the file, or of the .index.json of a checkpoint in several; its format is recognised by its content.
        architecture: the JSON that Keras wrote beside a file of weights, or the path to it.
        options: what the file does not say, by layer name: {"lstm_1": {"recurrent_activation": "keras2_hard_sigmoid"}}; under
            None what holds for all layers that have the option. They go before what the file says. Of Keras's layers they are
            activation, recurrent_activation, reset_after and the flags of `KerasOptions`; of torch's modules batch_first,
            dropout and nonlinearity.

    Raises:
        GatewiseError: for a file of no known format, a damaged one, or options that its weights contradict.
        MissingFrameworkError: where h5py is needed and not installed.
    """
    given = GivenOptions(options)
    with started_for(Path(path)):
        source = open_source(Path(path))
        file_format = find_format(source)
        layers = file_format.read(source, given, None if architecture is None else _architecture(architecture))
    _require_recurrent(layers, source.name, file_format.name)
    given.check(layer for layer in layers if isinstance(layer, StoredLayer))
    warning = _shard_warning(source.name)
    if warning:
        layers = [replace(layer, warnings=(*layer.warnings, warning)) for layer in layers]
    return Checkpoint(Path(path), file_format.name, layers)


def _require_recurrent(layers: list[StoredLayer | OtherLayer], file: str, kind: str) -> None:
    if any(isinstance(layer, StoredLayer) for layer in layers):
        return
    others = [layer for layer in layers if isinstance(layer, OtherLayer)]
    kinds = dict.fromkeys(layer.kind or "layers of a kind that is not known" for layer in others)
    why: dict[str, list[str]] = {}
    for layer in others:
        for warning in () if layer.known else layer.warnings:
            why.setdefault(warning, []).append(layer.name or repr(layer.name))
    told = " ".join(f"{_few(names)}: {warning}" for warning, names in why.items())
    arrays = [
        f"{layer.name}{'.' * bool(layer.name)}{array} {stored.shape}"
        for layer in others
        if not layer.kind
        for array, stored in layer.stored.items()
    ]
    raise InvalidValueError.because(
        file,
        must="hold a recurrent layer",
        but=f"is a {kind} file of {_few(list(kinds)) or 'no layers'}"
        + f" ({told[:1000]})" * bool(told)
        + f", with arrays named {_few(arrays)}" * bool(arrays)
        + f". {_shard_warning(file).removesuffix('.').capitalize()}" * bool(_shard_warning(file)),
        remedy="Give the model's file; the JSON of its architecture beside Keras's weights; torch's names for others' arrays,"
        " as in NAME.weight_ih_l0.",
    )


def _shard_warning(file: str) -> str:
    """Say of a file that is named as one of several that it is; "" of any other."""
    found = _SHARD.fullmatch(file)
    if found is None or int(found[1]) < 2:
        return ""
    return f"the file is named as one of {int(found[1])}, and the layer may go on in another: open the .index.json beside them."


def _few(names: list[str]) -> str:
    return ", ".join(names[:5]) + f" and {len(names) - 5} more" * (len(names) > 5)


def _architecture(given: str | PathLike[str] | Mapping[str, Any]) -> Mapping[str, Any]:
    if isinstance(given, Mapping):
        return given
    source = open_source(Path(given))
    if source.size > MAX_BYTES:
        raise damaged(source.name, f"has {source.size} bytes, more than an architecture can have")
    return read_json(source.read(0, source.size), source.name)


def _by_name(layers: list[Any]) -> dict[str, Any]:
    """Order layers by name; where two have the same one, the further ones with a number."""
    found: dict[str, Any] = {}
    for layer in layers:
        name, number = layer.name, 1
        while name in found:
            number += 1
            name = f"{layer.name} ({number})"
        found[name] = layer
    return found
