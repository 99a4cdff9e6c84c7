"""Building a stored layer in the framework that it came from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from compare.studies.real_models.stored import StoredLayer
from frameworks.errors import InvalidValueError


def build_layer(stored: StoredLayer) -> Any:
    """Build the layer of Keras 3 or PyTorch with its own options and weights, a torch module in eval mode.

    Raises:
        GatewiseError: for a layer whose weights are not kept.
    """
    if not stored.kept:
        raise InvalidValueError.because(
            f"the layer {stored.name}",
            must="have its weights",
            but="has none: they are too large to keep here",
            remedy="Read them from the package's archive with originals.read_weights.",
        )
    return _keras_layer(stored) if stored.origin == "keras" else _torch_module(stored)


def _keras_layer(stored: StoredLayer) -> Any:
    layer = _construct(stored.class_name, stored.config)
    layer.build((None, None, stored.input_size))
    layer.set_weights(list(stored.weights.values()))
    return layer


def _construct(class_name: str, config: Mapping[str, Any]) -> Any:
    from keras import layers

    from frameworks.keras.activations import ADDED

    arguments = dict(config)
    if "layer" in arguments:
        arguments["layer"] = _construct(**arguments["layer"])
    for name in ("activation", "recurrent_activation"):
        arguments |= {name: ADDED[arguments[name]]} if arguments.get(name) in ADDED else {}
    return getattr(layers, class_name)(**arguments)


def _torch_module(stored: StoredLayer) -> Any:
    import torch

    module = getattr(torch.nn, stored.class_name)(**stored.config).eval()
    module.load_state_dict({name: torch.tensor(array) for name, array in stored.weights.items()})
    return module
