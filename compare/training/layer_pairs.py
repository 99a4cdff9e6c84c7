"""Pairing the layers of a Keras model with the modules of its port."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from compare.training.parameters import is_stored, kind_of
from frameworks.errors import InvalidValueError


def pair_layers(model: Any, module: Any) -> list[tuple[Any, Any]]:
    """Pair the layers and the modules with parameters in the order in which they were added.

    Raises:
        GatewiseError: for other kinds of layers, or another number of them.
    """
    layers, modules = (list(dict.fromkeys(leaves)) for leaves in (_keras_leaves(model), _torch_leaves(module)))
    kinds = [", ".join(kind_of(one).partition(" ")[2] for one in side) for side in (layers, modules)]
    if len(layers) != len(modules) or any(
        is_stored(one) != is_stored(other) for one, other in zip(layers, modules, strict=True)
    ):
        raise InvalidValueError.because(
            "the layers of the module",
            must=f"pair up with those of the Keras model, {kinds[0]}",
            but=f"are {kinds[1]}",
            remedy="Pass pairs=[(keras_layer, torch_module), ...].",
        )
    return list(zip(layers, modules, strict=True))


def _keras_leaves(layer: Any) -> Iterator[Any]:
    """Yield the innermost layers with parameters; a recurrent layer is yielded as a whole."""
    import keras

    inner = (
        []
        if isinstance(layer, (keras.layers.RNN, keras.layers.Bidirectional))
        else layer._flatten_layers(include_self=False, recursive=False)
    )
    inner = [one for one in inner if one.weights]
    if inner:
        for one in inner:
            yield from _keras_leaves(one)
    elif layer.weights:
        yield layer


def _torch_leaves(module: Any) -> Iterator[Any]:
    inner = [one for one in module.children() if any(True for _ in one.parameters())]
    if inner:
        for one in inner:
            yield from _torch_leaves(one)
    elif any(True for _ in module.parameters()):
        yield module


def names_of(pairs: Sequence[tuple[Any, Any]]) -> list[str]:
    """Name each pair after the Keras layer, with a number if several layers have the same name."""
    names = [layer.name for layer, _ in pairs]
    return [name if names.count(name) == 1 else f"{name} ({names[:at].count(name)})" for at, name in enumerate(names)]
