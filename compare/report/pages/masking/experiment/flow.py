"""The sources of masks in Keras and the layers that drop them, two quirks of `zero_output_for_mask`, and NaN in padding."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from compare.groundwork.tolerance import TOLERANCES
from compare.report.arrays import Array, distance, flat
from compare.report.results import Results, control, exact, measured
from compare.report.snippets import run_snippet

_TOLERANCE = TOLERANCES["float32"]
_RIGHT = 0
"""The row of the batch that is padded on the right."""

LAST = """\
last = keras.layers.RNN(layer.cell, zero_output_for_mask=True)           # return_sequences=False: the output at the last step
returned = last(x, mask=mask)                                            # zeros for a row that is padded on the right
"""

FORCED = """\
for return_sequences in (True, False):
    for zero_output_for_mask in (True, False):
        inner = keras.layers.LSTM(4, return_sequences=return_sequences, zero_output_for_mask=zero_output_for_mask)
        wrapped = keras.layers.Bidirectional(inner).forward_layer
        print(f"{return_sequences=}: {zero_output_for_mask=} becomes {wrapped.zero_output_for_mask}")
"""

FLOW = """\
keras.utils.set_random_seed(1)
ids = np.where(mask, rng.integers(1, 10, mask.shape), 0)                 # 0 is padding
embedding = keras.layers.Embedding(10, 3, mask_zero=True)
embedded = embedding(ids)                                                # the mask travels with the tensor
reader = randomised(keras.layers.SimpleRNN(4, return_sequences=True))
"""

_SOURCES = {
    "argument": ("reader(x, mask=mask)", "[reader]", "x"),
    "masking": (
        "reader(keras.layers.Masking()(x * mask[..., None]))",
        "[keras.layers.Masking(), reader]",
        "x * mask[..., None]",
    ),
    "embedding": ("reader(embedding(ids))", "[embedding, reader]", "ids"),
}
"""For each source of the mask: the call in Keras, the layers to emulate, and the inputs of the emulated layers."""
_BETWEEN = (
    "keras.layers.Dense(3)(embedded)",
    "keras.layers.Dropout(0.5)(embedded)",
    "keras.layers.LayerNormalization()(embedded)",
    "keras.layers.TimeDistributed(keras.layers.Dense(3))(embedded)",
    "keras.layers.Add()([embedded, embedded])",
    "keras.layers.LSTM(3, return_sequences=True)(embedded)",
    "keras.layers.Lambda(lambda tensor: 2.0 * tensor)(embedded)",
    "keras.layers.Conv1D(3, 1)(embedded)",
    "keras.ops.multiply(embedded, 2.0)",
    "embedded * 2.0",
)
"""Computations between an Embedding and a recurrent layer."""


def run_quirks(names: dict[str, Any]) -> Results:
    """Show both quirks of `zero_output_for_mask`, and the defect of unrolled backward layers.

    Args:
        names: the names defined by the page's setup.
    """
    import torch

    from frameworks import emulate

    _, after = run_snippet(LAST, dict(names))
    returned, h = flat(after["returned"])[0], flat(names["h"])[0]
    emulated = emulate(after["last"])(torch.from_numpy(names["x"]), mask=torch.from_numpy(names["mask"]))
    printed, _ = run_snippet(FORCED, dict(names))
    layers, both = names["keras"].layers, names["both"]
    unrolled = layers.Bidirectional(layers.LSTM(4, return_sequences=True, unroll=True))
    unrolled.build(names["x"].shape)
    unrolled.set_weights(both.get_weights())
    off = distance(flat(names["both_output"]), flat(unrolled(names["x"], mask=names["mask"])))
    return {
        "last code": exact(LAST),
        "last, of the padded row": measured(float(np.abs(returned[_RIGHT]).max()), 0.0),
        "last - h, of the padded row": control(distance([h[_RIGHT]], [returned[_RIGHT]])),
        "last, emulated": measured(distance([returned], flat(emulated)), _TOLERANCE),
        "forced code": exact(FORCED),
        "forced printed": exact(printed),
        "unrolled": control(off),
    }


def run_flow(names: dict[str, Any]) -> Results:
    """Show the sources of a mask, their emulation, and the layers that pass a mask on."""
    _, names = run_snippet(FLOW, dict(names))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Keras warns about some layers that lose a mask
        sources = {source: _run_source(names, *codes) for source, codes in _SOURCES.items()}
        between = {code: _run_between(names, code) for code in _BETWEEN}
    return {"code": exact(FLOW), "sources": sources, "between": between}


def _run_source(names: dict[str, Any], call: str, layers: str, inputs: str) -> Results:
    import torch

    from frameworks import emulate

    given = _value(names, inputs)
    sequence = np.asarray(_value(names, "embedding(ids)")) if inputs == "ids" else given
    expected = flat(names["reader"](sequence, mask=names["mask"]))
    module = emulate(_value(names, layers))
    tensor = torch.from_numpy(given)
    argument = {"mask": torch.from_numpy(names["mask"])} if inputs == "x" else {}
    return {
        "code": exact(call),
        "keras": measured(distance(expected, flat(_value(names, call))), _TOLERANCE),
        "emulated": measured(distance(expected, flat(module(tensor, **argument))), _TOLERANCE),
    }


def _run_between(names: dict[str, Any], code: str) -> Results:
    """Find out whether a layer passes a mask on, from the outputs of a recurrent layer after it."""
    between, reader = _value(names, code), names["reader"]
    read, sequence = flat(reader(between)), flat(between)[0]
    masked = distance(flat(reader(sequence, mask=names["mask"])), read)
    if masked <= _TOLERANCE:
        return {"mask": exact("passed on"), "error": measured(masked, _TOLERANCE)}
    unmasked = distance(flat(reader(sequence)), read)
    return {"mask": exact("lost"), "error": measured(unmasked, _TOLERANCE), "cost": control(masked)}


def _value(names: dict[str, Any], code: str) -> Any:
    return run_snippet(f"value = {code}", dict(names))[1]["value"]


def run_nan(names: dict[str, Any], recipe: str) -> Results:
    """Put NaN into every masked step, and see whether it reaches the output and the gradients of the weights.

    Args:
        names: the names defined by the page's setup.
        recipe: the code that defines `run_masked`.
    """
    import torch

    from frameworks import convert, emulate

    rows = names["mask"].any(axis=1)
    mask = names["mask"][rows]
    x = np.where(mask[..., None], names["x"][rows], np.nan).astype("float32")
    given, counts = torch.from_numpy(x), torch.from_numpy(mask)
    rnn, module, looped = convert(names["layer"]), emulate(names["layer"]), emulate(_without_fused(names))
    run_masked = run_snippet(recipe, dict(names))[1]["run_masked"]
    calls: dict[str, tuple[Any, Callable[[], Any]]] = {
        "unpacked": (rnn, lambda: rnn(given)[0]),
        "any mask": (rnn, lambda: run_masked(rnn, given, counts, zero_output=False)[0]),
        "emulate": (module, lambda: module(given, mask=counts)[0]),
        "emulate loop": (looped, lambda: looped(given, mask=counts)),
    }
    reached: dict[str, Any] = {"keras": _reach_in_keras(names["layer"], x, mask)}
    for way, (owner, call) in calls.items():
        owner.zero_grad()
        output = call()
        output.sum().backward()
        reached[way] = _reach(
            flat(output), flat([parameter.grad for parameter in owner.parameters() if parameter.requires_grad])
        )
    return reached


def _without_fused(names: dict[str, Any]) -> Any:
    """Build a layer for which torch has no fused operation."""
    layer = names["keras"].layers.LSTM(4, recurrent_activation="hard_sigmoid", return_sequences=True)
    layer.build(names["x"].shape)
    layer.set_weights(names["layer"].get_weights())
    return layer


def _reach_in_keras(layer: Any, x: Array, mask: Array) -> Results:
    import tensorflow as tf

    with tf.GradientTape() as tape:
        output, *_ = layer(x, mask=mask)
        total = tf.reduce_sum(output)
    return _reach(flat(output), flat(tape.gradient(total, layer.trainable_weights)))


def _reach(outputs: Iterable[Array], gradients: Iterable[Array]) -> Results:
    return {"output": exact(_finite(outputs)), "weight gradients": exact(_finite(gradients))}


def _finite(arrays: Iterable[Array]) -> str:
    return "finite" if all(np.isfinite(array).all() for array in arrays) else "NaN"
