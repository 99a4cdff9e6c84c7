"""Ports whose weights are right and whose call is wrong, written as porters write them, each beside the right call.

A case is the identifier, the right Keras layer, the torch module with its weights, the wrong call, the right one, and
what both are called with. The frameworks compute all numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from gatewise import copy_weights, emulate

LAYERS = keras.layers
BATCH, TIME, INPUT, HIDDEN = 4, 7, 3, 5
LENGTHS = np.array([7, 3, 5, 2])
RIGHT_PADDED = np.arange(TIME) < LENGTHS[:, None]
LEFT_PADDED = np.ascontiguousarray(RIGHT_PADDED[:, ::-1])
X = np.random.default_rng(2).normal(size=(BATCH, TIME, INPUT)).astype("float32")
STATES = [np.random.default_rng(seed).normal(size=(BATCH, HIDDEN)).astype("float32") for seed in range(4)]


class Port(nn.Module):
    """A module that holds the recurrent one, and calls it in a porter's way."""

    def __init__(self, rnn: Any, call: Callable[..., Any]) -> None:
        super().__init__()
        self.rnn = rnn
        self._call = call

    def forward(self, x: torch.Tensor, **given: Any) -> Any:
        return self._call(self.rnn, x, **given)


@dataclass(frozen=True)
class WrongCall:
    """A wrong call beside the right one."""

    mistake: str
    layer: Any
    module: Any
    wrong: Callable[..., Any]
    right: Callable[..., Any]
    given: dict[str, Any] = field(default_factory=dict)
    where: dict[str, Any] = field(default_factory=dict)


def filled(layer: Any) -> Any:
    """Build a Keras layer, and fill its weights with random numbers."""
    layer.build((BATCH, TIME, INPUT))
    rng = np.random.default_rng(0)
    layer.set_weights([rng.normal(0, 0.6, weight.shape) for weight in layer.get_weights()])
    return layer


def lstm(**options: Any) -> tuple[Any, Any]:
    """Return a Keras LSTM and the nn.LSTM of its weights."""
    layer, module = filled(LAYERS.LSTM(HIDDEN, **options)), nn.LSTM(INPUT, HIDDEN, batch_first=True)
    copy_weights(layer, module)
    return layer, module


def two(merge_mode: str | None = "concat", **options: Any) -> tuple[Any, Any]:
    """Return a Bidirectional of a Keras LSTM and the nn.LSTM of its weights."""
    layer = filled(LAYERS.Bidirectional(LAYERS.LSTM(HIDDEN, **options), merge_mode=merge_mode))
    module = nn.LSTM(INPUT, HIDDEN, batch_first=True, bidirectional=True)
    copy_weights(layer, module)
    return layer, module


def packed(rnn: Any, x: torch.Tensor, mask: torch.Tensor) -> Any:
    """Return what a module returns for packed rows."""
    output, states = rnn(pack_padded_sequence(x, mask.sum(1), batch_first=True, enforce_sorted=False))
    return pad_packed_sequence(output, batch_first=True, total_length=x.shape[1])[0], states


def _halves(rnn: Any, x: torch.Tensor) -> Any:
    return rnn(x)[0].chunk(2, -1)


def _all(result: Any) -> list[Any]:
    return [result[0], result[1][0][0], result[1][1][0]]


def _both(result: Any, order: tuple[int, int] = (0, 1)) -> list[Any]:
    return [result[0], *(states[side] for side in order for states in result[1])]


def _pairs(initial_state: Any) -> Any:
    return torch.stack(initial_state[0::2]), torch.stack(initial_state[1::2])


def cases() -> Iterator[WrongCall]:
    """Yield every wrong call."""
    yield from _order()
    yield from _masks()
    yield from _states()
    yield from _results()


def _order() -> Iterator[WrongCall]:
    sequences: dict[str, Any] = {"return_sequences": True}
    layer, module = lstm(**sequences)
    time_first = nn.LSTM(INPUT, HIDDEN)
    time_first.load_state_dict(module.state_dict())

    def right(rnn: Any, x: torch.Tensor) -> Any:
        return rnn(x.transpose(0, 1))[0].transpose(0, 1)

    yield WrongCall("batch-first", layer, time_first, lambda rnn, x: rnn(x)[0], right)
    yield WrongCall("batch-first", layer, time_first, lambda rnn, x: rnn(x.transpose(0, 1))[0], right)
    reshaped: Callable[..., Any] = lambda rnn, x: rnn(x.reshape(TIME, BATCH, -1))[0].transpose(0, 1)  # noqa: E731
    yield WrongCall("batch-first", layer, time_first, reshaped, right)
    layer, module = lstm(**sequences, go_backwards=True)
    yield WrongCall("input-not-flipped", layer, module, lambda rnn, x: rnn(x)[0], lambda rnn, x: rnn(x.flip(1))[0])
    yield WrongCall(
        "output-not-flipped", layer, module, lambda rnn, x: rnn(x.flip(1))[0].flip(1), lambda rnn, x: rnn(x.flip(1))[0]
    )
    layer, module = two(**sequences)
    turned: Callable[..., Any] = lambda rnn, x: torch.cat((_halves(rnn, x)[0], _halves(rnn, x)[1].flip(1)), -1)  # noqa: E731
    yield WrongCall("backward-not-flipped", layer, module, turned, lambda rnn, x: rnn(x)[0])


