"""A SavedModel folder of Keras 2 is read as the .h5 of the same model is, without TensorFlow and without running anything.

Covers: `frameworks/files/tensorflow/saved_model.py`, `frameworks/files/tensorflow/metadata.py`,
`frameworks/files/tensorflow/objects.py`.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from frameworks.files import Checkpoint, OtherLayer, StoredLayer, open_checkpoint
from frameworks.files.given_options import GivenOptions
from frameworks.files.tensorflow.saved_model import read_described
from frameworks.files.untrusted.folders import open_path
from frameworks.models.reading import read_graph

L = tf_keras.layers
ROOT = Path(__file__).parents[4]
TIME, FEATURES = 7, 3


def chain(*layers: Any, shape: tuple[int, ...] = (TIME, FEATURES)) -> Any:
    return tf_keras.Sequential([L.Input(shape), *layers])


def two_directions() -> Any:
    backward = L.GRU(4, return_sequences=True, go_backwards=True, activation="relu")
    return chain(L.Bidirectional(L.GRU(4, return_sequences=True), merge_mode="sum", backward_layer=backward), L.SimpleRNN(2))


def cells() -> Any:
    return chain(L.RNN([L.LSTMCell(4), L.GRUCell(5)], return_sequences=True), L.Bidirectional(L.RNN(L.LSTMCell(3))))


def stateful() -> Any:
    recurrent = L.LSTM(4, stateful=True, dropout=0.2, recurrent_dropout=0.1)
    return tf_keras.Sequential([L.Input(batch_shape=(2, TIME, FEATURES)), L.Masking(), recurrent])


def without_an_input_layer() -> Any:
    model = tf_keras.Sequential([L.LSTM(4, name="scope/lstm"), L.Dense(2)])
    model.build((None, TIME, FEATURES))
    return model


def two_inputs() -> Any:
    tokens, features = L.Input((TIME,), dtype="int32"), L.Input((TIME, 5))
    shared = L.LSTM(4, return_sequences=True, name="shared")
    inner = tf_keras.Sequential([L.GRU(4, return_sequences=True, name="gru"), L.BatchNormalization(name="bn")], name="inner")
    one, other = shared(L.Embedding(9, 5, mask_zero=True)(tokens)), shared(features)
    joined = L.Concatenate()([inner(one), inner(other)])
    _, *states = L.LSTM(6, return_state=True, name="encoder")(joined)
    decoded = L.LSTM(6, name="decoder")(features, initial_state=states)
    return tf_keras.Model([tokens, features], [L.Dense(2, name="a/head")(decoded), states[0] * 2.0])


def in_two_models() -> Any:
    both, outer, inner = L.GRU(3, return_sequences=True, name="both"), L.Input((TIME, 3)), L.Input((TIME, 3))
    return tf_keras.Model(outer, both(tf_keras.Model(inner, both(inner), name="inner")(outer)))


def frozen() -> Any:
    model = chain(L.BatchNormalization(), L.Bidirectional(L.LSTM(4)), L.Dense(2))
    model.layers[0].trainable = False
    return model


def of_every_step() -> Any:
    inner = tf_keras.Sequential([L.LSTM(4, return_sequences=True), L.LayerNormalization()], name="inner")
    return chain(L.TimeDistributed(inner, name="each"), shape=(2, TIME, FEATURES))


def trained() -> Any:
    model = chain(L.SimpleRNN(4, name="recurrent"), L.Dense(2))
    model.compile("adam", "mse", run_eagerly=True)
    model.fit(np.ones((2, TIME, FEATURES)), np.ones((2, 2)), verbose=0)
    return model


MODELS: Mapping[str, Callable[[], Any]] = {
    "gru, reset before": lambda: chain(L.GRU(4, reset_after=False, recurrent_activation="hard_sigmoid")),
    "gru, reset after": lambda: chain(L.Conv1D(4, 3), L.GRU(4, use_bias=False, return_sequences=True), L.GRU(4)),
    **{
        make.__name__: make
        for make in (
            two_directions, cells, stateful, without_an_input_layer, two_inputs, in_two_models, frozen, of_every_step, trained,
        )
    },
}  # fmt: skip


def save(model: Any, path: Path, **how: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # h5 is a legacy format
        model.save(path, **how)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Save each model as a folder and as .h5; the traces of its functions are in the folder of one."""
    folder, rng = tmp_path_factory.mktemp("saved"), np.random.default_rng(0)
    for name, make in MODELS.items():
        tf_keras.backend.clear_session()
        model = make()
        if name != "trained":
            model.set_weights([rng.normal(0, 0.5, array.shape).astype("f4") for array in model.get_weights()])
        save(model, folder / name, save_traces=name == "trained")
        save(model, folder / f"{name}.h5")
    return folder


