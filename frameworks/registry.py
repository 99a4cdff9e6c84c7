"""Finding the adapter of a layer: the one place that imports frameworks, and only when one of their layers is passed."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType
from typing import Any, cast

from frameworks import rows
from frameworks.adapter import Adapter, is_adapter
from frameworks.counterparts import require_counterpart
from frameworks.errors import InvalidTypeError, MissingFrameworkError, NoCounterpartError
from frameworks.options import KerasOptions
from frameworks.protocols import BuilderModule, FlaggedModule, FrameworkModule, LayerModule, Part, PortingModule
from frameworks.rows import Framework, FrameworkName, Layers, owner_of, row_of
from frameworks.spec import RecurrentSpec, Stack

_IN_FILES = Layers("frameworks.files.building.stacks", ("frameworks.files.stored",))
"""Layers of files. A single one is an adapter already."""


def adapt(native: Any) -> Adapter:
    """Wrap a user's own layer in the interface that all frameworks share. The layer itself is not changed.

    Args:
        native: a SimpleRNN, LSTM or GRU of Keras or tf_keras; a Bidirectional of them; an RNN over built-in cells; a built-in
            cell; a TimeDistributed of one of these, which stands for the layer inside it; a list or Sequential of layers; a
            result of `convert`. An RNN, LSTM or GRU of PyTorch, or one of their cells. A list of layers of `open_checkpoint`.
            An adapter is returned as it is.

    Raises:
        GatewiseError: for anything else, with the layer's name; for an unbuilt Keras layer; for mixed or half precision.

    Example:
        >>> import numpy as np, torch
        >>> from gatewise import adapt
        >>> layer = adapt(torch.nn.GRU(3, 4))
        >>> layer.spec.cell, layer.spec.hidden_size
        ('gru', 4)
        >>> layer.forward(np.zeros((2, 5, 3), "float32")).output.shape
        (2, 5, 4)
    """
    if is_adapter(native):
        return native
    return _module_of(native).adapt(native)


def is_stack_in_file(native: Any) -> bool:
    """Return whether an object is a list of layers of files, which `adapt` joins into one."""
    return isinstance(native, (list, tuple)) and _IN_FILES.include(_first(native))


def owner_name(native: Any) -> str:
    """Return the name of the framework that owns a layer, or the first layer of a list.

    Raises:
        GatewiseError: for anything else.
    """
    return _owner(native).name


def build(to: FrameworkName, spec: RecurrentSpec, seed: int | None = None) -> Adapter:
    """Build a framework's own layer from a spec, with that framework's default initialisation.

    Args:
        to: "keras" or "pytorch" ("torch" is the same).
        spec: the recurrence and its sizes.
        seed: makes the initial weights repeatable and leaves the framework's global random state alone.

    Returns:
        An adapter; its `native` is the layer.

    Raises:
        NoCounterpartError: if the framework's own layers cannot represent the spec.
        MissingFrameworkError: if the framework is not installed.

    Example:
        >>> from gatewise import RecurrentSpec, build
        >>> layer = build("pytorch", RecurrentSpec("lstm", input_size=3, hidden_size=4), seed=0)
        >>> layer.native
        LSTM(3, 4, batch_first=True)
    """
    module = load(to)
    if not isinstance(spec, RecurrentSpec):
        raise InvalidTypeError.because(
            "spec", must="be a RecurrentSpec", but=f"is {_named(spec)}", remedy="Make one: RecurrentSpec('lstm', 3, 8)."
        )
    if seed is not None and (isinstance(seed, bool) or not isinstance(seed, int)):
        raise InvalidTypeError.because("seed", must="be an int or None", but=f"is {seed!r}", remedy="Pass a whole number.")
    require_counterpart(spec, to)
    return module.build(spec, seed)


def has_flags(native: Any) -> bool:
    """Return whether a layer's own call follows Keras's flags; a layer in a file has no call."""
    owner = owner_of(_first(native))
    return owner is not None and owner.layers_of(native).has_flags


def describe(keras_layer: Any) -> tuple[Stack, KerasOptions]:
    """Return the sizes and the options of a Keras layer, built or not.

    Raises:
        GatewiseError: for anything but a recurrent Keras layer.
    """
    native = _native(keras_layer)
    _owner(native)
    if not has_flags(native):
        raise InvalidTypeError.because(
            "the layer", must="be a Keras layer", but=f"is {_named(native)}", remedy="Only Keras has return flags to map."
        )
    return _flagged(native).describe(native)


def parts_of(native: Any) -> tuple[Part, ...]:
    """Split a layer into parts that have one spec each, in Keras's order.

    Returns:
        For each part its direction and its cell ("" if there is only one), and a layer or cell that `adapt` accepts.
    """
    native = _native(native)
    return tuple(_flagged(native).parts(native)) if has_flags(native) else (("", "", native),)


def call_whole(native: Any, inputs: Any, *, initial_state: Any = None, mask: Any = None, training: bool = False) -> Any:
    """Call a layer with Keras's flags on NumPy arrays, even if no single spec describes it.

    Args:
        native: a layer that may consist of several parts, see `parts_of`.
        inputs: (batch, time, input).
        initial_state: nested as Keras nests it.
        mask: (batch, time) bool.
        training: as in Keras; a layer that would draw random numbers is refused.

    Returns:
        NumPy arrays, nested as Keras nests them.
    """
    native = _native(native)
    return _flagged(native).call_whole(native, inputs, initial_state, mask, training=training)


def load(name: object) -> FrameworkModule:
    """Import the module of a framework, by its name or an alias, without its log lines.

    Raises:
        InvalidValueError: for an unknown name.
        MissingFrameworkError: if the framework cannot be imported.
    """
    row = row_of(name)
    return cast("FrameworkModule", _import(row, row.layers.module))


def load_porting(owner: Framework, to: Framework) -> PortingModule:
    """Import the module that emulates the owner's layers in framework `to`.

    Raises:
        NoCounterpartError: if there are no such layers.
        MissingFrameworkError: if either framework cannot be imported.
    """
    if owner.name not in to.emulations:
        written = [f"{row_of(name).title}'s in {row.title}" for row in rows.FRAMEWORKS for name in row.emulations]
        raise NoCounterpartError.because(
            f"a layer of {owner.title}",
            must=f"be written in {to.title} to be emulated there",
            but=f"only {' and '.join(written)} are",
            remedy="Use gatewise.convert, which builds the framework's own layer if that can represent this one.",
        )
    for row in (to, owner):
        load(row.name)
    return cast("PortingModule", _import(to, f"{to.emulations[owner.name].module}.porting"))


def load_builder(to: object) -> BuilderModule:
    """Import the module that builds layers from files in a framework, by its name or an alias.

    Raises:
        NoCounterpartError: if there is no such module.
        MissingFrameworkError: if the framework cannot be imported.
    """
    row = row_of(to)
    if not row.builder:
        able = " or ".join(repr(each.name) for each in rows.FRAMEWORKS if each.builder)
        raise NoCounterpartError.because(
            "the framework in which a layer in a file is emulated",
            must=f"be {able}",
            but=f"is {row.name!r}",
            remedy="Use .convert, which builds the framework's own layer if that can represent this one.",
        )
    load(row.name)
    return cast("BuilderModule", _import(row, row.builder))


def _import(row: Framework, module: str) -> ModuleType:
    if module in sys.modules:
        return sys.modules[module]
    try:
        with quiet_stderr():
            return import_module(module)
    except ImportError as error:
        raise MissingFrameworkError.of(f"the framework {row.name!r}", error, extra=row.extra) from error


@contextmanager
def quiet_stderr() -> Iterator[None]:
    """Hold back everything written to file descriptor 2, and replay it if the body fails.

    TensorFlow writes its first lines outside of Python and before its log level applies, so nothing milder stops them.
    """
    try:
        kept = os.dup(2)
    except OSError:  # a service without standard error has nothing to hold back
        yield
        return
    _flush_stderr()
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except Exception:  # but of an interrupt nothing is left to explain
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


def _native(layer: Any) -> Any:
    """Return the layer behind an adapter, and anything else as it is."""
    return layer.native if is_adapter(layer) else layer


def _first(native: Any) -> Any:
    return native[0] if isinstance(native, (list, tuple)) and native else native


def _module_of(native: Any) -> LayerModule:
    if _IN_FILES.include(_first(native)):
        return cast("LayerModule", import_module(_IN_FILES.module))
    owner = _owner(native)
    return cast("LayerModule", _import(owner, owner.layers_of(native).module))


def _flagged(native: Any) -> FlaggedModule:
    return cast("FlaggedModule", _module_of(native))


def _owner(native: Any) -> Framework:
    owner = owner_of(_first(native))
    if owner is None:
        raise InvalidTypeError.because(
            "the layer",
            must=f"be a recurrent layer of {' or '.join(row.title for row in rows.FRAMEWORKS)}",
            but=f"is {_named(native)}",
            remedy="Pass the layer object itself, such as keras.layers.LSTM(...) once it is built, or torch.nn.LSTM(...).",
        )
    return owner


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
