"""Custom layers and cells, a mask passed by the caller, and layers that Keras cannot build are reported, never guessed.

Covers: `frameworks/files/keras`, `frameworks/files/building/keras.py`.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from frameworks.files import Checkpoint, open_checkpoint, save_checkpoint

LIBRARIES = pytest.mark.parametrize("library", ["keras", "tf_keras"])


def saved(library: str, layer: Any, folder: Path) -> Checkpoint:
    keras = import_module(library)
    keras.Sequential([keras.Input((6, 5)), layer]).save(folder / "model.keras")
    return open_checkpoint(folder / "model.keras")


def customised(library: str) -> dict[str, tuple[Any, str, str]]:
    """Return layers that compute something of their own with the arrays of a Keras cell.

    Returns:
        By name: the layer, its custom class, and the cell whose arrays it has.
    """
    keras: Any = import_module(library)
    kinds: Any = keras.layers

    class Scaled(kinds.GRUCell):  # type: ignore[misc]
        def call(self, inputs: Any, states: Any, training: Any = None) -> Any:
            return super().call(2 * inputs, states, training=training)

    class Mine(kinds.LSTM):  # type: ignore[misc]
        def call(self, sequences: Any, initial_state: Any = None, mask: Any = None, training: Any = None) -> Any:
            return super().call(2 * sequences, initial_state=initial_state, mask=mask, training=training)

    namesake: Any = type("LSTM", (Mine,), {})

    @(keras.saving if library == "keras" else keras.utils).register_keras_serializable("own")
    class Registered(Mine):
        pass

    with keras.utils.custom_object_scope({"Scaled": Scaled, "Mine": Mine}):
        both = [
            kinds.Bidirectional(layer, name=name)
            for name, layer in (("both_cells", kinds.RNN(Scaled(4))), ("both_layers", Mine(4)))
        ]
    return {
        "cell": (kinds.RNN(Scaled(4), name="cell"), "Scaled", "gru"),
        "stack": (kinds.RNN([Scaled(4), kinds.LSTMCell(3)], name="stack"), "Scaled", "gru"),
        "both_cells": (both[0], "Scaled", "gru"),
        "both_layers": (both[1], "Mine", "lstm"),
        "layer": (Mine(4, name="layer"), "Mine", "lstm"),
        "registered": (Registered(4, name="registered"), "Registered", "lstm"),
        "namesake": (namesake(4, name="namesake"), "LSTM", "lstm"),
    }


@LIBRARIES
@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file:UserWarning")
def test_a_custom_layer_or_cell_is_read_only_if_the_options_vouch_for_it(library: str, tmp_path: Path, refused: Any) -> None:
    keras, cases = import_module(library), customised(library)
    inputs = keras.Input((6, 5))
    outputs = [layer(inputs) for layer, _, _ in cases.values()]
    model = keras.Model(inputs, [*outputs, keras.layers.GRU(3, name="plain")(inputs)])
    model.save(tmp_path / "model.keras")
    model.save(tmp_path / "model.h5")
    for path in (tmp_path / "model.keras", tmp_path / "model.h5"):
        if path.suffix == ".h5":
            del cases["namesake"]  # such a file has nothing but the name
        checkpoint = open_checkpoint(path)
        assert [name for name in checkpoint if name != "namesake" or name in cases] == ["plain"], path.name
        for name, (_, custom, cell) in cases.items():
            (warning,) = checkpoint.others[name].warnings
            assert custom in warning
            assert f"options={{{name!r}: {{'cell': {cell!r}}}}}" in warning
            with refused(f"the layer '{name}'"):
                _ = checkpoint[name]
            with refused(f"the option cell of {name}", f"be '{cell}', as the arrays show"):
                open_checkpoint(path, options={name: {"cell": "lstm" if cell == "gru" else "gru"}})
        told = open_checkpoint(path, options={name: {"cell": cell} for name, (_, _, cell) in cases.items()})
        for name, (_, custom, cell) in cases.items():
            assert {each.spec.cell for each in told[name].parts} == ({"gru", "lstm"} if name == "stack" else {cell})
            assert f"{custom} is read as {cell}, as the options say" in " ".join(told[name].warnings)
        assert not told["plain"].warnings


@pytest.mark.parametrize(
    ("library", "case", "custom", "file"),
    [
        ("keras", "layer", "mine", "model.weights.h5"),
        ("tf_keras", "layer", "mine", "model.weights.h5"),
        ("keras", "cell", "scaled", "model.weights.h5"),
        ("keras", "both_cells", "scaled", "model.weights.h5"),
        ("tf_keras", "cell", "scaled", "alone.h5"),
        ("tf_keras", "both_cells", "scaled", "alone.h5"),
    ],
)
def test_weights_alone_that_name_a_custom_class_need_the_option_too(
    library: str, case: str, custom: str, file: str, tmp_path: Path
) -> None:
    keras: Any = import_module(library)
    layer, _, cell = customised(library)[case]
    inputs = keras.Input((6, 5))
    path = tmp_path / file
    keras.Model(inputs, [layer(inputs), keras.layers.LSTM(3)(inputs)]).save_weights(path)
    checkpoint = open_checkpoint(path)
    assert len(checkpoint) == 1
    ((name, own),) = checkpoint.others.items()
    assert custom in own.warnings[0]
    assert "its code is not in the file" in own.warnings[0]
    told = open_checkpoint(path, options={name: {"cell": cell}})
    assert told[name].cells[0][0].spec.cell == cell
    assert len(told) == 2


def test_a_wrong_cell_is_refused(tmp_path: Path, refused: Any) -> None:
    plain = import_module("keras").layers.LSTM(4, name="a")
    saved("keras", plain, tmp_path)
    for cell in ("gru", "peephole"):
        with refused("the option cell of a", "be 'lstm'", repr(cell)):
            open_checkpoint(tmp_path / "model.keras", options={"a": {"cell": cell}})
    assert open_checkpoint(tmp_path / "model.keras", options={"a": {"cell": "lstm"}})["a"].warnings == ()


def test_a_vouched_for_cell_computes_the_cell_and_the_custom_model_something_else(tmp_path: Path) -> None:
    """The control: without the refusal, the port would be wrong without a word."""
    layer, _, _ = customised("keras")["layer"]
    keras = import_module("keras")
    keras.Sequential([keras.Input((6, 5)), layer]).save(tmp_path / "model.keras")
    stored = open_checkpoint(tmp_path / "model.keras", options={"layer": {"cell": "lstm"}})["layer"]
    x = np.random.default_rng(0).normal(size=(2, 6, 5)).astype("float32")
    expected = keras_output(layer, x)
    assert np.abs(called(stored.convert("pytorch"), x, "pytorch", whole=False) - expected).max() > 1e-2
    np.testing.assert_allclose(called(stored.convert("pytorch"), 2 * x, "pytorch", whole=False), expected, atol=1e-5)


@LIBRARIES
def test_a_custom_class_around_a_recurrent_layer_is_not_passed_in_silence(library: str, tmp_path: Path) -> None:
    keras: Any = import_module(library)

    class Both(keras.layers.Bidirectional):  # type: ignore[misc]
        pass

    layers = [Both(keras.layers.GRU(4, return_sequences=True), name="a"), keras.layers.LSTM(3, name="b")]
    keras.Sequential([keras.Input((6, 5)), *layers]).save(tmp_path / "model.keras")
    checkpoint = open_checkpoint(tmp_path / "model.keras")
    assert list(checkpoint) == ["b"]
    assert "Both is not a recurrent layer of Keras" in checkpoint.others["a"].warnings[0]


@LIBRARIES
def test_a_custom_layer_with_the_name_of_another_kind_is_not_read_as_it(library: str, tmp_path: Path) -> None:
    keras: Any = import_module(library)
    register = (keras.saving if library == "keras" else keras.utils).register_keras_serializable("own")
    dense = register(type("Dense", (keras.layers.Dense,), {}))
    layers = [dense(4, name="mine"), keras.layers.Dense(4, name="plain"), keras.layers.LSTM(3, name="b")]
    keras.Sequential([keras.Input((6, 5)), *layers]).save(tmp_path / "model.keras")
    others = open_checkpoint(tmp_path / "model.keras").others
    assert (others["mine"].kind, others["mine"].known) == ("own>Dense", False)
    assert (others["plain"].kind, others["plain"].known) == ("Dense", True)


@LIBRARIES
def test_a_cell_that_only_has_the_arrays_of_a_keras_cell_is_not_read_as_one(library: str, tmp_path: Path, refused: Any) -> None:
    keras: Any = import_module(library)

    class Linear(keras.layers.Layer):  # type: ignore[misc]
        def __init__(self, units: int, **options: Any) -> None:
            super().__init__(**options)
            self.units = self.state_size = self.output_size = units

        def build(self, shape: Any) -> None:
            self.kernel = self.add_weight(shape=(shape[-1], self.units), name="kernel", initializer="ones")
            self.recurrent = self.add_weight(shape=(self.units, self.units), name="recurrent_kernel", initializer="ones")

        def call(self, x: Any, states: Any) -> Any:
            state = states[0] if isinstance(states, (list, tuple)) else states
            output = x @ self.kernel + state @ self.recurrent
            return output, [output]

        def get_config(self) -> Any:
            return {**super().get_config(), "units": self.units}

    with refused("its cell Linear is not one of Keras's"):
        saved(library, keras.layers.RNN(Linear(4), name="a"), tmp_path)


def test_a_mask_passed_by_the_caller_overrides_the_mask_of_the_input(tmp_path: Path) -> None:
    keras = import_module("keras")
    words, given = keras.Input((6,)), keras.Input((6,), dtype="bool", name="valid")
    embedded = keras.layers.Embedding(9, 5, mask_zero=True, name="embedding")(words)
    outputs = [
        keras.layers.LSTM(3, name="own")(embedded, mask=given),
        keras.layers.LSTM(3, name="automatic")(embedded),
    ]
    model = keras.Model([words, given], outputs)
    model.save(tmp_path / "model.keras")
    (tmp_path / "model.json").write_text(model.to_json())
    checkpoint = open_checkpoint(tmp_path / "model.keras")
    assert checkpoint["own"].mask.startswith("valid")
    assert checkpoint["automatic"].mask == "embedding (mask_zero)"


@LIBRARIES
def test_a_stateful_layer_is_refused_if_keras_needs_its_batch_size_and_an_option_builds_it(
    library: str, tmp_path: Path, refused: Any
) -> None:
    keras: Any = import_module(library)
    layer = keras.layers.LSTM(4, stateful=True, name="a")
    batch = {"batch_shape": (2, 6, 5)} if library == "keras" else {"batch_input_shape": (2, 6, 5)}
    keras.Sequential([keras.layers.InputLayer(**batch), layer]).save(tmp_path / "model.keras")
    checkpoint = open_checkpoint(tmp_path / "model.keras")
    with refused("stateful of a", "stateful=False"):
        checkpoint["a"].emulate("keras")
    with refused("stateful of a"):
        save_checkpoint(tmp_path / "out.keras", {"a": checkpoint["a"]})
    save_checkpoint(tmp_path / "whole.keras", checkpoint)  # its model states the batch size
    assert import_module("keras").saving.load_model(tmp_path / "whole.keras").get_layer("a").stateful
    told = open_checkpoint(tmp_path / "model.keras", options={"a": {"stateful": False}})
    x = np.random.default_rng(0).normal(size=(2, 6, 5)).astype("float32")
    np.testing.assert_allclose(np.asarray(told["a"].emulate("keras")(x)), np.asarray(layer(x)), atol=1e-6)


@pytest.mark.backend
@LIBRARIES
def test_a_keras_layer_used_as_an_activation_is_read_as_its_function(library: str, tmp_path: Path) -> None:
    if library == "tf_keras" and import_module("keras").backend.backend() != "tensorflow":
        pytest.skip("tf_keras runs on TensorFlow alone")
    kinds: Any = import_module(library).layers
    x = np.random.default_rng(0).normal(size=(2, 6, 5)).astype("float32")
    for given, name in (
        (kinds.LeakyReLU(0.25), "leaky_relu(0.25)"),
        (kinds.ELU(0.5), "elu(0.5)"),
        (kinds.ReLU(), "relu"),
    ):
        layer = kinds.LSTM(4, activation=given, name="a")
        stored = saved(library, layer, tmp_path)["a"]
        assert stored.spec.activation == name
        expected = np.asarray(layer(x)) if library == "tf_keras" else keras_output(layer, x)
        for to in ("pytorch", "keras"):
            np.testing.assert_allclose(called(stored.emulate(to), x, to), expected, atol=2e-6, err_msg=f"{name} in {to}")


@pytest.mark.parametrize("arguments", [{"max_value": 6.0}, {"threshold": 0.5}])
def test_an_activation_that_computes_more_than_its_name_says_must_be_replaced_by_an_option(
    arguments: Any, tmp_path: Path, refused: Any
) -> None:
    kinds = import_module("keras").layers
    with refused("a layer of class ReLU", "options"):
        saved("keras", kinds.LSTM(4, activation=kinds.ReLU(**arguments), name="a"), tmp_path)


def keras_output(layer: Any, x: Any) -> Any:
    from frameworks.keras.tensors import to_numpy

    return to_numpy(layer(x))


def called(layer: Any, x: Any, to: str, *, whole: bool = True) -> Any:
    import torch

    if to == "keras":
        return keras_output(layer, x)
    with torch.no_grad():
        returned = layer(torch.from_numpy(x))
        return (returned if whole else returned[0][:, -1]).numpy()
