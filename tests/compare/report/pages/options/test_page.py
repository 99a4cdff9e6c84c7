"""The page on options is complete by construction: what a signature has stands on it, and what the table says was tried."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import Any

import numpy as np
import pytest

from compare.report.contents import PAGES
from compare.report.pages.options import experiment as options
from compare.report.pages.options.experiment.activations import (
    describe_masks,
    keras_activations,
    make_cells,
    run_activation,
    run_activations,
    run_dropout,
)
from compare.report.pages.options.experiment.keras import KerasTrials
from compare.report.pages.options.experiment.pytorch import PyTorchTrials
from compare.report.pages.options.experiment.signatures import HIDDEN, read_options
from compare.report.pages.options.experiment.trials import Outcome, as_said
from compare.report.results import environment, exact, leaves, measured
from frameworks.counterparts import LIMITS, OPTIONS, REFUSED_ACTIVATIONS
from frameworks.counterparts.limits import CALL_LIMITS

PAGE = next(page for page in PAGES if page.name == "options")
TAKEN, WRONG, REFUSED = measured(1e-8, 1e-5), measured(1.0, 1e-5), exact("refused")


class Claimed:
    """Trials that try nothing: every argument comes out as the table says, or as a native one whatever it says."""

    def __init__(self, framework: str, *, native: bool = False) -> None:
        self.framework, self.native = framework, native

    def kind(self, name: str) -> type:
        raise NotImplementedError

    def run(self, name: str, argument: str, index: int) -> Outcome:
        assert name
        fate = "native" if self.native else OPTIONS[self.framework][argument][index].name
        return Outcome(
            {
                "convert": TAKEN if fate in ("native", "no effect") else REFUSED,
                "emulate": REFUSED if fate == "refused" else TAKEN,
            }
        )

    def can_be_written(self, name: str, argument: str, index: int) -> bool | None:
        del name, argument, index
        return None


def read(framework: str, **kinds: type) -> Any:
    return options.run_framework(Claimed(framework), framework, kinds)


@cache
def tried() -> Any:
    return options.run_framework(KerasTrials(), "keras", classes("keras"))


def results_with(keras: Any, pytorch: Any = None) -> dict[str, Any]:
    found = {
        "code": options.run_code(),
        "activations": run_activations(),
        "dropout": run_dropout(),
        "keras": keras,
        "pytorch": pytorch or read("pytorch", **classes("pytorch")),
    }
    return {"options": {"tensorflow": found}, "environment": {"keras": environment("3.15")}}


def classes(framework: str) -> dict[str, type]:
    library: Any = import_module("keras").layers if framework == "keras" else import_module("torch").nn
    return {name: getattr(library, name) for name in options.CLASSES[framework]}


# What a constructor takes


def test_the_arguments_of_a_keras_layer_are_its_own_its_bases_and_those_in_its_kwargs() -> None:
    layers = import_module("keras").layers
    found = read_options(layers.LSTM, supplied=("cell",))
    own = {name for name in inspect.signature(layers.LSTM.__init__).parameters if name not in ("self", "kwargs")}
    assert own < set(found)
    assert set(found) - own == {
        *("implementation", "zero_output_for_mask", "dtype", "trainable", "autocast", "name", "input_shape", "input_dim"),
    }
    assert found["units"] == "required"
    assert found["recurrent_activation"] == "'sigmoid'"
    assert found["zero_output_for_mask"] == "False"
    assert found["implementation"] == HIDDEN


def test_the_arguments_of_a_torch_module_are_those_of_its_overloads() -> None:
    nn = import_module("torch").nn
    shared = ["input_size", "hidden_size", "num_layers", "bias", "batch_first", "dropout", "bidirectional", "device", "dtype"]
    assert sorted(read_options(nn.GRU)) == sorted(shared)
    assert sorted(read_options(nn.LSTM)) == sorted([*shared, "proj_size"])
    assert sorted(read_options(nn.RNN)) == sorted([*shared, "nonlinearity"])
    assert read_options(nn.RNNCell) == {
        "input_size": "required",
        "hidden_size": "required",
        "bias": "True",
        "nonlinearity": "'tanh'",
        "device": "None",
        "dtype": "None",
    }


# Completeness


def new_layer() -> type:
    lstm: Any = import_module("keras").layers.LSTM

    class NewLSTM(lstm):  # type: ignore[misc]
        def __init__(self, units: int, span: int = 3, **kwargs: Any) -> None:
            self.own = span, kwargs.pop("secret", None)
            super().__init__(units, **kwargs)

    return NewLSTM


@pytest.mark.parametrize("argument", ["span", "secret"])
def test_an_argument_that_the_table_does_not_know_is_shown_as_unmapped_and_fails_the_page(argument: str) -> None:
    results = results_with(read("keras", **classes("keras") | {"LSTM": new_layer()}))
    entry = results["options"]["tensorflow"]["keras"]["arguments"][argument]
    assert entry["mapped"].value is False
    assert not PAGE.passed(results)
    text = PAGE.render(results)
    assert f"`{argument}` of Keras is unmapped." in text
    assert re.search(rf"\| `{argument}.*\*\*unmapped\*\*", text)


def test_what_no_signature_has_any_more_is_named_and_fails_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    known = {"pytorch": OPTIONS["pytorch"], "keras": {**OPTIONS["keras"], "time_major": OPTIONS["keras"]["unroll"]}}
    monkeypatch.setattr(options, "OPTIONS", known)
    results = results_with(read("keras", **classes("keras")))
    assert list(results["options"]["tensorflow"]["keras"]["stale"]) == ["time_major"]
    assert not PAGE.passed(results)
    assert re.search(r"\| `time_major` .*\*\*gone\*\*", PAGE.render(results))


@pytest.mark.parametrize("framework", ["keras", "pytorch"])
def test_the_table_knows_every_argument_of_every_constructor_and_no_other(framework: str) -> None:
    found = read(framework, **classes(framework))
    assert [argument for argument, entry in found["arguments"].items() if not entry["mapped"].value] == []
    assert found["stale"] == {}


# Claims


def test_every_fate_of_keras_arguments_came_out_as_the_table_says() -> None:
    said = {place: value.value for place, value in leaves(tried()) if place.endswith("as said")}
    assert len(said) > 70
    assert [place for place, as_the_table_says in said.items() if not as_the_table_says] == []


def test_every_fate_of_torchs_arguments_came_out_as_the_table_says() -> None:
    found: Any = options.run_framework(PyTorchTrials(), "pytorch", classes("pytorch"))
    said = {place: value.value for place, value in leaves(found) if place.endswith("as said")}
    assert len(said) > 15
    assert [place for place, as_the_table_says in said.items() if not as_the_table_says] == []
    assert PAGE.passed(results_with(tried(), found))


def test_an_example_of_an_argument_changes_what_its_layer_returns() -> None:
    """A value without effect would prove nothing; these have none outside of training, or by what they are."""
    silent = {"dropout", "recurrent_dropout", "input_dim", "input_shape", "backward_layer"}
    for argument, entry in tried()["arguments"].items():
        for fate in entry["fates"].values():
            effects = [one["effect"].value for one in fate["tried"].values() if "effect" in one]
            if effects and fate["fate"].value in ("native", "emulated") and argument not in silent:
                assert min(effects) > 1e-3, argument


@pytest.mark.parametrize(
    ("fate", "convert", "emulate", "effect", "held"),
    [
        ("native", TAKEN, TAKEN, 0.5, True),
        ("native", WRONG, TAKEN, 0.5, False),
        ("native", REFUSED, TAKEN, 0.5, False),
        ("emulated", REFUSED, TAKEN, 0.5, True),
        ("emulated", TAKEN, TAKEN, 0.5, False),
        ("emulated", REFUSED, WRONG, 0.5, False),
        ("emulated", REFUSED, REFUSED, 0.5, False),
        ("no effect", TAKEN, TAKEN, 0.0, True),
        ("no effect", TAKEN, TAKEN, 0.5, False),
        ("refused", REFUSED, REFUSED, None, True),
        ("refused", REFUSED, TAKEN, None, False),
    ],
)
def test_a_fate_holds_only_if_both_ways_came_out_so(fate: Any, convert: Any, emulate: Any, effect: Any, held: Any) -> None:
    assert as_said(fate, Outcome({"convert": convert, "emulate": emulate}, effect)) is held


def test_a_claim_that_did_not_hold_fails_the_page() -> None:
    honest = read("keras", **classes("keras"))
    assert PAGE.passed(results_with(honest))
    taking_all = options.run_framework(Claimed("keras", native=True), "keras", classes("keras"))
    assert not PAGE.passed(results_with(taking_all))


# Activations and dropout


def test_an_activation_that_nobody_knows_is_unmapped() -> None:
    def newest(x: Any) -> Any:
        return x

    found: Any = run_activation("newest", {**keras_activations(), "newest": newest}, make_cells())
    assert found["fate"].value == "unmapped"
    assert found["mapped"].value is False


def test_every_activation_of_keras_is_emulated_or_refused_and_torch_has_three_of_them() -> None:
    found: Any = run_activations()
    assert {name for name, entry in found.items() if entry["fate"].value == "refused"} == set(REFUSED_ACTIVATIONS)
    assert set(keras_activations()) < set(found)
    native = {name: entry["native"].value for name, entry in found.items() if entry["native"].value}
    assert native == {
        "relu": [["activation", "SimpleRNN"]],
        "tanh": [["activation", kind] for kind in ("SimpleRNN", "LSTM", "GRU")],
        "sigmoid": [["recurrent_activation", "LSTM"], ["recurrent_activation", "GRU"]],
    }


def test_masks_that_change_from_step_to_step_are_told_from_those_that_stay() -> None:
    rng = np.random.default_rng(0)
    fixed = np.repeat(rng.integers(0, 2, (4, 1, 5)) * 2.0, 3, axis=1)
    fresh = rng.integers(0, 2, (4, 3, 5)) * 2.0
    assert (
        describe_masks(fixed, growing=False) == "factors 0, 2; the same mask at every time step, a different one for each row"
    )
    assert "a new mask at each time step" in describe_masks(fresh, growing=False)


# The table


def test_every_limit_of_torchs_layers_is_an_emulated_fate_of_the_table() -> None:
    limited = {limit.field for limit in (*LIMITS, *CALL_LIMITS) if limit.to == "pytorch"}
    emulated = {argument for argument, fates in OPTIONS["keras"].items() if any(fate.name == "emulated" for fate in fates)}
    assert limited <= emulated
    assert emulated - limited == {"cell", "cells", "backward_layer", "dtype"}  # refused by structure and dtype, not by a value


def test_the_fates_of_one_argument_are_told_apart_by_their_values() -> None:
    for arguments in OPTIONS.values():
        for argument, fates in arguments.items():
            assert len({fate.values for fate in fates}) == len(fates), argument
            assert (fates[0].values == "any") == (len(fates) == 1), argument


def test_what_emulate_can_do_is_what_a_refusal_advises(refused: Callable[..., Any]) -> None:
    keras = import_module("keras")
    from frameworks import convert, emulate

    for arguments in (
        {"activation": "relu"},
        {"recurrent_activation": "hard_sigmoid"},
        {"go_backwards": True},
        {"dropout": 0.5},
    ):
        layer = keras.layers.GRU(3, **arguments)
        layer.build((None, None, 2))
        with refused("gatewise.emulate"):
            convert(layer)
        emulate(layer)
