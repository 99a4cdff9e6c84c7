"""A file that Keras wrote is read as the layers that it was written from, by neither Keras nor TensorFlow."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from frameworks import adapt
from frameworks.files import Checkpoint, StoredLayer, open_checkpoint

WHOLE = ["model.h5", "model.keras", "model.weights.h5", "weights_alone.h5"]


def live_layers(model: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for layer in model.layers:
        if hasattr(layer, "layers"):
            yield from live_layers(layer, f"{layer.name}/")
        else:
            yield f"{prefix}{layer.name}", layer


def recurrent(model: Any) -> dict[str, Any]:
    return {
        name: layer
        for name, layer in live_layers(model)
        if any(base.__name__ in ("RNN", "Bidirectional") for base in type(layer).__mro__)
    }


@pytest.fixture(scope="session", params=WHOLE)
def opened(request: pytest.FixtureRequest, written: Any) -> tuple[Any, Checkpoint]:
    path = written.folder / request.param
    if not path.exists():
        pytest.skip("a format of tf_keras alone")
    described = None if request.param in ("model.h5", "model.keras") else written.folder / "model.json"
    return written, open_checkpoint(path, architecture=described)


def test_every_recurrent_layer_is_listed_in_order_and_every_other_one_beside(opened: Any) -> None:
    written, checkpoint = opened
    live = recurrent(written.model)
    assert list(checkpoint) == list(live)
    beside = [name for name, layer in live_layers(written.model) if name not in live and type(layer).__name__ != "InputLayer"]
    assert [name for name, other in checkpoint.others.items() if other.kind != "NotEqual"] == beside
    assert all(other.known for other in checkpoint.others.values())


def assert_same(stored: StoredLayer, native: Any) -> None:
    expected = adapt(native)
    assert stored.spec == expected.spec
    for (_, _, one), (_, _, other) in zip(stored.weights, expected.get_weights(), strict=True):
        for (part, array), (name, wanted) in zip(one.arrays(), other.arrays(), strict=True):
            assert part == name
            np.testing.assert_array_equal(array, wanted)


def test_spec_options_and_weights_are_those_of_the_live_layer_bit_for_bit(opened: Any) -> None:
    written, checkpoint = opened
    for name, layer in recurrent(written.model).items():
        stored = checkpoint[name]
        if name in ("unlike", "deep"):
            directions = (layer.forward_layer, layer.backward_layer) if name == "deep" else (layer,)
            cells = [cell for row in zip(*(each.cell.cells for each in directions), strict=True) for cell in row]
            for part, cell in zip(stored.parts, cells, strict=True):
                assert_same(part, cell)
            continue
        assert_same(stored, layer)
        assert stored.options == adapt(layer).options, name


def test_unlike_cells_have_no_one_spec_but_parts(opened: Any, refused: Any) -> None:
    _, checkpoint = opened
    with refused("unlike", ".parts"):
        _ = checkpoint["unlike"].spec
    assert [part.name for part in checkpoint["unlike"].parts] == ["unlike/cell 0", "unlike/cell 1"]
    with refused("deep", ".parts"):
        _ = checkpoint["deep"].spec


def test_the_other_layers_arrays_are_theirs_under_keras_s_names(opened: Any) -> None:
    written, checkpoint = opened
    live = dict(live_layers(written.model))
    for name, other in checkpoint.others.items():
        if other.kind == "NotEqual":  # Keras 3 writes down the comparison that makes the mask
            continue
        layer = getattr(live[name], "layer", live[name])
        assert other.kind == type(layer).__name__
        assert len(other.arrays) == len(layer.get_weights())
        for array, wanted in zip(other.arrays.values(), layer.get_weights(), strict=True):
            np.testing.assert_array_equal(array, wanted)
    assert list(checkpoint.others["inner/" + next(n for n in live if "batch" in n).split("/")[1]].arrays) == [
        "gamma",
        "beta",
        "moving_mean",
        "moving_variance",
    ]


def test_what_masks_a_layer_s_input_is_said(opened: Any) -> None:
    _, checkpoint = opened
    assert checkpoint["zz"].mask == "embedding (mask_zero)"
    assert checkpoint["shared"].mask == "embedding (mask_zero)"
    assert [name for name, layer in checkpoint.items() if not layer.mask] == [n for n in checkpoint if n.startswith("inner/")]


@pytest.mark.parametrize("to", ["pytorch", "keras"])
def test_the_emulation_returns_what_the_live_layer_returns(written: Any, to: str) -> None:
    import torch

    from frameworks.keras.tensors import to_numpy

    if (written.library, to) == ("keras", "keras"):
        pytest.skip("Keras's own layer in Keras: tf_keras's shows the building, and the weights are compared above")
    checkpoint = open_checkpoint(written.folder / "model.keras")
    rng = np.random.default_rng(1)
    x = rng.normal(size=(4, 7, 5)).astype("float32")
    mask = rng.random((4, 7)) < 0.7
    for name, layer in recurrent(written.model).items():
        module: Any = checkpoint[name].emulate(to)
        expected = flatten(layer(x, mask=mask))
        given = (torch.from_numpy(x), torch.from_numpy(mask)) if to == "pytorch" else (x, mask)
        found = flatten(module(given[0], mask=given[1]))
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_allclose(to_numpy(one), to_numpy(other), rtol=0, atol=2e-5, err_msg=name)


def flatten(returned: Any) -> list[Any]:
    if isinstance(returned, (list, tuple)):
        return [leaf for part in returned for leaf in flatten(part)]
    return [returned.detach() if hasattr(returned, "detach") else returned]


def test_hard_sigmoid_is_the_one_of_the_keras_that_wrote_the_file(written: Any) -> None:
    meant = "keras2_hard_sigmoid" if written.library == "tf_keras" else "hard_sigmoid"
    for file in ("model.h5", "model.keras"):
        layer = open_checkpoint(written.folder / file)["zz"]
        assert layer.spec.recurrent_activation == meant
        assert any("Keras 2" in warning for warning in layer.warnings) == (written.library == "tf_keras")


def test_convert_gives_the_framework_s_own_layer_and_refuses_what_it_cannot_hold(written: Any, refused: Any) -> None:
    checkpoint = open_checkpoint(written.folder / "model.h5")
    module: Any = checkpoint["lstm_all"].convert("pytorch")
    assert f"{type(module).__module__}.{type(module).__name__}" == "torch.nn.modules.rnn.LSTM"
    np.testing.assert_array_equal(
        module.weight_ih_l0.detach().numpy(), recurrent(written.model)["lstm_all"].cell.kernel.numpy().T
    )
    with refused("activation of the LSTM", "emulate"):
        checkpoint["zz"].convert("pytorch")
    with refused("layer in a file"):
        checkpoint["zz"].set_weights(checkpoint["zz"].weights)


def test_the_layer_computes_in_numpy_as_the_live_one(written: Any) -> None:
    stored = open_checkpoint(written.folder / "model.h5")["both"]
    x = np.random.default_rng(2).normal(size=(3, 6, 5)).astype("float32")
    expected, found = vars(adapt(recurrent(written.model)["both"]).forward(x)), vars(stored.forward(x))
    for name in ("output", "h_n"):
        np.testing.assert_allclose(found[name], expected[name], rtol=0, atol=1e-5)
