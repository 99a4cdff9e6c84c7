"""Whether the recurrent layers of two files compute the same: run in NumPy, by no framework."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from compare.checkpoints.terminal_tables import shown_name, table
from compare.parity.checking import check_parity
from frameworks.errors import GatewiseError, InvalidValueError, NoCounterpartError
from frameworks.files import Checkpoint, StoredLayer, open_checkpoint
from frameworks.files.given_options import KERAS_FLAGS
from frameworks.files.writing.naming import plain_name
from frameworks.options import KerasOptions


@dataclass(frozen=True)
class Verified:
    """What was found of a layer: whether both files have the same, and the largest error or what differs."""

    name: str
    same: bool
    found: str


def verify(checkpoint: Checkpoint, out: Path, only: Mapping[str, str] | Sequence[str] | None = None) -> list[Verified]:
    """Run the recurrent layers of a checkpoint and their partners in another file, and compare.

    Partners are the layers of the same names, as `save_checkpoint` gives them, or those that `only` names. Inputs are drawn, of
    several lengths, and from zero as from random initial states. A .weights.h5 file holds weights alone: what they mean is
    taken from the checkpoint.

    Args:
        checkpoint: what is expected.
        out: the other file.
        only: the names of the layers to compare, as a mapping with the names that they have in the other file; all when None.

    Raises:
        GatewiseError: for a file that cannot be read, and a layer that one of them does not have.
    """
    named = only if isinstance(only, Mapping) else {}
    pairs = [(checkpoint[name], named.get(name, name)) for name in (only or checkpoint)]
    found = _open(out, pairs)
    for layer, name in pairs:
        if named and not _partners(name, layer, found):
            _ = found[name]  # which says what is there
    return [_compare(layer, _partners(name, layer, found), found) for layer, name in pairs]


def render(found: Sequence[Verified]) -> str:
    """Write a table, and the verdict in one line."""
    rows = [(shown_name(each.name), "same" if each.same else "DIFFERS", each.found) for each in found]
    head = table(("layer", "verdict", "largest error, or what differs"), rows)
    failed = [shown_name(each.name) for each in found if not each.same]
    return f"{head}\n\n" + (f"These differ: {', '.join(failed)}" if failed else f"All {len(found)} are the same.")


def _open(out: Path, pairs: Sequence[tuple[StoredLayer, str]]) -> Mapping[str, StoredLayer]:
    found = open_checkpoint(out)
    if not out.name.endswith(".weights.h5"):
        return found
    names = {part.name: layer for layer, name in pairs for part in _partners(name, layer, found)}
    meant = open_checkpoint(out, options={name: _meaning(layer) for name, layer in names.items()})
    return {**meant, **{name: _with_activations(meant[name], layer) for name, layer in names.items()}}


def _with_activations(found: StoredLayer, expected: StoredLayer) -> StoredLayer:
    """Give each direction the activations of its own, which the options of a layer cannot."""
    if len(found.cells) != len(expected.cells) or len(found.cells[0]) != len(expected.cells[0]):
        return found
    names = ("activation", "recurrent_activation")
    cells = tuple(
        tuple(
            replace(one, spec=replace(one.spec, **{name: getattr(other.spec, name) for name in names}))
            if one.spec.cell == other.spec.cell
            else one
            for one, other in zip(*rows, strict=True)
        )
        for rows in zip(found.cells, expected.cells, strict=True)
    )
    return replace(found, cells=cells)


def _meaning(layer: StoredLayer) -> dict[str, Any]:
    spec = layer.cells[0][0].spec
    options = layer.options or KerasOptions(return_sequences=True, return_state=True)
    meaning = spec.cell_options
    return {**meaning, **{name: getattr(options, name) for name in KERAS_FLAGS}}


def _partners(name: str, layer: StoredLayer, found: Mapping[str, StoredLayer]) -> list[StoredLayer]:
    """Give what a layer became: the one of its name, or as Keras can be named, or one for each of its layers."""
    for own in (name, plain_name(name)):
        if own in found:
            return [found[own]]
        several = [found.get(f"{own}_l{index}") for index in range(len(layer.cells))]
        if all(several):
            return [each for each in several if each is not None]
    return list(found.values()) if not name and len(found) == 1 else []  # a file may have named it for its class


def _compare(expected: StoredLayer, actual: Sequence[StoredLayer], beside: Iterable[str]) -> Verified:
    if not actual:
        there = ", ".join(name or repr(name) for name in beside)
        return Verified(expected.name, same=False, found=f"is not there; there are {there}")
    cells = [cell for layer in actual for cell in layer.cells]
    if [len(row) for row in cells] != [len(row) for row in expected.cells]:
        return Verified(expected.name, same=False, found="has other numbers of layers and directions")
    wrong = list(_other_calls(expected, actual[-1]))
    largest = 0.0
    for one, other in _pairs(expected, actual):
        try:
            result = check_parity(one, other)
        except (InvalidValueError, NoCounterpartError) as error:
            wrong.append(str(error))
            continue
        largest = max([largest, *(each.max_abs for each in result.comparisons)])
        if not result.passed:
            wrong.append(str(result).splitlines()[0])
    return Verified(expected.name, same=not wrong, found="; ".join(wrong) or f"{largest:.1e}")


def _pairs(expected: StoredLayer, actual: Sequence[StoredLayer]) -> Iterator[tuple[StoredLayer, StoredLayer]]:
    """Pair the layers as a whole where one spec describes both, else cell by cell."""
    if len(actual) == 1 and _has_spec(expected) and _has_spec(actual[0]):
        yield expected, actual[0]
        return
    yield from zip(expected.parts, (part for layer in actual for part in layer.parts), strict=True)


def _has_spec(layer: StoredLayer) -> bool:
    try:
        return bool(layer.spec)
    except GatewiseError:
        return False


def _other_calls(expected: StoredLayer, actual: StoredLayer) -> Iterator[str]:
    """Say which flags of the call differ, where both are Keras's."""
    if expected.options is None or actual.options is None:
        return
    for name in KERAS_FLAGS:
        one, other = getattr(expected.options, name), getattr(actual.options, name)
        if one != other and not (name == "merge_mode" and len(expected.cells[0]) == 1):
            yield f"{name} is {other!r}, not {one!r}"
