"""A proof finds what is wrong in a port, whoever computes the expected results, and says what it compared with what.

Covers: `compare/models/proving/proving.py`, `compare/models/proving/calls.py`, `compare/models/proving/layers.py`,
`compare/models/proving/originals.py`, `compare/models/proving/proof.py`, `compare/models/outside_masks.py`.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tf_keras

from compare.models.proving import originals
from compare.models.proving.proof import Proof
from compare.models.proving.proving import Port, load_port, prove
from frameworks.errors import GatewiseError
from frameworks.models.reading import read_graph
from tests.compare.models.proving.models import tagger, with_biases, write_port

MASK = ("mask = words != 0", "mask = torch.ones_like(words).bool()")
RIGHT_PADDING = (
    "x[rows, mask.byte().argsort(dim=1, descending=True, stable=True)]",
    "x[rows, torch.arange(mask.shape[1]).expand(mask.shape)]",
)
EPSILON = ("nn.LayerNorm(5, eps=0.01)", "nn.LayerNorm(5)")
WIRING = ("skip = self.skip(embedding)", "skip = self.skip(embedding.flip(1))")
LAST = ("mask)[:, -1]", "mask)[:, 0]")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The same kind of model in a file of Keras 3, and in one of tf_keras."""
    folder = tmp_path_factory.mktemp("models")
    tagger(keras).save(folder / "new.keras")
    tagger(tf_keras).save(folder / "old.keras")
    return {"Keras": folder / "new.keras", "tf_keras": folder / "old.keras", "layers": folder / "old.keras"}


