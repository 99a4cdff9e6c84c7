"""Gates as in Keras, the backward direction's biases added, and the halves of the output exchanged."""

import keras
import numpy as np
import torch

MISTAKES = ("gates-permuted", "biases-summed", "halves-swapped")
WHERE = {"biases-summed": {"direction": 1, "part": "bias"}}


def right(seed):
    layer = keras.layers.Bidirectional(keras.layers.GRU(5, return_sequences=True))
    layer.build((None, None, 4))
    rng = np.random.default_rng(seed)
    layer.set_weights([rng.normal(0, 0.5, array.shape) for array in layer.get_weights()])
    return layer


def call(seed):
    rng = np.random.default_rng(seed)
    return {"inputs": rng.normal(size=(3, 7, 4)).astype("float32")}


def wrong(layer):
    def load(one, suffix, summed):
        k, u, b = (np.concatenate([a[..., i * 5 : i * 5 + 5] for i in (0, 1, 2)], -1) for a in one.get_weights())
        b = np.stack([b.sum(0), 0 * b[0]]) if summed else b
        arrays = {"weight_ih": k.T, "weight_hh": u.T, "bias_ih": b[0], "bias_hh": b[1]}
        rnn.load_state_dict({f"{name}_l0{suffix}": torch.tensor(a) for name, a in arrays.items()}, strict=False)

    rnn = torch.nn.GRU(4, 5, batch_first=True, bidirectional=True)
    load(layer.forward_layer, "", summed=False)
    load(layer.backward_layer, "_reverse", summed=True)

    def port(x):
        forward, backward = rnn(x)[0].chunk(2, dim=-1)
        return torch.cat((backward, forward), dim=-1)

    return port


def correct(layer):
    def load(one, suffix, summed):
        k, u, b = (np.concatenate([a[..., i * 5 : i * 5 + 5] for i in (1, 0, 2)], -1) for a in one.get_weights())
        b = np.stack([b.sum(0), 0 * b[0]]) if summed else b
        arrays = {"weight_ih": k.T, "weight_hh": u.T, "bias_ih": b[0], "bias_hh": b[1]}
        rnn.load_state_dict({f"{name}_l0{suffix}": torch.tensor(a) for name, a in arrays.items()}, strict=False)

    rnn = torch.nn.GRU(4, 5, batch_first=True, bidirectional=True)
    load(layer.forward_layer, "", summed=False)
    load(layer.backward_layer, "_reverse", summed=False)

    def port(x):
        forward, backward = rnn(x)[0].chunk(2, dim=-1)
        return torch.cat((forward, backward), dim=-1)

    return port
