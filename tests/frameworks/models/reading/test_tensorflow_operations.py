"""Each of TensorFlow's operations in a model of tf_keras computes the same in both ports, with tf_keras's own numbers expected.

Covers: `frameworks/models/reading/tensorflow_operations.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras
import torch

from frameworks.errors import NoCounterpartError
from frameworks.models import port_model, to_source
from frameworks.models.keras import build_keras
from frameworks.models.reading import read_graph
from frameworks.models.reading.operations import operation_called, operation_of
from frameworks.models.reading.tensorflow_operations import TENSORFLOW

K = tf_keras.backend
X = np.random.default_rng(3).normal(size=(3, 5, 4)).astype("float32")
SHORTER = X[:2, :3]


def reduction(name: str) -> Callable[[Any], Any]:
    return lambda x: getattr(tf.math, f"reduce_{name}")(x, axis=1, keepdims=True)


OPERATIONS: Mapping[str, Callable[[Any], Any]] = {
    "add": lambda x: tf.add(x, 2.0),
    "subtract": lambda x: tf.subtract(1.0, x),
    "multiply": lambda x: tf.multiply(x, x),
    "truediv": lambda x: 3.0 / (x * x + 1.0),
    "floormod": lambda x: tf.math.floormod(x, 0.7),
    "floordiv": lambda x: tf.math.floordiv(x, 0.7),
    "pow": lambda x: tf.pow(tf.abs(x), 1.5),
    "maximum": lambda x: tf.maximum(x, 0.2),
    "minimum": lambda x: tf.minimum(x, 0.2),
    "less": lambda x: tf.cast(tf.less(x, 0.1), "float32"),
    "greater_equal": lambda x: tf.cast(tf.greater_equal(x, 0.1), "float32"),
    "not_equal": lambda x: tf.cast(tf.not_equal(tf.sign(x), 1.0), "float32"),
    "logical_and": lambda x: tf.cast(tf.logical_and(x > 0.0, x < 1.0), "float32"),
    "logical_not": lambda x: tf.cast(tf.logical_not(x > 0.0), "float32"),
    **{
        name: getattr(tf, name)
        for name in ("abs", "tanh", "sigmoid", "exp", "square", "sin", "cos", "sign", "negative", "floor")
    },
    **{name: getattr(tf.math, name) for name in ("expm1", "erf", "ceil", "softplus", "softsign")},
    "negative": lambda x: -x,
    "round": lambda x: tf.round(x * 3.0),
    "log": lambda x: tf.math.log(tf.abs(x) + 1.0),
    "sqrt": lambda x: tf.sqrt(tf.abs(x)),
    "rsqrt": lambda x: tf.math.rsqrt(tf.abs(x) + 1.0),
    "reciprocal": lambda x: tf.math.reciprocal(tf.abs(x) + 1.0),
    **{name: getattr(tf.nn, name) for name in ("relu", "relu6", "elu", "selu")},
    "zeros_like": lambda x: tf.where(x > 0.0, x, tf.zeros_like(x)),
    "stop_gradient": tf.stop_gradient,
    **{f"reduce_{name}": reduction(name) for name in ("mean", "sum", "max", "min", "prod", "logsumexp", "std", "variance")},
    "reduce_any": lambda x: tf.cast(tf.reduce_any(x > 1.0, axis=-1), "float32"),
    "mean": lambda x: K.mean(x, axis=-1),
    "batch_dot": lambda x: K.batch_dot(x, K.permute_dimensions(x, (0, 2, 1))),
    "matmul": lambda x: tf.matmul(x, tf.transpose(x, [0, 2, 1])),
    "matmul with b transposed": lambda x: tf.matmul(x, x * 2.0, transpose_b=True),
    "matmul with a transposed": lambda x: tf.matmul(x, x * 2.0, transpose_a=True),
    "matmul with both transposed": lambda x: tf.matmul(x, tf.transpose(x, [0, 2, 1]), adjoint_a=True, transpose_b=True),
    "gelu": tf.nn.gelu,
    "leaky_relu": lambda x: tf.nn.leaky_relu(x, 0.3),
    "softmax": lambda x: tf.nn.softmax(x, axis=1),
    "log_softmax": tf.nn.log_softmax,
    "concat": lambda x: tf.concat([x, x * 2.0], 1),
    "stack": lambda x: tf.stack([x, -x], axis=2),
    "unstack": lambda x: tf.unstack(x, axis=2)[3],
    "split": lambda x: tf.split(x, [1, 3], axis=-1)[1],
    "the first part alone": lambda x: tf.split(x, [1, 1, 2], axis=-1)[0],
    "the rest": lambda x: tf.split(x, [1, -1], axis=-1)[1],
    "l2_normalize with epsilon": lambda x: tf.nn.l2_normalize(x, -1, epsilon=100.0),
    "a middle part": lambda x: tf.split(x, 4, axis=-1)[1],
    "parts of an unknown number": lambda x: sum(tf.unstack(x, axis=2)[:3:2]),
    "the first part of an unknown number": lambda x: tf.unstack(x, axis=2)[0],
    "the only part": lambda x: tf.split(x, 1, axis=2)[0],
    "a part of a number": lambda x: tf.unstack(x, num=4, axis=2)[0],
    "expand_dims": lambda x: tf.expand_dims(x, 1),
    "squeeze": lambda x: tf.squeeze(tf.expand_dims(x, 1), 1),
    "reshape": lambda x: tf.reshape(x, [-1, 2, 2]),
    "tile": lambda x: tf.tile(x, [1, 2, 1]),
    "gather": lambda x: tf.gather(x, [2, 0], axis=2),
    "one_hot": lambda x: tf.one_hot(tf.argmax(x, axis=-1), 4),
    "reverse": lambda x: tf.reverse(x, [1]),
    "clip_by_value": lambda x: tf.clip_by_value(x, -0.4, 0.5),
    "l2_normalize": lambda x: tf.nn.l2_normalize(x, -1),
    "pad": lambda x: tf.pad(x, [[0, 0], [1, 2], [0, 0]]),
    "cumsum": lambda x: tf.cumsum(x, axis=1),
    "getitem": lambda x: x[:, -1, ::2],
}
"""By the name of a row of the table, or of the function that is made of rows."""


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[tuple[Any, ...]]]:
    """Return what tf_keras, torch and today's Keras compute of two inputs, by operation."""
    read = tf_keras.Input((None, 4))
    model = tf_keras.Model(read, [operation(read) for operation in OPERATIONS.values()])
    path = tmp_path_factory.mktemp("operations") / "model.keras"
    model.save(path)
    in_torch, in_keras = port_model(path), build_keras(read_graph(path))
    every: dict[str, list[tuple[Any, ...]]] = {name: [] for name in OPERATIONS}
    for x in (X, SHORTER):
        for name, *made in zip(OPERATIONS, model(x), in_torch(torch.from_numpy(x)), in_keras(x), strict=True):
            every[name].append(tuple(np.asarray(each) for each in made))
    return every


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_computes_the_same_in_both_ports(name: str, results: dict[str, list[tuple[Any, ...]]]) -> None:
    for expected, in_torch, in_keras in results[name]:
        np.testing.assert_allclose(in_torch, expected, rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(in_keras, expected, rtol=1e-5, atol=1e-5)


def test_a_wrong_row_is_caught(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    read = tf_keras.Input((None, 4))
    model = tf_keras.Model(read, tf.nn.gelu(read))
    model.save(tmp_path / "model.keras")
    row = TENSORFLOW["gelu"]
    monkeypatch.setitem(cast("dict[str, Any]", row.defaults), "approximate", 1)
    assert np.abs(port_model(tmp_path / "model.keras")(torch.from_numpy(X)).numpy() - np.asarray(model(X))).max() > 1e-5


def test_an_option_that_todays_function_lacks_is_a_gap_that_names_it(tmp_path: Any) -> None:
    read = tf_keras.Input((None, 4))
    tf_keras.Model(read, tf.cumsum(read, axis=1, exclusive=True)).save(tmp_path / "model.keras")
    (gap,) = read_graph(tmp_path / "model.keras").gaps
    assert "exclusive=True" in gap.gap
    assert to_source(tmp_path / "model.keras").gaps


def test_a_transposed_product_reads_as_torch_writes_it(tmp_path: Any) -> None:
    read = tf_keras.Input((None, 4), name="steps")
    tf_keras.Model(read, tf.matmul(read, read, transpose_b=True)).save(tmp_path / "model.keras")
    assert "return steps @ steps.transpose(-2, -1)" in to_source(tmp_path / "model.keras").text


@pytest.mark.parametrize("flag", ["adj_x", "adj_y", ""])
def test_a_transposed_product_of_tensorflows_graph(flag: str) -> None:
    attributes = ", ".join(f'"{name}": {{"b": {str(name == flag).lower()}}}' for name in ("adj_x", "adj_y"))
    config = {"name": "p", "node_def": f'{{"op": "BatchMatMulV2", "attr": {{{attributes}}}}}', "constants": {}}
    layer = operation_of("p", {"class_name": "TensorFlowOpLayer"}, config, [])
    one, other = X[:, :4], X[:, 1:]
    args, _ = operation_called(layer, [one, other], {})
    expected = tf.raw_ops.BatchMatMulV2(x=one, y=other, adj_x=flag == "adj_x", adj_y=flag == "adj_y")
    made = getattr(keras.ops, layer.kind.removeprefix("ops."))(*args)
    np.testing.assert_allclose(made, expected, rtol=1e-5, atol=1e-5)


def test_a_rest_before_the_last_part_is_refused(tmp_path: Any) -> None:
    read = tf_keras.Input((None, 4))
    tf_keras.Model(read, tf.split(read, [1, -1, 1], axis=-1)[1]).save(tmp_path / "model.keras")
    with pytest.raises(NoCounterpartError, match="sizes with -1 before the last"):
        to_source(tmp_path / "model.keras")