def described(layer: StoredLayer | OtherLayer) -> list[object]:
    """Return everything that a reader says of a layer but its arrays."""
    if isinstance(layer, StoredLayer):
        cells = [[replace(cell, arrays={}) for cell in row] for row in layer.cells]
        specs = [[(cell.spec, cell.layout is other.layout) for cell, other in zip(row, row, strict=True)] for row in cells]
        return [layer.name, layer.class_name, specs, layer.options, layer.warnings, layer.mask, layer.place, layer.assumed]
    return [layer.name, layer.kind, layer.known, layer.wrappers, layer.warnings, layer.place]


def arrays_of(layer: StoredLayer | OtherLayer) -> list[tuple[str, Any]]:
    if isinstance(layer, StoredLayer):
        return [(name, array.read()) for row in layer.cells for cell in row for name, array in cell.arrays.items()]
    return [(name, array.read()) for name, array in layer.stored.items()]


def layers_of(checkpoint: Checkpoint) -> list[StoredLayer | OtherLayer]:
    return [layer for _, layer in checkpoint.in_order if layer.name != "optimizer"]


def require_same(one: Checkpoint, other: Checkpoint) -> None:
    assert [name for name, _ in one.in_order] == [name for name, _ in other.in_order]
    for layer, expected in zip(layers_of(one), layers_of(other), strict=True):
        assert described(layer) == described(expected)
        assert [name for name, _ in arrays_of(layer)] == [name for name, _ in arrays_of(expected)]
        for (name, array), (_, wanted) in zip(arrays_of(layer), arrays_of(expected), strict=True):
            np.testing.assert_array_equal(array, wanted, err_msg=f"{name} of {layer.name}")


@pytest.mark.parametrize("name", MODELS)
def test_a_folder_holds_what_the_h5_file_of_the_same_model_holds(name: str, saved: Path) -> None:
    folder = open_checkpoint(saved / name)
    assert folder.format == "SavedModel"
    require_same(folder, open_checkpoint(saved / f"{name}.h5"))


def test_other_weights_and_other_options_are_detected(saved: Path) -> None:
    model = open_checkpoint(saved / "trained")
    with pytest.raises(AssertionError):
        require_same(model, open_checkpoint(saved / "gru, reset after.h5"))
    with pytest.raises(AssertionError):
        require_same(model, open_checkpoint(saved / "trained", options={"recurrent": {"return_state": True}}))


@pytest.mark.parametrize("name", ["two_inputs", "trained"])
def test_the_architecture_is_that_of_the_h5_file(name: str, saved: Path) -> None:
    import h5py

    architecture = read_described(open_path(saved / name), GivenOptions(), None)[1]
    assert architecture
    with h5py.File(saved / f"{name}.h5") as file:
        expected = json.loads(file.attrs["model_config"])
        assert architecture.version.text == file.attrs["keras_version"]
    for own, other in zip(architecture.model["config"]["layers"], expected["config"]["layers"], strict=True):
        assert own.get("inbound_nodes") == other.get("inbound_nodes")
        assert without_inner_objects(own["config"]) == without_inner_objects(other["config"])


@pytest.mark.parametrize("name", ["two_inputs", "in_two_models"])
def test_the_graph_is_that_of_the_h5_file(name: str, saved: Path) -> None:
    graph, expected = read_graph(saved / name), read_graph(saved / f"{name}.h5")
    assert [(each.layer, each.args, each.kwargs) for each in graph.calls] == [
        (each.layer, each.args, each.kwargs) for each in expected.calls
    ]
    assert (graph.inputs, graph.outputs, graph.version) == (expected.inputs, expected.outputs, expected.version)
    assert [graph.layers[layer].stored is None for layer in graph.layers] == [
        expected.layers[layer].stored is None for layer in expected.layers
    ]


