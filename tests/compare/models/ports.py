"""Small models of Keras and their ports, right or with one mistake, for the tests of whole models."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import torch
from torch import nn
from torch.nn import functional

from gatewise import compare_models, copy_weights

L = keras.layers


def compared(*models: Any, **given: Any) -> Any:
    """Return what `compare_models` does, untyped: some arguments are wrong, and most results have a first divergence."""
    return compare_models(*models, **given)


def filled(model: Any, seed: int = 0) -> Any:
    """Fill the weights of a Keras model with random numbers, variances with positive ones."""
    rng = np.random.default_rng(seed)
    for variable in model.weights:
        values = rng.normal(0, 0.4, variable.shape)
        variable.assign((np.abs(values) + 0.5 if "variance" in variable.path else values).astype("float32"))
    return model


def lay(parameter: Any, value: Any) -> None:
    """Put an array into a parameter or buffer."""
    parameter.data.copy_(torch.from_numpy(np.array(value)))


def lay_dense(linear: Any, dense: Any) -> None:
    lay(linear.weight, np.array(dense.kernel).T)
    lay(linear.bias, dense.bias)


def tagger() -> Any:
    """A tagger of masked sequences."""
    ids = L.Input((None,), dtype="int32", name="ids")
    x = L.Embedding(20, 6, mask_zero=True, name="embedding")(ids)
    x = L.Bidirectional(L.LSTM(5, return_sequences=True), name="context")(x)
    x = L.Dense(7, activation="relu", name="hidden")(x)
    return filled(keras.Model(ids, L.Dense(4, activation="softmax", name="tags")(x)))


class Tagger(nn.Module):
    """The port of `tagger`; its mistakes are options."""

    def __init__(self, model: Any, mistake: str = "") -> None:
        super().__init__()
        self.mistake = mistake
        self.embed, self.rnn = nn.Embedding(20, 6), nn.LSTM(6, 5, batch_first=True, bidirectional=True)
        self.fc1, self.fc2 = nn.Linear(10, 7), nn.Linear(7, 4)
        lay(self.embed.weight, model.get_layer("embedding").embeddings)
        copy_weights(model.get_layer("context"), self.rnn)
        lay_dense(self.fc1, model.get_layer("hidden"))
        lay_dense(self.fc2, model.get_layer("tags"))

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        x: Any = self.embed(ids)
        if self.mistake != "mask":
            x = nn.utils.rnn.pack_padded_sequence(x, (ids != 0).sum(1), batch_first=True, enforce_sorted=False)
        x, _ = self.rnn(x)
        if self.mistake != "mask":
            x, _ = nn.utils.rnn.pad_packed_sequence(x, batch_first=True, total_length=ids.shape[1])
        if self.mistake == "halves":
            x = torch.cat((x[..., 5:], x[..., :5]), -1)
        x = self.fc1(x)
        if self.mistake != "relu":
            x = functional.relu(x)
        return torch.softmax(self.fc2(x), 1 if self.mistake == "softmax" else -1)


def convolutions() -> Any:
    """A convolution, BatchNorm and stacked LSTMs."""
    x = inputs = L.Input((14, 3), name="signal")
    x = L.Conv1D(6, 3, padding="same", activation="relu", name="convolution")(x)
    x = L.BatchNormalization(name="norm")(x)
    x = L.MaxPooling1D(2, name="shrink")(x)
    x = L.LSTM(5, name="upper")(L.LSTM(5, return_sequences=True, name="lower")(x))
    return filled(keras.Model(inputs, L.Dense(2, name="head")(x)))


class Convolutions(nn.Module):
    """The port of `convolutions`, with one module for both LSTMs."""

    def __init__(self, model: Any, mistake: str = "") -> None:
        super().__init__()
        self.mistake = mistake
        self.conv, self.bn, self.pool = nn.Conv1d(3, 6, 3, padding=1), nn.BatchNorm1d(6, eps=1e-3), nn.MaxPool1d(2)
        self.rnn, self.fc = nn.LSTM(6, 5, 2, batch_first=mistake != "batch first"), nn.Linear(5, 2)
        layer = model.get_layer("convolution")
        lay(self.conv.weight, np.array(layer.kernel).transpose(2, 1, 0))
        lay(self.conv.bias, layer.bias)
        layer = model.get_layer("norm")
        for own, name in ((self.bn.weight, "gamma"), (self.bn.bias, "beta")):
            lay(own, getattr(layer, name))
        lay(self.bn.running_mean, layer.moving_mean)
        lay(self.bn.running_var, layer.moving_variance)
        copy_weights([model.get_layer("lower"), model.get_layer("upper")], self.rnn)
        lay_dense(self.fc, model.get_layer("head"))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.pool(self.bn(functional.relu(self.conv(x.transpose(1, 2)))))
        x = x.reshape(len(x), -1, 6) if self.mistake == "reshape" else x.transpose(1, 2)
        output, (h, c) = self.rnn(x)
        taken = {"cell state": c[-1], "lower layer": h[0], "mean": output.mean(1)}
        return self.fc(taken.get(self.mistake, h[-1]))  # type: ignore[no-any-return]  # a module returns Any


def siamese() -> Any:
    """Two inputs through the same layers."""
    left, right = (L.Input((None,), dtype="int32", name=name) for name in ("left", "right"))
    embedding, gru = L.Embedding(15, 5, name="embedding"), L.GRU(6, name="encode")
    one, two = gru(embedding(left)), gru(embedding(right))
    joined = keras.ops.concatenate([keras.ops.abs(one - two), one * two], -1)
    return filled(keras.Model([left, right], L.Dense(1, activation="sigmoid", name="same")(joined)))


class Siamese(nn.Module):
    """The port of `siamese`."""

    def __init__(self, model: Any, mistake: str = "") -> None:
        super().__init__()
        self.mistake = mistake
        self.embed, self.gru, self.out = nn.Embedding(15, 5), nn.GRU(5, 6, batch_first=True), nn.Linear(12, 1)
        lay(self.embed.weight, model.get_layer("embedding").embeddings)
        copy_weights(model.get_layer("encode"), self.gru)
        lay_dense(self.out, model.get_layer("same"))

    def forward(self, left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
        one = self.gru(self.embed(left))[1][0]
        two = self.gru(self.embed(right.flip(1) if self.mistake == "flip" else right))[1][0]
        parts = [one - two if self.mistake == "difference" else torch.abs(one - two), one * two]
        return torch.sigmoid(self.out(torch.cat(parts[::-1] if self.mistake == "order" else parts, -1)))


def translator() -> Any:
    """An encoder whose states start a decoder."""
    source, target = (L.Input((time, 4), name=name) for name, time in (("source", 7), ("target", 5)))
    _, h, c = L.LSTM(6, return_state=True, name="encoder")(source)
    x = L.LSTM(6, return_sequences=True, name="decoder")(target, initial_state=[h, c])
    return filled(keras.Model([source, target], L.Dense(3, name="words")(x)))


class Translator(nn.Module):
    """The port of `translator`."""

    def __init__(self, model: Any, mistake: str = "") -> None:
        super().__init__()
        self.mistake = mistake
        self.encoder, self.decoder = nn.LSTM(4, 6, batch_first=True), nn.LSTM(4, 6, batch_first=True)
        self.out = nn.Linear(6, 3)
        copy_weights(model.get_layer("encoder"), self.encoder)
        copy_weights(model.get_layer("decoder"), self.decoder)
        lay_dense(self.out, model.get_layer("words"))

    def forward(self, source: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        _, (h, c) = self.encoder(source)
        states = {"exchanged": (c, h), "forgotten": None}.get(self.mistake, (h, c))
        return self.out(self.decoder(target, states)[0])  # type: ignore[no-any-return]  # a module returns Any


MODELS: dict[str, tuple[Any, Any]] = {
    "tagger": (tagger, Tagger),
    "convolutions": (convolutions, Convolutions),
    "siamese": (siamese, Siamese),
    "translator": (translator, Translator),
}
