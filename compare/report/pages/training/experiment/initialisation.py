"""The initial weights of each framework's layers, and the effect of the difference on the first hundred training steps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from compare.report.pages.training.experiment.classifier import Classifier
from compare.report.results import Results, Value, control, environment, exact, measured
from frameworks import copy_weights, initialise_like_keras, initialise_like_pytorch

Array = npt.NDArray[np.floating]
Weights = dict[str, Array]

STEPS, SEEDS = 100, 2
_INPUT, _UNITS, _WORDS = 32, 128, 1000
_STARTS = ("keras", "pytorch", "initialise_like_keras", "initialise_like_pytorch")
DRAWN: dict[str, dict[str, tuple[str, str]]] = {
    "lstm": {
        "kernel": ("Glorot uniform over all gates", "uniform within 1 / sqrt(hidden)"),
        "recurrent_kernel": ("one orthogonal matrix over all gates", "uniform within 1 / sqrt(hidden)"),
        "bias": ("0, but 1 for the forget gate", "the sum of two, each uniform within 1 / sqrt(hidden)"),
    },
    "gru": {
        "kernel": ("Glorot uniform over all gates", "uniform within 1 / sqrt(hidden)"),
        "recurrent_kernel": ("one orthogonal matrix over all gates", "uniform within 1 / sqrt(hidden)"),
        "bias": ("0, both rows", "uniform within 1 / sqrt(hidden), both rows"),
    },
    "rnn": {
        "kernel": ("Glorot uniform", "uniform within 1 / sqrt(hidden)"),
        "recurrent_kernel": ("orthogonal", "uniform within 1 / sqrt(hidden)"),
        "bias": ("0", "the sum of two, each uniform within 1 / sqrt(hidden)"),
    },
    "dense": {
        "kernel": ("Glorot uniform", "uniform within 1 / sqrt(inputs)"),
        "bias": ("0", "uniform within 1 / sqrt(inputs)"),
    },
    "embedding": {"embeddings": ("uniform within 0.05", "normal, deviation 1")},
}
"""The distribution of each weight in Keras and torch, in Keras's layout, where an LSTM and an RNN have one bias."""


def run(progress: Callable[[str], None]) -> Results:
    """Measure the initial weights, then train from each start."""
    results: dict[str, Any] = {"weights": {}}
    for layer, weights in DRAWN.items():
        progress(f"the initial weights of {layer}")
        starts = _starts(layer)
        results["weights"][layer] = {name: _compared(name, drawn, starts) for name, drawn in weights.items()}
    progress(f"{STEPS} steps from {SEEDS} seeds of each start")
    results["training"] = _train()
    return results


def _starts(layer: str) -> dict[str, Weights]:
    """Draw the weights of a layer in each of the four ways, all in Keras's layout."""
    import keras
    import torch

    keras.utils.set_random_seed(7)
    torch.manual_seed(7)
    kinds, nn = keras.layers, torch.nn
    make: dict[str, tuple[Callable[[], Any], Callable[[], Any]]] = {
        "lstm": (lambda: kinds.LSTM(_UNITS), lambda: nn.LSTM(_INPUT, _UNITS)),
        "gru": (lambda: kinds.GRU(_UNITS), lambda: nn.GRU(_INPUT, _UNITS)),
        "rnn": (lambda: kinds.SimpleRNN(_UNITS), lambda: nn.RNN(_INPUT, _UNITS)),
        "dense": (lambda: kinds.Dense(_UNITS), lambda: nn.Linear(_INPUT, _UNITS)),
        "embedding": (lambda: kinds.Embedding(_WORDS, _UNITS), lambda: nn.Embedding(_WORDS, _UNITS)),
    }
    made: list[tuple[Any, Any]] = []
    for _ in range(2):
        native, module = (function() for function in make[layer])
        native.build((None, _INPUT) if layer == "dense" else (None, None, _INPUT))
        made.append((native, module))
    (native, module), (other_native, other_module) = made
    starts = {"keras": _named(native)}
    # Other seeds than above, since the generators are the same.
    initialise_like_keras(other_module, seed=8)
    initialise_like_pytorch(other_native, seed=8)
    starts["initialise_like_pytorch"] = _named(other_native)
    for name, source in (("pytorch", module), ("initialise_like_keras", other_module)):
        starts[name] = _named(_copied(source, native))
    return starts