def without_inner_objects(config: dict[str, Any]) -> dict[str, Any]:
    """Return a config without initializers and inner layers, which the two formats serialise in two styles."""
    return {name: value for name, value in config.items() if not isinstance(value, dict) and name != "layers"}


def test_the_state_of_the_optimizer_is_named(saved: Path) -> None:
    assert open_checkpoint(saved / "trained").others["optimizer"].kind == "optimizer Adam"


def test_the_metadata_of_earlier_versions_are_found_in_the_graphs(saved: Path, tmp_path: Path) -> None:
    """Move the metadata to where TensorFlow 2.0 to 2.4 wrote them."""
    from tensorflow.core.protobuf import saved_model_pb2
    from tf_keras.protobuf import saved_metadata_pb2

    folder = tmp_path / "earlier"
    shutil.copytree(saved / "two_inputs", folder)
    graphs = saved_model_pb2.SavedModel.FromString((folder / "saved_model.pb").read_bytes())
    for node in saved_metadata_pb2.SavedMetadata.FromString((folder / "keras_metadata.pb").read_bytes()).nodes:
        own = graphs.meta_graphs[0].object_graph_def.nodes[node.node_id].user_object
        own.identifier, own.metadata = node.identifier, node.metadata
    (folder / "saved_model.pb").write_bytes(graphs.SerializeToString())
    (folder / "keras_metadata.pb").unlink()
    require_same(open_checkpoint(folder), open_checkpoint(saved / "two_inputs.h5"))


def test_a_given_architecture_overrides_that_of_the_folder(saved: Path) -> None:
    source = open_path(saved / "gru, reset before")
    architecture = read_described(source, GivenOptions(), None)[1]
    assert architecture
    text = json.dumps(architecture.model).replace('"hard_sigmoid"', '"sigmoid"')
    given = {**json.loads(text), "keras_version": "2.15.0"}
    layer = open_checkpoint(saved / "gru, reset before", architecture=given)["gru"]
    assert layer.spec.recurrent_activation == "sigmoid"
    assert open_checkpoint(saved / "gru, reset before")["gru"].spec.recurrent_activation == "keras2_hard_sigmoid"


@pytest.mark.parametrize("place", ["saved_model.pb", "."])
def test_the_graph_and_the_folder_itself_stand_for_the_folder(place: str, saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(saved / "trained")
    require_same(open_checkpoint(place), open_checkpoint(saved / "trained.h5"))


def test_no_framework_is_imported(saved: Path) -> None:
    text = (
        "import sys; from frameworks.files import open_checkpoint; "
        f"open_checkpoint({str(saved / 'trained')!r})['recurrent'].weights; "
        "print(sys.modules.keys() & {'tensorflow', 'keras', 'tf_keras', 'torch', 'h5py'})"
    )
    run = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True, cwd=ROOT)
    assert run.stdout.strip() == "set()"


