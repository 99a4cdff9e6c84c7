"""The proof of a torch module's port to Keras, on the user's inputs and on other sizes of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from importlib import import_module
from inspect import signature
from typing import Any

import numpy as np
import numpy.typing as npt

from compare.models.comparing import compare_models
from compare.models.comparison import Row
from compare.models.proving.proof import Proof, ProvenCall, ProvenLayer
from frameworks.errors import InvalidValueError

Array = npt.NDArray[Any]


def prove_module(proof: Proof, module: Any, port: Any, inputs: Any, *, seed: int) -> Proof:
    """Return the proof of a port.

    Args:
        proof: what is known of it: its names, and the tolerance.
        module: the torch module.
        port: its port, a Keras model.
        inputs: the arguments of one call, by position or by the names of its parameters.
        seed: as in `compare_models`.

    Raises:
        GatewiseError: without inputs, or for inputs that the module does not accept.
    """
    if inputs is None:
        raise InvalidValueError.because(
            "the inputs of a torch module",
            must="be given",
            but="are missing",
            remedy="Pass the arguments of one call: inputs=(x, lengths), or --inputs FILE.npz.",
        )
    arrays = _by_name(module, inputs)
    calls: list[ProvenCall] = []
    wrong: list[str] = []
    sizes = import_module("frameworks.models.tracing").other_sizes(module, arrays)
    for given, how in [(arrays, "given"), *((each, "the given numbers, repeated") for each in sizes)]:
        shown = tuple(f"{name} {each.shape} {each.dtype}" for name, each in given.items())
        try:
            comparison = compare_models(module, port, tuple(given.values()), tolerance=proof.tolerance, seed=seed)
        except InvalidValueError as error:
            if error.__cause__ is None or how == "given":
                raise
            said = (str(error.__cause__).splitlines() or [""])[0].removesuffix(".")
            raised = f"the port raises {type(error.__cause__).__name__}: {said}"
            wrong.append(f"on {'; '.join(shown)}, which the module accepts, {raised}")
            continue
        calls.append(ProvenCall(shown, (how,) * len(given), None, comparison))
    torch, keras = import_module("torch"), import_module("keras")
    found = replace(proof, against=f"PyTorch {torch.__version__}", whole=True, calls=tuple(calls), wrong=tuple(wrong))
    layers = tuple(_layers(module, calls, found.against, dict(_attributes(port))))
    open_ = [f"training: both were called in inference, Keras on {keras.backend.backend()}, and dropout is not active there"]
    if not sizes:
        open_.insert(0, "other sizes: the module accepts the sizes of the given inputs alone")
    return replace(found, layers=layers, open=tuple(open_))


def _by_name(module: Any, inputs: Any) -> dict[str, Array]:
    names = list(signature(module.forward).parameters)
    if isinstance(inputs, Mapping):
        if not set(inputs) <= set(names):
            raise _unlike(names, inputs)
        return {name: np.asarray(inputs[name]) for name in names if name in inputs}
    arrays = inputs if isinstance(inputs, (tuple, list)) else (inputs,)
    if len(arrays) > len(names):
        raise _unlike(names, [f"{len(arrays)} arrays"])
    return {name: np.asarray(each) for name, each in zip(names, arrays, strict=False)}


def _unlike(names: Sequence[str], given: Any) -> InvalidValueError:
    return InvalidValueError.because(
        "the given inputs",
        must=f"be the arguments of forward: {', '.join(names)}",
        but=f"are {', '.join(map(str, given))}",
        remedy="Pass them by these names, or in this order.",
    )


def _attributes(layer: Any, prefix: str = "self") -> Iterator[tuple[str, str]]:
    """Yield the name of each layer inside a Keras layer, and the attribute that holds it."""
    base = import_module("keras").layers.Layer
    for name, held in vars(layer).items():
        if name.startswith("_"):
            continue
        places = {f"{prefix}.{name}": held}
        if isinstance(held, Mapping):
            places = {f'{prefix}.{name}["{key}"]': each for key, each in held.items()}
        elif isinstance(held, (list, tuple)):
            places = {f"{prefix}.{name}[{at}]": each for at, each in enumerate(held)}
        for place, each in places.items():
            if isinstance(each, base):
                yield each.name, place
                if not type(each).__module__.startswith("keras."):
                    yield from _attributes(each, place)


def _layers(module: Any, calls: Sequence[ProvenCall], against: str, attributes: Mapping[str, str]) -> Iterator[ProvenLayer]:
    """Yield what became of each module without modules inside."""
    rows: dict[str, list[Row]] = {}
    for call in calls:
        for row in call.comparison.rows:
            for name in (row.expected or "").split(" + "):
                rows.setdefault(name, []).append(row)
    passed = all(call.comparison.passed for call in calls)
    for path, each in module.named_modules():
        if any(True for _ in each.children()) or not path:
            continue
        kind, found = type(each).__name__, _rows_of(path, rows)
        if not found:
            yield ProvenLayer(path, kind, against=against if passed else "", how="in the whole" if passed else "nothing")
            continue
        worst = min((row.verdict for row in found), key=("wrong here", "input differs", "agrees", "no partner").index)
        here = " + ".join(attributes.get(name, name) for name in (found[0].actual or "").split(" + "))
        gets, returns, alone = (_largest(found, name) for name in ("input_error", "output_error", "alone_error"))
        yield ProvenLayer(path, kind, here, against, "alone", gets, returns, alone, verdict=worst)


def _rows_of(path: str, rows: Mapping[str, list[Row]]) -> list[Row]:
    """Return the rows of a module, or of the innermost one around it that was compared in one piece."""
    while path:
        if found := [row for row in rows.get(path, []) if row.actual]:
            return found
        path = path.rpartition(".")[0]
    return []


def _largest(rows: Sequence[Row], name: str) -> float | None:
    errors = [getattr(row, name) for row in rows]
    return max((error for error in errors if error is not None), default=None)
