"""States that layers keep: they pass between the calls of a shared layer as in Keras, follow their module, and can be reset.

Covers: `frameworks/models/pytorch/recurrent/stateful.py`, `frameworks/models/pytorch/classes.py`,
`frameworks/models/pytorch/time_distributed.py`, `frameworks/models/reading/wiring.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import tf_keras
import torch

from frameworks.errors import NoCounterpartError
from frameworks.models import port_model, to_source

BATCH, TIME, SIZE = 2, 4, 3
KIND = {"dtype": "float64", "stateful": True, "return_sequences": True}


def _input(k: Any, dtype: str = "float64") -> Any:
    return k.Input((TIME, SIZE), batch_size=BATCH, dtype=dtype)


def _side_by_side(k: Any) -> Any:
    one, two, lstm = _input(k), _input(k), k.layers.LSTM(SIZE, **KIND)
    return k.Model([one, two], [lstm(one), lstm(two)])


def _at_other_depths(k: Any) -> Any:
    """The results of the first call are nearer to those of the model."""
    one, two, gru = _input(k), _input(k), k.layers.GRU(SIZE, **KIND)
    near, far = gru(one), gru(two)
    for _ in range(2):
        far = k.layers.Activation("tanh", dtype="float64")(far)
    return k.Model([one, two], k.layers.Add(dtype="float64")([near, far]))


def _one_after_the_other(k: Any) -> Any:
    one, two = _input(k), _input(k)
    both = k.layers.Bidirectional(k.layers.SimpleRNN(SIZE, **KIND), merge_mode="sum", dtype="float64")
    return k.Model([one, two], k.layers.Subtract(dtype="float64")([both(both(one)), two]))


def _in_a_shared_model(k: Any) -> Any:
    inside = _input(k)
    nested = k.Model(inside, k.layers.GRU(SIZE, reset_after=False, **KIND)(inside), name="nested")
    one, two = _input(k), _input(k)
    return k.Model([one, two], [nested(one), nested(two)])


def _fed(shape: tuple[int, ...] = (BATCH, TIME, SIZE)) -> Any:
    return np.random.default_rng(0).normal(size=shape)


def _filled(model: Any) -> Any:
    rng = np.random.default_rng(5)
    model.set_weights([rng.normal(0, 0.5, each.shape) for each in model.get_weights()])
    return model


@pytest.mark.parametrize("k", [keras, tf_keras], ids=["keras", "tf_keras"])
@pytest.mark.parametrize("make", [_side_by_side, _at_other_depths, _one_after_the_other, _in_a_shared_model])
def test_a_shared_layer_passes_its_states_on_in_the_order_of_keras(make: Callable[[Any], Any], k: Any) -> None:
    model = _filled(make(k))
    port = port_model(model)
    fed = [_fed(), _fed() + 1, _fed() - 1]
    for pair in (fed[:2], fed[1:]):
        wanted = model(pair)
        found = port(*map(torch.from_numpy, pair))
        several = isinstance(wanted, (list, tuple))
        for one, two in zip(wanted if several else [wanted], found if several else [found], strict=True):
            np.testing.assert_allclose(two.detach(), np.asarray(one), rtol=0, atol=1e-13)


def _both_kinds(dtype: str = "float64") -> Any:
    """A generated class for two directions in a nested model, and torch's own module, of an unlucky name."""
    kind = {**KIND, "dtype": dtype}
    one, inside = _input(keras, dtype), _input(keras, dtype)
    twice = keras.layers.Bidirectional(keras.layers.GRU(2, reset_after=False, **kind), dtype=dtype)
    nested = keras.Model(inside, twice(inside), name="nested")
    return _filled(keras.Model(one, keras.layers.LSTM(SIZE, **kind, name="reset_states")(nested(one))))


@pytest.mark.parametrize("imports", [False, True], ids=["generated", "imported"])
def test_the_model_resets_the_states_of_all_of_its_layers(*, imports: bool) -> None:
    port = port_model(_both_kinds(), imports_gatewise=imports)
    x = torch.from_numpy(_fed())
    first, second = port(x), port(x)
    assert not torch.allclose(first, second, atol=1e-3)
    port.reset_states()
    assert port(x).equal(first)
    assert port(x).equal(second)
    assert not [name for name in port.state_dict() if name.endswith((".h", ".c"))], "states are not saved, as in Keras"


def test_only_a_model_that_keeps_states_has_a_way_to_reset_them() -> None:
    plain = keras.Sequential([keras.Input((TIME, SIZE)), keras.layers.LSTM(2)])
    assert "reset_states" not in to_source(plain).text
    assert to_source(_both_kinds()).text.count('"""Forget the states that layers keep') == 2, "a nested model has it too"


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_kept_states_follow_their_module(dtype: torch.dtype) -> None:
    port = port_model(_both_kinds("float32"))
    x = torch.from_numpy(_fed().astype("float32"))
    first, second = port(x), port(x)
    port.reset_states()
    port(x)
    again = port.to(dtype)(x.to(dtype))
    assert again.dtype == dtype
    assert torch.allclose(again.float(), second, atol=0.01)
    assert not torch.allclose(again.float(), first, atol=0.03), "it went on from the states"
    assert port.to("meta")(x.to("meta", dtype)).device.type == "meta"


@pytest.mark.parametrize("make", [keras.layers.LSTM, keras.layers.GRU, keras.layers.ConvLSTM1D])
def test_another_batch_size_is_refused_until_the_states_are_reset(make: Any) -> None:
    """Keras refuses it always; a batch of one would be broadcast in silence."""
    space = (5,) if make is keras.layers.ConvLSTM1D else ()
    own = {"reset_after": False} if make is keras.layers.GRU else {"kernel_size": 2} if space else {}
    layer = make(2, **own, **KIND)
    model = keras.Sequential([keras.Input((TIME, *space, SIZE), batch_size=1, dtype="float64"), layer])
    port, fed = port_model(model), torch.from_numpy(_fed((3, TIME, *space, SIZE)))
    model(fed[:1].numpy())
    with pytest.raises(ValueError, match="batch size"):
        model(fed.numpy())
    port(fed[:1])
    with pytest.raises(ValueError, match=r"3 rows follow a call of 1: call reset_states\(\) before"):
        port(fed)
    port.reset_states()
    assert len(port(fed)) == 3


def test_kept_states_within_time_distributed_are_refused() -> None:
    layers = [keras.Input((2, TIME, SIZE), batch_size=BATCH), keras.layers.TimeDistributed(keras.layers.GRU(2, stateful=True))]
    with pytest.raises(NoCounterpartError, match="must not keep states from one call to the next"):
        to_source(keras.Sequential(layers))
