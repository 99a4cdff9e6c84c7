"""Finding the adapter of a layer: the one place that imports frameworks, and only when one of their layers is met.

A framework is one line of `FRAMEWORKS`: its name, the module with its adapter, the packages whose classes it owns, and what to
install. Order counts: on its torch backend a Keras layer is a torch.nn.Module too.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import Any

from frameworks.adapter import Adapter
from frameworks.counterparts import require_counterpart
from frameworks.errors import InvalidTypeError, InvalidValueError, MissingFrameworkError
from frameworks.options import KerasOptions
from frameworks.spec import RecurrentSpec, Stack


@dataclass(frozen=True)
class Framework:
    """One line of the registry."""

    name: str
    module: str
    packages: tuple[str, ...]
    extra: str


FRAMEWORKS: tuple[Framework, ...] = (
    Framework("keras", "frameworks.keras", ("keras", "tf_keras"), "tensorflow"),
    Framework("pytorch", "frameworks.pytorch", ("torch",), "torch"),
)


def adapt(native: Any) -> Adapter:
    """Give one interface to a user's own layer; nothing of the layer is changed, and an adapter passes as it is.

    Args:
        native: Keras's or tf_keras's SimpleRNN, LSTM or GRU; Bidirectional of them; RNN over built-in cells; a built-in cell;
            a list of layers or a Sequential of them; what `convert` returned. PyTorch's RNN, LSTM, GRU or their cells.

    Raises:
        GatewiseError: for anything else, naming the layer; for an unbuilt Keras layer; for mixed or half precision.
    """
    if isinstance(native, Adapter) and not isinstance(native, type):
        return native
    adapter: Adapter = _module_of(native).adapt(native)
    return adapter


def owner_name(native: Any) -> str:
    """Name the framework that a layer, or the first of a list of layers, is of.

    Raises:
        GatewiseError: for anything else.
    """
    return _owner(native).name


def build(to: str, spec: RecurrentSpec, seed: int | None = None) -> Adapter:
    """Build a framework's own layer of this spec, with that framework's default initialisation.

    Args:
        to: "keras" or "pytorch".
        spec: what to build.
        seed: makes the initial weights repeatable; the framework's global random state is left alone then.

    Raises:
        NoCounterpartError: if the framework's own layers cannot hold the spec.
        MissingFrameworkError: if the framework is not installed.
    """
    module = load(to)
    if not isinstance(spec, RecurrentSpec):
        raise InvalidTypeError.because(
            "spec", must="be a RecurrentSpec", but=f"is {_named(spec)}", remedy="Make one: RecurrentSpec('lstm', 3, 8)."
        )
    if seed is not None and (isinstance(seed, bool) or not isinstance(seed, int)):
        raise InvalidTypeError.because("seed", must="be an int or None", but=f"is {seed!r}", remedy="Give a whole number.")
    require_counterpart(spec, to)
    adapter: Adapter = module.build(spec, seed)
    return adapter


def describe(keras_layer: Any) -> tuple[Stack, KerasOptions]:
    """Tell what a Keras layer returns and of which sizes, without needing it built.

    Raises:
        GatewiseError: for anything but a recurrent layer of Keras.
    """
    if isinstance(keras_layer, Adapter) and not isinstance(keras_layer, type):
        keras_layer = keras_layer.native
    module = _module_of(keras_layer)
    if not hasattr(module, "describe"):
        raise InvalidTypeError.because(
            "the layer", must="be a Keras layer", but=f"is {_named(keras_layer)}", remedy="Only Keras has return flags to map."
        )
    described: tuple[Stack, KerasOptions] = module.describe(keras_layer)
    return described


def parts_of(native: Any) -> tuple[Part, ...]:
    """Take a layer apart into pieces that one spec each describes, in the order in which Keras keeps them.

    Returns:
        The direction, the cell, each "" where there is but one, and the layer or cell that `adapt` takes.
    """
    module = _module_of(native)
    return tuple(module.parts(native)) if hasattr(module, "parts") else (("", "", native),)


def call_whole(native: Any, inputs: Any, *, initial_state: Any = None, mask: Any = None, training: bool = False) -> Any:
    """Call a layer with Keras's flags in inference, on NumPy, whatever its parts.

    Args:
        native: what `parts_of` takes apart.
        inputs: (batch, time, input).
        initial_state: nested as Keras nests it.
        mask: (batch, time) bool.
        training: Keras's; a layer that would draw random numbers is refused.

    Returns:
        NumPy arrays, nested as Keras nests them.
    """
    return _module_of(native).call_whole(native, inputs, initial_state, mask, training=training)


Part = tuple[str, str, Any]


def load(name: str) -> ModuleType:
    """Import the adapter module of a framework, without its log lines.

    Raises:
        InvalidValueError: for a name that is no framework's.
        MissingFrameworkError: if the framework cannot be imported.
    """
    framework = next((line for line in FRAMEWORKS if line.name == name), None)
    if framework is None:
        known = " or ".join(repr(line.name) for line in FRAMEWORKS)
        raise InvalidValueError.because("the framework", must=f"be {known}", but=f"is {name!r}", remedy="Choose one of them.")
    if framework.module in sys.modules:
        return sys.modules[framework.module]
    try:
        with quiet_stderr():
            return import_module(framework.module)
    except ImportError as error:
        raise MissingFrameworkError.because(
            f"the framework {name!r}",
            must="be importable",
            but=f"importing it failed with: {error}",
            remedy=f"Install it with: pip install 'gatewise[{framework.extra}]'.",
        ) from error


@contextmanager
def quiet_stderr() -> Iterator[None]:
    """Hold back what is written to file descriptor 2, and replay it if the body fails.

    TensorFlow writes its first lines past Python and before its own log level applies, so nothing milder keeps them away.
    """
    try:
        kept = os.dup(2)
    except OSError:  # a service without a standard error has nothing to keep quiet
        yield
        return
    _flush_stderr()
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException:
            held.seek(0)
            os.write(kept, held.read())
            raise
        finally:
            _flush_stderr()
            os.dup2(kept, 2)
            os.close(kept)


def _flush_stderr() -> None:
    if sys.stderr is not None:
        sys.stderr.flush()


def _module_of(native: Any) -> ModuleType:
    """Give the module that adapts a layer: its framework's, or that of the emulation which it is."""
    for base in type(native).__mro__:
        if base.__module__.startswith(_EMULATIONS):
            return sys.modules[".".join(base.__module__.split(".")[:3])]
    return load(_owner(native).name)


_EMULATIONS = ("frameworks.keras_in_torch.layers.", "frameworks.torch_in_keras.layers.")


def _owner(native: Any) -> Framework:
    first = native[0] if isinstance(native, (list, tuple)) and native else native
    roots = {base.__module__.partition(".")[0] for base in type(first).__mro__}
    for framework in FRAMEWORKS:
        if roots.intersection(framework.packages):
            return framework
    raise InvalidTypeError.because(
        "the layer",
        must="be a recurrent layer of Keras or PyTorch",
        but=f"is {_named(native)}",
        remedy="Pass the layer object itself, such as keras.layers.LSTM(...) once it is built, or torch.nn.LSTM(...).",
    )


def _named(native: Any) -> str:
    if isinstance(native, (list, tuple)):
        return (
            f"a {type(native).__name__} whose first item is {_named(native[0])}"
            if native
            else f"an empty {type(native).__name__}"
        )
    if isinstance(native, type):
        return f"the class {native.__qualname__}, not an instance"
    return f"of type {type(native).__qualname__}"
