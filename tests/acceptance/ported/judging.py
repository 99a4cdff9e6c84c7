"""What the ports of one drawn model compute, beside what the model computes."""

from __future__ import annotations

import contextlib
import io
import sys
import tempfile
import time
import types
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import numpy.typing as npt

from compare.cli import main
from frameworks import GatewiseError
from frameworks.models import to_source
from tests.acceptance.ported.drawing import Drawn, draw

Array = npt.NDArray[Any]

FORMS = {"keras": ("live", "model.keras", "model.h5"), "tf_keras": ("model.h5", "model.keras", "folder")}
"""By library: what its models are ported from."""

_TOLERANCE = 3e-5


@dataclass(frozen=True)
class Outcome:
    """What one port of a drawn model came to.

    Args:
        number: the number of the draw.
        library: the library of the model.
        form: what it was ported from.
        to: "torch", or "keras" for a file that today's Keras opens.
        steps: what the model was drawn of.
        verdict: "right", "wrong", "refused" or "raised".
        error: the largest difference, as a part of the largest expected number, if that is above 1.
        text: the message of a refusal or an exception.
        seconds: the time of the port.
    """

    number: int
    library: str
    form: str
    to: str
    steps: tuple[str, ...]
    verdict: str
    error: float
    text: str
    seconds: float


def judge(number: int, library: Any, step: str, seed: int, form: str) -> list[Outcome]:
    """Draw a model with a step, port it, and return an outcome for each target."""
    random = Random(f"{seed} {number} {library.__name__}")
    name = library.__name__
    with tempfile.TemporaryDirectory() as folder:
        drawn, path = _saved(random, library, step, form, Path(folder))
        _reset(drawn.model)
        calls = [(inputs, _results(drawn.model, inputs)) for inputs in drawn.inputs(np.random.default_rng(number))]
        _reset(drawn.model)
        targets: dict[str, Callable[[], Any]] = {"torch": lambda: _in_torch(path or drawn.model)}
        if name == "tf_keras" and path is not None:
            targets["keras"] = lambda: _in_keras(path)
        return [_outcome(number, name, form, to, drawn, calls, port) for to, port in targets.items()]


def _saved(random: Random, library: Any, step: str, form: str, folder: Path) -> tuple[Drawn, Path | None]:
    """Return a drawn model that the library itself can call and save, and its path."""
    for _ in range(20):
        try:
            drawn = draw(random, library, step)
            for inputs in drawn.inputs(np.random.default_rng(0)):
                _results(drawn.model, inputs)
            _reset(drawn.model)
            if form == "live":
                return drawn, None
            path = folder / form
            drawn.model.save(path, **({"save_format": "tf"} if form == "folder" else {}))
        except Exception:  # noqa: BLE001, S112  the library's own, of a model that it cannot run: the next is drawn
            continue
        return drawn, path
    message = f"no model with {step} can be drawn in {library.__name__}"
    raise RuntimeError(message)


def _reset(model: Any) -> None:
    """Set the states of a model's stateful layers to zero."""
    for layer in model.layers:
        if getattr(layer, "stateful", False):
            (layer.reset_state if hasattr(layer, "reset_state") else layer.reset_states)()


def _results(model: Any, inputs: Sequence[Array]) -> list[Array]:
    made = model(inputs[0] if len(inputs) == 1 else list(inputs))
    return [np.asarray(each) for each in (made if isinstance(made, (list, tuple)) else [made])]


def _outcome(
    number: int, library: str, form: str, to: str, drawn: Drawn, calls: Sequence[tuple[Any, Any]], port: Callable[[], Any]
) -> Outcome:
    began, verdict, text, error = time.process_time(), "right", "", 0.0
    try:
        run = port()
        seconds = time.process_time() - began
        errors = [difference(expected, run(inputs)) for inputs, expected in calls]
        error = max(errors)
        verdict = "right" if error <= _TOLERANCE else "wrong"
    except GatewiseError as refusal:
        verdict, text, seconds = "refused", str(refusal), time.process_time() - began
    except Exception as exception:  # noqa: BLE001  whatever a port does wrong is counted
        verdict, text, seconds = "raised", f"{type(exception).__name__}: {exception}", time.process_time() - began
    return Outcome(number, library, form, to, drawn.steps, verdict, error, text[:600], round(seconds, 2))


def difference(expected: Sequence[Array], actual: Sequence[Array]) -> float:
    """Return the largest difference, as a part of the largest expected number if that is above 1.

    What overflows must overflow in the same elements, in the same way; otherwise the difference is infinite.
    """
    if [each.shape for each in expected] != [each.shape for each in actual]:
        return float("inf")
    return max(map(_difference, expected, actual))


def _difference(expected: Array, actual: Array) -> float:
    finite = np.isfinite(expected)
    if not np.array_equal(finite, np.isfinite(actual)) or not np.array_equal(
        expected[~finite], actual[~finite], equal_nan=True
    ):
        return float("inf")
    largest = max(1.0, float(np.abs(expected[finite]).max(initial=0)))
    return float(np.abs(expected[finite] - actual[finite]).max(initial=0)) / largest


def _in_torch(model: Any) -> Callable[[Sequence[Array]], list[Array]]:
    import torch

    with tempfile.TemporaryDirectory() as folder:
        to_source(model, to="pytorch").write(Path(folder) / "ported.py")
        module = types.ModuleType("ported")
        module.__file__ = str(Path(folder) / "ported.py")
        exec(compile(Path(module.__file__).read_text(), module.__file__, "exec"), module.__dict__)  # noqa: S102  what is judged
        sys.modules["ported"] = module
        built = module.build()

    def run(inputs: Sequence[Array]) -> list[Array]:
        with torch.no_grad():
            made = built(*(torch.from_numpy(each) for each in inputs))
        return [each.numpy() for each in (made if isinstance(made, tuple) else (made,))]

    return run


def _in_keras(path: Path) -> Callable[[Sequence[Array]], list[Array]]:
    import keras

    said = io.StringIO()
    with tempfile.TemporaryDirectory() as folder:
        new = Path(folder) / "new.keras"
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
            status = main(["port", str(path), str(new)])
        if status != 0:
            raise GatewiseError(said.getvalue().strip().replace(folder, ""))
        model = keras.saving.load_model(new)
    return lambda inputs: _results(model, inputs)
