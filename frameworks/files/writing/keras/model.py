"""The .keras format, written by Keras: one model in which each layer has a separate input."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import keras

from frameworks.errors import InvalidValueError
from frameworks.files.other_layers import OtherLayer
from frameworks.files.stored import StoredLayer
from frameworks.files.writing.keras.layout import SUMMED_BIASES, as_keras, class_in_keras, code_of, sums_biases
from frameworks.files.writing.keras.other_layers import Rebuilt, Shape, rebuild
from frameworks.files.writing.naming import plain_name
from frameworks.files.writing.outcome import Layer, Written
from frameworks.keras.activations import ADDED
from frameworks.keras.building import untouched_random
from frameworks.kinds import keras_kind
from frameworks.registry import quiet_stderr

UNCONNECTED = (
    "the layer is written by itself, with an input of its own, and not the model that connects it. For the whole model,"
    " port to a .weights.h5 file, build the model in Keras, and load it with model.load_weights."
)
"""The caveat of every layer: those of a whole Keras model are written by `frameworks.models.keras.saving`, connected."""


def write(path: Path, layers: list[Layer]) -> list[Written]:
    """Build all layers that Keras supports, and save them with Keras.

    Raises:
        GatewiseError: for a recurrent layer that Keras lacks or cannot build, and for two layers with the same name.
    """
    built: list[tuple[Any, Sequence[Shape], str]] = []
    written = []
    for layer in layers:
        if isinstance(layer, StoredLayer):
            for one in as_keras(layer):
                native, spec = one.emulate("keras"), one.cells[0][0].spec
                native.name = plain_name(one.name)
                built.append((native, [(None, spec.input_size)], spec.dtype))
                caveats = tuple(_caveats(layer, one))
                written.append(Written(layer.name, layer.class_name, class_in_keras(one), native.name, caveats))
        else:
            with untouched_random():
                rebuilt = rebuild(layer, plain_name(layer.name))
            built += [] if isinstance(rebuilt, str) else [rebuilt]
            written.append(_outcome(layer, rebuilt))
    _check_names(written)
    with untouched_random(), quiet_stderr():
        inputs = [
            # names with a dot, which differ from all names of layers
            [keras.Input(shape, dtype=dtype, name=f"{native.name}.{number}") for number, shape in enumerate(reads)]
            for native, reads, dtype in built
        ]
        outputs = [native(each if len(each) > 1 else each[0]) for (native, _, _), each in zip(built, inputs, strict=True)]
        keras.Model([one for each in inputs for one in each], outputs).save(path)
    return written


def _caveats(layer: StoredLayer, one: StoredLayer) -> Iterator[str]:
    """Yield caveats of a recurrent layer that was written."""
    yield UNCONNECTED
    if sums_biases(layer):
        yield SUMMED_BIASES
    values = {value for row in one.cells for cell in row for value in cell.spec.cell_options.values()}
    lacking = sorted(value for value in values if isinstance(value, str) and value in ADDED)
    if lacking:
        yield f"Keras lacks {' and '.join(lacking)}: a process opens the file only after `import frameworks.keras`."
        yield from code_of(lacking)


def _check_names(written: list[Written]) -> None:
    owners: dict[str, str] = {}
    for each in written:
        if each.place in owners:
            raise InvalidValueError.because(
                f"the layer {each.place} of {each.name}",
                must="have a name of its own in the file",
                but=f"has the name of {owners[each.place]}",
                remedy="Give the layers other names.",
            )
        owners.update({each.place: each.name} if each.becomes else {})


def _outcome(layer: OtherLayer, rebuilt: Rebuilt | str) -> Written:
    if isinstance(rebuilt, str):
        return Written(layer.name, layer.kind or "arrays", "", "", (f"not written: {rebuilt}",))
    kind = " of ".join([*layer.wrappers, keras_kind(layer.kind)])
    return Written(layer.name, layer.kind, kind, rebuilt.native.name, (UNCONNECTED,))
