"""Every option of the constructors of the installed Keras and tf_keras is in the table, with its default.

Covers: `frameworks/kinds/keras`, `frameworks/kinds/resolving.py`.
"""

from __future__ import annotations

import inspect
import re
import warnings
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from importlib import import_module
from typing import Any

import pytest

from frameworks.kinds import KERAS, RECURRENT, Kind, Option, known_options
from frameworks.kinds.records import value_at

LIBRARIES = ("keras", "tf_keras")
KINDS = [kind.name for kind in (*KERAS, *RECURRENT) if kind.role != "model"]

NEEDED: dict[str, Any] = {
    **dict.fromkeys(("units", "filters", "input_dim", "output_dim", "n", "output_size", "num_heads", "key_dim", "head_dim"), 2),
    **dict.fromkeys(("kernel_size", "pool_size", "num_query_heads", "num_key_value_heads"), 2),
    **dict.fromkeys(("rate", "stddev", "scale"), 0.5),
    "target_shape": (3,),
    "dims": (1,),
    "axes": 1,
    "activation": "relu",
}
POPPED = re.compile(r"""kwargs\.(?:pop|get)\(\s*["'](\w+)["']|["'](\w+)["'] in kwargs""")
"""How constructors take an option out of their keyword arguments."""

OF_KERAS_1 = {"Embedding": {"dropout"}, "BatchNormalization": {"mode"}}
"""Options that only Keras 1 has."""


def version_of(library: str) -> tuple[int, ...]:
    return tuple(int(part) for part in import_module(library).__version__.split(".")[:2])


def class_of(library: str, name: str) -> Any:
    layers = import_module(library).layers
    return getattr(layers, {"GroupedQueryAttention": "GroupQueryAttention"}.get(name, name), None)


def needed(library: str, name: str) -> dict[str, Any]:
    """Return the arguments without which a layer cannot be made."""
    layers = import_module(library).layers
    inner = {"layer": layers.LSTM(2) if name == "Bidirectional" else layers.Dense(2), "cell": layers.LSTMCell(2)}
    parameters = inspect.signature(class_of(library, name).__init__).parameters.values()
    given = {**NEEDED, **inner, "cells": [layers.LSTMCell(2)]}
    shape = {"input_shape" if library == "tf_keras" else "shape": (3,)} if name == "InputLayer" else {}
    return shape | {each.name: given[each.name] for each in parameters if each.default is each.empty and each.name in given}


@cache
def constructors(library: str, name: str) -> dict[str, inspect.Parameter]:
    """Return the parameters of a layer's constructor, and of those that it passes its keyword arguments on to."""
    found: dict[str, inspect.Parameter] = {}
    for each in class_of(library, name).__mro__:
        if each is import_module(library).layers.Layer:
            break
        if "__init__" in vars(each):
            parameters = list(inspect.signature(each.__init__).parameters.values())[1:]
            found = {**{one.name: one for one in parameters if one.kind is one.POSITIONAL_OR_KEYWORD}, **found}
            if not any(one.kind is one.VAR_KEYWORD for one in parameters):
                break
    own = inspect.signature(class_of(library, name).__init__).parameters
    return {one: parameter for one, parameter in found.items() if one in own or accepts(library, name, parameter)}


def accepts(library: str, name: str, parameter: inspect.Parameter) -> bool:
    """Return whether a layer takes a parameter of a class that it derives from, rather than setting it itself."""
    value = None if parameter.default is parameter.empty else parameter.default
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            class_of(library, name)(**needed(library, name), **{parameter.name: value})
        except TypeError as error:
            return "multiple values" not in str(error)
        except ValueError:
            return True
    return True


def collected(library: str, name: str) -> set[str]:
    """Return the names of all options of a layer: its parameters, those that it takes out of kwargs, and its config's."""
    popped = {
        one or other
        for each in class_of(library, name).__mro__
        if each.__module__.startswith((f"{library}.", "keras.")) and "__init__" in vars(each)
        for one, other in POPPED.findall(inspect.getsource(each.__init__))
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        config = class_of(library, name)(**needed(library, name)).get_config()
    return {*constructors(library, name), *popped, *config}


@pytest.mark.parametrize("library", LIBRARIES)
def test_every_option_is_in_the_table(library: str) -> None:
    unknown = {
        name: collected(library, name) - known_options(name).keys() for name in KINDS if class_of(library, name) is not None
    }
    assert {name: options for name, options in unknown.items() if options} == {}
    assert len(unknown) > 80


def test_an_option_that_the_table_lacks_is_detected(monkeypatch: pytest.MonkeyPatch) -> None:
    for kind, option in (("Dense", "lora_rank"), ("LSTM", "use_cudnn"), ("SimpleRNN", "zero_output_for_mask")):
        table = RECURRENT if kind in RECURRENT.kinds else KERAS
        record = table.get(kind)
        options, further = (tuple(each for each in every if each.name != option) for every in (record.options, record.further))
        monkeypatch.setitem(table.kinds, kind, replace(record, options=options, further=further))
        assert option in collected("keras", kind) - known_options(kind).keys()


def test_every_option_that_a_layer_computes_with_is_in_a_constructor() -> None:
    found = {
        name: set().union(*(collected(library, name) for library in LIBRARIES if class_of(library, name) is not None))
        for name in KINDS
        if any(class_of(library, name) is not None for library in LIBRARIES)
    }
    for name, names in found.items():
        own = {option.name for option in (KERAS.kinds | RECURRENT.kinds)[name].options}
        assert own <= names, name


def wrong_defaults(library: str, kind: Kind) -> Iterator[str]:
    """Yield the options with another default in the constructor than in the table."""
    version = version_of(library)
    for name, parameter in constructors(library, kind.name).items():
        option = known_options(kind.name).get(name)
        if option is None or option.use == "nothing" or parameter.default is parameter.empty:
            continue
        if option.required or not equal(parameter.default, value_at(option.default, version)):
            yield name


def equal(default: Any, listed: Any) -> bool:
    """Return whether a default is the listed one, which stands for every axis if it is a single number."""
    if isinstance(default, (list, tuple)) and not isinstance(listed, (list, tuple)):
        return all(equal(each, listed) for each in default)
    return bool(default == listed)


@pytest.mark.parametrize("library", LIBRARIES)
def test_defaults_are_those_of_the_constructors(library: str) -> None:
    kinds = [(KERAS.kinds | RECURRENT.kinds)[name] for name in KINDS if class_of(library, name) is not None]
    wrong = {kind.name: sorted(wrong_defaults(library, kind)) for kind in kinds}
    assert {name: options for name, options in wrong.items() if options} == {}


def test_a_wrong_default_is_detected(monkeypatch: pytest.MonkeyPatch) -> None:
    kind = replace(KERAS.get("LayerNormalization"), options=(Option("axis", -1), Option("epsilon", 1e-5)))
    monkeypatch.setitem(KERAS.kinds, kind.name, kind)
    assert list(wrong_defaults("keras", kind)) == ["epsilon"]
