"""A file that Keras wrote is read as the layers that it was written from, without Keras or TensorFlow.

Covers: `frameworks/files/keras`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from frameworks import adapt
from frameworks.files import Checkpoint, StoredLayer, open_checkpoint
from frameworks.rows import FrameworkName

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


def test_a_file_is_read_as_the_model_that_it_was_written_from(written: Any, refused: Any) -> None:
    # One test, because tracing the model is what takes the time.
    for file in WHOLE:
        path = written.folder / file
        if path.exists():
            described = None if file in ("model.h5", "model.keras") else written.folder / "model.json"
            checkpoint = open_checkpoint(path, architecture=described)
            check_lists(checkpoint, written.model)
            check_recurrent(checkpoint, written.model)
            check_others(checkpoint, written.model)
            check_masks(checkpoint)
    checkpoint = open_checkpoint(written.folder / "model.keras")
    check_activation(checkpoint["zz"], written.library)
    check_bare(written, checkpoint)
    check_conversion(checkpoint, written.model, refused)
    check_emulation(checkpoint, written.model, "pytorch")
    if written.library == "tf_keras":  # Keras's own in Keras is built the same way
        check_emulation(checkpoint, written.model, "keras")


def check_lists(checkpoint: Checkpoint, model: Any) -> None:
    """Every recurrent layer is listed in order, and every other layer separately."""
    live = recurrent(model)
    assert list(checkpoint) == list(live)
    beside = [name for name, layer in live_layers(model) if name not in live and type(layer).__name__ != "InputLayer"]
    assert [name for name, other in checkpoint.others.items() if other.kind != "NotEqual"] == beside
    assert all(other.known for other in checkpoint.others.values())


def check_recurrent(checkpoint: Checkpoint, model: Any) -> None:
    """Spec, options and weights are those of the live layer, bit for bit."""
    for name, layer in recurrent(model).items():
        stored = checkpoint[name]
        if name in ("unlike", "deep"):
            directions = (layer.forward_layer, layer.backward_layer) if name == "deep" else (layer,)
            cells = [cell for row in zip(*(each.cell.cells for each in directions), strict=True) for cell in row]
            for part, cell in zip(stored.parts, cells, strict=True):
                assert_same(part, cell)
            continue
        assert_same(stored, layer)
        assert stored.options == adapt(layer).options, name


def assert_same(stored: StoredLayer, native: Any) -> None:
    expected = adapt(native)
    assert stored.spec == expected.spec
    for (_, _, one), (_, _, other) in zip(stored.weights, expected.get_weights(), strict=True):
        for (part, array), (name, wanted) in zip(one.arrays(), other.arrays(), strict=True):
            assert part == name
            np.testing.assert_array_equal(array, wanted)


def check_others(checkpoint: Checkpoint, model: Any) -> None:
    """The other layers have their own arrays, under Keras's names."""
    live = dict(live_layers(model))
    for name, other in checkpoint.others.items():
        if other.kind == "NotEqual":  # Keras 3 records the comparison that makes the mask
            continue
        layer = getattr(live[name], "layer", live[name])
        assert other.kind == type(layer).__name__
        for array, wanted in zip(other.arrays.values(), layer.get_weights(), strict=True):
            np.testing.assert_array_equal(array, wanted)
        if other.kind == "BatchNormalization":
            assert list(other.arrays) == ["gamma", "beta", "moving_mean", "moving_variance"]


def check_masks(checkpoint: Checkpoint) -> None:
    """The mask of each layer's input is known; the convolution before the inner model drops the mask."""
    for name, layer in checkpoint.items():
        assert layer.mask == ("" if name.startswith("inner/") else "embedding (mask_zero)")


def check_activation(layer: StoredLayer, library: str) -> None:
    """hard_sigmoid is that of the Keras that wrote the file."""
    meant = "keras2_hard_sigmoid" if library == "tf_keras" else "hard_sigmoid"
    assert layer.spec.recurrent_activation == meant
    assert any("Keras 2" in warning for warning in layer.warnings) == (library == "tf_keras")


def check_bare(written: Any, described: Checkpoint) -> None:
    """Without the architecture, the same layers are found; those of tf_keras have their names."""
    checkpoint = open_checkpoint(written.folder / "model.weights.h5")
    assert sorted(map(form, checkpoint.values())) == sorted(map(form, described.values()))
    if written.library == "tf_keras":
        assert set(open_checkpoint(written.folder / "weights_alone.h5")) == set(described)


def form(layer: Any) -> str:
    return str([[(cell.spec.cell, cell.spec.input_size, cell.spec.hidden_size) for cell in row] for row in layer.cells])


def check_conversion(checkpoint: Checkpoint, model: Any, refused: Any) -> None:
    """`convert` returns the framework's own layer, and refuses what that or a single spec cannot express."""
    module: Any = checkpoint["lstm_all"].convert("pytorch")
    assert f"{type(module).__module__}.{type(module).__name__}" == "torch.nn.modules.rnn.LSTM"
    np.testing.assert_array_equal(module.weight_ih_l0.detach().numpy(), recurrent(model)["lstm_all"].cell.kernel.numpy().T)
    with refused("activation of the LSTM", "emulate"):
        checkpoint["zz"].convert("pytorch")
    with refused("layer in a file"):
        checkpoint["zz"].set_weights(checkpoint["zz"].weights)
    for name in ("unlike", "deep"):
        with refused(name, ".parts"):
            _ = checkpoint[name].spec
    x = np.random.default_rng(2).normal(size=(3, 6, 5)).astype("float32")
    expected, actual = vars(adapt(recurrent(model)["both"]).forward(x)), vars(checkpoint["both"].forward(x))
    for name in ("output", "h_n"):
        np.testing.assert_allclose(actual[name], expected[name], rtol=0, atol=1e-5)
    mask = np.random.default_rng(3).random((3, 6)) < 0.7
    back = recurrent(model)["aa"]
    expected, actual = (vars(one.forward(x, mask=mask)) for one in (adapt(back), checkpoint["aa"]))
    np.testing.assert_allclose(actual["output"], expected["output"], rtol=0, atol=1e-5)


def check_emulation(checkpoint: Checkpoint, model: Any, to: FrameworkName) -> None:
    """The emulation returns what the live layer returns, under a mask with holes."""
    import torch

    from frameworks.keras.tensors import to_numpy

    rng = np.random.default_rng(1)
    x = rng.normal(size=(4, 7, 5)).astype("float32")
    mask = rng.random((4, 7)) < 0.7
    for name, layer in recurrent(model).items():
        module: Any = checkpoint[name].emulate(to)
        expected = flatten(layer(x, mask=mask))
        given = (torch.from_numpy(x), torch.from_numpy(mask)) if to == "pytorch" else (x, mask)
        actual = flatten(module(given[0], mask=given[1]))
        assert len(actual) == len(expected)
        for one, other in zip(actual, expected, strict=True):
            np.testing.assert_allclose(to_numpy(one), to_numpy(other), rtol=0, atol=2e-5, err_msg=name)


def flatten(returned: Any) -> list[Any]:
    if isinstance(returned, (list, tuple)):
        return [leaf for part in returned for leaf in flatten(part)]
    return [returned.detach() if hasattr(returned, "detach") else returned]
