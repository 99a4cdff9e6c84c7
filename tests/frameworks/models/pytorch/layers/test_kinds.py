"""Every kind of layer that is not recurrent computes in its torch source what it does in the Keras that wrote the file.

Covers: `frameworks/models/pytorch/layers`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tf_keras
import torch

from frameworks.models.pytorch.building import built
from tests.frameworks.models.pytorch.layers import cases
from tests.frameworks.models.pytorch.layers.comparing import (
    TOLERANCE,
    Case,
    assert_precisions,
    changed,
    errors,
    many,
    normal,
    source_of,
)

PACKAGES = {"keras": keras, "tf_keras": tf_keras}
both = pytest.mark.parametrize("package", PACKAGES)


def check(
    package: str,
    shape: tuple[int | None, ...],
    each: dict[str, Case],
    inputs: list[np.ndarray[Any, Any]],
    folder: Path,
    dtype: str = "float32",
) -> None:
    """Compare every case on all inputs."""
    model, names = many(PACKAGES[package], shape, each, dtype)
    source = source_of(model, package, folder)
    for x in inputs:
        wrong = {name: error for name, error in errors(model, names, source, x).items() if not error <= TOLERANCE}
        assert not wrong, wrong
    assert_precisions(source, names, inputs[0])


def tokens(*shape: int) -> np.ndarray[Any, Any]:
    """Return tokens with holes, padding at both ends, and a row of padding alone."""
    drawn = np.random.default_rng(0).integers(0, 4, shape).astype(np.int32)
    drawn[0], drawn[1, 5:], drawn[2, :3] = 0, 0, 0
    return drawn


@both
def test_activations_by_name(package: str, tmp_path: Path) -> None:
    check(package, (5, 4), cases.activations(package), [normal(2, 5, 4), normal(3, 5, 4)], tmp_path)


@both
def test_layers_of_vectors(package: str, tmp_path: Path) -> None:
    check(package, (6,), cases.VECTOR, [normal(2, 6), normal(5, 6)], tmp_path)


@both
def test_layers_of_steps(package: str, tmp_path: Path) -> None:
    check(package, (6, 4), cases.STEPS | cases.STEPS_OF[package], [normal(2, 6, 4), normal(3, 6, 4)], tmp_path)


@pytest.mark.parametrize(("package", "length", "sizes"), [("keras", 9, 5), ("tf_keras", 10, 3), ("keras", None, 2)])
def test_windows_over_steps(package: str, length: int | None, sizes: int, tmp_path: Path) -> None:
    inputs = [normal(2, length, 4)] if length else [normal(2, 9, 4), normal(3, 14, 4), normal(1, 13, 4)]
    check(package, (length, 4), cases.windows(cases.SIZES[-sizes:]), inputs, tmp_path)


@both
def test_layers_of_images(package: str, tmp_path: Path) -> None:
    check(package, (7, 8, 4), cases.images() | cases.IMAGES, [normal(2, 7, 8, 4), normal(3, 7, 8, 4)], tmp_path)


def test_layers_of_images_of_any_size(tmp_path: Path) -> None:
    check("keras", (None, None, 4), cases.images(), [normal(2, 7, 8, 4), normal(1, 9, 6, 4)], tmp_path)


def test_layers_of_images_with_channels_first(tmp_path: Path) -> None:
    check("tf_keras", (4, 7, 8), cases.images(data_format="channels_first"), [normal(2, 4, 7, 8)], tmp_path)


@both
def test_masks_count_where_keras_computes_with_them(package: str, tmp_path: Path) -> None:
    check(package, (None,), cases.TOKENS, [tokens(4, 7), tokens(3, 9)], tmp_path, "int32")


@both
def test_masked_steps(package: str, tmp_path: Path) -> None:
    x = normal(4, 6, 4)
    x[0, 2] = x[1, 3:] = x[2, :2] = 0.5
    check(package, (None, 4), cases.MASKED, [x, x[:3, 1:]], tmp_path)


def _after_a_gap(case: Case) -> Case:
    return lambda k, x: case(k, k.Lambda(lambda x: 2 * x, output_shape=lambda shape: shape)(x))


def test_layers_after_a_gap_whose_shape_is_unknown(tmp_path: Path) -> None:
    kinds = ("BatchNormalization", "BatchNormalization axis", "LayerNormalization", "GroupNormalization")
    after = {name: _after_a_gap(cases.STEPS[name]) for name in kinds}
    model, names = many(keras, (6, 4), after)
    source = source_of(model, "keras", tmp_path)
    port, x = built(source), normal(2, 6, 4)
    for gap in source.gaps:
        setattr(port, gap.method.rpartition(".")[2], lambda x: 2 * x)
    with torch.no_grad():
        actual = port(torch.from_numpy(x))
    assert len(source.gaps) == len(names) == 4
    for name, expected, one in zip(names, model(x), actual, strict=True):
        np.testing.assert_allclose(one, expected, atol=TOLERANCE, err_msg=name)


CONTROLS = {
    "BatchNormalization's epsilon of torch": (cases.VECTOR["BatchNormalization"], (6,), ", eps=0.001", ""),
    "LayerNormalization's epsilon of torch": (cases.VECTOR["LayerNormalization"], (6,), ", eps=0.001", ""),
    "LeakyReLU's slope as an activation": (cases.VECTOR["LeakyReLU"], (6,), "0.3", "0.2"),
    "max_value forgotten": (cases.VECTOR["ReLU max_value"], (6,), "torch.clamp(x, 0, 1.5)", "torch.relu(x)"),
    "flattened channels first": (cases.STEPS["Flatten"], (6, 4), "x.flatten(1)", "x.transpose(1, 2).flatten(1)"),
    "reshaped instead of transposed": (cases.STEPS["Permute"], (6, 4), "x.transpose(1, 2)", "x.reshape(-1, 4, 6)"),
    "scores divided by the root": (cases.STEPS["Attention"], (6, 4), ", scale=1.0", ""),
    "not causal": (cases.STEPS["Attention causal"], (6, 4), ", is_causal=True", ""),
    "padded alike on both sides": (
        cases.windows()["Conv1D 2 1 same"],
        (9, 4),
        "F.pad(x.transpose(1, 2), (0, 1))",
        "F.pad(x.transpose(1, 2), (1, 0))",
    ),
    "padding counted in the average": (cases.windows()["AveragePooling1D 2 2 same"], (9, 4), ", ceil_mode=True", ", padding=1"),
    "cut at the wrong end": (cases.windows()["Conv1DTranspose 3 2 same"], (9, 4), "[..., :-1]", "[..., 1:]"),
}


@pytest.mark.parametrize("name", CONTROLS)
def test_a_mistake_is_seen(name: str, tmp_path: Path) -> None:
    case, shape, was, becomes = CONTROLS[name]
    model, names = many(keras, shape, {"case": case})
    source = source_of(model, "keras", tmp_path)
    x = normal(2, *shape)
    (right,), (wrong,) = (
        errors(model, names, source, x).values(),
        errors(model, names, changed(source, was, becomes), x).values(),
    )
    assert right <= TOLERANCE < 1e-4 < wrong
