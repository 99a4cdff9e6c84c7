"""Recording what every layer of a model gets and returns during one call; the model stays as it is."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from typing import Any

import numpy.typing as npt

from compare.groundwork.restoring import as_before
from compare.models.recording import keras_calls, torch_calls
from compare.models.recording.recorded import Recording, arrays_in
from frameworks.errors import GatewiseError, InvalidTypeError, InvalidValueError
from frameworks.kinds import family_of
from frameworks.rows import owner_of

Array = npt.NDArray[Any]


def framework_of(model: Any, which: str = "the model") -> str:
    """Return "keras" or "pytorch".

    Raises:
        InvalidTypeError: for anything but a model or layer of either.
    """
    owner = owner_of(model)
    if owner is None or isinstance(model, type) or not callable(model):
        raise InvalidTypeError.because(
            which,
            must="be a keras.Model or a torch.nn.Module",
            but=f"is {'the class ' + model.__qualname__ if isinstance(model, type) else f'of type {type(model).__name__}'}",
            remedy="Pass the model itself, with its weights.",
        )
    return owner.name


def require_built(model: Any, which: str) -> None:
    """Raise an error for a model whose weights do not exist yet.

    Raises:
        InvalidValueError: for an unbuilt Keras model or layer, and for a lazy module that has not been called.
    """
    lazy = hasattr(model, "parameters") and any("Uninitialized" in type(each).__name__ for each in model.parameters())
    if lazy or getattr(model, "built", True) is False:
        raise InvalidValueError.because(
            which,
            must="be built",
            but="has no weights yet",
            remedy="Call it once on its inputs and load its weights before you compare it.",
        )


def record(model: Any, inputs: Sequence[Array], named: Mapping[str, Array], which: str = "the model") -> Recording:
    """Call a model in inference mode on NumPy arrays, and record the calls of its layers.

    Args:
        model: a Keras model or a torch module.
        inputs: the positional arguments.
        named: the arguments by name.
        which: names the model in an error.

    Raises:
        InvalidValueError: if the call raises.
    """
    run = torch_calls.run_recorded if framework_of(model, which) == "pytorch" else keras_calls.run_recorded
    try:
        with as_before([model]):
            recording, returned = run(model, inputs, named)
            recording.outputs = _outputs(returned)  # before a tensor of the model that it returned is put back
    except GatewiseError:
        raise
    except Exception as error:  # whatever the user's code raises
        text, _, _ = re.sub(r"\x1b\[\d*m", "", str(error)).partition("Arguments received by")
        lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("Exception encountered")]
        shown = ", ".join([f"{each.dtype} {each.shape}" for each in inputs] + [f"{name}=..." for name in named])
        raise InvalidValueError.because(
            which,
            must=f"accept the inputs ({shown})",
            but=f"raises {type(error).__name__}: {' '.join(lines[:2])[:300]}",
            remedy="Pass inputs (--inputs FILE.npz) as its own call takes them, in their dtype; in Python, actual_inputs where "
            "the port takes them otherwise.",
        ) from error
    return recording


def advance(model: Any, inputs: Sequence[Array]) -> None:
    """Call a model in inference mode, and leave it with the states that it keeps from call to call."""
    run = torch_calls.run_recorded if framework_of(model) == "pytorch" else keras_calls.run_recorded
    run(model, inputs, {})


def run_alone(native: Any, inputs: Sequence[Array]) -> tuple[Array, ...]:
    """Call a single layer of either framework in inference mode on NumPy arrays."""
    call = torch_calls.call_module if framework_of(native) == "pytorch" else keras_calls.call_layer
    with as_before([native]):
        return call(native, inputs)


def _outputs(returned: Any) -> dict[str | int, Array]:
    if isinstance(returned, Mapping):
        named = {str(key): arrays_in(value) for key, value in returned.items()}
        if all(len(arrays) == 1 for arrays in named.values()):
            return {key: arrays[0] for key, arrays in named.items()}
    return dict(enumerate(arrays_in(returned)))


def remarks_on(expected: Any, actual: Any, *recordings: Recording) -> Iterator[str]:
    """Yield what a reader must know of how the results were computed: modes, precision and devices."""
    for model, side in ((expected, "expected"), (actual, "actual")):
        if framework_of(model) != "pytorch":
            continue
        active = [name for name, module in model.named_modules() if module.training and _acts_otherwise(module)]
        if active and model.training:
            yield f"the {side} model is in training mode, and was compared in inference: call `.eval()` before you use it"
        elif active:
            yield (
                f"in training mode, and compared in inference: {', '.join(active)} of the {side} model; "
                "call `.eval()` on the model before you use it"
            )
        device = torch_calls.device_of(model)
        if device.type != "cpu":
            notes = import_module("frameworks.pytorch.adapter").device_notes(device)
            yield from (f"the {side} model: {note}" for note in notes)
    low = sorted({name for each in recordings for name in each.dtypes if name in ("float16", "bfloat16")})
    if low:
        yield f"layers compute in {' and '.join(low)}, so that only differences beyond its rounding are shown"


def _acts_otherwise(module: Any) -> bool:
    return family_of(type(module).__name__).name in ("dropout", "batch norm") or getattr(module, "dropout", 0.0) not in (
        0.0,
        None,
    )
