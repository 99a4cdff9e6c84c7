"""Operations between layers compute in torch what `keras.ops` does.

Covers: `frameworks/models/pytorch/operations`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from frameworks.errors import GatewiseError, NoCounterpartError
from frameworks.models import to_source
from tests.frameworks.models.pytorch.layers.comparing import TOLERANCE, Case, assert_precisions, errors, many, normal, source_of

ops = keras.ops


def _positive(x: Any) -> Any:
    return ops.add(ops.abs(x), 0.1)


def _called(name: str, arguments: Case) -> Case:
    return lambda k, x: getattr(ops, name)(*arguments(k, x))


OF_ONE = (
    "absolute negative reciprocal sign square exp expm1 sin cos tanh sigmoid relu relu6 softplus softsign silu"
    " log_sigmoid hard_sigmoid selu hard_tanh tanh_shrink sparse_plus sparsemax squareplus sparse_sigmoid elu celu"
    " gelu leaky_relu softmax log_softmax floor ceil round isnan isfinite erf stop_gradient zeros_like ones_like"
    " hard_silu hard_shrink soft_shrink sum mean max min argmax any all logsumexp arctan sinh trunc"
)
OF_POSITIVE = "log log1p log2 log10 sqrt rsqrt"
OF_TWO = (
    "add subtract multiply divide true_divide maximum minimum equal not_equal greater greater_equal less less_equal"
    " arctan2 logaddexp"
)
CASES: dict[str, Case] = {
    **{name: _called(name, lambda k, x: (x,)) for name in OF_ONE.split()},
    **{name: _called(name, lambda k, x: (_positive(x),)) for name in OF_POSITIVE.split()},
    **{name: _called(name, lambda k, x: (x, k.Dense(4)(x))) for name in OF_TWO.split()},
    **{f"{name} of a constant": _called(name, lambda k, x: (x, 0.5)) for name in OF_TWO.split()},
    **{f"{name} with a constant": _called(name, lambda k, x: (2.0, x)) for name in OF_TWO.split()},
    "operators": lambda k, x: (1 - x) * 2 / 3.0 + -x,
    "power": lambda k, x: _positive(x) ** -1.5,
    "mod": lambda k, x: x % 2.0,
    "floor_divide": lambda k, x: x // 2.0,
    "an array": lambda k, x: x * np.array([1.0, 2.0, 3.0, 4.0], "float32"),
    "logical": lambda k, x: ops.logical_not(ops.logical_or(ops.logical_and(x > 0, x < 1), x < -1)),
    "one step": lambda k, x: x[:, -1],
    "steps": lambda k, x: x[:, 1:4:2],
    "last axis": lambda k, x: x[..., 0],
    "a new axis": lambda k, x: x[:, None, :, 1:],
    "reversed": lambda k, x: x[:, ::-1],
    "reshape": lambda k, x: ops.reshape(x, (-1, 4, 6)),
    "transpose": lambda k, x: ops.transpose(x, (0, 2, 1)),
    "swapaxes": lambda k, x: ops.swapaxes(x, 1, 2),
    "moveaxis": lambda k, x: ops.moveaxis(x, 1, 2),
    "expand_dims": lambda k, x: ops.expand_dims(x, -1),
    "squeeze": lambda k, x: ops.squeeze(x[:, :1], 1),
    "concatenate": lambda k, x: ops.concatenate([x, x], axis=1),
    "stack": lambda k, x: ops.stack([x, x], axis=2),
    "split": lambda k, x: ops.split(x, 2, axis=2),
    "split at": lambda k, x: ops.split(x, [1, 4], axis=1),
    "unstack": lambda k, x: ops.unstack(x, axis=2),
    "mean of axes": lambda k, x: ops.mean(x, axis=(1, 2), keepdims=True),
    "sum of an axis": lambda k, x: ops.sum(x, axis=-1, keepdims=True),
    "max of axes": lambda k, x: ops.max(x, axis=[1, 2]),
    "var": lambda k, x: ops.var(x, axis=1),
    "std": lambda k, x: ops.std(x, axis=-1),
    "prod": lambda k, x: ops.prod(x, axis=1),
    "any of an axis": lambda k, x: ops.any(x > 1, axis=1),
    "all of axes": lambda k, x: ops.all(x > 0, axis=(1, 2)),
    "argmax of an axis": lambda k, x: ops.argmax(x, axis=1),
    "cast": lambda k, x: ops.cast(x > 0, "float32"),
    "matmul": lambda k, x: ops.matmul(x, ops.transpose(x, (0, 2, 1))),
    "einsum": lambda k, x: ops.einsum("bij,bkj->bik", x, x),
    "where": lambda k, x: ops.where(x > 0, x, 0.0),
    "clip": lambda k, x: ops.clip(x, -1, 1),
    "softmax of an axis": lambda k, x: ops.softmax(x, axis=1),
    "leaky_relu slope": lambda k, x: ops.leaky_relu(x, 0.1),
    "gelu exact": lambda k, x: ops.gelu(x, approximate=False),
    "normalize": lambda k, x: ops.normalize(x, axis=1),
    "normalize far below epsilon": lambda k, x: ops.normalize(x, axis=-1, epsilon=100.0),
    "power of a negative number": lambda k, x: ops.power(-2.0, ops.round(x)),
    "new axes at the end": lambda k, x: ops.expand_dims(x, (-2, -1)),
    "new axes from the end": lambda k, x: ops.expand_dims(x, (-4, -1)),
    "values of top_k alone": lambda k, x: ops.top_k(x, 2)[0] * 2,
    "tensordot with a constant": lambda k, x: ops.tensordot(x, np.ones((4, 2), "float32"), axes=1),
    "norm": lambda k, x: ops.norm(x, axis=-1),
    "one_hot": lambda k, x: ops.one_hot(ops.argmax(x, axis=-1), 4),
    "take": lambda k, x: ops.take(x, [2, 0], axis=1),
    "repeat": lambda k, x: ops.repeat(x, 2, axis=1),
    "tile": lambda k, x: ops.tile(x, [1, 2, 1]),
    "flip": lambda k, x: ops.flip(x, axis=1),
    "roll": lambda k, x: ops.roll(x, 1, axis=1),
    "cumsum": lambda k, x: ops.cumsum(x, axis=1),
    "pad": lambda k, x: ops.pad(x, ((0, 0), (1, 2), (0, 1)), constant_values=3.0),
    "top_k": lambda k, x: ops.top_k(x, 2),
    "tril": lambda k, x: ops.tril(x),
    "sort": lambda k, x: ops.sort(x, axis=1),
    "take_along_axis": lambda k, x: ops.take_along_axis(x, ops.cast(ops.argsort(x, axis=1), "int32"), axis=1),
}


def test_operations_compute_what_keras_does(tmp_path: Path) -> None:
    model, names = many(keras, (6, 4), CASES)
    source = source_of(model, "keras", tmp_path)
    for x in (normal(2, 6, 4), normal(3, 6, 4)):
        wrong = {name: error for name, error in errors(model, names, source, x).items() if not error <= TOLERANCE}
        assert not wrong, wrong
    assert_precisions(source, names, normal(2, 6, 4))


NUMBERS = (
    "absolute negative sign square sin exp sum mean max min argmax any all var std prod cumsum cumprod norm floor ceil round"
    " leaky_relu sqrt log1p isfinite"
)
PAIRS = "add multiply maximum equal greater power logaddexp arctan2"
WHOLE: dict[str, Case] = {
    **{name: _called(name, lambda k, x: (x,)) for name in NUMBERS.split() if name not in ("cumsum", "cumprod", "norm")},
    **{f"{name} of an axis": _called(name, lambda k, x: (x, 1)) for name in ("mean", "std", "any", "sum", "cumsum", "cumprod")},
    "norm": lambda k, x: ops.norm(x, axis=-1),
    **{name: _called(name, lambda k, x: (x, ops.flip(x, axis=1))) for name in PAIRS.split()},
    **{f"{name} with a number": _called(name, lambda k, x: (x, 0.5)) for name in (*PAIRS.split(), "subtract")},
    "divide": lambda k, x: x / (x + 2),
    "subtract": lambda k, x: 1 - x,
    "beside floating numbers": lambda k, x: (k.Dense(4)(x) - x) * x,
    "an array": lambda k, x: x * np.array([1.5, 2, 3, 4], "float32"),
    "tensordot": lambda k, x: ops.tensordot(x, np.ones((4, 2), "float32"), axes=1),
    "where": lambda k, x: ops.where(x > 0, 0.5, 1.0),
    "cast": lambda k, x: k.Dense(2)(ops.cast(x > 0, "float32")),
    "one_hot": lambda k, x: k.Dense(2)(ops.one_hot(ops.cast(x, "int32"), 5)),
    "Rescaling": lambda k, x: k.Dense(2)(k.Rescaling(0.1)(x)),
    "Rescaling each": lambda k, x: k.Rescaling([1.0, 2.0, 3.0, 4.0])(x),
    "moved": lambda k, x: k.GRU(2)(k.Permute((2, 1))(k.Reshape((4, 6))(k.Concatenate(axis=1)([x[:, :2], x[:, 2:]])))),
    "Average": lambda k, x: k.Average()([x, ops.flip(x, axis=1)]),
    "top_k of equals": lambda k, x: ops.top_k(x, 3),
}
"""Operations and layers that read whole numbers or truth values, which Keras casts where torch does not."""
NOT_OF_TRUTH = {
    *(
        "negative",
        "sign",
        "round",
        "leaky_relu",
        "add",
        "multiply",
        "maximum",
        "greater",
        "power",
        "Average",
        "top_k of equals",
    ),
}
"""What Keras on TensorFlow lacks for truth values."""


@pytest.mark.parametrize("dtype", ["int32", "bool"])
def test_whole_numbers_and_truth_values(dtype: str, tmp_path: Path) -> None:
    cases = {name: case for name, case in WHOLE.items() if dtype == "int32" or name not in NOT_OF_TRUTH}
    model, names = many(keras, (6, 4), cases, dtype)
    source = source_of(model, "keras", tmp_path)
    x = np.random.default_rng(1).integers(0, 5 if dtype == "int32" else 2, (2, 6, 4)).astype(dtype)
    wrong = {name: error for name, error in errors(model, names, source, x).items() if not error <= TOLERANCE}
    assert not wrong, wrong
    assert_precisions(source, names, x)


@pytest.mark.parametrize(
    ("case", "words"),
    [
        (lambda k, x: k.LayerNormalization()(x), "Keras cuts what it normalises to whole numbers"),
        (lambda k, x: ops.matmul(x > 0, ops.transpose(x > 0, (0, 2, 1))), "truth values alone"),
    ],
)
def test_whole_numbers_that_keras_returns_as_such_are_refused(case: Case, words: str, tmp_path: Path) -> None:
    with pytest.raises(GatewiseError, match=words):
        source_of(many(keras, (6, 4), {"case": case}, "int32")[0], "keras", tmp_path)


@pytest.mark.parametrize(
    ("operation", "words"),
    [
        (lambda x: ops.norm(x, ord=2, axis=(1, 2)), r"ord=2 and axis=\(1, 2\)|ord=2 and axis=\[1, 2\]"),
        (lambda x: ops.expand_dims(x, (0, -1)), "some of them counted from the end"),
    ],
)
def test_what_torch_has_under_another_meaning_is_refused_by_name(operation: Any, words: str, tmp_path: Path) -> None:
    x = keras.Input((6, 4))
    keras.Model(x, operation(x)).save(tmp_path / "model.keras")
    with pytest.raises(NoCounterpartError, match=words):
        to_source(tmp_path / "model.keras")
