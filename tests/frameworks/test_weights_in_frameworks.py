"""Weights that a layer refuses leave it as it was.

Covers: `frameworks/weights.py`, `frameworks/copying.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from frameworks import RecurrentWeights, build
from frameworks.rows import FrameworkName
from tests.frameworks.test_weights import SPEC, stack

pytestmark = pytest.mark.frameworks


@pytest.mark.backend
@pytest.mark.parametrize("framework", ["keras", "pytorch"])
def test_a_refused_set_of_weights_leaves_the_layer_as_it_was(
    framework: FrameworkName, refused: Callable[..., Any], snapshot: Callable[[Any], Any]
) -> None:
    adapter = build(framework, SPEC, seed=1)
    before = snapshot(adapter.native)
    last = adapter.get_weights().layers[1][1]
    for wrong, said in (
        (replace(last, recurrent_bias=last.recurrent_bias[:, :3] if last.recurrent_bias is not None else None), "(3, 3)"),
        (replace(last, kernel=last.kernel.astype("float64")), "float64"),
        (replace(last, bias=None, recurrent_bias=None), "has none"),
    ):
        # Everything but the last direction fits.
        fitting = stack()
        with refused("layer 1, direction 1", said):
            adapter.set_weights(RecurrentWeights((fitting.layers[0], (fitting.layers[1][0], wrong))))
    assert snapshot(adapter.native) == before


@pytest.mark.parametrize("framework", ["keras", "pytorch"])
@pytest.mark.parametrize("part", ["kernel", "recurrent_kernel"])
def test_a_missing_kernel_is_refused_before_anything_is_written(
    part: str, framework: FrameworkName, refused: Callable[..., Any], snapshot: Callable[..., Any]
) -> None:
    layer = build(framework, SPEC)
    before = snapshot(layer.native)
    with refused(part, "None"):
        layer.set_weights(stack(**{part: None}))
    assert snapshot(layer.native) == before
