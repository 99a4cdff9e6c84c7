"""`mask` of a layer is empty unless Keras passes it a mask, by the rules of the Keras that wrote the file."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from importlib import import_module
from inspect import signature
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from frameworks.files import open_checkpoint


def composed(keras: Any, given: dict[str, bool]) -> Any:
    """Build a model whose recurrent layers follow layers that pass masks on, drop them or make them.

    Args:
        keras: the library.
        given: receives, when the model is called, whether each recurrent layer was passed a mask.
    """
    kinds = keras.layers
    noting = _noting(kinds.SimpleRNN, given)

    def rnn(name: str, **flags: Any) -> Any:
        return noting(3, name=name, **flags)

    ids, free = keras.Input((6,), dtype="int32"), keras.Input((6, 5))
    masked = kinds.Embedding(9, 5, mask_zero=True)(ids)
    whole, *states = rnn("encoder", return_sequences=True, return_state=True)(masked)
    inner = keras.Sequential([keras.Input((6, 5)), kinds.Dense(5), rnn("in_masked", return_sequences=True)])
    lost = keras.Sequential([keras.Input((6, 5)), kinds.Conv1D(5, 1), rnn("in_lost", return_sequences=True)])
    outputs = [
        rnn("decoder_free")(free, initial_state=states),
        rnn("decoder_masked")(masked, initial_state=states),
        rnn("after_states")(rnn("stated", return_sequences=True)(whole, initial_state=states)),
        rnn("after_add")(kinds.Add()([masked, free])),
        rnn("after_both")(kinds.Add()([masked, kinds.Dropout(0.5)(masked)])),
        rnn("after_concatenate")(kinds.Concatenate()([free, masked])),
        rnn("after_each")(kinds.TimeDistributed(kinds.Dense(2))(masked)),
        rnn("after_convolution")(kinds.Conv1D(4, 1)(masked)),
        rnn("after_spatial")(kinds.SpatialDropout1D(0.5)(masked)),
        rnn("after_attention")(kinds.Attention()([masked, free])),
        rnn("after_attending")(kinds.Attention()([free, masked])),
        rnn("after_multiplied")(masked * 2.0),
        rnn("after_masking")(kinds.Masking(9.0)(kinds.Conv1D(4, 1)(masked))),
        rnn("after_masked_model")(inner(masked)),
        rnn("after_losing_model")(lost(masked)),
    ]
    return keras.Model([ids, free], outputs)


def _noting(kind: Any, given: dict[str, bool]) -> Any:
    """Return a layer's class with a `call` that records whether it receives a mask, under the class's own name."""
    call = kind.call

    def noted(self: Any, *args: Any, **kwargs: Any) -> Any:
        given[self.name] = signature(call).bind(self, *args, **kwargs).arguments.get("mask") is not None
        return call(self, *args, **kwargs)

    noted.__signature__ = signature(call)  # type: ignore[attr-defined] # Keras looks for the argument mask in it
    return type(kind.__name__, (kind,), {"call": noted, "__module__": kind.__module__})


@pytest.fixture(params=["keras", "tf_keras"])
def library(request: pytest.FixtureRequest) -> Iterator[Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # h5 is a legacy format, and masks are dropped
        yield import_module(request.param)


def test_the_mask_of_a_layer_is_the_one_that_keras_passes_it(library: Any, tmp_path: Path) -> None:
    given: dict[str, bool] = {}
    model = composed(library, given)
    model.save(tmp_path / "model.keras")
    model.save(tmp_path / "model.h5")
    given.clear()
    rng = np.random.default_rng(0)
    model.run_eagerly = True
    model([rng.integers(0, 9, (2, 6)), rng.normal(size=(2, 6, 5)).astype("float32")])
    assert given["after_add"] == given["decoder_masked"] == (library.__name__ == "tf_keras")  # the rules changed
    for file in ("model.keras", "model.h5"):
        masked = {name.rpartition("/")[2]: bool(layer.mask) for name, layer in open_checkpoint(tmp_path / file).items()}
        assert masked == given, file
