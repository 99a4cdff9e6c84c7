"""Make onnx_graphs.npz: models that exporters made, and the results of onnxruntime.

Needs onnx, onnxruntime, onnxscript and tf2onnx, which gatewise does not; run it from the root, as a module.
"""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import torch
from onnxruntime.quantization import quantize_dynamic

from tests.frameworks.files.data.onnx_modules import MODULES, SERIES, OwnCell, OwnGRU

HERE = Path(__file__).parent
EXPORTERS: dict[str, dict[str, Any]] = {
    "script": {"dynamo": False},
    "unfolded": {"dynamo": False, "do_constant_folding": False},
    "dynamo": {"dynamo": True, "external_data": False},
}
LEFT_OUT = {("started", "dynamo"), ("nested", "dynamo"), ("rnn without bias", "unfolded"), ("bare", "unfolded")}
"""What is not kept: the newer exporter writes out nn.RNN, and stores a start for each sequence of the batch."""


def exported(module: Any, inputs: tuple[Any, ...], how: dict[str, Any]) -> bytes:
    """Export a module, without the metadata that gatewise does not read."""
    with tempfile.TemporaryDirectory() as folder:
        torch.onnx.export(module, inputs, Path(folder) / "model.onnx", **how)
        model = onnx.load(Path(folder) / "model.onnx")
    for node in model.graph.node:
        kept = [each for each in node.metadata_props if each.key in ("namespace", "pkg.torch.onnx.name_scopes")]
        del node.metadata_props[:]
        node.metadata_props.extend(kept)
    return bytes(model.SerializeToString())


def randomised(module: Any, seed: int) -> Any:
    """Draw all parameters and statistics."""
    torch.manual_seed(seed)
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter, std=0.4)
    for name, buffer in module.named_buffers():
        if name.endswith("running_mean"):
            buffer.normal_()
        elif name.endswith("running_var"):
            buffer.uniform_(0.5, 2)
    return module.eval()


def ran(content: bytes, feeds: list[Any]) -> list[Any]:
    """Return the results of onnxruntime."""
    session = ort.InferenceSession(content)
    return list(session.run(None, {each.name: feed for each, feed in zip(session.get_inputs(), feeds, strict=True)}))


def record(arrays: dict[str, Any], name: str, content: bytes, feeds: list[Any], results: list[Any]) -> None:
    """Keep a model, its inputs and its results."""
    arrays[f"{name}/model"] = np.frombuffer(content, np.uint8)
    arrays |= {f"{name}/input {number}": feed for number, feed in enumerate(feeds)}
    arrays |= {f"{name}/result {number}": result for number, result in enumerate(results)}


def modules(arrays: dict[str, Any]) -> None:
    """Export each module with each exporter."""
    for seed, (name, (make, kind)) in enumerate(MODULES.items()):
        for exporter, how in EXPORTERS.items():
            if (name, exporter) in LEFT_OUT:
                continue
            module = randomised(make(), seed)
            if name == "cells":
                for cell in (module.one, module.other):
                    torch.nn.init.zeros_(cell.bias_hh)
            given = torch.randn(6, 2, 4) if kind == SERIES else torch.randint(0, 11, (2, 6))
            content = exported(module, (given,), how)
            record(arrays, f"{name}, {exporter}", content, [given.numpy()], ran(content, [given.numpy()]))


def written_out(arrays: dict[str, Any]) -> None:
    """Export layers that exporters write out as plain operators."""
    states = (torch.randn(3, 4), torch.randn(3, 5), torch.randn(3, 5))
    steps = (torch.randn(3, 2, 4), torch.randn(2, 3))
    unrolled = torch.nn.RNN(4, 5)
    for exporter in ("script", "dynamo"):
        for name, module, inputs in (("own cell", OwnCell(), states), ("own gru", OwnGRU(), steps)):
            content = exported(randomised(module, 7), inputs, EXPORTERS[exporter])
            feeds = [each.numpy() for each in inputs]
            record(arrays, f"{name}, {exporter}", content, feeds, ran(content, feeds))
    record(arrays, "unrolled, dynamo", exported(randomised(unrolled, 8), (torch.randn(4, 2, 4),), EXPORTERS["dynamo"]), [], [])


def quantised(arrays: dict[str, Any]) -> None:
    """Quantise a model with onnxruntime."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        path.write_bytes(arrays["tagger, script/model"].tobytes())
        quantize_dynamic(path, path.with_name("small.onnx"))
        record(arrays, "quantised", path.with_name("small.onnx").read_bytes(), [], [])


def from_keras(arrays: dict[str, Any]) -> None:
    """Export a Keras model with tf2onnx."""
    import keras
    import tensorflow as tf
    import tf2onnx

    keras.utils.set_random_seed(0)
    layers = [keras.layers.Embedding(11, 4), keras.layers.LSTM(5, return_sequences=True), keras.layers.GRU(6)]
    model = keras.Sequential([keras.Input((6,), dtype="int32"), *layers, keras.layers.Dense(3)])
    for weight in model.weights:
        weight.assign(np.random.default_rng(0).normal(0, 0.4, weight.shape))
    signature = [tf.TensorSpec((None, 6), tf.int32)]
    proto, _ = tf2onnx.convert.from_function(tf.function(model, input_signature=signature), signature, opset=13)
    content, feed = bytes(proto.SerializeToString()), np.arange(12).reshape(2, 6).astype("i4") % 11
    record(arrays, "keras", content, [feed], ran(content, [feed]))
    arrays |= {f"keras/weight {number}": weight for number, weight in enumerate(model.get_weights())}


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    arrays: dict[str, Any] = {}
    modules(arrays)
    written_out(arrays)
    quantised(arrays)
    from_keras(arrays)
    np.savez_compressed(HERE / "onnx_graphs.npz", **arrays)
