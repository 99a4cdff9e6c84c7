"""Pairing the layers of two models: by the sorted values of their weights, then by kind, sizes and order.

Sorted values do not change under transposition, reshaping or another order of gates, so that a pair is found despite the mistake
that is sought.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from compare.models.recording import Recorded

Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class Pair:
    """Layers that correspond: usually one of each model; a stack may be several in one of them.

    Args:
        expected: the calls of the expected model's layers, in order; () if there is no partner.
        actual: those of the actual model's.
        by: "name", "weights", "kind" or "given": what they were paired by.
    """

    expected: tuple[Recorded, ...]
    actual: tuple[Recorded, ...]
    by: str = ""


_FAMILIES: Mapping[str, str] = {
    name: family
    for family, names in {
        "dense": ("Dense", "Linear", "EinsumDense"),
        "embedding": ("Embedding",),
        "conv1": ("Conv1D", "Conv1d"),
        "conv2": ("Conv2D", "Conv2d"),
        "batch norm": ("BatchNormalization", "BatchNorm1d", "BatchNorm2d", "BatchNorm3d"),
        "layer norm": ("LayerNormalization", "LayerNorm"),
        "dropout": ("Dropout", "SpatialDropout1D", "Dropout1d", "AlphaDropout"),
        "relu": ("ReLU",),
        "softmax": ("Softmax", "LogSoftmax"),
        "flatten": ("Flatten",),
        "pool": ("MaxPooling1D", "MaxPool1d", "MaxPooling2D", "MaxPool2d", "AveragePooling1D", "AvgPool1d"),
        "recurrent": ("LSTM", "GRU", "SimpleRNN", "RNN", "Bidirectional", "LSTMCell", "GRUCell", "RNNCell"),
        "activation": ("Activation", "Sigmoid", "Tanh"),
    }.items()
    for name in names
}


def family_of(call: Recorded) -> str:
    """Return what a layer is, in a word that both frameworks share; its class's name if they do not."""
    return "recurrent" if call.adapter is not None else _FAMILIES.get(call.kind, call.kind.lower())


def weights_of(native: Any) -> list[Array]:
    """Return the weights of a layer as arrays."""
    if hasattr(native, "get_weights"):
        return [np.asarray(each) for each in native.get_weights()]
    state = native.state_dict()
    return [each.detach().cpu().numpy() for each in state.values() if each.numel() > 1 or each.dim()]


def pair(expected: Sequence[Recorded], actual: Sequence[Recorded], given: Mapping[str, str] | None = None) -> list[Pair]:
    """Pair the calls of two models, in the order of the expected model's calls; what has no partner is there alone.

    Args:
        expected: the calls of the expected model's layers.
        actual: those of the actual model's.
        given: names of the expected layers and their partners, which are taken as they are.
    """
    ones, others = _by_layer(expected), _by_layer(actual)
    partners: dict[int, tuple[int, str]] = {}
    for name, other in (given or {}).items():
        one = next((key for key, calls in ones.items() if calls[0].name == name), None)
        two = next((key for key, calls in others.items() if calls[0].name == other), None)
        if one is not None and two is not None:
            partners[one] = (two, "given")
    _pair_by_weights(ones, others, partners)
    _pair_by_kind(ones, others, partners)
    return _in_order(expected, actual, ones, others, partners)


def _by_layer(calls: Sequence[Recorded]) -> dict[int, list[Recorded]]:
    layers: dict[int, list[Recorded]] = {}
    for call in calls:
        layers.setdefault(id(call.native), []).append(call)
    return layers


def _prints(call: Recorded) -> list[tuple[int, float, float]]:
    """Return the fingerprints of a layer's matrices: size and moments, which no order of the numbers changes."""
    return [
        (each.size, float(np.square(each, dtype=np.float64).sum()), float(np.abs(each, dtype=np.float64).sum()))
        for each in _matrices(call)
    ]


