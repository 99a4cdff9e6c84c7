"""Models of one input and many outputs, in Keras and as ports: each output is a case, a layer or two applied to the input."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from frameworks.models.porting import to_source
from frameworks.models.pytorch.building import built
from frameworks.models.source import Source

Case = Callable[[Any, Any], Any]
"""Applies layers of a package to the input, and returns one output or several."""


def layer(name: str, *arguments: Any, **options: Any) -> Case:
    """Return the case of one layer."""
    return lambda keras, x: getattr(keras, name)(*arguments, **options)(x)


TOLERANCE = 1e-5
FILES = {"keras": "model.keras", "tf_keras": "model.h5"}


def many(keras: Any, shape: Sequence[int | None], cases: Mapping[str, Case], dtype: str = "float32") -> tuple[Any, list[str]]:
    """Return a model with an output for each case, and the case of each output; its weights are random and not zero."""
    x = keras.Input(shape, dtype=dtype, name="x")
    outputs: dict[str, Any] = {}
    for name, case in cases.items():
        made = case(keras.layers, x)
        outputs |= {f"{name} {at}": one for at, one in enumerate(made if isinstance(made, (list, tuple)) else [made])}
    model = keras.Model(x, list(outputs.values()))
    rng = np.random.default_rng(3)
    for variable in model.weights:
        values = rng.normal(0, 0.6, variable.shape)
        is_variance = "variance" in getattr(variable, "path", variable.name)
        variable.assign(np.abs(values) + 0.3 if is_variance else values)
    return model, list(outputs)


def source_of(model: Any, package: str, folder: Path) -> Source:
    """Return the source of a model from the file that its framework writes."""
    path = folder / FILES[package]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "You are saving your model as an HDF5 file")
        model.save(path)
    return to_source(path)


def changed(source: Source, was: str, becomes: str) -> Source:
    """Return a source with a mistake in it."""
    assert was in source.text, source.text
    return replace(source, text=source.text.replace(was, becomes))


def errors(model: Any, names: list[str], source: Source, x: np.ndarray[Any, Any]) -> dict[str, float]:
    """Return how far each output of a port is from Keras's, relative to the largest number; infinite for another shape."""
    expected, actual = model(x), built(source)(torch.from_numpy(x))
    expected = expected if isinstance(expected, (list, tuple)) else [expected]
    actual = actual if isinstance(actual, tuple) else (actual,)
    return {
        name: _distance(np.asarray(one, np.float64), other.detach().numpy().astype(np.float64))
        for name, one, other in zip(names, expected, actual, strict=True)
    }


PRECISIONS = {torch.float64: 1e-12, torch.bfloat16: 0.05, torch.float16: 0.01}
"""How far a port may be from what it computes in float64 with the weights and inputs of the dtype."""


def assert_precisions(source: Source, names: list[str], x: np.ndarray[Any, Any]) -> None:
    """Compare a port in other dtypes with itself in float64: all floating results have the dtype of the module."""
    usual, numbers = _results(source, torch.float32, torch.from_numpy(x)), torch.from_numpy(x)
    for dtype, tolerance in PRECISIONS.items():
        rounded = numbers.to(dtype) if numbers.is_floating_point() else numbers
        made, exact = _results(source, dtype, rounded), _results(source, dtype, rounded, torch.float64)
        for name, one, other, before in zip(names, made, exact, usual, strict=True):
            assert one.dtype == (dtype if before.is_floating_point() else before.dtype), (name, dtype)
            if before.is_floating_point():
                wanted = other.clamp(max=torch.finfo(dtype).max).numpy()
                error = _distance(wanted, one.double().clamp(max=torch.finfo(dtype).max).numpy())
                assert error <= tolerance, (name, dtype, error)


def _results(source: Source, stored: torch.dtype, x: torch.Tensor, computed: torch.dtype | None = None) -> tuple[Any, ...]:
    """Return the results of a port whose weights have one dtype, and which computes in another one."""
    dtype = computed or stored
    with torch.no_grad():
        made = built(source).to(stored).to(dtype)(x.to(dtype) if x.is_floating_point() else x)
    return made if isinstance(made, tuple) else (made,)


def _distance(expected: np.ndarray[Any, Any], actual: np.ndarray[Any, Any]) -> float:
    if expected.shape != actual.shape:
        return float("inf")
    return float(np.abs(expected - actual).max() / max(1, np.abs(expected).max()))


def normal(*shape: int) -> np.ndarray[Any, Any]:
    """Return numbers that are the same in every run."""
    return np.random.default_rng(len(shape)).normal(0, 2, shape).astype(np.float32)
