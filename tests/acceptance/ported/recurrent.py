"""Draw recurrent layers with every option, mask and state, and compare their ports with Keras 3 or tf_keras.

    python -m tests.acceptance.ported.recurrent keras                        a minute of draws
    python -m tests.acceptance.ported.recurrent tf_keras --padding end
    python -m tests.acceptance.ported.recurrent keras --import --seed 1000 --seconds 600

Rows are right-padded, left-padded, holed, empty, full, and masked in their first or last step. Stateful layers are called
twice.
The exit status is 1 if a port computes something else.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from random import Random
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

_BATCH, _TIME, _INPUT, _HIDDEN = 7, 6, 3, 4
_KINDS = ("SimpleRNN", "LSTM", "GRU")
_ACTIVATIONS = ("linear", "tanh", "sigmoid", "hard_sigmoid", "relu", "elu", "selu", "softplus", "softsign", "swish", "gelu")
_GATES = ("sigmoid", "hard_sigmoid", "relu", "softsign", "linear", "swish")
_DTYPE = {"dtype": "float64"}
_TOLERANCE = 1e-5
"""Keras computes some constants, and what passes between the cells of a list, in float32."""


class Drawing:
    """One drawn model of a library.

    Args:
        number: the number of the draw.
        library: keras or tf_keras.
    """

    def __init__(self, number: int, library: Any) -> None:
        """Draw the model."""
        self.random, self.keras = Random(f"{number} {library.__name__}"), library
        self.stateful = self._chance(0.25)
        fixed: dict[str, Any] = {"batch_size": _BATCH} if self.stateful else {}
        x = library.Input((_TIME, _INPUT), **_DTYPE, **fixed)
        masked = library.layers.Masking(**_DTYPE)(x)
        states = [library.Input((_HIDDEN,), **_DTYPE, **fixed) for _ in range(4)]
        self.layers: list[Any] = []
        self.names: list[str] = []
        outputs: list[Any] = []
        for _ in range(2):
            layer, count = self._layer()
            has_mask, starts = self._chance(0.7), count is not None and self._chance(0.35)
            given: dict[str, Any] = {"initial_state": states[:count]} if starts else {}
            if starts and has_mask and library.__name__ == "keras":
                given["mask"] = masked._keras_mask
            results = list(_flat(layer(masked if has_mask else x, **given)))
            read = [at for at in range(len(results)) if self._chance(0.7)] or [0]
            outputs += [results[at] for at in read]
            self.names += [f"{layer.get_config()}, masked: {has_mask}, states: {starts}, result {at}" for at in read]
            self.layers.append(layer)
        self.model = library.Model([x, *states], outputs)
        rng = np.random.default_rng(5)
        self.model.set_weights([rng.normal(0, 0.5, each.shape) for each in self.model.get_weights()])

    def _chance(self, share: float) -> bool:
        return self.random.random() < share

    def _cell(self, kind: str) -> dict[str, Any]:
        options: dict[str, Any] = dict(_DTYPE)
        gated: dict[str, Any] = {} if kind == "SimpleRNN" else {"recurrent_activation": self.random.choice(_GATES)}
        gated |= {"GRU": {"reset_after": self._chance(0.5)}, "LSTM": {"unit_forget_bias": False}}.get(kind, {})
        stated = {"activation": self.random.choice(_ACTIVATIONS), "use_bias": False, "dropout": 0.3, "recurrent_dropout": 0.3}
        return options | {name: value for name, value in (stated | gated).items() if self._chance(0.4)}

    def _call(self, *, shared: dict[str, Any] | None = None, backwards: bool | None = None) -> dict[str, Any]:
        drawn = {"return_sequences": self._chance(0.5), "return_state": self._chance(0.4)}
        drawn = shared or drawn
        drawn["go_backwards"] = self._chance(0.3) if backwards is None else backwards
        stated = {"zero_output_for_mask": self._chance(0.3), "unroll": self._chance(0.15), "stateful": self.stateful}
        return drawn | {name: True for name, value in stated.items() if value}

    def _half(self, **how: Any) -> tuple[Any, int | None]:
        """Return a layer of one direction, and its number of states of `_HIDDEN` units; None if they are others."""
        call = self._call(**how)
        if self._chance(0.7):
            kind = self.random.choice(_KINDS)
            return getattr(self.keras.layers, kind)(_HIDDEN, **self._cell(kind), **call), 1 + (kind == "LSTM")
        kinds = [self.random.choice(_KINDS) for _ in range(2)]
        cells = [getattr(self.keras.layers, f"{kind}Cell")(self.random.choice((2, 4)), **self._cell(kind)) for kind in kinds]
        return self.keras.layers.RNN(self.keras.layers.StackedRNNCells(cells, **_DTYPE), **_DTYPE, **call), None

    def _layer(self) -> tuple[Any, int | None]:
        if self._chance(0.6):
            return self._half()
        shared = {"return_sequences": self._chance(0.5), "return_state": self._chance(0.4)}
        back = self._chance(0.15)
        forward, count = self._half(shared=dict(shared), backwards=back)
        other, counts = {}, [count, count]
        if self._chance(0.4):
            backward, counted = self._half(shared=dict(shared), backwards=not back)
            if (count is None) == (counted is None):
                other, counts = {"backward_layer": backward}, [count, counted]
        merge = self.random.choice(("concat", "sum", "mul", "ave", None))
        layer = self.keras.layers.Bidirectional(forward, merge_mode=merge, **other, **_DTYPE)
        return layer, None if count is None else sum(filter(None, counts))

    def reset(self) -> None:
        """Forget the states of stateful layers."""
        for layer in self.layers if self.stateful else ():
            layer.reset_states()


def _flat(value: Any) -> Iterator[Any]:
    if isinstance(value, (list, tuple)):
        for each in value:
            yield from _flat(each)
    else:
        yield value


def _inputs(*, holes: bool) -> list[Array]:
    rng = np.random.default_rng(3)
    x = rng.normal(size=(_BATCH, _TIME, _INPUT))
    x[0, 3:] = x[3] = x[4, 1:] = 0
    if holes:
        x[1, :2] = x[2, [0, 2, 4]] = x[5, 0] = x[6, [1, 5]] = 0
    return [x, *(rng.normal(size=(_BATCH, _HIDDEN)) for _ in range(4))]


def judge(number: int, library: Any, *, padding: Any, imports: bool) -> Iterator[str]:
    """Yield what is wrong with the port of one draw."""
    import torch

    from frameworks.models import port_model

    library.backend.clear_session()
    try:
        drawn, arguments = Drawing(number, library), _inputs(holes=padding == "any")
        drawn.model(arguments)
    except Exception:  # noqa: BLE001  the library's own, of a layer that it cannot call: the next is drawn
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / ("model.keras" if library.__name__ == "keras" else "model.h5")
        drawn.model.save(path)
        port = port_model(path, padding=padding, imports_gatewise=imports)
    drawn.reset()
    for call in range(1 + drawn.stateful):
        expected = [np.asarray(each) for each in _flat(drawn.model(arguments))]
        actual = [each.detach().numpy() for each in _flat(port(*map(torch.from_numpy, arguments)))]
        for name, one, other in zip(drawn.names, expected, actual, strict=True):
            if one.shape != other.shape:
                yield f"draw {number}, call {call}: shape {other.shape} instead of {one.shape}: {name}"
            elif np.isfinite(one).all() and not np.abs(one - other).max() <= _TOLERANCE * max(1, np.abs(one).max()):
                yield f"draw {number}, call {call}: {np.abs(one - other).max():.1e} off: {name}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run draws for some time; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.acceptance.ported.recurrent", description=__doc__)
    parser.add_argument("library", choices=("keras", "tf_keras"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--padding", choices=("any", "end"), default="any")
    parser.add_argument("--import", dest="imports", action="store_true")
    given = parser.parse_args(arguments)
    warnings.simplefilter("ignore")
    library, began = import_module(given.library), time.monotonic()
    number, wrong = given.seed, 0
    while time.monotonic() - began < given.seconds:
        for line in judge(number, library, padding=given.padding, imports=given.imports):
            wrong += 1
            sys.stdout.write(f"{line}\n")
        number += 1
    sys.stdout.write(f"{number - given.seed} models of {given.library}: {wrong} wrong results\n")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
