"""Files of Keras 2.12 and 2.15, read without Keras and rebuilt in either framework, compute what they did in Keras 2.

Covers: `frameworks/files/keras`, `frameworks/files/building`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from frameworks.files import Checkpoint, open_checkpoint
from frameworks.keras.tensors import to_numpy
from frameworks.rows import FrameworkName

DATA = Path(__file__).parents[1] / "data" / "keras2"
MASKED = ["masked_2_12.h5", "masked_2_12.keras", "masked_2_15.keras"]
VERSIONS = ["2_12", "2_15"]
CALLS = pytest.mark.parametrize("to", ["keras", "pytorch"])


def results(version: str) -> dict[str, Any]:
    with np.load(DATA / f"results_{version}.npz") as archive:
        return dict(archive)


def call(layer: Any, to: str, x: Any, mask: Any = None) -> list[Any]:
    """Call a layer of a framework and return its results, nested or not, as flat arrays."""
    import torch

    if to == "keras":
        returned = layer(x, mask=mask)
    else:
        with torch.no_grad():
            returned = layer(torch.from_numpy(x), mask=None if mask is None else torch.from_numpy(mask))
    return list(flat(returned))


def flat(returned: Any) -> Any:
    if isinstance(returned, (list, tuple)):
        for each in returned:
            yield from flat(each)
    else:
        yield returned.numpy() if hasattr(returned, "numpy") and not hasattr(returned, "requires_grad") else to_numpy(returned)


@pytest.mark.backend
@CALLS
@pytest.mark.parametrize("name", MASKED)
def test_every_layer_returns_under_a_mask_what_it_returned_in_keras_2(name: str, to: FrameworkName) -> None:
    recorded = results(name[7:11])
    expected = [recorded[f"output_{number}"] for number in range(8)]
    checkpoint = open_checkpoint(DATA / name)
    assert list(checkpoint) == list(recorded["names"])
    x, mask = recorded["embedded"], recorded["ids"] != 0
    np.testing.assert_array_equal(checkpoint.others["embedding"].arrays["embeddings"][recorded["ids"]], x)
    actual = [array for layer in checkpoint.values() for array in call(layer.emulate(to), to, x, mask)]
    for one, other in zip(actual, expected, strict=False):
        np.testing.assert_allclose(one, other, atol=2e-6)
    assert len(actual) == 7
    dense = checkpoint.others["each"]
    assert (dense.kind, dense.wrappers) == ("Dense", ("TimeDistributed",))
    np.testing.assert_allclose(expected[0] @ dense.arrays["kernel"] + dense.arrays["bias"], expected[7], atol=2e-6)


def stacked(version: str) -> Checkpoint:
    return open_checkpoint(DATA / f"stacked_{version}_weights.h5", architecture=DATA / f"stacked_{version}.json")


@CALLS
@pytest.mark.parametrize("version", VERSIONS)
def test_weights_with_their_architecture_return_what_the_model_returned(version: str, to: FrameworkName) -> None:
    recorded, checkpoint = results(version), stacked(version)
    x = recorded["x"]
    for layer in checkpoint.values():
        (x,) = call(layer.emulate(to), to, x)
    arrays = checkpoint.others["dense"].arrays
    np.testing.assert_allclose(x @ arrays["kernel"] + arrays["bias"], recorded["stacked"], atol=2e-6)


@pytest.mark.parametrize("version", VERSIONS)
def test_the_hard_sigmoid_of_keras_3_and_the_assumed_sigmoid_are_wrong(version: str) -> None:
    """The control: the same weights with another activation are far off, and the assumption is a warning."""
    recorded, right = results(version), stacked(version)
    path = DATA / f"stacked_{version}_weights.h5"
    bare = open_checkpoint(path)
    assert "recurrent_activation='sigmoid'" in bare["second"].warnings[0]
    keras_3 = open_checkpoint(path, options={"second": {"recurrent_activation": "hard_sigmoid"}})
    keras_2 = open_checkpoint(path, options={"second": {"recurrent_activation": "keras2_hard_sigmoid"}})
    x = np.asarray(right["first"].forward(recorded["x"]).output)
    expected, *others = (np.asarray(each["second"].forward(x).output) for each in (right, keras_2, bare, keras_3))
    errors = [float(np.abs(other - expected).max()) for other in others]
    assert errors[0] == 0
    assert min(errors[1:]) > 5e-3
