"""The contents of a checkpoint file, as data and as text: sizes, activations, masks, and each layer's counterpart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from compare.checkpoints.name_ranges import together
from compare.checkpoints.terminal_tables import caveats, shown_name, table
from compare.checkpoints.wiring import render_wiring
from frameworks.cells import CELLS
from frameworks.counterparts import find_limits
from frameworks.errors import NoCounterpartError
from frameworks.escaping import printable
from frameworks.files import Checkpoint, OtherLayer, StoredLayer
from frameworks.files.other_layers import is_plain
from frameworks.files.writing.constructors import in_keras, in_pytorch
from frameworks.options import KerasOptions
from frameworks.rows import FrameworkName

_FLAGS = (
    "return_sequences",
    "return_state",
    "go_backwards",
    "stateful",
    "zero_output_for_mask",
    "dropout",
    "recurrent_dropout",
)

_OF_EVERY_LAYER = ("name", "trainable")

_LISTED = 24
"""The most layers whose order is listed in a line."""


def describe(checkpoint: Checkpoint) -> dict[str, Any]:
    """Return the contents of a checkpoint as data for JSON."""
    return {
        "path": str(checkpoint.path),
        "format": checkpoint.format,
        "layers": [_layer(layer) for layer in checkpoint.values()],
        "others": [_other(name, layer) for name, layer in checkpoint.others.items()],
        "order": [name for name, _ in checkpoint.in_order],
    }


def render(contents: Mapping[str, Any], *, verbose: bool = False) -> str:
    """Return the data of `describe` as tables, with the caveats below them.

    Args:
        contents: the data.
        verbose: whether all arrays, the options of other layers, and all names that differ only in numbers are listed.
    """
    rows = [
        (
            layer["name"] or repr(layer["name"]),
            layer["class_name"],
            _sizes(layer),
            _each(layer, _activations),
            ", ".join(_flags(layer)),
            layer["mask"] or "-",
        )
        for layer in contents["layers"]
    ]
    headers = ("layer", "is", "sizes", "activations", "options", "mask")
    text = [printable(f"{contents['path']}: {contents['format']}")]
    if rows:
        text += [table(headers, rows), _elsewhere(contents["layers"])]
    if contents["others"]:
        text.append(_other_table(contents["others"], verbose=verbose))
    if verbose:
        text += _options_of_others(contents["others"])
    if _is_mixed(contents):
        text.append(printable(f"In the order of the file: {', '.join(name or repr(name) for name in contents['order'])}"))
    text += render_wiring(contents.get("wiring", []), verbose=verbose)
    if "unwired" in contents:
        text.append(printable(f"Its wiring cannot be read: {contents['unwired']}"))
    warnings = ((each["name"], each["warnings"]) for each in (*contents["layers"], *contents["others"]))
    return "\n\n".join([*text, *caveats(warnings)])


def _other_table(others: Sequence[Mapping[str, Any]], *, verbose: bool) -> str:
    """Return a table of other layers; those that are alike share a row if their names differ only in numbers."""
    alike: dict[tuple[str, str], list[str]] = {}
    for other in others:
        kind = " in ".join([other["kind"] or "arrays", *other["wrappers"]])
        alike.setdefault((kind, _arrays(other, verbose=verbose)), []).append(other["name"])
    rows = [(name, *row) for row, names in alike.items() for name in (names if verbose else together(names))]
    return table(("other layer", "is", "arrays"), rows)


def _options_of_others(others: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return a paragraph with a line of options for each layer that has any; [] if there are none."""
    lines = [
        printable(
            f"- {shown_name(other['name'])}: {', '.join(f'{name}={value!r}' for name, value in other['options'].items())}"
        )
        for other in others
        if other["options"]
    ]
    return ["\n".join(["Options, under their Keras names where Keras has the layer:", *lines])] if lines else []


def _is_mixed(contents: Mapping[str, Any]) -> bool:
    """Return whether the two tables do not show the order of all layers: if another layer precedes a recurrent one."""
    first = [layer["name"] for layer in contents["layers"]]
    return len(contents["order"]) <= _LISTED and contents["order"][: len(first)] != first


def _layer(layer: StoredLayer) -> dict[str, Any]:
    return {
        "name": layer.name,
        "class_name": layer.class_name,
        "origin": layer.origin,
        "cells": [asdict(part.cells[0][0].spec) for part in layer.parts],
        "num_layers": len(layer.cells),
        "num_directions": len(layer.cells[0]),
        "options": None if layer.options is None else asdict(layer.options),
        "arguments": dict(layer.arguments),
        "mask": layer.mask,
        "elsewhere": _counterpart(layer),
        "warnings": list(layer.warnings),
    }


