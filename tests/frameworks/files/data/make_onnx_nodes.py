"""Make onnx_nodes.npz: small ONNX models, and the results of onnxruntime.

Needs onnx and onnxruntime, which gatewise does not.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from onnx import AttributeProto, TensorProto, helper, numpy_helper

TIME, BATCH, INPUT, HIDDEN = 5, 3, 2, 4
GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}
BOTH, BACK = {"direction": "bidirectional"}, {"direction": "reverse"}
CASES: dict[str, tuple[str, dict[str, Any], str]] = {
    "gru before": ("GRU", {}, ""),
    "gru before, both": ("GRU", {**BOTH, "activations": ["HardSigmoid", "Relu", "Sigmoid", "Tanh"]}, "lengths"),
    "gru before, back, no bias": ("GRU", {**BACK, "activations": ["HardSigmoid", "Tanh"]}, "no bias"),
    "gru after, back": ("GRU", {**BACK, "linear_before_reset": 1}, "lengths states"),
    "gru after, unlike": (
        "GRU",
        {
            **BOTH,
            "linear_before_reset": 1,
            "activations": ["HardSigmoid", "LeakyRelu", "Softsign", "ScaledTanh"],
            "activation_alpha": [0.3, 0.125, 1.75],
            "activation_beta": [0.25, 0.5],
        },
        "states",
    ),
    "lstm back": ("LSTM", BACK, "states"),
    "lstm back, lengths": ("LSTM", BACK, "lengths"),
    "lstm unlike": (
        "LSTM",
        {
            **BOTH,
            "activations": ["Sigmoid", "Softsign", "Softsign", "HardSigmoid", "Elu", "Elu"],
            "activation_alpha": [0.3, 0.7, 0.7],
        },
        "states",
    ),
    "lstm thresholded": (
        "LSTM",
        {"activations": ["HardSigmoid", "ThresholdedRelu", "ThresholdedRelu"], "activation_alpha": [0.25, 0.1, 0.1]},
        "no bias",
    ),
    "lstm of halves": ("LSTM", {}, "halves"),
    "lstm dequantised": ("LSTM", BOTH, "quantised"),
    "lstm in a function": ("LSTM", BACK, "function"),
    "gru of constants": ("GRU", {"linear_before_reset": 1, "activations": ["Sigmoid", "Softplus"]}, "constants zeros"),
    "rnn affine": ("RNN", {**BACK, "activations": ["Affine"], "activation_alpha": [0.5], "activation_beta": [0.25]}, ""),
    "rnn unlike": ("RNN", {**BOTH, "activations": ["Relu", "LeakyRelu"]}, "lengths"),
}


def make(kind: str, attributes: dict[str, Any], extras: str, rng: np.random.Generator) -> tuple[bytes, dict[str, Any]]:
    """Return a model and its inputs."""
    ways, rows = 2 if attributes.get("direction") == "bidirectional" else 1, GATES[kind] * HIDDEN
    shapes = {"W": (ways, rows, INPUT), "R": (ways, rows, HIDDEN), "B": (ways, 2 * rows)}
    arrays = {name: rng.normal(0, 0.6, shape).astype("f4") for name, shape in shapes.items()}
    if "no bias" in extras:
        del arrays["B"]
    feeds: dict[str, Any] = {"X": rng.normal(size=(TIME, BATCH, INPUT)).astype("f4")}
    if "lengths" in extras:
        feeds["lengths"] = np.array([3, TIME, 1], "i4")
    states = ("h0", "c0")[: 2 if kind == "LSTM" else 1]
    if "states" in extras:
        feeds |= {name: rng.normal(size=(ways, BATCH, HIDDEN)).astype("f4") for name in states}
    nodes = made(arrays, extras)
    inputs = ["X", "W", "R", "B" if "no bias" not in extras else "", "lengths" if "lengths" in feeds else ""]
    inputs += list(states) if "states" in extras else ["zeros"] * ("zeros" in extras)
    outputs = ["Y", "Y_h", "Y_c"][: 3 if kind == "LSTM" else 2]
    rest = {"hidden_size": HIDDEN, **attributes}
    functions = []
    if "function" in extras:
        inner = helper.make_node(kind, inputs[:4], outputs, name="rec", **{k: v for k, v in rest.items() if k != "direction"})
        inner.attribute.append(AttributeProto(name="direction", type=AttributeProto.STRING, ref_attr_name="way"))
        opset = [helper.make_opsetid("", 17)]
        functions.append(helper.make_function("own", "Layer", inputs[:4], outputs, [inner], opset, ["way"]))
        nodes.append(helper.make_node("Layer", ["X", "W", "R", "B"], outputs, domain="own", way=attributes["direction"]))
    else:
        nodes.append(helper.make_node(kind, inputs, outputs, name="rec", **rest))
    given = [
        helper.make_tensor_value_info(name, TensorProto.INT32 if name == "lengths" else TensorProto.FLOAT, array.shape)
        for name, array in feeds.items()
    ]
    results = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs]
    stored = [numpy_helper.from_array(np.asarray(array), name) for name, array in arrays.items()]
    graph = helper.make_graph(nodes, "graph", given, results, stored)
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8, functions=functions).SerializeToString(), feeds


def made(arrays: dict[str, Any], extras: str) -> list[Any]:
    """Return nodes that compute the weights from other arrays, which replace them."""
    nodes: list[Any] = []
    for name in tuple(arrays) if "halves" in extras or "quantised" in extras or "constants" in extras else ():
        whole = arrays.pop(name)
        if "halves" in extras:
            arrays |= {f"{name}_half": whole.astype("f2"), f"{name}_sizes": np.array([HIDDEN, whole.shape[1] - HIDDEN])}
            nodes += [
                helper.make_node("Split", [f"{name}_half", f"{name}_sizes"], [f"{name}_1", f"{name}_2"], axis=1),
                helper.make_node("Concat", [f"{name}_1", f"{name}_2"], [f"{name}_whole"], axis=1),
                helper.make_node("Cast", [f"{name}_whole"], [name], to=TensorProto.FLOAT),
            ]
        elif "quantised" in extras:
            scale = (np.abs(whole).max(axis=tuple(range(1, whole.ndim))) / 100).astype("f4")
            zero = np.array([3, -4], "i1")
            along = [-1] + [1] * (whole.ndim - 1)
            arrays |= {f"{name}_scale": scale, f"{name}_zero": zero}
            arrays[f"{name}_whole"] = (np.round(whole / scale.reshape(along)) + zero.reshape(along)).astype("i1")
            nodes.append(
                helper.make_node("DequantizeLinear", [f"{name}_{each}" for each in ("whole", "scale", "zero")], [name], axis=0)
            )
        else:
            turned = np.ascontiguousarray(whole.swapaxes(0, 1)).reshape(-1)
            shape = helper.make_tensor(f"{name}_shape", TensorProto.INT64, [whole.ndim], [whole.shape[1], 1, *whole.shape[2:]])
            order = [1, 0, *range(2, whole.ndim)]
            nodes += [
                helper.make_node("Constant", [], [f"{name}_flat"], value=numpy_helper.from_array(turned)),
                helper.make_node("Constant", [], [f"{name}_shape"], value=shape),
                helper.make_node("Reshape", [f"{name}_flat", f"{name}_shape"], [f"{name}_turned"]),
                helper.make_node("Transpose", [f"{name}_turned"], [name], perm=order),
            ]
    if "zeros" in extras:
        nodes += [
            helper.make_node("Constant", [], ["state_shape"], value_ints=[1, BATCH, HIDDEN]),
            helper.make_node("ConstantOfShape", ["state_shape"], ["zeros"]),
        ]
    return nodes


if __name__ == "__main__":
    arrays: dict[str, Any] = {}
    for number, (name, case) in enumerate(CASES.items()):
        content, feeds = make(*case, np.random.default_rng(number))
        session = ort.InferenceSession(content)
        results = dict(zip((each.name for each in session.get_outputs()), session.run(None, feeds), strict=True))
        arrays |= {f"{name}/{key}": array for key, array in {**feeds, **results}.items()}
        arrays[f"{name}/model"] = np.frombuffer(content, np.uint8)
    np.savez_compressed(Path(__file__).parent / "onnx_nodes.npz", **arrays)
