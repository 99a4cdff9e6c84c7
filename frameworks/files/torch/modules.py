"""Recurrent modules of torch, recognised by the names and shapes of their parameters."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from frameworks.files.given_options import GivenOptions
from frameworks.files.keras.on_torch import read_keras, split_off
from frameworks.files.other_layers import NotUnderstoodError, OtherLayer
from frameworks.files.stored import StoredLayer
from frameworks.files.torch.other_layers import read_other
from frameworks.files.torch.recurrent import Module, read_recurrent
from frameworks.files.untrusted.source import StoredArray

_LEAF = re.compile(r"(weight_(?:ih|hh|hr)|bias_(?:ih|hh))(?:_l(\d{1,4})(_reverse)?)?")
_OWN_NAME = re.compile(r"(.+?)[._/]?(w|weight|b|bias)_(ih|hh)(?:_l(\d{1,4})(_reverse)?)?")
_PARAMETRISED = re.compile(rf"(?:(.*)\.)?parametrizations\.({_LEAF.pattern})\.\w+")
_REPARAMETRISED = re.compile(rf"{_LEAF.pattern}_(?:g|v|u|orig|mask)")
_LINEARITY = re.compile(r"(?:(.*)\.)?(input|state)_linearity\.(weight|bias)")
"""A cell of AllenNLP (`AugmentedLstm`, `AugmentedLSTMCell`): two modules, with the gates in torch's order."""

_COPY = re.compile(r"(?:.*[._])?(?:ema|swa|averaged?|shadow)(?:[._].*)?", re.IGNORECASE | re.DOTALL)
"""A name of averaged weights, which a training script keeps beside those that it trains."""

_AVERAGED = "n_averaged"
"""An array that torch's AveragedModel adds to a state dict."""

_RAW = re.compile(rf"(?:(.*)\.)?({_LEAF.pattern})_raw")
"""A weight before weight dropout, which AWD-LSTM stores in the module or in one around it."""

_DROPPED = "_dropped"
_STALE = "it is a weight of the last training step, after weight dropout: the layer has the weight before it."


def read_modules(
    arrays: Mapping[str, StoredArray],
    given: GivenOptions,
    attributes: Mapping[str, Mapping[str, Any]] = MappingProxyType({}),
    numbers: Mapping[str, int] = MappingProxyType({}),
) -> Iterator[StoredLayer | OtherLayer]:
    """Yield the modules that named arrays belong to, in order.

    Args:
        arrays: the arrays by their names in a state dict.
        given: the user's options.
        attributes: the attributes that the file states, by module name.
        numbers: which state dict an array is from, by name, if the file has several.
    """
    owned, arrays = split_off(arrays)
    yield from read_keras(owned, given)
    groups = _group(arrays, numbers)
    inner = Counter(name.rpartition(".")[0] for name in attributes if name)
    within: dict[tuple[int, str], list[str]] = {}
    for number, owner in groups:
        outer, _, own = owner.rpartition(".")
        if owner:
            within.setdefault((number, outer), []).append(own)
    for (number, owner), group in groups.items():
        others = (*group.others, *within.get((number, owner), ()))
        for layer in _read(owner, group, others, given, attributes):
            warnings = [*_around(owner, attributes, inner)] if isinstance(layer, StoredLayer) else []
            if _COPY.fullmatch(layer.name) or _AVERAGED in arrays:
                warnings.append(
                    "by the file's names it is a running average of the weights, not the weights that were trained."
                )
            yield replace(layer, warnings=(*layer.warnings, *warnings))


def _read(
    owner: str, group: _Group, others: tuple[str, ...], given: GivenOptions, attributes: Mapping[str, Mapping[str, Any]]
) -> Iterator[StoredLayer | OtherLayer]:
    stated = attributes.get(owner, {})
    if not group.cells and not group.parametrised:
        yield from read_other(owner, group.arrays, stated, given)
        return
    module = Module(owner, group.cells, group.cell, group.own_names, group.parametrised, group.raw, stated, others)
    try:
        yield read_recurrent(module, given)
    except NotUnderstoodError as why:
        yield OtherLayer(module.name, "", MappingProxyType(group.arrays), warnings=(why.warning,), options=("cell",))
    else:
        dropped = {name: array for name, array in group.others.items() if name.endswith(_DROPPED)}
        yield from read_other(owner, {name: array for name, array in group.others.items() if name not in dropped}, given=given)
        if dropped:
            yield OtherLayer(owner, "", MappingProxyType(dropped), warnings=(_STALE,))