def _counterpart(layer: StoredLayer) -> dict[str, Any]:
    """Return the layer's counterpart in the other framework: a built-in layer, or an emulation and the reasons for it."""
    to: FrameworkName = "pytorch" if layer.origin == "keras" else "keras"
    try:
        spec = layer.spec
    except NoCounterpartError as error:
        why = "proj_size" if layer.arguments.get("proj_size") else "unlike cells"
        return {"framework": to, "by": "emulate", "layer": "", "because": [f"{why}: {error}"]}
    because = [f"{limit.field}={value!r}: {limit.why}" for limit, value in find_limits(spec, to, layer.options)]
    if because:
        return {"framework": to, "by": "emulate", "layer": "", "because": because}
    code = in_pytorch(layer) if to == "pytorch" else in_keras(layer)
    return {"framework": to, "by": "convert", "layer": code, "because": []}


def _other(name: str, other: OtherLayer) -> dict[str, Any]:
    return {
        "name": name,
        "kind": other.kind,
        "known": other.known,
        "wrappers": list(other.wrappers),
        "options": {
            option: value for option, value in other.config.items() if option not in _OF_EVERY_LAYER and is_plain(value)
        },
        "arrays": {array: {"shape": list(stored.shape), "dtype": stored.dtype.name} for array, stored in other.stored.items()},
        "warnings": list(other.warnings),
    }


def _each(layer: Mapping[str, Any], describe_cell: Any) -> str:
    """Describe the cells of a layer; equal descriptions are shown once."""
    return " / ".join(dict.fromkeys(describe_cell(cell) for cell in layer["cells"]))


def _sizes(layer: Mapping[str, Any]) -> str:
    sizes = " -> ".join(map(str, (layer["cells"][0]["input_size"], *_widths(layer))))
    directions = " x 2 directions" if layer["num_directions"] == 2 else ""
    biased = "" if all(cell["bias"] for cell in layer["cells"]) else ", no bias"
    return f"{sizes}{directions}{biased}, {layer['cells'][0]['dtype']}"


def _widths(layer: Mapping[str, Any]) -> list[int]:
    return [cell["hidden_size"] for cell in layer["cells"][:: layer["num_directions"]]]


def _activations(cell: Mapping[str, Any]) -> str:
    gates = f", gates {cell['recurrent_activation']}" if CELLS[cell["cell"]].gated else ""
    before = "" if cell["reset_after"] else ", reset before the product"
    return f"{cell['activation']}{gates}{before}"


def _flags(layer: Mapping[str, Any]) -> list[str]:
    if layer["options"] is None:
        return [f"{name}={'?' if value is None else repr(value)}" for name, value in layer["arguments"].items()]
    plain, options = KerasOptions(), layer["options"]
    two = layer["num_directions"] == 2  # two directions always output zeros at masked steps
    unusual = [
        name for name in _FLAGS if options[name] != getattr(plain, name) and not (two and name == "zero_output_for_mask")
    ]
    shown = [name if options[name] is True else f"{name}={options[name]}" for name in unusual]
    return [*shown, *([f"merge_mode={options['merge_mode']}"] if two else [])]


def _elsewhere(layers: Sequence[Mapping[str, Any]]) -> str:
    """Return the counterparts of layers, a line each: code that a column would break would not run."""
    alike: dict[str, list[str]] = {}
    for layer in layers:
        alike.setdefault(_counterpart_text(layer["elsewhere"]), []).append(layer["name"])
    to = " and ".join(dict.fromkeys(layer["elsewhere"]["framework"] for layer in layers))
    lines = (printable(f"- {', '.join(map(shown_name, together(names)))}: {text}") for text, names in alike.items())
    return "\n".join([f"In {to}:", *lines])


def _counterpart_text(counterpart: Mapping[str, Any]) -> str:
    if counterpart["by"] == "convert":
        return str(counterpart["layer"])
    return "emulate: " + "; ".join(reason.partition(":")[0] for reason in counterpart["because"])


def _arrays(other: Mapping[str, Any], *, verbose: bool) -> str:
    arrays = [f"{name} {tuple(array['shape'])}" for name, array in other["arrays"].items()]
    left_out = 0 if verbose else len(arrays[4:])
    return ", ".join(arrays[: len(arrays) - left_out]) + (f" and {left_out} more" if left_out else "") or "-"
