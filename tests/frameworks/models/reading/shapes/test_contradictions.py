"""Shapes that do not fit a layer are refused with the names of both layers; nonsense in a config leaves a shape unknown.

Covers: `frameworks/models/reading/shapes`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from frameworks.files.other_layers import OtherLayer
from frameworks.files.untrusted.source import in_memory
from frameworks.models.graph import Call, Graph, Layer, Shape, Tensor
from frameworks.models.reading.shapes import infer_shapes

A, B = Tensor("first"), Tensor("second")


def inferred(layer: Layer, shapes: dict[Tensor, Shape], *args: Any, **kwargs: Any) -> Any:
    call = Call("layer", args=args, kwargs=kwargs)
    graph = Graph("model", "Functional", {"layer": layer}, (call,), tuple(shapes), call.results, shapes=shapes)
    return infer_shapes(graph).get(call.results[0])


def with_arrays(kind: str, config: dict[str, Any], **arrays: tuple[int, ...]) -> Layer:
    stored = {name: in_memory(np.zeros(shape, "float32")) for name, shape in arrays.items()}
    return Layer("layer", kind, config, OtherLayer("layer", kind, stored, config, known=True))


CONV = {"filters": 3, "kernel_size": 2}


@pytest.mark.parametrize(
    ("layer", "shapes", "words"),
    [
        (with_arrays("Dense", {"units": 2}, kernel=(7, 2)), [(None, 5)], ("7 features", "(None, 5)")),
        (with_arrays("Conv1D", CONV, kernel=(2, 7, 3)), [(None, 9, 5)], ("7 channels", "(None, 9, 5)")),
        (with_arrays("BatchNormalization", {}, gamma=(7,), beta=(7,)), [(None, 5)], ("7 features", "(None, 5)")),
        (Layer("layer", "Concatenate", {"axis": 1}), [(None, 5, 2), (None, 5, 3)], ("second of shape (None, 5, 3)", "axis 1")),
        (Layer("layer", "Add"), [(None, 5, 2), (None, 5, 3)], ("second of shape (None, 5, 3)",)),
        (Layer("layer", "Dot", {"axes": 1}), [(None, 5), (None, 6)], ("same size",)),
        (Layer("layer", "Reshape", {"target_shape": (4, 2)}), [(None, 9)], ("as many elements as (4, 2)",)),
        (Layer("layer", "Permute", {"dims": (2, 1)}), [(None, 9)], ("3 axes",)),
        (Layer("layer", "RepeatVector", {"n": 2}), [(None, 9, 2)], ("2 axes",)),
        (Layer("layer", "MaxPooling1D", {"pool_size": 10}), [(None, 9, 2)], ("at least 10 steps",)),
        (Layer("layer", "Cropping1D", {"cropping": (5, 5)}), [(None, 9, 2)], ("as it cuts off",)),
        (Layer("layer", "LSTM", {"units": 3}), [(None, 9)], ("3 axes",)),
        (Layer("layer", "Conv2D", CONV), [(None, 9, 2)], ("4 axes",)),
        (Layer("layer", "ops.matmul"), [(None, 9, 2), (None, 3, 4)], ("rows",)),
    ],
    ids=lambda each: getattr(each, "kind", ""),
)
def test_a_contradiction_names_both_layers(layer: Layer, shapes: list[Shape], words: tuple[str, ...], refused: Any) -> None:
    read = [A, B][: len(shapes)]
    args = tuple(read) if layer.is_operation else (read if len(read) > 1 else A,)
    with refused("layer, a " + layer.kind, "first of shape", *words):
        inferred(layer, dict(zip(read, shapes, strict=True)), *args)


def test_states_of_another_width_are_refused(refused: Any) -> None:
    lstm = Layer("layer", "LSTM", {"units": 3})
    good, bad = ({A: (None, 9, 2), B: (None, width)} for width in (3, 4))
    assert inferred(lstm, good, A, initial_state=[B, B]) == (None, 3)
    with refused("3 features in each state", "second of shape (None, 4)"):
        inferred(lstm, bad, A, initial_state=[B, B])


@pytest.mark.parametrize("junk", [None, "x", -1, 10**30, 2.5, [1, "x"], [[1]], {}, [2] * 50])
def test_nonsense_in_a_config_leaves_the_shape_unknown(junk: Any) -> None:
    image: Shape = (None, 9, 8, 3)
    good: dict[str, tuple[str, ...]] = {
        "Conv2D": ("filters", "kernel_size", "strides", "padding", "dilation_rate"),
        "MaxPooling2D": ("pool_size", "strides", "padding"),
        "Reshape": ("target_shape",),
        "Permute": ("dims",),
        "Concatenate": ("axis",),
        "Cropping2D": ("cropping",),
        "UpSampling2D": ("size",),
        "Bidirectional": ("layer",),
        "RNN": ("cell",),
        "MultiHeadAttention": ("num_heads", "output_shape", "attention_axes"),
        "LSTM": ("units",),
    }
    for kind, options in good.items():
        for option in options:
            required = {"filters": 2, "kernel_size": 2, "num_heads": 2, "key_dim": 2, "layer": {}, "cell": {}, "units": 2}
            config = {name: value for name, value in required.items() if name in known(kind)} | {option: junk}
            shape = (None, 9, 3) if kind in ("Bidirectional", "RNN", "LSTM") else image
            try:
                found = inferred(Layer("layer", kind, config), {A: shape}, [A, A] if kind == "Concatenate" else A)
            except ValueError as error:
                assert "must" in str(error)  # noqa: PT017  either is right
            else:
                assert found is None or all(size is None or type(size) is int for size in found), (kind, option)


def known(kind: str) -> set[str]:
    from frameworks.kinds import kind_of

    return {option.name for option in kind_of(kind).options}