class Tagger(tf_keras.Model):  # type: ignore[misc]
    """A model whose wiring is code, with layers in a list."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = L.Embedding(9, 5, mask_zero=True)
        self.recurrent = L.Bidirectional(L.LSTM(4))
        self.blocks = [L.Dense(3), L.Dense(2)]

    def call(self, tokens: Any) -> Any:
        output = self.recurrent(self.embedding(tokens))
        for block in self.blocks:
            output = block(output)
        return output


def test_a_model_that_is_a_class_of_its_own_has_its_layers_with_their_options_and_a_caveat(tmp_path: Path) -> None:
    model = Tagger()
    model(np.ones((2, TIME), "int32"))
    save(model, tmp_path / "tagger", save_traces=False)
    checkpoint = open_checkpoint(tmp_path / "tagger")
    assert [name for name, _ in checkpoint.in_order] == [layer.name for layer in model.layers]
    for layer, own in zip(layers_of(checkpoint), model.layers, strict=True):
        for (_, array), expected in zip(arrays_of(layer), own.get_weights(), strict=True):
            np.testing.assert_array_equal(array, expected)
        assert "a class of its own" in layer.warnings[-1]
    assert read_described(open_path(tmp_path / "tagger"), GivenOptions(), None)[1] is None


class Plain(tf.Module):  # type: ignore[misc]
    def __init__(self) -> None:
        self.kernel = tf.Variable(tf.ones((3, 4)))


def test_a_saved_model_of_plain_tensorflow_is_refused(tmp_path: Path, refused: Any) -> None:
    tf.saved_model.save(Plain(), tmp_path / "plain")
    with refused("plain must hold a model that Keras 2 saved", "plain TensorFlow", "variables/variables.index"):
        open_checkpoint(tmp_path / "plain")


def copied(saved: Path, folder: Path) -> Path:
    shutil.copytree(saved / "trained", folder / "copy")
    return folder / "copy"


def without_metadata(folder: Path) -> None:
    (folder / "keras_metadata.pb").unlink()


def without_graph(folder: Path) -> None:
    (folder / "saved_model.pb").unlink()


def without_index(folder: Path) -> None:
    (folder / "variables" / "variables.index").unlink()


def without_data(folder: Path) -> None:
    (folder / "variables" / "variables.data-00000-of-00001").unlink()


def with_less_data(folder: Path) -> None:
    path = folder / "variables" / "variables.data-00000-of-00001"
    path.write_bytes(path.read_bytes()[:-1000])


def with_damaged_index(folder: Path) -> None:
    path = folder / "variables" / "variables.index"
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 1
    path.write_bytes(content)


def with_garbled_metadata(folder: Path) -> None:
    path = folder / "keras_metadata.pb"
    path.write_bytes(path.read_bytes().replace(b'{"name"', b'["name"'))


def with_a_variable_missing(folder: Path) -> None:
    """Rename an array of the object graph, so that the index lacks it."""
    path = folder / "variables" / "variables.data-00000-of-00001"
    content = path.read_bytes()
    key = b"\x26variables/%d/.ATTRIBUTES/VARIABLE_VALUE"
    assert content.count(key % 1) == 1
    path.write_bytes(content.replace(key % 1, key % 9))


def with_a_link_out(folder: Path) -> None:
    path, outside = folder / "variables" / "variables.data-00000-of-00001", folder.parent / "outside"
    path.rename(outside)
    path.symlink_to(outside)


def with_a_folder_linked_out(folder: Path) -> None:
    (folder / "variables").rename(folder.parent / "outside")
    (folder / "variables").symlink_to(folder.parent / "outside")


BROKEN: Mapping[Callable[[Path], None], tuple[str, ...]] = {
    without_metadata: ("copy must hold a model that Keras 2 saved", "or the file is missing"),
    without_graph: ("copy/saved_model.pb must be whole, but is missing",),
    without_index: ("copy/variables/variables.index must be whole, but is missing",),
    without_data: ("copy/variables/variables.data-00000-of-00001 must be whole, but is missing",),
    with_less_data: ("variables.data-00000-of-00001 must be whole", "bytes that it claims to have"),
    with_damaged_index: ("variables.index must be whole, but has a wrong checksum",),
    with_garbled_metadata: ("the metadata of copy must be whole, but is not JSON",),
    with_a_variable_missing: ("copy must be whole, but lacks the array variables/9", "recurrent_kernel"),
    with_a_link_out: ("variables.data-00000-of-00001 must be in its folder, but is a link that leads out of it",),
    with_a_folder_linked_out: ("variables.index must be in its folder, but is a link that leads out of it",),
}


@pytest.mark.parametrize("broken", BROKEN, ids=lambda broken: broken.__name__)
def test_a_broken_folder_is_refused_by_name(broken: Callable[[Path], None], saved: Path, tmp_path: Path, refused: Any) -> None:
    folder = copied(saved, tmp_path)
    require_same(open_checkpoint(folder), open_checkpoint(saved / "trained.h5"))
    broken(folder)
    with refused(*BROKEN[broken]):
        open_checkpoint(folder)


def test_links_within_the_folder_are_followed(saved: Path, tmp_path: Path) -> None:
    folder = copied(saved, tmp_path)
    (folder / "variables").rename(folder / "blobs")
    (folder / "variables").symlink_to(folder / "blobs")
    (tmp_path / "link").symlink_to(folder)
    require_same(open_checkpoint(tmp_path / "link"), open_checkpoint(saved / "trained.h5"))
