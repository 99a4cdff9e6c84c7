"""Every argument of every recurrent layer's constructor, read from its signature and tried in the other framework."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from compare.groundwork.tolerance import TOLERANCES
from compare.parity.difference import measure
from compare.report.pages.options.experiment.activations import run_activations, run_dropout
from compare.report.pages.options.experiment.keras import KerasTrials
from compare.report.pages.options.experiment.pytorch import PyTorchTrials
from compare.report.pages.options.experiment.signatures import read_options
from compare.report.pages.options.experiment.trials import Outcome, Trials, as_said
from compare.report.results import Results, control, exact, measured
from compare.report.snippets import run_snippet
from frameworks.counterparts import OPTIONS, Fate

CLASSES: dict[str, tuple[str, ...]] = {
    "keras": ("LSTM", "GRU", "SimpleRNN", "LSTMCell", "GRUCell", "SimpleRNNCell", "RNN", "StackedRNNCells", "Bidirectional"),
    "pytorch": ("LSTM", "GRU", "RNN", "LSTMCell", "GRUCell", "RNNCell"),
}
CODE = """\
import keras
import numpy as np
from frameworks.emulation.pytorch import KerasLSTM
from gatewise import GatewiseError, convert, emulate

x = np.random.default_rng(0).normal(size=(3, 4, 5)).astype("float32")     # (batch, time, input)
options = {"return_sequences": True, "go_backwards": True, "recurrent_activation": "hard_sigmoid"}
layer = keras.layers.LSTM(4, **options)
layer.build(x.shape)

try:
    convert(layer, to="pytorch")                    # nn.LSTM cannot do this
except GatewiseError as error:
    refusal = str(error)

rnn = emulate(layer, to="pytorch")                  # a module with the layer's weights

written = KerasLSTM(4, **options, input_size=5)     # or constructed directly, with Keras's arguments
written.load_state_dict(rnn.state_dict())
"""

_MAKE_THEIR_CELL = ("LSTM", "GRU", "SimpleRNN")
"""The Keras layers that make the cell for their base class, RNN."""


def run(progress: Callable[[str], None]) -> Results:
    """Try every argument of both frameworks' layers on `convert` and on `emulate`."""
    progress("activations and dropout")
    results: dict[str, Any] = {"code": run_code(), "activations": run_activations(), "dropout": run_dropout()}
    makers: dict[str, Callable[[], Trials]] = {"keras": KerasTrials, "pytorch": PyTorchTrials}
    for framework, make in makers.items():
        progress(f"the constructors of {framework}")
        trials = make()
        results[framework] = run_framework(trials, framework, {name: trials.kind(name) for name in CLASSES[framework]})
    return results


def run_code() -> Results:
    """Run the example of the page, and compare both modules that it makes with the layer."""
    import keras
    import torch

    keras.utils.set_random_seed(0)
    _, names = run_snippet(CODE)
    expected = np.asarray(names["layer"](names["x"]))
    given = torch.from_numpy(names["x"])
    errors = {name: measure(expected, names[name](given).detach().numpy()).max_abs for name in ("rnn", "written")}
    refused = exact(names["refusal"])
    return {"code": exact(CODE), "refusal": refused, **{name: measured(error, 1e-5) for name, error in errors.items()}}


def run_framework(trials: Trials, framework: str, kinds: Mapping[str, type]) -> Results:
    """Try every argument of some classes' constructors, and name the arguments in the table that no constructor accepts.

    Args:
        trials: the trials of the arguments.
        framework: the framework of the classes.
        kinds: the classes by name; their signatures are read.
    """
    defaults: dict[str, dict[str, str]] = {}
    for name, kind in kinds.items():
        supplied = ("cell",) if framework == "keras" and name in _MAKE_THEIR_CELL else ()
        for argument, default in read_options(kind, supplied).items():
            defaults.setdefault(argument, {})[name] = default
    known = OPTIONS[framework]
    arguments: dict[str, Any] = {}
    for place, (argument, owners) in enumerate(defaults.items()):
        fates = known.get(argument, ())
        arguments[argument] = {
            "defaults": exact(owners),
            "mapped": exact(bool(fates)),
            "fates": {
                str(index): _try_fate(trials, argument, index, fate, list(owners), place) for index, fate in enumerate(fates)
            },
        }
    return {"arguments": arguments, "stale": {argument: exact(value=False) for argument in known if argument not in defaults}}


def _try_fate(trials: Trials, argument: str, index: int, fate: Fate, owners: Sequence[str], place: int) -> Results:
    tried = {name: _described(fate, trials.run(name, argument, index)) for name in _choose(owners, place + index)}
    written = {name: trials.can_be_written(name, argument, index) for name in owners}
    return {
        "fate": exact(fate.name),
        "values": exact(fate.values),
        "there": exact(fate.there),
        "tried": tried,
        "written": exact({name: taken for name, taken in written.items() if taken is not None}),
    }


def _choose(owners: Sequence[str], turn: int) -> Iterator[str]:
    """Yield one layer and one cell that have an argument, taking turns from argument to argument."""
    for group in ([name for name in owners if name.endswith("Cell") is cell] for cell in (False, True)):
        if group:
            yield group[turn % len(group)]


def _described(fate: Fate, outcome: Outcome) -> Results:
    described: dict[str, Any] = {"as said": exact(as_said(fate.name, outcome)), **outcome.ways}
    if outcome.effect is not None:
        silent = outcome.effect <= TOLERANCES["float32"]
        described["effect"] = measured(outcome.effect, TOLERANCES["float32"]) if silent else control(outcome.effect)
    return described
