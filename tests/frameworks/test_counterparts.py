"""What a framework can hold is declared in one place: each declared limit is real, and nothing else is refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from itertools import product
from typing import Any

import pytest

from frameworks import RecurrentSpec, build
from frameworks.rows import FrameworkName

pytestmark = pytest.mark.frameworks

BASE = {cell: RecurrentSpec(cell, 5, 7) for cell in ("rnn", "lstm", "gru")}


@pytest.mark.backend
@pytest.mark.parametrize("to", ["keras", "pytorch"])
def test_what_is_within_the_limits_is_built_as_requested(to: FrameworkName) -> None:
    for cell, layers, two, bias in product(BASE, (1, 2), (False, True), (False, True)):
        spec = replace(BASE[cell], num_layers=layers, bidirectional=two, bias=bias, dtype="float64")
        assert build(to, spec).spec == spec
    relu = replace(BASE["rnn"], activation="relu")
    assert build(to, relu).spec == relu


@pytest.mark.backend
def test_keras_holds_every_activation_it_has_a_name_for() -> None:
    for name in ("linear", "relu", "hard_sigmoid", "softsign", "gelu", "mish", "exponential", "softmax"):
        spec = RecurrentSpec("gru", 5, 7, activation=name, recurrent_activation=name, reset_after=False)
        assert build("keras", spec).spec == spec


def test_torch_refuses_or_has_no_argument_for_what_its_limits_exclude() -> None:
    nn = import_module("torch").nn
    with pytest.raises(ValueError, match="Unknown nonlinearity"):
        nn.RNN(5, 7, nonlinearity="softsign")
    for kind, argument in (
        (nn.LSTM, "nonlinearity"),
        (nn.GRU, "nonlinearity"),
        (nn.GRU, "reset_after"),
        (nn.LSTM, "activation"),
    ):
        with pytest.raises(TypeError, match="unexpected keyword argument"):
            kind(5, 7, **{argument: False})


@pytest.mark.backend
@pytest.mark.parametrize("to", ["keras", "pytorch"])
def test_a_seed_repeats_the_weights_and_leaves_the_global_state_alone(to: FrameworkName) -> None:
    torch = import_module("torch")
    spec = RecurrentSpec("gru", 5, 7, num_layers=2, bidirectional=True)
    before = torch.get_rng_state()
    one, same, other = (build(to, spec, seed=seed).get_weights() for seed in (1, 1, 2))
    if to == "pytorch":
        assert torch.equal(torch.get_rng_state(), before)
    for (_, _, a), (_, _, b), (_, _, c) in zip(one, same, other, strict=True):
        assert a.kernel.tobytes() == b.kernel.tobytes() != c.kernel.tobytes()
        assert a.recurrent_kernel.tobytes() == b.recurrent_kernel.tobytes() != c.recurrent_kernel.tobytes()
    # No two arrays of one layer start with equal numbers.
    assert one.layers[0][0].kernel.tobytes() != one.layers[0][1].kernel.tobytes()


@pytest.mark.backend
@pytest.mark.parametrize("to", ["keras", "pytorch"])
def test_without_a_seed_no_two_layers_start_with_equal_weights(to: FrameworkName) -> None:
    one, other = (build(to, BASE["gru"]).get_weights().layers[0][0] for _ in range(2))
    assert one.kernel.tobytes() != other.kernel.tobytes()
    assert one.recurrent_kernel.tobytes() != other.recurrent_kernel.tobytes()


def test_a_seed_reaches_no_gpu_s_generator(monkeypatch: pytest.MonkeyPatch) -> None:
    torch = import_module("torch")
    seeded: list[int] = []
    monkeypatch.setattr(torch.cuda, "manual_seed_all", seeded.append)
    torch.manual_seed(3)  # what the test would catch
    assert seeded == [3]
    build("pytorch", BASE["lstm"], seed=1)
    assert seeded == [3]


@pytest.mark.parametrize("to", ["keras", "pytorch"])
@pytest.mark.parametrize("seed", ["1", 1.0, True])
def test_a_seed_that_is_not_an_int_is_refused(to: FrameworkName, seed: Any, refused: Callable[..., Any]) -> None:
    with refused("seed", repr(seed)):
        build(to, BASE["rnn"], seed=seed)
