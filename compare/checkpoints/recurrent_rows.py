"""The verdict on a pair of recurrent layers: both are run in NumPy, without a framework."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from compare.checkpoints.array_differences import measure_stored, size_of_error
from compare.checkpoints.shown_differences import describe_failed
from compare.checkpoints.verified import PairedBy, Row, Unstated, Verdict, unstated_by
from compare.diagnosis.result import Diagnosis
from compare.groundwork.tolerance import TOLERANCES
from compare.parity.checking import check_parity
from compare.parity.naming import join_diagnoses, name_mistake
from compare.parity.remarks import remarks
from compare.parity.verdict import Against, Comparison
from compare.parity.weights import compare_weights
from frameworks import registry
from frameworks.errors import GatewiseError
from frameworks.files import StoredLayer
from frameworks.files.building.hard_sigmoids import COMPARED_AS_SUCH, OLD, TODAY, acts_on_state, scaled_gates, with_todays
from frameworks.files.building.stacks import adapt
from frameworks.files.given_options import KERAS_FLAGS
from frameworks.files.stored import StoredCell
from frameworks.files.writing.blocks import unchanged
from frameworks.options import KerasOptions
from frameworks.weights import RecurrentWeights

_SIZES = ("cell", "input_size", "hidden_size", "num_layers", "bidirectional", "dtype")
_READING = ("go_backwards", "merge_mode", "stateful")
"""The flags that change what a layer computes, and that no torch module has."""


@dataclass
class _Findings:
    """What was found about one pair so far."""

    causes: list[str] = field(default_factory=list)
    unstated: list[Unstated] = field(default_factory=list)
    unclear: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    comparisons: list[Comparison] = field(default_factory=list)
    diagnoses: dict[str, Diagnosis | None] = field(default_factory=dict)


def compare_recurrent(
    expected: Sequence[StoredLayer],
    actual: Sequence[StoredLayer],
    *,
    files: tuple[str, str] = ("the first file", "the second file"),
    paired_by: PairedBy = "name",
    seed: int = 0,
    tolerance: float | None = None,
) -> Row:
    """Run two layers, or two stacks of layers, and compare their weights, outputs and states.

    An option that one of the files does not state is assumed to be as in the other.

    Args:
        expected: the layers of the first file, called one after the other.
        actual: likewise, of the second file.
        files: what the two files are called.
        paired_by: what the pairing relies on.
        seed: the seed of the inputs and initial states.
        tolerance: the allowed error, as in `check_parity`.
    """
    found = _Findings()
    found.causes += _other_sizes(expected, actual)
    if found.causes:
        found.diagnoses[""] = name_mistake((expected, actual), None, tolerance, seed)
    else:
        expected, actual = _with_shared_options(expected, actual, found)
        _compare_calls(expected[-1], actual[-1], found)
        expected[-1] = _with_flags_of(actual[-1], expected[-1])
        actual[-1] = _with_flags_of(expected[-1], actual[-1])
        for label, one, other in _sides(expected, actual, found):
            _compare((one, other), label, files, found, seed, tolerance)
    failed = [each for each in found.comparisons if each.verdict == "failed"]
    found.causes += describe_failed(failed, hidden=_single_axes(expected))
    verdict: Verdict = "differs" if found.causes else "not compared" if found.unclear else "same"
    worst = max(failed, key=lambda each: size_of_error(each.max_abs), default=None)
    return Row(
        expected=tuple(layer.name for layer in expected),
        actual=tuple(layer.name for layer in actual),
        verdict=verdict,
        kind=expected[0].class_name,
        largest_error=max((each.max_abs for each in found.comparisons), key=size_of_error, default=None),
        where=None if worst is None else worst.where,
        cause="; ".join(found.causes or found.unclear),
        unstated=tuple(dict.fromkeys(found.unstated)),
        paired_by=paired_by,
        comparisons=tuple(found.comparisons),
        notes=tuple(dict.fromkeys(found.notes)),
        diagnosis=join_diagnoses(found.diagnoses) if verdict == "differs" else None,
    )


def has_same_weights(one: StoredCell, other: StoredCell, tolerance: float | None) -> bool:
    """Return whether two cells have the same sizes and, by their effect, the same weights."""
    if sizes_of(one) != sizes_of(other):
        return False
    allowed = tolerance or max(TOLERANCES[cell.spec.dtype] for cell in (one, other))
    if "weight_hr" in one.arrays:
        return all(each.within for each in _compare_arrays(one, other, allowed))
    weights, partners = (RecurrentWeights(((cell.read(),),)).owned() for cell in (one, other))
    return all(each.within for each in compare_weights(weights, partners, allowed))


def sizes_of(cell: StoredCell) -> tuple[object, ...]:
    """Return what two cells must have in common to be compared, apart from the dtype."""
    projection = cell.arrays["weight_hr"].shape if "weight_hr" in cell.arrays else ()
    return cell.spec.cell, cell.spec.input_size, cell.spec.hidden_size, projection


def _rows(layers: Sequence[StoredLayer]) -> list[tuple[StoredCell, ...]]:
    return [row for layer in layers for row in layer.cells]


def _other_sizes(expected: Sequence[StoredLayer], actual: Sequence[StoredLayer]) -> Iterator[str]:
    one, other = _rows(expected), _rows(actual)
    for what, counts in (
        ("num_layers", (len(one), len(other))),
        ("the number of directions", (len(one[0]), len(other[0]))),
    ):
        if counts[0] != counts[1]:
            more = (
                ": join several layers with commas, as in --layer A,B=C"
                if what == "num_layers" and len(expected) == len(actual) == 1
                else ""
            )
            yield f"{what} is {counts[1]}, not {counts[0]}{more}"
    if [len(row) for row in one] != [len(row) for row in other]:
        return
    for name in _SIZES:
        values = [[getattr(cell.spec, name) for row in rows for cell in row] for rows in (one, other)]
        different = next((pair for pair in zip(*values, strict=True) if pair[0] != pair[1]), None)
        if different:
            yield f"{name} is {different[1]}, not {different[0]}"


def _with_shared_options(
    expected: Sequence[StoredLayer], actual: Sequence[StoredLayer], found: _Findings
) -> tuple[list[StoredLayer], list[StoredLayer]]:
    """Give each cell the options of its partner that its own file does not state."""
    owners = [[layer for layer in layers for _ in layer.cells] for layers in (expected, actual)]
    shared: list[list[tuple[StoredCell, ...]]] = [[], []]
    for one, other, row, partners in zip(*owners, _rows(expected), _rows(actual), strict=True):
        shared_options = [_share(a, b, one.assumed, other.assumed, found) for a, b in zip(row, partners, strict=True)]
        pairs = [_with_one_hard_sigmoid(a, b, found) for a, b in shared_options]
        for side, cells in zip(shared, zip(*pairs, strict=True), strict=True):
            side.append(cells)
    return _rebuilt(expected, shared[0]), _rebuilt(actual, shared[1])


def _rebuilt(layers: Sequence[StoredLayer], rows: Sequence[tuple[StoredCell, ...]]) -> list[StoredLayer]:
    left = iter(rows)
    return [replace(layer, cells=tuple(next(left) for _ in layer.cells)) for layer in layers]


def _share(
    one: StoredCell, other: StoredCell, assumed: frozenset[str], assumed_too: frozenset[str], found: _Findings
) -> tuple[StoredCell, StoredCell]:
    for name in one.spec.record.options:
        value, second = getattr(one.spec, name), getattr(other.spec, name)
        if value == second or not (name in assumed or name in assumed_too):
            continue
        stated = second if name in assumed else value
        found.unstated.append(unstated_by(name, (value, second), is_expected=name in assumed))
        one, other = (replace(cell, spec=replace(cell.spec, **{name: stated})) for cell in (one, other))
    return one, other


def _with_one_hard_sigmoid(one: StoredCell, other: StoredCell, found: _Findings) -> tuple[StoredCell, StoredCell]:
    """Return both cells with Keras 3's hard_sigmoid if one of them has it where the other has that of Keras 2."""
    options = [name for name in one.spec.record.options if {getattr(each.spec, name) for each in (one, other)} == {OLD, TODAY}]
    if not options or acts_on_state(one) or acts_on_state(other):
        return one, other
    found.notes.append(COMPARED_AS_SUCH.format(" and ".join(options)))
    first, second = (with_todays(each) if scaled_gates(each) else each for each in (one, other))
    return first, second


