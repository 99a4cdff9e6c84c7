"""The layers that the user chose to compare, and the partners that the user named."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches

from compare.checkpoints.pairing import L, Pair, Pairing
from frameworks.files import Checkpoint, OtherLayer, StoredLayer
from frameworks.files.checkpoint import MissingLayerError

Names = Sequence[str] | str
Choice = Mapping[Names, Names | None] | Sequence[Names]
"""The names of layers, or a mapping from these to names in the other file. A tuple of names stands for layers that are called
one after the other, and None for the partner that is found."""


def choose(
    only: Choice,
    checkpoint: Checkpoint,
    other: Checkpoint,
    recurrent: Pairing[StoredLayer],
    others: Pairing[OtherLayer],
) -> tuple[Pairing[StoredLayer], Pairing[OtherLayer]]:
    """Return the pairs of the layers that the user chose.

    Args:
        only: the choice.
        checkpoint: the first file.
        other: the second file.
        recurrent: the pairs of recurrent layers that were found.
        others: the pairs of other layers that were found.

    Raises:
        GatewiseError: for a layer that a file does not have, or that is recurrent in one of them alone.
    """
    picked: Pairing[StoredLayer] = Pairing([], [], candidates=recurrent.candidates)
    picked_others: Pairing[OtherLayer] = Pairing([], [], candidates=others.candidates)
    for names, partners in (only if isinstance(only, Mapping) else dict.fromkeys(only)).items():
        own, theirs = _listed(names), _listed(partners)
        if len(own) == 1 and own[0] not in checkpoint and own[0] in checkpoint.others:
            _pick(picked_others, others, _find_others(checkpoint, own), _find_others(other, theirs))
        else:
            _pick(picked, recurrent, _find(checkpoint, own), _find(other, theirs))
    return picked, picked_others


def chosen_names(only: Choice) -> set[str]:
    """Return the names of all chosen layers of the first file."""
    return {name for names in only for name in _listed(names)}


def _listed(names: Names | None) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else tuple(names or ())


def _pick(picked: Pairing[L], pairing: Pairing[L], expected: Sequence[L], actual: Sequence[L]) -> None:
    """Add the pair that the user chose, or the pairs of chosen layers for which the user named no partner."""
    if actual:
        picked.pairs.append(Pair(tuple(expected), tuple(actual), "choice"))
        return
    names = {layer.name for layer in expected}
    found = (pair for pair in pairing.pairs if names & {layer.name for layer in pair.expected})
    picked.pairs += [pair for pair in found if pair not in picked.pairs]
    picked.expected += [layer for layer in pairing.expected if layer.name in names]


def _find(checkpoint: Checkpoint, names: Sequence[str]) -> list[StoredLayer]:
    return [replace(_found(checkpoint, checkpoint, "recurrent", name), name=name) for name in names]


def _find_others(checkpoint: Checkpoint, names: Sequence[str]) -> list[OtherLayer]:
    return [replace(_found(checkpoint, checkpoint.others, "not recurrent", name), name=name) for name in names]


def _found(checkpoint: Checkpoint, layers: Mapping[str, L], kind: str, name: str) -> L:
    if name in layers:
        return layers[name]
    everything = dict(checkpoint.in_order)
    near = "".join(f"Is it {each!r}? " for each in get_close_matches(name, everything, 1) if name not in everything)
    raise MissingLayerError.because(
        f"the layer {name!r} of {checkpoint.path.name}",
        must=f"be one of its layers that are {kind}, {', '.join(each or repr(each) for each in layers) or '(there are none)'}",
        but=f"is {'not ' if kind == 'recurrent' else ''}recurrent" if name in everything else "is not there",
        remedy=f"{near}Choose another with --layer NAME=OTHER.",
    )