def _copied(module: Any, native: Any) -> Any:
    """Write a torch module's weights into a Keras layer."""
    import torch

    if isinstance(module, torch.nn.RNNBase):
        copy_weights(module, native)
    else:
        arrays = [parameter.detach().numpy() for parameter in module.parameters()]
        native.set_weights([array.T if isinstance(module, torch.nn.Linear) else array for array in arrays])
    return native


def _named(native: Any) -> Weights:
    return {variable.name: np.array(array) for variable, array in zip(native.weights, native.get_weights(), strict=True)}


def _compared(name: str, drawn: tuple[str, str], starts: dict[str, Weights]) -> Results:
    arrays = {start: starts[start][name] for start in _STARTS}
    return {
        "drawn": {"keras": exact(drawn[0]), "pytorch": exact(drawn[1])},
        "statistics": {start: environment(_statistics(name, array)) for start, array in arrays.items()},
        "initialise_like_keras": _gap(arrays["keras"], arrays["initialise_like_keras"]),
        "initialise_like_pytorch": _gap(arrays["pytorch"], arrays["initialise_like_pytorch"]),
        "the frameworks' own": control(_distance(arrays["keras"], arrays["pytorch"])),
    }


def _statistics(name: str, array: Array) -> dict[str, float]:
    statistics = {"min": array.min(), "max": array.max(), "std": array.std()}
    if name == "recurrent_kernel":
        statistics["orthogonality"] = np.abs(array @ array.T - np.eye(len(array))).max()
    return {each: float(f"{value:.3g}") for each, value in statistics.items()}


def _gap(one: Array, other: Array) -> Value:
    """Return the distance of two samples; of pairs from the same distribution, one in a thousand exceeds the limit."""
    return measured(_distance(one, other), 1.95 * (1 / one.size + 1 / other.size) ** 0.5)


def _distance(one: Array, other: Array) -> float:
    """Return the largest distance between the distribution functions of two samples (Kolmogorov and Smirnov)."""
    every = np.concatenate([one.ravel(), other.ravel()])
    shares = [np.searchsorted(np.sort(sample, axis=None), every, side="right") / sample.size for sample in (one, other)]
    return float(np.abs(shares[0] - shares[1]).max())


def _train() -> Results:
    losses = {start: np.array(course) for start, course in Classifier(STEPS, SEEDS).train().items()}
    means = {start: float(course.mean()) for start, course in losses.items()}
    between = abs(means["pytorch"] - means["keras"])
    return {
        "steps": exact(STEPS),
        "seeds": exact(SEEDS),
        "code": {"keras": exact(Classifier.KERAS), "pytorch": exact(Classifier.PYTORCH)},
        "loss by step": {start: environment(_course(course)) for start, course in losses.items()},
        "mean loss": {start: environment(round(mean, 3)) for start, mean in means.items()},
        "loss ratio": control(means["pytorch"] / means["keras"]),
        # As shares of the distance between the frameworks' own starts.
        "initialise_like_keras": measured(abs(means["initialise_like_keras"] - means["keras"]) / between, 0.5),
        "initialise_like_pytorch": measured(abs(means["initialise_like_pytorch"] - means["pytorch"]) / between, 0.5),
    }


def _course(losses: Array) -> dict[str, list[float]]:
    """Return the mean, least and greatest loss at each step, from losses (seed, step)."""
    kinds: Sequence[tuple[str, Array]] = (
        ("mean", losses.mean(axis=0)),
        ("least", losses.min(axis=0)),
        ("greatest", losses.max(axis=0)),
    )
    return {name: [round(float(value), 4) for value in course] for name, course in kinds}