def _masks() -> Iterator[WrongCall]:
    layer, module = lstm(return_sequences=True)
    emulated = emulate(layer)

    def right(rnn: Any, x: torch.Tensor, mask: torch.Tensor) -> Any:
        return rnn(x, mask=mask)

    given = {"mask": RIGHT_PADDED}
    yield WrongCall("mask-ignored", layer, emulated, lambda rnn, x, mask: rnn(x), right, given)
    yield WrongCall("mask-inverted", layer, emulated, lambda rnn, x, mask: rnn(x, mask=~mask), right, given)
    lengths: Callable[..., Any] = lambda rnn, x, mask: rnn(x, mask=torch.arange(TIME) < mask.sum(1)[:, None])  # noqa: E731
    yield WrongCall("mask-read-as-lengths", layer, emulated, lengths, right, {"mask": LEFT_PADDED})
    zeros: Callable[..., Any] = lambda rnn, x, mask: rnn(x, mask=mask) * mask[..., None]  # noqa: E731
    yield WrongCall("masked-steps-shown-otherwise", layer, emulated, zeros, right, given)
    layer, module = two(return_sequences=True)

    def forward_alone(rnn: Any, x: torch.Tensor, mask: torch.Tensor) -> Any:
        return torch.cat((packed(rnn, x, mask)[0].chunk(2, -1)[0], _halves(rnn, x)[1]), -1)

    yield WrongCall("mask-ignored-backwards", layer, module, forward_alone, lambda rnn, x, mask: packed(rnn, x, mask)[0], given)


def _states() -> Iterator[WrongCall]:
    layer, module = lstm(return_sequences=True, return_state=True)

    def right(rnn: Any, x: torch.Tensor, initial_state: Any) -> Any:
        return _all(rnn(x, (initial_state[0][None], initial_state[1][None])))

    def swapped(rnn: Any, x: torch.Tensor, initial_state: Any) -> Any:
        return _all(rnn(x, (initial_state[1][None], initial_state[0][None])))

    given = {"initial_state": STATES[:2]}
    yield WrongCall("state-forgotten", layer, module, lambda rnn, x, initial_state: _all(rnn(x)), right, given)
    yield WrongCall("states-swapped", layer, module, swapped, right, given)
    exchanged: Callable[..., Any] = lambda rnn, x: [_all(rnn(x))[at] for at in (0, 2, 1)]  # noqa: E731
    yield WrongCall("states-swapped", layer, module, exchanged, lambda rnn, x: _all(rnn(x)))
    layer, module = two(return_sequences=True, return_state=True)

    def of_the_other(rnn: Any, x: torch.Tensor, initial_state: Any) -> Any:
        return _both(rnn(x, tuple(each.flip(0) for each in _pairs(initial_state))))

    right_two: Callable[..., Any] = lambda rnn, x, initial_state: _both(rnn(x, _pairs(initial_state)))  # noqa: E731
    yield WrongCall("state-directions-swapped", layer, module, of_the_other, right_two, {"initial_state": STATES})
    back_first: Callable[..., Any] = lambda rnn, x: _both(rnn(x), (1, 0))  # noqa: E731
    yield WrongCall("state-directions-swapped", layer, module, back_first, lambda rnn, x: _both(rnn(x)))


def _results() -> Iterator[WrongCall]:
    layer, module = two(return_sequences=True)
    right: Callable[..., Any] = lambda rnn, x: rnn(x)[0]  # noqa: E731
    swapped: Callable[..., Any] = lambda rnn, x: torch.cat(_halves(rnn, x)[::-1], -1)  # noqa: E731
    yield WrongCall("halves-swapped", layer, module, swapped, right)
    interleaved: Callable[..., Any] = lambda rnn, x: torch.stack(_halves(rnn, x), -1).flatten(-2)  # noqa: E731
    yield WrongCall("halves-interleaved", layer, module, interleaved, right)
    layer, module = two("ave", return_sequences=True)
    total, mean = (lambda rnn, x: sum(_halves(rnn, x))), (lambda rnn, x: sum(_halves(rnn, x)) / 2)
    yield WrongCall("merge-mode", layer, module, total, mean)
    layer, module = two()
    joined: Callable[..., Any] = lambda rnn, x: torch.cat(tuple(rnn(x)[1][0]), -1)  # noqa: E731
    yield WrongCall("wrong-result", layer, module, lambda rnn, x: rnn(x)[0][:, -1], joined)
    yield WrongCall("wrong-result", layer, module, lambda rnn, x: rnn(x)[1][0].reshape(BATCH, -1), joined)
    layer, module = lstm()
    given = {"mask": RIGHT_PADDED}
    last: Callable[..., Any] = lambda rnn, x, mask: packed(rnn, x, mask)[1][0][0]  # noqa: E731
    of_padding: Callable[..., Any] = lambda rnn, x, mask: packed(rnn, x, mask)[0][:, -1]  # noqa: E731
    yield WrongCall("wrong-result", layer, module, of_padding, last, given)

    def unsorted(rnn: Any, x: torch.Tensor, mask: torch.Tensor) -> Any:
        lengths, order = mask.sum(1).sort(descending=True)
        return rnn(pack_padded_sequence(x[order], lengths, batch_first=True))[1][0][0]

    yield WrongCall("wrong-result", layer, module, unsorted, last, given, {"rows": "1, 2"})
    yield WrongCall("scaled", layer, module, lambda rnn, x: rnn(x)[1][0][0] * 0.5, lambda rnn, x: rnn(x)[1][0][0])
