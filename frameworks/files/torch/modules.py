"""Recurrent modules of torch, recognised by the names and shapes of their parameters."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from frameworks.files.given_options import GivenOptions
from frameworks.files.other_layers import NotUnderstoodError, OtherLayer
from frameworks.files.stored import StoredLayer
from frameworks.files.torch.other_layers import read_other
from frameworks.files.torch.recurrent import Module, read_recurrent
from frameworks.files.untrusted.source import StoredArray

_LEAF = re.compile(r"(weight_(?:ih|hh|hr)|bias_(?:ih|hh))(?:_l(\d{1,4})(_reverse)?)?")
_OWN_NAME = re.compile(r"(.+?)[._/]?(w|weight|b|bias)_(ih|hh)(?:_l(\d{1,4})(_reverse)?)?")
_PARAMETRISED = re.compile(rf"(?:(.*)\.)?parametrizations\.({_LEAF.pattern})\.\w+")
_REPARAMETRISED = re.compile(rf"{_LEAF.pattern}_(?:g|v|u|orig|mask)")
_RAW = re.compile(rf"(?:(.*)\.)?({_LEAF.pattern})_raw")
"""A weight before weight dropout, which AWD-LSTM stores in the module or in one around it."""


def read_modules(
    arrays: Mapping[str, StoredArray], given: GivenOptions, attributes: Mapping[str, Mapping[str, Any]] | None = None
) -> Iterator[StoredLayer | OtherLayer]:
    """Yield the modules that named arrays belong to, in order.

    Args:
        arrays: the arrays by their names in a state dict.
        given: the user's options.
        attributes: the attributes that the file states, by module name.
    """
    groups = _group(arrays)
    within: dict[str, list[str]] = {}
    for owner in groups:
        outer, dot, own = owner.rpartition(".")
        within.setdefault(outer if dot else ".", []).append(own)
    for owner, group in groups.items():
        stated = (attributes or {}).get(owner, {})
        if not group.cells and not group.parametrised:
            yield from read_other(owner, group.arrays, stated)
            continue
        others = (*group.others, *within.get(owner, ()))
        module = Module(owner, group.cells, group.cell, group.own_names, group.parametrised, group.raw, stated, others)
        try:
            yield read_recurrent(module, given)
        except NotUnderstoodError as why:
            yield OtherLayer(module.name, "", MappingProxyType(group.arrays), warnings=(why.warning,))
        else:
            yield from read_other(owner, group.others)


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

    def add_own(self, name: re.Match[str], array: StoredArray) -> None:
        """Add an array whose name only ends like a torch name."""
        self.own_names = name[0]
        self.arrays[name[0]] = array
        place = (int(name[4] or 0), int(name[5] is not None))
        self.cells.setdefault(place, {})[f"{'weight' if name[2][0] == 'w' else 'bias'}_{name[3]}"] = array

    def add_raw(self, leaf: str, array: StoredArray) -> None:
        """Add a weight before weight dropout in place of the one after it, which is kept under a name with `_dropped`."""
        if leaf in self.arrays:
            self.others[f"{leaf}_dropped"] = self.arrays[leaf]
        self.add(leaf, array)
        self.raw += (leaf,)


def _group(arrays: Mapping[str, StoredArray]) -> dict[str, _Group]:
    groups: dict[str, _Group] = {}
    raw: dict[str, StoredArray] = {}
    for name, array in arrays.items():
        owner, _, leaf = name.rpartition(".")
        parametrised, own = _PARAMETRISED.fullmatch(name), _OWN_NAME.fullmatch(name)
        if parametrised:
            owner = parametrised[1] or ""
            leaf = name.removeprefix(f"{owner}.")
        elif _RAW.fullmatch(name):
            raw[name] = array
            continue
        elif own and not _LEAF.fullmatch(leaf):
            groups.setdefault(own[1], _Group()).add_own(own, array)
            continue
        groups.setdefault(owner, _Group()).add(leaf, array)
    for name, array in raw.items():
        owner, _, leaf = name.rpartition(".")
        inner = f"{owner}.module".removeprefix(".")
        place = next((place for place in (owner, inner) if place in groups and groups[place].cells), None)
        if place is None:
            groups.setdefault(owner, _Group()).add(leaf, array)
        else:
            groups[place].add_raw(leaf.removesuffix("_raw"), array)
    return groups