@pytest.fixture
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Who computes the expected results; "layers" if the framework of the file does not open it."""
    if request.param == "layers":
        monkeypatch.setattr(originals, "_loaded", _refuse)
    return str(request.param)


WORDS = np.array([[3, 1, 2, 4, 5, 0], [1, 0, 7, 8, 0, 2], [0, 0, 5, 6, 1, 3]], "int32")
"""Steps are masked at the end, in the middle and at the start."""


def _refuse(*_: Any) -> Any:
    raise ValueError("Unrecognized keyword arguments passed to LSTM: {'time_major': False}. More of it.")


def proof_of(
    model: Path, out: Path, *changes: tuple[str, str], spoil: Callable[[Any], None] | None = None, inputs: Any = WORDS
) -> Proof:
    port = load_port(write_port(model, out, *changes))
    if spoil is not None:
        spoil(port)
    return prove(model, Port(port, "model.py"), inputs)


def gates_swapped(port: Any) -> None:
    """Read the gates i, f, g, o as i, g, f, o."""
    weights = port.lstm.weight_ih_l0.data
    weights[5:10], weights[10:15] = weights[10:15].clone(), weights[5:10].clone()


@pytest.mark.parametrize("way", ["Keras", "tf_keras", "layers"], indirect=True)
def test_a_right_port_is_proven(files: dict[str, Path], way: str, tmp_path: Path) -> None:
    proof = proof_of(files[way], tmp_path / "port.py", inputs=None)
    assert (proof.verdict, proof.status, proof.whole) == ("proven", 0, way != "layers")
    assert proof.against == {"Keras": f"Keras {keras.__version__}", "tf_keras": f"tf_keras {tf_keras.__version__}"}.get(
        way, f"Keras {keras.__version__}"
    )
    layers = {each.layer: each for each in proof.layers}
    assert list(layers) == ["embedding", "lstm", "norm", "skip", "add", "gru", "out"]
    assert {each.verdict for each in layers.values() if each.how == "alone"} == {"agrees"}
    assert [name for name, each in layers.items() if each.how != "alone"] == ["add"]
    off = [layers[name].reference_error for name in ("lstm", "gru")]
    assert all((each is not None and each < 1e-5) == (way == "layers") for each in off)
    text = str(proof)
    assert ("the wiring: which results" in text) == (way == "layers")
    assert ("{'time_major': False})" in text) == (way == "layers"), "it says why the file's own model was not had"
    assert "masked steps (0) anywhere, and a whole row" in text


@pytest.mark.parametrize(
    ("way", "change", "place"),
    [
        ("Keras", MASK, "lstm"),
        ("Keras", LAST, "out"),
        ("tf_keras", EPSILON, "norm"),
        ("tf_keras", WIRING, "skip"),
        ("layers", MASK, "lstm"),
        ("layers", EPSILON, "norm"),
        ("layers", WIRING, "skip"),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
    indirect=["way"],
)
def test_a_wrong_port_is_found_at_its_place(
    files: dict[str, Path], way: str, tmp_path: Path, change: tuple[str, str], place: str
) -> None:
    proof = proof_of(files[way], tmp_path / "port.py", change)
    assert (proof.verdict, proof.status) == ("wrong", 1)
    assert proof.failed is not None
    first = proof.failed.comparison.first
    assert first is not None
    assert (first.expected, first.kind) == (place, "between" if place in ("skip", "out") else "in")
    assert str(first) in str(proof)


def test_drawn_masks_have_holes_that_a_port_for_right_padding_shows(files: dict[str, Path], tmp_path: Path) -> None:
    proof = proof_of(files["Keras"], tmp_path / "port.py", RIGHT_PADDING, inputs=None)
    assert [call.comparison.passed for call in proof.calls] == [True, False]
    assert proof.status == 1
    assert str(proof).count("call 2: the models' results differ") == 1


def test_what_rounding_is_allowed_does_not_hide_a_mask_of_numbers(tmp_path: Path) -> None:
    layers = keras.layers
    steps = [layers.Masking(-1.0), layers.GRU(4, name="gru"), layers.Dense(2, name="out")]
    model = keras.Sequential([keras.Input((None, 3), name="x"), *steps], name="net")
    with_biases(model)
    port = load_port(write_port(model, tmp_path / "port.py", ("mask = (x != -1.0)", "mask = (x != -2.0)")))
    proof = prove(model, port)
    assert proof.status == 1
    assert max(call.comparison.allowed for call in proof.calls) < 1e-4


@pytest.mark.parametrize("way", ["tf_keras", "layers"], indirect=True)
def test_gates_in_another_order_are_found(files: dict[str, Path], way: str, tmp_path: Path) -> None:
    proof = proof_of(files[way], tmp_path / "port.py", spoil=gates_swapped)
    assert proof.status == 1
    assert proof.failed is not None
    assert proof.failed.comparison.first is not None
    assert proof.failed.comparison.first.expected == "lstm"


def test_a_layer_of_keras_that_differs_from_the_reference_is_wrong(
    files: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from frameworks.models import keras as in_keras

    plain = in_keras.build_keras

    def spoilt(graph: Any) -> Any:
        model = plain(graph)
        kernel, *rest = model.get_layer("lstm").get_weights()
        model.get_layer("lstm").set_weights([kernel * 1.01, *rest])
        return model

    monkeypatch.setattr(in_keras, "build_keras", spoilt)
    monkeypatch.setattr(originals, "_loaded", _refuse)
    port = load_port(write_port(files["layers"], tmp_path / "port.py"))
    port.lstm.weight_ih_l0.data *= 1.01  # wrong in the same way, so that both agree
    proof = prove(files["layers"], port, WORDS)
    assert proof.failed is None
    assert proof.status == 1
    assert proof.wrong[0].startswith(f"lstm: Keras {keras.__version__} differs from the reference by ")


def test_a_port_that_refuses_holes_is_proven_without_them_and_says_so(files: dict[str, Path], tmp_path: Path) -> None:
    port = load_port(write_port(files["Keras"], tmp_path / "port.py", padding="end"))
    proof = prove(files["Keras"], port)
    assert (proof.status, len(proof.calls)) == (0, 2)
    assert "masked steps (0) at the end" in proof.calls[1].how[0]
    assert proof.open[0].startswith("masks with holes: the port raises ValueError: The mask must be true")


def test_a_port_that_raises_is_wrong(files: dict[str, Path], tmp_path: Path) -> None:
    broken = write_port(files["Keras"], tmp_path / "port.py", (MASK[0], "raise KeyError('words')"))
    proof = prove(files["Keras"], load_port(broken))
    assert (proof.status, proof.calls) == (1, ())
    assert "which the model accepts, the port raises KeyError: 'words'" in proof.wrong[0]


@pytest.mark.parametrize("missing", ["tf_keras", "keras"])
def test_without_a_framework_that_is_needed_the_proof_is_not_complete(
    files: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    port = load_port(write_port(files["tf_keras"], tmp_path / "port.py"))
    monkeypatch.setitem(sys.modules, missing, None)
    if missing == "keras":
        monkeypatch.setitem(sys.modules, "tf_keras", None)
        monkeypatch.delitem(sys.modules, "frameworks.keras")
    proof = prove(files["tf_keras"], port)
    assert (proof.status, proof.missing) == (3, missing)
    assert f"{missing} is missing for the whole proof: install it with `pip install {missing}`" in str(proof)
    assert (proof.verdict, len(proof.calls)) == (("proven in part", 2) if missing == "tf_keras" else ("not proven", 0))


def test_a_wrong_port_is_wrong_also_without_the_framework(
    files: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tf_keras", None)
    assert proof_of(files["tf_keras"], tmp_path / "port.py", EPSILON).status == 1


@pytest.mark.parametrize("library", [keras, tf_keras], ids=["keras", "tf_keras"])
def test_a_live_model_is_the_original_itself(library: Any, tmp_path: Path) -> None:
    model = tagger(library)
    proof = prove(model, load_port(write_port(model, tmp_path / "port.py")), WORDS)
    assert (proof.status, proof.whole) == (0, True)
    model.get_layer("out").set_weights([each + 0.1 for each in model.get_layer("out").get_weights()])
    assert prove(model, load_port(tmp_path / "port.py"), WORDS).status == 1


def test_given_inputs_are_taken_in_the_order_of_the_model(files: dict[str, Path], tmp_path: Path) -> None:
    port = load_port(write_port(files["Keras"], tmp_path / "port.py"))
    words = WORDS[:1, :4]
    for given in (words, (words,), {"words": words}):
        proof = prove(files["Keras"], port, given)
        (call,) = proof.calls
        assert (call.inputs, call.how, call.seed, proof.status) == (("words (1, 4) int32",), ("given",), None, 0)
    for wrong in ({"x": words}, (words, words)):
        with pytest.raises(GatewiseError, match="the given inputs must be the inputs of the model: words, but are"):
            prove(files["Keras"], port, wrong)


def touching(path: Path) -> Any:
    """Return a function that leaves a file when it is called."""
    text = str(path)
    return lambda x: [open(text, "w"), x][1]  # noqa: PTH123  what a file may hold


@pytest.mark.parametrize("name", ["lambda.keras", "lambda.h5", "old.keras", "activation.keras", "activation.h5"])
def test_no_code_in_a_file_is_run(tmp_path: Path, name: str) -> None:
    library = tf_keras if name == "old.keras" else keras
    ran = tmp_path / "ran"
    layers = library.layers
    last = layers.Dense(2, activation=touching(ran)) if "activation" in name else layers.Lambda(touching(ran), (None, 2))
    with warnings.catch_warnings():  # of Keras, which advises against lambdas
        warnings.simplefilter("ignore")
        library.Sequential([library.Input((2,)), layers.Dense(2), last]).save(tmp_path / name)
    ran.unlink(missing_ok=True)
    original = originals.find_original(tmp_path / name, read_graph(tmp_path / name))
    assert original.model is None
    assert name.startswith("activation") or "holds code, which is not run" in original.why_not
    assert not ran.exists()
