"""Layers of every kind and option, to be written."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest

from frameworks import RecurrentSpec
from frameworks.files import Checkpoint, OtherLayer, StoredLayer
from frameworks.files.stored import StoredCell
from frameworks.files.untrusted.source import in_memory
from frameworks.kinds import KERAS as KERAS_KINDS
from frameworks.layouts import CUDNN, KERAS
from frameworks.options import KerasOptions


def made(name: str, *rows: tuple[RecurrentSpec, ...], layout: Any = KERAS, kind: str = "LSTM", **flags: Any) -> StoredLayer:
    """Return a Keras layer with random weights; `rows` are the specs of its cells, by layer, by direction."""
    rng = np.random.default_rng(len(name))
    rates = {rate: flags.get(rate, 0.0) for rate in ("dropout", "recurrent_dropout")}

    def cell(spec: RecurrentSpec) -> StoredCell:
        arrays = {each: rng.uniform(0.1, 0.6, shape).astype(spec.dtype) for each, shape in layout.shapes(spec, 0).items()}
        stored = MappingProxyType({each: in_memory(array) for each, array in arrays.items()})
        return StoredCell(spec, layout, stored, **rates)

    cells = tuple(tuple(cell(spec) for spec in row) for row in rows)
    return StoredLayer(name, "keras", kind, cells, KerasOptions(**flags), mask="embedding (mask_zero)")


def beside(name: str, kind: str, config: dict[str, Any], *wrappers: str, **shapes: tuple[int, ...]) -> OtherLayer:
    rng = np.random.default_rng(len(name))
    arrays = {each: in_memory(rng.normal(size=shape).astype("float32")) for each, shape in shapes.items()}
    return OtherLayer(name, kind, MappingProxyType(arrays), config, known=bool(KERAS_KINDS.get(kind).arrays), wrappers=wrappers)


@pytest.fixture(scope="module")
def checkpoint() -> Checkpoint:
    """Return layers of every kind and option, in the layouts of Keras's files."""
    lstm, gru, rnn = (RecurrentSpec(cell, 5, 4) for cell in ("lstm", "gru", "rnn"))
    both: dict[str, Any] = {"kind": "Bidirectional", "zero_output_for_mask": True, "return_sequences": True}
    layers = [
        made("lstm_all", (lstm,), return_sequences=True, return_state=True),
        made("zz", (replace(lstm, activation="relu", recurrent_activation="keras2_hard_sigmoid"),)),
        made("aa", (replace(lstm, bias=False),), go_backwards=True, dropout=0.25, recurrent_dropout=0.5),
        made("wide", (replace(lstm, dtype="float64"),), stateful=False),
        made("before", (replace(gru, reset_after=False),), kind="GRU", return_state=True),
        made("before_unbiased", (replace(gru, reset_after=False, bias=False),), kind="GRU"),
        made("unbiased", (replace(gru, bias=False),), kind="GRU"),
        made("old", (lstm,), layout=CUDNN, kind="CuDNNLSTM"),
        made("older", (gru,), layout=CUDNN, kind="CuDNNGRU"),
        made("inner/both", (gru, gru), return_state=True, **both),
        made("product", (rnn, rnn), merge_mode="mul", kind="Bidirectional"),
        made("stack", (gru,), (replace(gru, input_size=4),), kind="RNN", nesting="cells", return_sequences=True),
        made("unlike", (lstm,), (replace(rnn, input_size=4, hidden_size=3),), kind="RNN", nesting="cells"),
        made("deep", (gru, gru), (replace(lstm, input_size=4, hidden_size=2),) * 2, nesting="cells", merge_mode="ave", **both),
    ]
    others = [
        beside("words", "Embedding", {"mask_zero": True}, embeddings=(11, 5)),
        beside("dense", "Dense", {"activation": "relu"}, kernel=(4, 3), bias=(3,)),
        beside("each", "Dense", {}, "TimeDistributed", kernel=(4, 2)),
        beside("conv", "Conv1D", {"padding": "same"}, kernel=(3, 5, 6), bias=(6,)),
        beside("image", "Conv2D", {}, kernel=(3, 2, 5, 6), bias=(6,)),
        beside("ln", "LayerNormalization", {"epsilon": 0.001}, gamma=(5,), beta=(5,)),
        beside("bn", "BatchNormalization", {}, gamma=(5,), beta=(5,), moving_mean=(5,), moving_variance=(5,)),
        beside("slopes", "PReLU", {}, alpha=(1, 5)),
        beside("steps", "PReLU", {}, alpha=(7, 5)),
        beside("dot", "AdditiveAttention", {}, scale=(5,)),
        beside("own", "MyLayer", {}, a=(2, 3)),
    ]
    return Checkpoint(Path("model"), "made", [*layers, *others])
