"""TensorFlow checkpoints: variables by name, as TensorFlow 1 saved them, or by object, as `save_weights` of Keras 2 did."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from frameworks.files.given_options import GivenOptions
from frameworks.files.keras.layers import Reading
from frameworks.files.keras.version import Version
from frameworks.files.keras.weights_only import is_cell_name, read_bare
from frameworks.files.other_layers import OtherLayer
from frameworks.files.stored import StoredLayer
from frameworks.files.tensorflow.cells import collect_cells
from frameworks.files.tensorflow.objects import GRAPH, ROOT, VARIABLE, Objects
from frameworks.files.tensorflow.recurrent import read_cells
from frameworks.files.untrusted.folders import open_within
from frameworks.files.untrusted.source import Source, StoredArray, damaged
from frameworks.files.untrusted.tensor_bundle import Bundle, read_bundle

Layers = list[StoredLayer | OtherLayer]
_STEPS = {"_iterations", "iter"}
"""The attributes of which every optimizer of Keras has one: its number of steps."""
_SLOT = "/.OPTIMIZER_SLOT/"
_MOVING_AVERAGES = "ExponentialMovingAverage"
_RANKS = {"kernel": 0, "beta": 2, "bias": 3, "moving_mean": 3, "moving_variance": 4}
"""Where an array stands among those of its layer in Keras; all others are second. Names are sorted in a checkpoint."""


def read(source: Source, given: GivenOptions) -> Layers:
    """Read a checkpoint.

    Args:
        source: the .index file, in the folder of the other files.
        given: the user's options.

    Raises:
        GatewiseError: for a damaged checkpoint.
    """
    folder, prefix = source.folder, source.name.removesuffix(".index")
    if folder is None:
        raise damaged(source.name, "is an index without its files")
    bundle = read_bundle(source, lambda ending: open_within(folder, f"{prefix}{ending}"))
    arrays, training = _by_object(bundle, source.name) if GRAPH in bundle.texts else _by_name(bundle)
    found, left = collect_cells(arrays)
    layers: Layers = [*read_cells(found, given)]
    layers += read_bare(_by_layer(left), Reading(source.name, Version(""), given, describable=False), ordered=False)
    layers += [OtherLayer(name, warnings=(f"it is not read: it is {reason}.",)) for name, reason in bundle.unread.items()]
    return [*layers, *_training(training)]


def _by_name(bundle: Bundle) -> tuple[dict[str, StoredArray], list[str]]:
    """Return the variables of a model by name, and the names of those of its training.

    A slot of an optimizer, or a moving average, is named after its variable and has its shape; a single number is a count.
    """
    arrays, training = {}, []
    for name, array in bundle.arrays.items():
        variable = name.rpartition("/")[0]
        while variable and variable not in bundle.arrays:
            variable = variable.partition("/")[2]  # the scope in which the optimizer was made
        if array.shape == () or (variable and bundle.arrays[variable].shape == array.shape):
            training.append(name)
        else:
            arrays[name] = array
    return arrays, training


def _by_object(bundle: Bundle, file: str) -> tuple[dict[str, StoredArray], list[str]]:
    """Return the variables of a model by the names that they had in it, and the names of those of its training."""
    objects = Objects(bundle.texts[GRAPH])
    optimizers = [attribute for attribute, child in objects.children(ROOT).items() if _STEPS & objects.children(child).keys()]
    of_training = tuple(f"{attribute}/" for attribute in (*optimizers, "optimizer", "keras_api"))
    training = [key for key, array in bundle.arrays.items() if key.startswith(of_training) or _SLOT in key or array.shape == ()]
    names = {key: name for key, name in objects.variables(ROOT).items() if key not in {*training, *bundle.unread}}
    if missing := [key for key in names if key not in bundle.arrays and not key.startswith(of_training)]:
        raise damaged(file, f"lacks the array {missing[0].removesuffix(VARIABLE)}")
    if len(set(names.values())) < len(names) or not all("/" in name for name in names.values()):
        names = {key: key.removesuffix(VARIABLE) for key in names}
    left = [key for key in bundle.arrays if key not in {*names, *training}]
    names |= {key: key.removesuffix(VARIABLE) for key in left}
    return {name: bundle.arrays[key] for key, name in names.items() if key in bundle.arrays}, training


def _by_layer(arrays: Mapping[str, StoredArray]) -> dict[str, dict[str, StoredArray]]:
    """Return arrays in Keras's order by the layer that their names state: all but the names of its cells, and of the array."""
    layers: dict[str, dict[str, StoredArray]] = {_layer_of(name): {} for name in arrays}
    for name, array in sorted(arrays.items(), key=lambda item: _RANKS.get(item[0].rpartition("/")[2], 1)):
        layers[_layer_of(name)][name] = array
    return layers


def _layer_of(name: str) -> str:
    parts = name.split("/")[:-1]
    while len(parts) > 1 and (is_cell_name(parts[-1]) or parts[-1] in ("cell", "forward_layer", "backward_layer")):
        parts.pop()
    return "/".join(parts)


def _training(names: list[str]) -> Iterator[OtherLayer]:
    averages = [name for name in names if name.endswith(_MOVING_AVERAGES)]
    for kind, what, own in (
        ("metrics", "the moving averages of the weights", averages),
        ("optimizer", "the state of the training", [name for name in names if name not in averages]),
    ):
        if own:
            count = f"{len(own)} array{'s' if len(own) > 1 else ''}"
            yield OtherLayer(kind, kind, warnings=(f"it is {what} ({count}), which is not ported.",))
