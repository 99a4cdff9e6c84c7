"""Mistakes in copying the biases, and in copying from the wrong place."""

from __future__ import annotations

import numpy as np

from tests.acceptance.diagnose.arrays_wrong import KEYS, Generator, edit, parts_of
from tests.acceptance.diagnose.layouts import Native
from tests.acceptance.diagnose.plans import Plan
from tests.acceptance.diagnose.settings import Array, UnfitError
from tests.acceptance.diagnose.ways import ALL_PARTS, ONE_BIAS, Expected, Place, confine, expect, pick, way

BOTH = ("bias", "recurrent bias")


@way("bias-doubled", "bias", cell=ONE_BIAS, right=("keras",))
def bias_copied_twice(rng: Generator, plan: Plan) -> Expected:
    places = confine(rng, plan)
    edit(plan, places, "recurrent bias", lambda array, source: plan_bias(plan, source))
    return expect(places, *BOTH)


def plan_bias(plan: Plan, source: Native) -> Array:
    """Return the one bias of Keras in torch's order of gates."""
    blocks = np.split(source["bias"], len(plan.setting.gates))
    return np.concatenate([blocks[at] for at in ((1, 0, 2) if plan.setting.cell == "gru-before" else range(len(blocks)))])


@way("bias-doubled", "bias", cell=("lstm", "rnn"), right=("pytorch",))
def biases_added_twice(rng: Generator, plan: Plan) -> Expected:
    places = confine(rng, plan)
    edit(plan, places, "bias", lambda array, source: array + (source["bias_ih"] + source["bias_hh"]))
    return expect(places, *BOTH)


@way("bias-halved", "bias", cell=ONE_BIAS, right=("keras",))
def bias_shared_out(rng: Generator, plan: Plan) -> Expected:
    """Divided between two biases, the second of which was not filled."""
    places = confine(rng, plan)
    edit(plan, places, "bias", lambda array, source: array / 2)
    return expect(places, *BOTH)


@way("bias-halved", "bias", cell=("lstm", "rnn"), right=("pytorch",))
def biases_averaged(rng: Generator, plan: Plan) -> Expected:
    places = confine(rng, plan)
    edit(plan, places, "bias", lambda array, source: array / 2)
    return expect(places, *BOTH)


@way("bias-dropped", "bias")
def bias_never_built(rng: Generator, plan: Plan) -> Expected:
    """The port is built without biases."""
    plan.biased = False
    for part in parts_of(plan):
        if "bias" in part:
            edit(plan, list(plan.setting.places), part, lambda array, source: np.zeros_like(array))
    return expect(plan.setting.places, *BOTH)


@way("bias-dropped", "bias")
def bias_left_at_zero(rng: Generator, plan: Plan) -> Expected:
    places = confine(rng, plan)
    for part in parts_of(plan):
        if "bias" in part:
            edit(plan, places, part, lambda array, source: np.zeros_like(array))
    return expect(places, *BOTH)


def _rows(plan: Plan, native: Native) -> tuple[Array, Array]:
    """Return both biases of a GRU's port."""
    first, second = native["bias"] if plan.setting.port == "keras" else (native["bias_ih"], native["bias_hh"])
    return first, second


def _lay(plan: Plan, places: list[Place], first: str, second: str) -> None:
    """Fill both biases of a GRU's port: each by "first", "second", "sum" or "zero"."""
    for layer, direction in places:
        native = plan.arrays[layer][direction]
        rows = _rows(plan, native)
        made = {"first": rows[0], "second": rows[1], "sum": rows[0] + rows[1], "zero": np.zeros_like(rows[0])}
        if plan.setting.port == "keras":
            native["bias"] = np.stack([made[first], made[second]])
        else:
            native["bias_ih"], native["bias_hh"] = made[first].copy(), made[second].copy()


@way("recurrent-bias-dropped", "bias", cell=("gru",))
def second_bias_left_at_zero(rng: Generator, plan: Plan) -> Expected:
    places = confine(rng, plan)
    _lay(plan, places, "first", "zero")
    return expect(places, "recurrent bias")


@way("recurrent-bias-dropped", "bias", cell=("lstm", "rnn"), right=("pytorch",))
def one_of_two_copied(rng: Generator, plan: Plan) -> Expected:
    """Keras's one bias is torch's first, and not the sum of both."""
    places = confine(rng, plan)
    edit(plan, places, "bias", lambda array, source: source["bias_ih"])
    return expect(places, *BOTH)


@way("biases-summed", "bias", cell=("gru",))
def both_in_the_first(rng: Generator, plan: Plan) -> Expected:
    places = confine(rng, plan)
    _lay(plan, places, "sum", "zero")
    return expect(places, *BOTH)


@way("biases-swapped", "bias", cell=("gru",))
def both_exchanged(rng: Generator, plan: Plan) -> Expected:
    places = confine(rng, plan)
    _lay(plan, places, "second", "first")
    return expect(places, *BOTH)


