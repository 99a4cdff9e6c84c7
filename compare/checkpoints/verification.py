"""The comparison of two files: recurrent layers by what they compute, all others by their arrays and options."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from compare.checkpoints.choices import Choice, choose, chosen_names
from compare.checkpoints.other_options import is_class
from compare.checkpoints.other_rows import compare_other, rescaled_note, why_unread
from compare.checkpoints.pairing import L, Pairing, pair_others, pair_recurrent
from compare.checkpoints.recurrent_rows import compare_recurrent
from compare.checkpoints.verified import Row, Verification, file_names
from frameworks.files import Checkpoint, OtherLayer, StoredLayer, open_checkpoint
from frameworks.files.writing.naming import plain_name
from frameworks.kinds import KERAS

_GRAPH = "ONNX"
"""The format whose arrays may be constants of the computation rather than weights."""

_GENERATOR = 2
"""The number of integers in the state of a random generator of Keras."""


def verify(
    checkpoint: Checkpoint,
    out: Path,
    only: Choice | None = None,
    *,
    seed: int = 0,
    tolerance: float | None = None,
) -> Verification:
    """Compare all layers of two files.

    Recurrent layers run in NumPy on random inputs, from zero and from random initial states. Other layers are compared by
    their arrays and options, brought to one meaning whatever the formats. Layers are paired by name, then by equal weights,
    then by sizes if these leave one choice. What a file does not state, such as the activation in a state_dict, is taken from
    the other file and listed.

    Args:
        checkpoint: the expected layers.
        out: the other file.
        only: the layers to compare, and how the other file calls them; all layers when None.
        seed: the seed of inputs and initial states.
        tolerance: the allowed error as a share of max(1, max |expected|); when None, the default for each dtype.

    Raises:
        GatewiseError: for a file that cannot be read, or a chosen layer that one of the files does not have.
    """
    other = open_checkpoint(out)
    files = checkpoint.path, out
    names = file_names(files)
    recurrent = pair_recurrent(_named(checkpoint), _named(other), tolerance)
    others = pair_others(_compared(checkpoint), _compared(other), tolerance)
    unread = list(_read_in_one_file_alone(recurrent, others))
    if only:
        unread = [row for row in unread if chosen_names(only).intersection(row.expected)]
        recurrent, others = choose(only, checkpoint, other, recurrent, others)
    rows = [
        *_in_order(checkpoint, _recurrent_rows(recurrent, names, list(other), seed, tolerance)),
        *_in_order(checkpoint.others, _other_rows(others, (checkpoint, other), names, tolerance)),
        *unread,
    ]
    lone = [layer.name for layer in (*others.expected, *others.actual) if not _has_weights(layer)]
    training = [name for each in (checkpoint, other) for name, layer in each.others.items() if layer.is_of_training]
    return Verification(
        files, tuple(rows), tuple(dict.fromkeys(lone)), training=tuple(dict.fromkeys(training)), chosen=bool(only)
    )


def _named(layers: Mapping[str, L]) -> list[L]:
    """Return layers with the names under which a checkpoint lists them, which are unique."""
    return [replace(layer, name=name) for name, layer in layers.items()]


def _compared(checkpoint: Checkpoint) -> list[OtherLayer]:
    return [layer for layer in _named(checkpoint.others) if KERAS.get(layer.kind).role != "input" and not layer.is_of_training]


def _has_weights(layer: OtherLayer) -> bool:
    """Return whether a layer has arrays other than the state of a random generator, which Dropout stores."""
    return any(array.dtype.kind not in "iu" or math.prod(array.shape) > _GENERATOR for array in layer.stored.values())


def _in_order(names: Mapping[str, object], rows: Iterator[Row]) -> list[Row]:
    places = {name: place for place, name in enumerate(names)}
    return sorted(rows, key=lambda row: places[row.expected[0]] if row.expected else len(places))


def _recurrent_rows(
    pairing: Pairing[StoredLayer], files: tuple[str, str], others: Sequence[str], seed: int, tolerance: float | None
) -> Iterator[Row]:
    for pair in pairing.pairs:
        yield compare_recurrent(pair.expected, pair.actual, files=files, paired_by=pair.by, seed=seed, tolerance=tolerance)
    for layer in pairing.expected:
        candidates = pairing.candidates.get(layer.name)
        known = f"whose recurrent layers are {', '.join(name or repr(name) for name in others)}"
        yield _without_partner(layer, layer.class_name, candidates, f"is missing from {files[1]}, {known}")
    for layer in pairing.actual:
        yield Row((), (layer.name,), "missing", layer.class_name, cause=f"is missing from {files[0]}", paired_by="")


def _read_in_one_file_alone(recurrent: Pairing[StoredLayer], others: Pairing[OtherLayer]) -> Iterator[Row]:
    """Yield the layers that only one of the files reads as recurrent, and take them out of those that are left."""
    for read, unread in ((recurrent.expected, others.actual), (recurrent.actual, others.expected)):
        partners = {plain_name(layer.name): layer for layer in unread if layer.is_recurrent}
        for layer in tuple(read):
            partner = partners.get(plain_name(layer.name))
            if partner is not None:
                read.remove(layer)
                unread.remove(partner)
                expected, actual = (layer, partner) if read is recurrent.expected else (partner, layer)
                yield Row((expected.name,), (actual.name,), "not compared", layer.class_name, cause=why_unread(partner))


def _other_rows(
    pairing: Pairing[OtherLayer],
    checkpoints: tuple[Checkpoint, Checkpoint],
    names: tuple[str, str],
    tolerance: float | None,
) -> Iterator[Row]:
    for pair in pairing.pairs:
        one, other = pair.expected[0], pair.actual[0]
        notes = (rescaled_note(one, other, pairing.actual), rescaled_note(other, one, pairing.expected))
        if any(notes):
            other = replace(other, config={**other.config, "activation": one.config["activation"]})
        row = compare_other(one, other, paired_by=pair.by, tolerance=tolerance)
        yield replace(row, notes=(*row.notes, *filter(None, notes)))
    for layer in _weighted(pairing.expected):
        yield _other_without_partner(layer, pairing, pairing.actual, checkpoints, names)
    for layer in _weighted(pairing.actual):
        row = _other_without_partner(layer, pairing, pairing.expected, checkpoints[::-1], names[::-1])
        yield replace(row, expected=(), actual=row.expected)


def _weighted(layers: Sequence[OtherLayer]) -> Iterator[OtherLayer]:
    return filter(_has_weights, layers)


def _other_without_partner(
    layer: OtherLayer,
    pairing: Pairing[OtherLayer],
    partners: Sequence[OtherLayer],
    checkpoints: tuple[Checkpoint, Checkpoint],
    names: tuple[str, str],
) -> Row:
    own, there = names
    row = _without_partner(layer, layer.kind or "arrays", pairing.candidates.get(layer.name), f"is missing from {there}")
    if row.verdict != "missing":
        return row
    unclear = own if not is_class(layer) and checkpoints[0].format == _GRAPH else None
    if any(_may_hold(partner, layer) for partner in partners):
        unclear = there if is_class(layer) else own
    if unclear is None:
        return row
    return replace(row, verdict="not compared", cause=f"{unclear} does not state what its arrays mean")


def _without_partner(layer: StoredLayer | OtherLayer, kind: str, candidates: Sequence[str] | None, missing: str) -> Row:
    if not candidates:
        return Row((layer.name,), (), "missing", kind, cause=missing, paired_by="")
    several = f"{', '.join(candidates)} {'has' if len(candidates) == 1 else 'have'} its sizes, but not its weights"
    cause = f"{several}: choose one with --layer {layer.name}={candidates[0]}"
    return Row((layer.name,), (), "differs", kind, cause=cause, paired_by="")


def _may_hold(partner: OtherLayer, layer: OtherLayer) -> bool:
    """Return whether arrays of unknown meaning may be those of a layer, because they have as many elements."""
    counts = [{math.prod(array.shape) for array in each.stored.values()} for each in (partner, layer)]
    return not (is_class(partner) and is_class(layer)) and bool(counts[0] & counts[1])