def _compare_calls(expected: StoredLayer, actual: StoredLayer, found: _Findings) -> None:
    """Compare how the layers are called, as far as both files state it."""
    plain, two = KerasOptions(), len(expected.cells[0]) == 2
    both_keras = expected.origin == actual.origin == "keras"
    for name in KERAS_FLAGS if both_keras else _READING:
        if name == ("zero_output_for_mask" if two else "merge_mode"):  # without effect
            continue
        sides = [layer.options if name not in layer.assumed else None for layer in (expected, actual)]
        values = tuple(getattr(plain if options is None else options, name) for options in sides)
        if values[0] == values[1] or sides == [None, None]:
            continue
        if None not in sides:
            found.causes.append(f"{name} is {values[1]}, not {values[0]}")
        else:
            found.unstated.append(unstated_by(name, (values[0], values[1]), is_expected=sides[0] is None))
    orders = [layer.arguments.get("batch_first") for layer in (expected, actual) if "batch_first" not in layer.assumed]
    if len(orders) == 2 and None not in orders and orders[0] != orders[1]:
        found.causes.append(f"batch_first is {orders[1]}, not {orders[0]}")


def _with_flags_of(partner: StoredLayer, layer: StoredLayer) -> StoredLayer:
    """Give a layer the flags of its partner that its own file does not state."""
    if layer.options is None or partner.options is None:
        return layer
    flags: Any = {name: getattr(partner.options, name) for name in KERAS_FLAGS if name in layer.assumed}
    return replace(layer, options=replace(layer.options, **flags))