def _matrices(call: Recorded) -> list[Array]:
    if call.adapter is not None:
        return [array for *_, one in call.adapter.get_weights() for part, array in one.arrays() if "kernel" in part]
    weights = [each for each in weights_of(call.native) if each.dtype.kind == "f"]
    return [each for each in weights if each.ndim > 1] or weights


def _alike(one: tuple[int, float, float], other: tuple[int, float, float]) -> bool:
    return one[0] == other[0] and all(
        abs(a - b) <= 1e-5 * max(abs(a), abs(b), 1e-12) for a, b in zip(one[1:], other[1:], strict=True)
    )


def _pair_by_weights(
    ones: Mapping[int, list[Recorded]], others: Mapping[int, list[Recorded]], partners: dict[int, tuple[int, str]]
) -> None:
    """Pair layers of which at least one matrix has the same numbers; the most matrices first, then the order."""
    scores = []
    known = {key: _prints(calls[0]) for key, calls in (*ones.items(), *others.items())}
    for place, one in enumerate(ones):
        for other_place, other in enumerate(others):
            shared = sum(any(_alike(mine, yours) for yours in known[other]) for mine in known[one])
            if shared:
                scores.append((-shared, abs(place / len(ones) - other_place / len(others)), one, other))
    several = {other for other in others if _layers_in(others[other][0]) > 1}
    for _, _, one, other in sorted(scores, key=lambda each: each[:2]):
        taken = [each for each, _ in partners.values()].count(other)
        if one not in partners and taken < (_layers_in(others[other][0]) if other in several else 1):
            partners[one] = (other, "weights")


def _layers_in(call: Recorded) -> int:
    return call.adapter.spec.num_layers if call.adapter is not None else 1


def _pair_by_kind(
    ones: Mapping[int, list[Recorded]], others: Mapping[int, list[Recorded]], partners: dict[int, tuple[int, str]]
) -> None:
    """Pair what is left between two pairs that stand fast, by kind and sizes, in order."""
    places = {other: place for place, other in enumerate(others)}
    free = [other for other in others if other not in {each for each, _ in partners.values()}]
    keys = list(ones)
    for place, one in enumerate(keys):
        if one in partners:
            continue
        before = max((places[partners[key][0]] for key in keys[:place] if key in partners), default=-1)
        after = min((places[partners[key][0]] for key in keys[place + 1 :] if key in partners), default=len(others))
        for other in free:
            if before < places[other] < after and _fits(ones[one][0], others[other][0]):
                partners[one] = (other, "kind")
                free.remove(other)
                break


def _fits(one: Recorded, other: Recorded) -> bool:
    if family_of(one) != family_of(other):
        return False
    sizes = [sorted(each.size for each in _matrices(call)) for call in (one, other)]
    return sizes[0] == sizes[1] or family_of(one) == "recurrent"


def _in_order(
    expected: Sequence[Recorded],
    actual: Sequence[Recorded],
    ones: Mapping[int, list[Recorded]],
    others: Mapping[int, list[Recorded]],
    partners: Mapping[int, tuple[int, str]],
) -> list[Pair]:
    pairs: list[Pair] = []
    done: set[int] = set()
    for call in expected:
        key = id(call.native)
        partner = partners.get(key)
        if partner is None:
            pairs.append(Pair((call,), ()))
            continue
        other, by = partner
        stack = [one for one in ones if partners.get(one, (None, ""))[0] == other]
        if len(stack) > 1:  # several expected layers in one of the actual model
            if other not in done:
                done.add(other)
                pairs.append(Pair(tuple(ones[one][0] for one in stack), (others[other][0],), by))
            continue
        calls = others[other]
        pairs.append(Pair((call,), (calls[min(call.number, len(calls) - 1)],), by))
    taken = {id(each.native) for one in pairs for each in one.actual}
    pairs += [Pair((), (call,)) for call in actual if id(call.native) not in taken]
    return pairs