def _add_to_forget(rng: Generator, plan: Plan, constant: float) -> Expected:
    places, units = confine(rng, plan), plan.setting.units

    def change(array: Array, source: Native) -> Array:
        array = array.copy()
        array[units : 2 * units] += constant
        return array

    edit(plan, places, "bias", change)
    return expect(places, *BOTH, gates=("forget",))


@way("forget-bias-missing", "bias", cell=("lstm",))
def forget_bias_not_added(rng: Generator, plan: Plan) -> Expected:
    return _add_to_forget(rng, plan, -1)


@way("forget-bias-twice", "bias", cell=("lstm",))
def forget_bias_added_again(rng: Generator, plan: Plan) -> Expected:
    return _add_to_forget(rng, plan, 1)


@way("directions-swapped", "kernel", "recurrent", "bias", two=(True,))
def directions_exchanged(rng: Generator, plan: Plan) -> Expected:
    layers = range(plan.setting.layers) if rng.random() < 0.7 else [int(rng.integers(plan.setting.layers))]
    for layer in layers:
        plan.arrays[layer].reverse()
    return expect([place for place in plan.setting.places if place[0] in layers], *ALL_PARTS)


@way("direction-repeated", "kernel", "recurrent", "bias", two=(True,))
def one_direction_twice(rng: Generator, plan: Plan) -> Expected:
    layers = range(plan.setting.layers) if rng.random() < 0.7 else [int(rng.integers(plan.setting.layers))]
    wrong = int(rng.random() < 0.8)
    for layer in layers:
        plan.arrays[layer][wrong] = dict(plan.arrays[layer][1 - wrong])
    return expect([(layer, wrong) for layer in layers], *ALL_PARTS)


@way("layers-swapped", "kernel", "recurrent", "bias", layers=(3,))
def upper_layers_exchanged(rng: Generator, plan: Plan) -> Expected:
    plan.arrays[1], plan.arrays[2] = plan.arrays[2], plan.arrays[1]
    return Expected()


@way("layers-swapped", "kernel", "recurrent", "bias", layers=(2, 3), square_kernel=(True,), two=(False,))
def lower_layers_exchanged(rng: Generator, plan: Plan) -> Expected:
    plan.arrays[0], plan.arrays[1] = plan.arrays[1], plan.arrays[0]
    return Expected()


@way("from-another-layer", "kernel", "recurrent", "bias", layers=(3,))
def layer_copied_twice(rng: Generator, plan: Plan) -> Expected:
    """An index that does not count on: both upper layers have the arrays of one."""
    wrong = int(rng.integers(1, 3))
    plan.arrays[wrong] = [dict(each) for each in plan.arrays[3 - wrong]]
    return expect([place for place in plan.setting.places if place[0] == wrong], *ALL_PARTS)


@way("from-another-layer", "recurrent", layers=(2, 3))
def recurrent_kernel_of_another_layer(rng: Generator, plan: Plan) -> Expected:
    wrong, origin = (int(each) for each in rng.permutation(plan.setting.layers)[:2])
    key = KEYS[plan.setting.port]["recurrent kernel"]
    for direction in range(plan.setting.directions):
        plan.arrays[wrong][direction][key] = plan.arrays[origin][direction][key]
    return expect([place for place in plan.setting.places if place[0] == wrong], "recurrent kernel", implied=False)


@way("sizes", "all", form=("layer",))
def other_sizes(rng: Generator, plan: Plan) -> Expected:
    """Other units, other inputs, another count of layers or directions."""
    units, width = plan.setting.units, plan.setting.inputs
    kind = pick(rng, ("units", "inputs", "layers", *(("directions",) if plan.setting.two and plan.setting.layers == 1 else ())))
    units += kind == "units"
    width += kind == "inputs"
    layers = plan.setting.layers + (kind == "layers")
    directions = 1 if kind == "directions" else plan.setting.directions

    def arrays(layer: int) -> Native:
        gates, columns = len(plan.setting.gates), width if layer == 0 else units * directions
        if plan.setting.port == "pytorch":
            shapes: dict[str, tuple[int, ...]] = {"weight_ih": (gates * units, columns), "weight_hh": (gates * units, units)}
            shapes |= {"bias_ih": (gates * units,), "bias_hh": (gates * units,)}
        else:
            bias = (2, gates * units) if plan.setting.cell == "gru" else (gates * units,)
            shapes = {"kernel": (columns, gates * units), "recurrent": (units, gates * units), "bias": bias}
        return {name: (0.3 * rng.normal(size=shape)).astype(plan.setting.dtype) for name, shape in shapes.items()}

    plan.arrays = [[arrays(layer) for _ in range(directions)] for layer in range(layers)]
    return Expected()


@way("sizes", "all", form=("layer",), right=("keras",), cell=("lstm",), dtype=("float32",))
def wrong_shape_that_runs(rng: Generator, plan: Plan) -> Expected:
    """A kernel laid into nn.LSTM as it is, by a new Parameter: torch reads its buffer in another shape."""
    if plan.setting.inputs == plan.setting.units * 4:
        raise UnfitError
    plan.laid["weight_ih_l0"] = plan.source[0][0]["kernel"]
    return Expected()
