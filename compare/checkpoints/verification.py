"""The comparison of the recurrent layers of two files, run in NumPy without a framework."""

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
    """The verdict on a layer.

    Args:
        name: the layer's name.
        same: whether it computes the same in both files.
        detail: the largest error, or the differences.
    """

    name: str
    same: bool
    detail: str


def verify(checkpoint: Checkpoint, out: Path, only: Mapping[str, str] | Sequence[str] | None = None) -> list[Verified]:
    """Run the recurrent layers of a checkpoint and their partners in another file, and compare the results.

    Partners have the names that `save_checkpoint` writes, or those in `only`. The inputs are random, of several lengths; the
    initial states are zero or random. A .weights.h5 file holds only weights, so their options are taken from the
    checkpoint.

    Args:
        checkpoint: the expected layers.
        out: the other file.
        only: the names of the layers to compare, or a mapping from these to names in the other file; None for all layers.

    Raises:
        GatewiseError: for a file that cannot be read, or a layer that one of the files does not have.
    """
    named = only if isinstance(only, Mapping) else {}
    pairs = [(checkpoint[name], named.get(name, name)) for name in (only or checkpoint)]
    others = _open(out, pairs)
    for layer, name in pairs:
        if named and not _partners(name, layer, others):
            _ = others[name]  # raises an error that lists the layers
    return [_compare(layer, _partners(name, layer, others), others) for layer, name in pairs]


def render(verdicts: Sequence[Verified]) -> str:
    """Return a table, and the overall verdict in one line."""
    rows = [(shown_name(each.name), "same" if each.same else "DIFFERS", each.detail) for each in verdicts]
    head = table(("layer", "verdict", "largest error, or what differs"), rows)
    failed = [shown_name(each.name) for each in verdicts if not each.same]
    return f"{head}\n\n" + (f"These differ: {', '.join(failed)}" if failed else f"All {len(verdicts)} are the same.")


def _open(out: Path, pairs: Sequence[tuple[StoredLayer, str]]) -> Mapping[str, StoredLayer]:
    others = open_checkpoint(out)
    if not out.name.endswith(".weights.h5"):
        return others
    names = {part.name: layer for layer, name in pairs for part in _partners(name, layer, others)}
    described = open_checkpoint(out, options={name: _call_options(layer) for name, layer in names.items()})
    return {**described, **{name: _with_activations(described[name], layer) for name, layer in names.items()}}


def _with_activations(actual: StoredLayer, expected: StoredLayer) -> StoredLayer:
    """Set the expected activations of each direction; the options of a layer apply to both directions."""
    if len(actual.cells) != len(expected.cells) or len(actual.cells[0]) != len(expected.cells[0]):
        return actual
    names = ("activation", "recurrent_activation")
    cells = tuple(
        tuple(
            replace(one, spec=replace(one.spec, **{name: getattr(other.spec, name) for name in names}))
            if one.spec.cell == other.spec.cell
            else one
            for one, other in zip(*rows, strict=True)
        )
        for rows in zip(actual.cells, expected.cells, strict=True)
    )
    return replace(actual, cells=cells)


def _call_options(layer: StoredLayer) -> dict[str, Any]:
    spec = layer.cells[0][0].spec
    options = layer.options or KerasOptions(return_sequences=True, return_state=True)
    return {**spec.cell_options, **{name: getattr(options, name) for name in KERAS_FLAGS}}


def _partners(name: str, layer: StoredLayer, others: Mapping[str, StoredLayer]) -> list[StoredLayer]:
    """Return the partners of a layer: one with its name or its Keras name, or, for a stacked layer, one per layer."""
    for own in (name, plain_name(name)):
        if own in others:
            return [others[own]]
        several = [others.get(f"{own}_l{index}") for index in range(len(layer.cells))]
        if all(several):
            return [each for each in several if each is not None]
    return list(others.values()) if not name and len(others) == 1 else []  # Keras may have named it after its class


def _compare(expected: StoredLayer, actual: Sequence[StoredLayer], others: Iterable[str]) -> Verified:
    if not actual:
        names = ", ".join(name or repr(name) for name in others)
        return Verified(expected.name, same=False, detail=f"is missing from the other file, which has {names}")
    cells = [cell for layer in actual for cell in layer.cells]
    if [len(row) for row in cells] != [len(row) for row in expected.cells]:
        return Verified(expected.name, same=False, detail="has different numbers of layers or directions")
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
    return Verified(expected.name, same=not wrong, detail="; ".join(wrong) or f"{largest:.1e}")


def _pairs(expected: StoredLayer, actual: Sequence[StoredLayer]) -> Iterator[tuple[StoredLayer, StoredLayer]]:
    """Pair whole layers if each has a spec, otherwise cells."""
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
    """Yield the flags of the call that differ, if both layers come from Keras."""
    if expected.options is None or actual.options is None:
        return
    for name in KERAS_FLAGS:
        one, other = getattr(expected.options, name), getattr(actual.options, name)
        if one != other and not (name == "merge_mode" and len(expected.cells[0]) == 1):
            yield f"{name} is {other!r}, not {one!r}"
