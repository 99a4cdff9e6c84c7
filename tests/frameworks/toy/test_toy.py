"""A third framework takes a package, a table and a row: what it holds works, and everything else is refused by name.

Covers: `frameworks/rows.py`, `frameworks/registry.py`, `frameworks/copying.py`, `compare/parity`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from compare import check_parity
from frameworks import RecurrentSpec, adapt, build, convert, copy_weights, emulate, rows
from frameworks.counterparts import require_counterpart
from frameworks.errors import MissingFrameworkError, NoCounterpartError
from frameworks.files import open_checkpoint, save_checkpoint
from frameworks.rows import BETWEEN_LAYERS
from tests.frameworks.toy.conftest import HIDDEN, INPUT, TOY, register

Array = npt.NDArray[Any]

BATCH, TIME = 3, 4


def _keras(kind: str = "LSTM", batch: int | None = None, mode: str | None = None, **options: Any) -> Any:
    layers = import_module("keras").layers
    layer = getattr(layers, kind)(HIDDEN, **options)
    layer = layers.Bidirectional(layer, merge_mode=mode) if mode else layer
    layer.build((batch, None, INPUT))
    return layer


OTHERS: dict[str, Callable[[], Any]] = {
    "keras": _keras,
    "pytorch": lambda: import_module("torch").nn.LSTM(INPUT, HIDDEN),
}


def made(name: str, randomise: Callable[..., Any]) -> Any:
    return import_module("toy").ToyLSTM(INPUT, HIDDEN, seed=1) if name == TOY else randomise(OTHERS[name]())


PAIRS = [("keras", TOY), (TOY, "keras"), ("pytorch", TOY), (TOY, "pytorch")]


@pytest.mark.backend
@pytest.mark.parametrize(("origin", "other"), PAIRS)
def test_a_layer_is_converted_and_computes_the_same(origin: str, other: Any, randomise: Callable[..., Any]) -> None:
    native = made(origin, randomise)
    counterpart = convert(native, to=other)
    assert adapt(counterpart).framework == other
    right_padding = np.arange(TIME) < np.array([4, 2, 1])[:, None]
    inputs = np.random.default_rng(0).standard_normal((BATCH, TIME, INPUT)).astype("float32")
    for result in (check_parity(native, counterpart), check_parity(counterpart, native, inputs, mask=right_padding)):
        assert result, str(result)
        assert len(result.comparisons) >= 9


@pytest.mark.backend
@pytest.mark.parametrize(("origin", "other"), PAIRS)
def test_weights_are_copied_into_an_existing_layer(origin: str, other: str, randomise: Callable[..., Any]) -> None:
    source = made(origin, randomise)
    target = made(other, lambda native: randomise(native, seed=2))
    if other == TOY:
        target.arrays["w"] += 1
    assert not check_parity(source, target)
    copy_weights(source, target)
    assert check_parity(source, target)


@pytest.mark.parametrize("other", OTHERS)
def test_a_table_that_names_the_gates_wrongly_is_caught(other: Any, toy: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    native = toy.ToyLSTM(INPUT, HIDDEN, seed=1)
    wrong = replace(toy.TABLE, gates={"lstm": ("output", "input", "forget", "candidate")})
    monkeypatch.setattr(toy, "TABLE", wrong)
    counterpart = convert(native, to=other)
    result = check_parity(native, counterpart)
    assert result.verdict != "passed"


def test_a_layer_built_from_a_spec_belongs_to_no_other_framework(toy: Any) -> None:
    adapter = build(TOY, RecurrentSpec("lstm", INPUT, HIDDEN), seed=3)
    assert isinstance(adapter.native, toy.ToyLSTM)
    assert [row.name for row in rows.FRAMEWORKS if row.owns(adapter.native)] == [TOY]
    assert adapt(adapter) is adapter


BEYOND: dict[str, tuple[Callable[[], Any], frozenset[str], object]] = {
    "go_backwards": (lambda: _keras(go_backwards=True), frozenset(), True),
    "stateful": (lambda: _keras(batch=BATCH, stateful=True), frozenset(), True),
    "merge_mode": (lambda: _keras(mode="sum"), frozenset({"bidirectional"}), "sum"),
    "dropout": (lambda: _keras(dropout=0.25), frozenset(), 0.25),
    "recurrent_dropout": (lambda: _keras(recurrent_dropout=0.5), frozenset(), 0.5),
    "bidirectional": (lambda: _keras(mode="concat"), frozenset(), True),
    "activation": (lambda: _keras(activation="relu"), frozenset(), "relu"),
    "recurrent_activation": (lambda: _keras(recurrent_activation="relu"), frozenset(), "relu"),
    "bias": (lambda: _keras(use_bias=False), frozenset(), False),
    "dtype": (lambda: _keras(dtype="float64"), frozenset(), "float64"),
    "cell": (lambda: _keras("GRU"), frozenset(), "gru"),
    "num_layers": (lambda: import_module("torch").nn.LSTM(INPUT, HIDDEN, 2), frozenset(), 2),
    BETWEEN_LAYERS: (
        lambda: import_module("torch").nn.LSTM(INPUT, HIDDEN, 2, dropout=0.125),
        frozenset({"num_layers"}),
        0.125,
    ),
}
"""For each field: a layer with a value that the row does not declare, what it needs besides, and the value."""


@pytest.mark.backend
@pytest.mark.parametrize("field", BEYOND)
def test_what_the_row_does_not_declare_is_refused_by_name(
    field: str, toy: Any, monkeypatch: pytest.MonkeyPatch, refused: Callable[..., Any]
) -> None:
    make, besides, value = BEYOND[field]
    native = make()
    register(monkeypatch, replace(toy.ROW, holds=besides))
    with refused(f"{field} of the ", repr(value), "toy"):
        convert(native, to=TOY)
    # It was refused only because the row does not declare it: a row that does is believed.
    cells = {**toy.ROW.cells, "gru": "ToyGRU"} if field == "cell" else toy.ROW.cells
    register(monkeypatch, replace(toy.ROW, holds=besides | {field}, cells=cells))
    source = adapt(native)
    require_counterpart(source.spec, TOY, source.options, source.dropout)


@pytest.mark.parametrize(("origin", "other"), PAIRS)
def test_an_emulation_that_does_not_exist_is_refused_and_the_remedy_works(
    origin: str, other: Any, randomise: Callable[..., Any], refused: Callable[..., Any]
) -> None:
    native = made(origin, randomise)
    titles = {"keras": "Keras", "pytorch": "PyTorch", TOY: "Toy"}
    with refused(f"a layer of {titles[origin]}", f"written in {titles[other]}", "PyTorch's in Keras", "gatewise.convert"):
        emulate(native, to=other)
    assert check_parity(native, convert(native, to=other))


def test_a_layer_in_a_file_is_not_emulated_there_and_the_remedy_works(tmp_path: Path, refused: Callable[..., Any]) -> None:
    module = OTHERS["pytorch"]()
    save_checkpoint(tmp_path / "model.npz", {"rnn": module})
    stored: Any = open_checkpoint(tmp_path / "model.npz")["rnn"]
    for port in (type(stored).emulate, emulate):
        with refused("in a file", "'keras' or 'pytorch'", "'toy'", ".convert"):
            port(stored, TOY)
    assert check_parity(module, stored.convert(TOY))


def test_its_own_layer_needs_no_emulation(toy: Any, refused: Callable[..., Any]) -> None:
    with refused("another framework than 'toy'", "the same"):
        emulate(toy.ToyLSTM(INPUT, HIDDEN), to=TOY)


def test_a_package_that_cannot_be_imported_is_named_with_its_extra(toy: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    register(monkeypatch, replace(toy.ROW, layers=rows.Layers("nowhere", ("toy",))))
    said = r"'toy'.*nowhere.*gatewise\[toy\]"
    with pytest.raises(MissingFrameworkError, match=said):
        build(TOY, RecurrentSpec("lstm", INPUT, HIDDEN))
    with pytest.raises(MissingFrameworkError, match=said):
        adapt(toy.ToyLSTM(INPUT, HIDDEN))


def test_without_its_row_the_framework_is_unknown(
    toy: Any, monkeypatch: pytest.MonkeyPatch, refused: Callable[..., Any]
) -> None:
    monkeypatch.setattr(rows, "FRAMEWORKS", rows.FRAMEWORKS[:2])
    with refused("Keras or PyTorch", "ToyLSTM"):
        adapt(toy.ToyLSTM(INPUT, HIDDEN))
    with refused("'keras' or 'pytorch'", "'toy'"):
        convert(OTHERS["pytorch"](), to=TOY)


@pytest.mark.backend
def test_the_remedy_for_a_call_that_is_not_held_works(toy: Any, randomise: Callable[..., Any]) -> None:
    layer = randomise(_keras(go_backwards=True, return_sequences=True))
    with pytest.raises(NoCounterpartError, match="copy_weights"):
        convert(layer, to=TOY)
    target = toy.ToyLSTM(INPUT, HIDDEN)
    copy_weights(layer, target)
    assert check_parity(layer, target)
    assert not check_parity(randomise(_keras(return_sequences=True), seed=1), target)
