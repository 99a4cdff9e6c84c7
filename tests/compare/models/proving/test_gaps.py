"""What comes before and after a gap is proven, and the gap itself is named.

Covers: `compare/models/proving/gaps.py`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import pytest

from compare.models.proving import gaps
from compare.models.proving.proving import Port, load_port, prove
from frameworks.models import to_source
from tests.compare.models.proving.models import with_biases


@keras.saving.register_keras_serializable("tests")
class Doubled(keras.layers.Layer):  # type: ignore[misc]
    """A custom layer, which keeps the shape unless it is told to cut it."""

    def __init__(self, units: int | None = 4, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.units = units

    def call(self, x: Any) -> Any:
        return 2 * x

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "units": self.units}


@keras.saving.register_keras_serializable("tests")
class Mean(keras.layers.Layer):  # type: ignore[misc]
    """The mean of the valid steps."""

    supports_masking = True

    def call(self, x: Any, mask: Any = None) -> Any:
        valid = keras.ops.cast(mask, x.dtype)[..., None]
        return keras.ops.sum(x * valid, axis=1) / keras.ops.maximum(keras.ops.sum(valid, axis=1), 1)


def make(units: int | None = 4, *, then: str = "dense") -> Any:
    keras.utils.set_random_seed(0)
    x = keras.Input((None, 3), name="x")
    y = keras.layers.Dense(4, name="before")(x)
    y = Doubled(units, name="gap")(y)
    y = keras.layers.LSTM(5, name="after")(y) if then == "lstm" else keras.layers.Dense(5, name="after")(y)
    model = keras.Model(x, y, name="net")
    with_biases(model)
    return model


def ported(model: Any, out: Path, *changes: tuple[str, str]) -> Port:
    source = to_source(model)
    path, _ = source.write(out)
    text = path.read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path.write_text(text)
    return Port(load_port(path), path.name, source.gaps)


RAISES = "raise NotImplementedError("


def test_of_a_live_model_both_sides_of_a_gap_are_proven_on_what_the_gap_returned(tmp_path: Path) -> None:
    model = make()
    proof = prove(model, ported(model, tmp_path / "right.py"))
    assert (proof.status, proof.gaps, proof.whole) == (3, ("gap",), True)
    assert proof.verdict == "proven in part"
    assert {each.layer: each.how for each in proof.layers} == {"before": "alone", "gap": "nothing", "after": "alone"}
    assert "left to the reader: gap" in str(proof)
    wrong = ported(model, tmp_path / "wrong.py")
    wrong.module.after.bias.data += 0.1
    assert prove(model, wrong).status == 1


def test_a_gap_that_is_filled_in_is_compared_like_the_rest(tmp_path: Path) -> None:
    model = make()
    for factor, status in ((2, 0), (3, 1)):
        port = ported(model, tmp_path / f"port{factor}.py", (RAISES, f"return {factor} * x\n        {RAISES}"))
        assert prove(model, port).status == status


def test_a_gap_gets_the_mask_of_what_it_reads(tmp_path: Path) -> None:
    words = keras.Input((None,), dtype="int32", name="words")
    x = keras.layers.Embedding(9, 4, mask_zero=True, name="embedding")(words)
    model = keras.Model(words, keras.layers.Dense(2, name="out")(Mean(name="mean")(x)), name="net")
    with_biases(model)
    sum_of = "return (x * mask[..., None]).sum(dim=1) / {}\n        "
    for count, status in (("mask.sum(dim=1).clamp(min=1)[:, None]", 0), ("x.shape[1]", 1)):
        port = ported(model, tmp_path / f"port{status}.py", (RAISES, sum_of.format(count) + RAISES))
        assert "true at valid steps" in type(port.module).mean.__doc__
        assert prove(model, port).status == status
    proof = prove(model, ported(model, tmp_path / "left.py"))
    assert (proof.status, proof.gaps) == (3, ("mean",))


@pytest.mark.parametrize("then", ["dense", "lstm"])
def test_of_a_file_that_nothing_opens_each_layer_around_the_gap_is_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, then: str
) -> None:
    make(4 if then == "dense" else None, then=then).save(tmp_path / "net.keras")
    monkeypatch.setattr(keras.saving, "get_registered_object", lambda *_, **__: None)
    monkeypatch.setitem(keras.saving.get_custom_objects(), "tests>Doubled", None)
    file = tmp_path / "net.keras"
    proof = prove(file, ported(file, tmp_path / "right.py"))
    assert (proof.status, proof.gaps, proof.whole, len(proof.calls)) == (3, ("gap",), False, 2)
    assert [each.how for each in proof.layers] == ["alone", "nothing", "alone"]
    for layer in ("before", "after"):
        wrong = ported(file, tmp_path / f"{layer}.py")
        next(iter(getattr(wrong.module, layer).parameters())).data += 0.1
        found = prove(file, wrong)
        assert found.status == 1
        assert found.failed is not None
        assert found.failed.comparison.first is not None
        assert found.failed.comparison.first.expected == layer


def test_a_gap_of_unknown_shape_is_assumed_to_keep_that_of_what_it_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(None).save(tmp_path / "net.keras")
    monkeypatch.setitem(keras.saving.get_custom_objects(), "tests>Doubled", None)
    file = tmp_path / "net.keras"
    port = ported(file, tmp_path / "port.py")
    proof = prove(file, port)
    assert (proof.status, [each.how for each in proof.layers]) == (3, ["alone", "nothing", "alone"])
    assert any("the shape of what gap returns, (None, None, 4), which is not stated" in each for each in proof.open)
    port.module.after.bias.data += 0.1
    assert prove(file, port).status == 1


def test_behind_a_gap_whose_shape_nothing_suggests_nothing_is_claimed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(None).save(tmp_path / "net.keras")
    monkeypatch.setitem(keras.saving.get_custom_objects(), "tests>Doubled", None)
    monkeypatch.setattr(gaps, "assumed_shapes", lambda _: {})
    file = tmp_path / "net.keras"
    port = ported(file, tmp_path / "port.py")
    port.module.after.bias.data += 0.1  # which nothing can see
    proof = prove(file, port)
    assert (proof.status, [each.how for each in proof.layers]) == (3, ["alone", "nothing", "nothing"])
    assert "these layers: after" in proof.open
    port.module.before.bias.data += 0.1
    assert prove(file, port).status == 1


def test_around_a_gap_in_a_nested_model_nothing_is_claimed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    x = keras.Input((None, 3), name="x")
    inner = keras.Sequential([keras.Input((None, 3)), Doubled(name="gap")], name="inner")
    keras.Model(x, keras.layers.Dense(2, name="after")(inner(x))).save(tmp_path / "net.keras")
    monkeypatch.setitem(keras.saving.get_custom_objects(), "tests>Doubled", None)
    file = tmp_path / "net.keras"
    proof = prove(file, ported(file, tmp_path / "port.py"))
    assert (proof.status, proof.verdict, proof.calls) == (3, "not proven", ())
    assert "the layer 'gap' in another layer must be one of Keras's" in proof.open[0]
