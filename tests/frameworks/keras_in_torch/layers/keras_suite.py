"""Run the tests of recurrent layers that ship inside the keras package, and repeat every layer call on its emulation.

    python keras_suite.py RESULTS.json

Compared are the calls that a test itself makes of a built-in layer, but not calls inside another layer or symbolic ones. Calls
that are refused or that draw random numbers are counted by reason. Training runs of Keras's tests are left out: in their graphs
no call has values to compare.
"""

from __future__ import annotations

import functools
import json
import os
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import torch
from keras.src import backend, testing

from frameworks import GatewiseError, emulate

SUITES = ("simple_rnn", "lstm", "gru", "rnn", "stacked_rnn_cells", "bidirectional", "dropout_rnn_cell")
TOLERANCES = {"float64": 1e-5, "float32": 1e-5, "float16": 4e-3, "bfloat16": 3e-2}
"""For float64 too: a wrapper without its own dtype computes in float32, and so do Keras's other backends."""


class Watch:
    """The outcome of all calls; with `spoil` the emulations get other weights and must not agree."""

    def __init__(self, *, spoil: bool = False) -> None:
        """Begin without calls."""
        self.spoil = spoil
        self.counts: Counter[str] = Counter()
        self.reasons: Counter[str] = Counter()
        self.wrong: list[str] = []
        self.inside = False

    def around(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """Return a layer's `__call__` that compares with the emulation before it returns."""

        @functools.wraps(call)
        def watched(layer: Any, sequences: Any, *args: Any, **how: Any) -> Any:
            if self.inside or args or not is_eager([sequences, how]):
                return call(layer, sequences, *args, **how)
            self.inside = True
            try:
                # A call changes a stateful layer, so the emulation is made before, once the layer has weights.
                module = self.emulation(layer) if layer.built else None
                returned = call(layer, sequences, **how)
                if module is None:
                    module = self.emulation(layer)
                    if module is not None and layer.stateful:
                        module.reset_state()
                if module is not None:
                    self.compare(layer, module, sequences, how, returned)
            finally:
                self.inside = False
            return returned

        return watched

    def emulation(self, layer: Any) -> Any:
        """Return the emulation; None if it is refused, and count the reason."""
        try:
            module = emulate(layer)
        except GatewiseError as error:
            self.counts["refused"] += 1
            self.reasons[str(error)] += 1
            return None
        for parameter in module.parameters() if self.spoil else ():
            parameter.data.add_(0.1)
        return module

    def compare(self, layer: Any, module: Any, sequences: Any, how: dict[str, Any], returned: Any) -> None:
        """Call the emulation as the layer was called, and compare the results."""
        options = module.options
        if how.get("training") and (options.dropout or options.recurrent_dropout):
            self.counts["random"] += 1
            return
        self.counts["compared"] += 1
        mask = how.get("mask", backend.get_keras_mask(sequences))
        with torch.no_grad():
            actual = module(
                to_torch(sequences),
                initial_state=mapped(to_torch, how.get("initial_state")),
                mask=None if mask is None else to_torch(mask).bool(),
                training=False,
            )
        expected = mapped(backend.convert_to_numpy, returned)
        if agree(expected, mapped(lambda tensor: tensor.float().numpy(), actual), TOLERANCES[layer.compute_dtype]):
            self.counts["agreed"] += 1
        else:
            self.wrong.append(f"{layer.get_config()} called with {list(how)}")


def is_eager(nest: Any) -> bool:
    """Return whether all tensors have values."""
    return all(
        leaf is None
        or isinstance(leaf, (bool, int, float, str, np.ndarray))
        or (backend.is_tensor(leaf) and not backend.is_keras_tensor(leaf) and hasattr(leaf, "numpy"))
        for leaf in keras.tree.flatten(nest)
    )


def mapped(function: Callable[[Any], Any], nest: Any) -> Any:
    """Apply a function to every leaf of lists and tuples that is not None."""
    if isinstance(nest, (list, tuple)):
        return type(nest)(mapped(function, entry) for entry in nest)
    return None if nest is None else function(nest)


def to_torch(tensor: Any) -> torch.Tensor:
    """Copy a tensor of Keras's backend, or an array."""
    return torch.from_numpy(np.array(backend.convert_to_numpy(tensor)))


def agree(expected: Any, actual: Any, tolerance: float) -> bool:
    """Return whether two nests have the same nesting and close values."""
    if isinstance(expected, (list, tuple)):
        alike = type(expected) is type(actual) and len(expected) == len(actual)
        return alike and all(agree(one, other, tolerance) for one, other in zip(expected, actual, strict=True))
    if expected.shape != actual.shape:
        return False
    scale = max(1.0, float(np.abs(expected.astype(np.float64)).max(initial=0)))
    return bool(np.all(np.abs(expected.astype(np.float64) - actual) <= tolerance * scale))


def run(watch: Watch, suites: Sequence[str]) -> dict[str, Any]:
    """Run some of the test modules with every call watched."""
    kinds = (keras.layers.RNN, keras.layers.Bidirectional)
    with pytest.MonkeyPatch.context() as patch:
        for kind in kinds:
            patch.setattr(kind, "__call__", watch.around(kind.__call__))
        run_layer_test = functools.partialmethod(testing.TestCase.run_layer_test, run_training_check=False)
        patch.setattr(testing.TestCase, "run_layer_test", run_layer_test)
        names = [f"keras.src.layers.rnn.{suite}_test" for suite in suites]
        status = pytest.main(["-q", "-p", "no:cacheprovider", "-c", os.devnull, "--pyargs", *names])
    return {**watch.counts, "reasons": watch.reasons, "wrong": watch.wrong, "status": int(status)}


def main(results: str) -> None:
    """Run the tests, and one module of them again with spoilt emulations; write the results as JSON."""
    outcome = {"suite": run(Watch(), SUITES), "control": run(Watch(spoil=True), ["simple_rnn"])}
    Path(results).write_text(json.dumps(outcome), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
