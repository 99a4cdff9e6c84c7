"""Options that several kinds of Keras layers have: of training, and without an effect on what a layer computes."""

from __future__ import annotations

from collections.abc import Iterator

from frameworks.kinds.records import Option

USE_BIAS = Option("use_bias", default=True, formerly="bias")
ACTIVATION = Option("activation")

_KERAS_1 = {"kernel": "W", "recurrent": "U", "bias": "b", "embeddings": "W"}
"""How Keras 1 begins the names of the regularisers and constraints of these arrays."""

_INITIALISERS_OF_KERAS_1 = {
    "kernel": "init",
    "recurrent": "inner_init",
    "embeddings": "init",
    "alpha": "init",
}


def of_arrays(*names: str) -> tuple[Option, ...]:
    """Return the initialiser, regulariser and constraint of each array."""
    return tuple(option for name in names for option in _of_array(name))


def _of_array(name: str) -> Iterator[Option]:
    yield Option(f"{name}_initializer", use="nothing", formerly=_INITIALISERS_OF_KERAS_1.get(name, ""))
    for word in ("regularizer", "constraint"):
        formerly = f"{_KERAS_1[name]}_{word}" if name in _KERAS_1 else ""
        yield Option(f"{name}_{word}", use="training", formerly=formerly)


def unused(*names: str) -> tuple[Option, ...]:
    """Return options that do not change what a layer computes."""
    return tuple(Option(name, use="nothing") for name in names)


SEED = unused("seed", "force_generator", "rng_type")

QUANTISED = Option(
    "quantization_config", only=(None,), why="its arrays are integers with scales, of which there is no copy here"
)
LOW_RANK = tuple(
    Option(name, only=(None,), why="a live layer holds its kernel in three arrays; a file has them merged into one")
    for name in ("lora_rank", "lora_alpha")
)

SHARED: tuple[Option, ...] = (
    Option("dtype"),
    Option("activity_regularizer", use="training"),
    *unused("name", "trainable", "autocast", "experimental_autocast", "dynamic", "weights", "implementation", "input_dtype"),
    *unused("batch_input_shape", "batch_shape", "input_shape", "batch_size", "input_dim", "input_length"),
)
"""The options of all layers. The shapes are those of the inputs, which the graph of a model states."""