def _around(owner: str, attributes: Mapping[str, Mapping[str, Any]], inner: Mapping[str, int]) -> Iterator[str]:
    """Yield a warning if classes of the user's own call a recurrent module, apart from that of the whole model.

    Args:
        owner: the recurrent module's name.
        attributes: the attributes that the file states, by module name.
        inner: the number of modules in each module, by name.
    """
    parts = owner.split(".") if owner else []
    outer = [name for name in (".".join(parts[:length]) for length in range(len(parts))) if name in attributes]
    only_wraps = len(outer) == 1 and inner[outer[0]] == 1
    own = [name for name in outer[not only_wraps :] if not attributes[name].get("torch", True)]
    if own:
        classes = " within ".join(dict.fromkeys(str(attributes[name]["class"]) for name in reversed(own)))
        yield (
            f"it is called by the class {classes}, whose code is not read: that may do something else around it, such as"
            " reversing time."
        )


@dataclass
class _Group:
    """The arrays of one module.

    Args:
        arrays: all arrays, by their names in the module.
        cells: the arrays of a recurrent module, by layer and direction, under names without these two.
        others: the arrays that no recurrent module has.
        cell: whether the names are those of a bare cell.
        own_names: one of the names, if they are not torch's; otherwise "".
        parametrised: the name of an array from which a recurrent weight must be computed; "" if there is none.
        raw: the names of the weights that are read as they are before weight dropout.
    """

    arrays: dict[str, StoredArray] = field(default_factory=dict)
    cells: dict[tuple[int, int], dict[str, StoredArray]] = field(default_factory=dict)
    others: dict[str, StoredArray] = field(default_factory=dict)
    cell: bool = False
    own_names: str = ""
    parametrised: str = ""
    raw: tuple[str, ...] = ()

    def add(self, leaf: str, array: StoredArray) -> None:
        """Add an array."""
        self.arrays[leaf] = array
        match = _LEAF.fullmatch(leaf)
        if _REPARAMETRISED.fullmatch(leaf) or _PARAMETRISED.fullmatch(leaf):
            self.parametrised = self.parametrised or leaf
        elif match is None:
            self.others[leaf] = array
        else:
            self.cell = self.cell or match[2] is None
            self.cells.setdefault((int(match[2] or 0), int(match[3] is not None)), {})[match[1]] = array

    def add_own(self, name: str, means: str, array: StoredArray, place: tuple[int, int] = (0, 0)) -> None:
        """Add an array whose name is not torch's, but means one of torch's."""
        self.own_names = self.own_names or name
        self.arrays[name] = array
        self.cells.setdefault(place, {})[means] = array

    def add_raw(self, leaf: str, array: StoredArray) -> None:
        """Add a weight before weight dropout in place of the one after it, which is kept under a name with `_dropped`."""
        if leaf in self.arrays:
            self.others[f"{leaf}{_DROPPED}"] = self.arrays[leaf]
        self.add(leaf, array)
        self.raw += (leaf,)


def _group(arrays: Mapping[str, StoredArray], numbers: Mapping[str, int]) -> dict[tuple[int, str], _Group]:
    """Group arrays by the number of their state dict and the name of their module."""
    groups: dict[tuple[int, str], _Group] = {}
    raw: dict[str, StoredArray] = {}
    for name, array in arrays.items():
        number = numbers.get(name, 0)
        owner, _, leaf = name.rpartition(".")
        parametrised, own, linearity = (each.fullmatch(name) for each in (_PARAMETRISED, _OWN_NAME, _LINEARITY))
        if parametrised:
            owner = parametrised[1] or ""
            leaf = name.removeprefix(f"{owner}.")
        elif _RAW.fullmatch(name):
            raw[name] = array
            continue
        elif own and not _LEAF.fullmatch(leaf):
            place = (int(own[4] or 0), int(own[5] is not None))
            means = f"{'weight' if own[2][0] == 'w' else 'bias'}_{own[3]}"
            groups.setdefault((number, own[1]), _Group()).add_own(name, means, array, place)
            continue
        elif linearity and _has_both(linearity, arrays):
            means = f"{linearity[3]}_{'ih' if linearity[2] == 'input' else 'hh'}"
            owner = linearity[1] or ""
            groups.setdefault((number, owner), _Group()).add_own(name.removeprefix(f"{owner}."), means, array)
            continue
        groups.setdefault((number, owner), _Group()).add(leaf, array)
    for name, array in raw.items():
        number, (owner, _, leaf) = numbers.get(name, 0), name.rpartition(".")
        inner = f"{owner}.module".removeprefix(".")
        around = ((number, each) for each in (owner, inner))
        found = next((each for each in around if each in groups and groups[each].cells), None)
        if found is None:
            groups.setdefault((number, owner), _Group()).add(leaf, array)
        else:
            groups[found].add_raw(leaf.removesuffix("_raw"), array)
    return groups


def _has_both(name: re.Match[str], arrays: Mapping[str, StoredArray]) -> bool:
    within = f"{name[1]}." if name[1] else ""
    return all(f"{within}{one}_linearity.weight" in arrays for one in ("input", "state"))