def _sides(
    expected: Sequence[StoredLayer], actual: Sequence[StoredLayer], found: _Findings
) -> list[tuple[str, StoredLayer, StoredLayer]]:
    """Return the two whole layers if each has a spec, otherwise pairs of their cells, and a label for each pair."""
    whole = [layer for layers in (expected, actual) if (layer := _whole(layers, found)) is not None]
    if len(whole) == 2:
        return [("", whole[0], whole[1])]
    parts = [[part for layer in layers for part in layer.parts] for layers in (expected, actual)]
    labels = [
        part.name if len(expected) > 1 else part.name.removeprefix(layer.name).removeprefix("/")
        for layer in expected
        for part in layer.parts
    ]
    return list(zip(labels, *parts, strict=True))


def _whole(layers: Sequence[StoredLayer], found: _Findings) -> StoredLayer | None:
    """Return the layer that layers called one after the other make, or None if no single spec describes it."""
    try:
        layer = adapt(layers)
        _ = layer.spec
    except GatewiseError as error:
        if len(layers) > 1:
            found.causes.append(str(error).partition(". ")[0])
        return None
    return layer


def _single_axes(layers: Sequence[StoredLayer]) -> frozenset[str]:
    """Return the axes of places that need not be shown, because there is one layer or one direction."""
    rows = _rows(layers)
    return frozenset({"batch", *(["layer"] if len(rows) == 1 else []), *(["direction"] if len(rows[0]) == 1 else [])})


def _compare(
    sides: tuple[StoredLayer, StoredLayer],
    label: str,
    files: tuple[str, str],
    found: _Findings,
    seed: int,
    tolerance: float | None,
) -> None:
    """Compare two layers, or two parts of them under a label, and add what is found."""
    one, other = sides
    cells = [(a, b) for rows in zip(one.cells, other.cells, strict=True) for a, b in zip(*rows, strict=True)]
    if any("weight_hr" in cell.arrays for pair in cells for cell in pair):
        allowed = tolerance or TOLERANCES[one.cells[0][0].spec.dtype]
        found.comparisons += _labelled(label, (each for pair in cells for each in _compare_arrays(*pair, allowed)))
        return
    found.causes += _other_options(cells)
    result = check_parity(one, other, seed=seed, tolerance=tolerance)
    found.notes += remarks(
        (registry.adapt(one), registry.adapt(other)), names=(f"the layer in {files[0]}", f"the layer in {files[1]}")
    )
    if result.verdict == "ill-conditioned":
        found.unclear.append("its own results are farther than allowed from their float64 reference")
    found.comparisons += _labelled(label, result.comparisons)
    found.diagnoses[label] = result.diagnosis


def _labelled(label: str, comparisons: Iterable[Comparison]) -> Iterator[Comparison]:
    for each in comparisons:
        yield replace(each, name=f"{label}: {each.name}") if label else each


def _other_options(cells: Sequence[tuple[StoredCell, StoredCell]]) -> Iterator[str]:
    texts: dict[str, None] = {}
    for one, other in cells:
        for name in one.spec.record.options:
            values = getattr(one.spec, name), getattr(other.spec, name)
            if values[0] != values[1]:
                texts[f"{name} is {values[1]}, not {values[0]}"] = None
    yield from texts


def _compare_arrays(one: StoredCell, other: StoredCell, allowed: float) -> Iterator[Comparison]:
    """Compare the arrays of a cell that no other framework has, such as one with a projection."""
    for name, array in one.arrays.items():
        difference = measure_stored(unchanged(array), unchanged(other.arrays[name]))
        index = None if difference.index is None else dict(zip(("row", "column"), difference.index, strict=False))
        yield Comparison.of(name, difference, index, allowed, Against.EXPECTED, kind="weights")
