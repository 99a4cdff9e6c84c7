"""A layer of small numbers is held to their own size, so that a factor of 1.01 in it is no rounding, whatever comes after it.

Covers: `compare/models/allowance.py`, `compare/models/judged.py`, `compare/models/unread.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from compare.models.comparing import compare_models
from compare.models.proving.proof import Proof, ProvenLayer
from compare.models.proving.proving import Port, load_port, prove
from tests.compare.models.proving.models import with_biases, write_port

layers = keras.layers
RNG = np.random.default_rng(0)
X = RNG.normal(size=(4, 5)).astype("float32")


@pytest.fixture(scope="module")
def ported(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path]:
    """A model with a branch of numbers of about 0.025, of which the results, of about 1, show a ten-thousandth."""
    keras.utils.set_random_seed(0)
    x = keras.Input((5,), name="x")
    wide = layers.Dense(4, name="wide")(x)
    small = layers.Dense(4, name="small")(layers.Dense(4, name="first")(x))
    model = keras.Model(x, layers.Add(name="add")([wide, layers.Dense(4, name="faint")(small)]))
    with_biases(model)
    for name, factor in (("small", 0.02), ("faint", 0.01)):
        layer = model.get_layer(name)
        layer.set_weights([each * np.float32(factor) for each in layer.get_weights()])
    return model, write_port(model, tmp_path_factory.mktemp("port") / "port.py")


def scaled(name: str, factor: float) -> Callable[[Any], None]:
    return lambda port: port.get_parameter(name).data.mul_(factor)


def proof_of(ported: tuple[Any, Path], change: Callable[[Any], Any], *text: tuple[str, str]) -> Proof:
    model, path = ported
    written = path.read_text()
    other = path.with_name("other.py")
    for old, new in text:
        assert written.count(old) == 1
        written = written.replace(old, new)
    other.write_text(written)
    other.with_suffix(".safetensors").write_bytes(path.with_suffix(".safetensors").read_bytes())
    port = load_port(other)
    change(port)
    return prove(model, Port(port, "other.py"), X)


def unchanged(_: Any) -> None:
    pass


def test_a_right_port_is_proven(ported: tuple[Any, Path]) -> None:
    proof = proof_of(ported, unchanged)
    assert (proof.status, proof.inside, proof.shown) == (0, [], None)
    assert proof.calls[0].comparison.first is None


@pytest.mark.parametrize(
    ("text", "change", "place"),
    [
        ((("self.faint(small)", "self.faint(small * 1.01)"),), unchanged, "faint"),
        ((("self.faint(small)", "self.faint(small * 1.001)"),), unchanged, "faint"),
        ((), scaled("small.weight", 1.01), "small"),
        ((), scaled("small.bias", 1.001), "small"),
        ((), scaled("faint.weight", 1.001), "faint"),
    ],
    ids=["factor 1.01", "factor 1.001", "weight 1.01", "bias 1.001", "last weight 1.001"],
)
def test_what_is_small_beside_the_results_is_found(
    ported: tuple[Any, Path], text: tuple[tuple[str, str], ...], change: Callable[[Any], Any], place: str
) -> None:
    proof = proof_of(ported, change, *text)
    comparison = proof.calls[0].comparison
    assert comparison.error is not None
    assert comparison.error < 1e-4, "the results alone hardly show it"
    assert (proof.verdict, proof.status) == ("wrong", 1)
    assert comparison.first is not None
    assert comparison.first.actual == place
    row = next(line for line in str(proof).splitlines() if line.startswith(place))
    assert row.endswith("input differs" if text else "wrong here"), "the row is shown"


def test_a_row_of_an_embedding_that_no_input_names_is_compared(tmp_path: Path) -> None:
    steps = [layers.Embedding(9, 3, name="words"), layers.GlobalAveragePooling1D(name="pool"), layers.Dense(2, name="out")]
    model = keras.Sequential([keras.Input((4,), dtype="int32", name="x"), *steps])
    with_biases(model)
    port = load_port(write_port(model, tmp_path / "port.py"))
    words = np.array([[1, 2, 3, 4]], "int32")
    assert prove(model, port, words).status == 0
    port.words.weight.data[7, 0] *= 1.01
    proof = prove(model, port, words)
    assert (proof.status, proof.inside) == (1, ["words"])
    assert proof.calls[0].comparison.error == pytest.approx(0, abs=1e-6)


def test_a_tolerance_that_is_given_holds_for_numbers_below_one(ported: tuple[Any, Path]) -> None:
    model, path = ported
    port = load_port(path)
    scaled("small.weight", 1.01)(port)
    assert compare_models(model, port, X).inside or not compare_models(model, port, X)
    found = compare_models(model, port, X, tolerance=0.01)
    assert found.passed
    assert {row.verdict for row in found.rows} <= {"agrees", "no partner", "wrong here"}


def test_a_layer_whose_arrays_nothing_was_held_against_is_not_proven(ported: tuple[Any, Path]) -> None:
    from dataclasses import replace

    proof = proof_of(ported, unchanged)
    beside = ProvenLayer("beside", "Dense", has_arrays=True)
    assert replace(proof, layers=(*proof.layers, beside)).status == 3
    assert replace(proof, layers=(*proof.layers, replace(beside, has_arrays=False))).status == 0
    assert all(each.has_arrays == (each.layer != "add") for each in proof.layers)
