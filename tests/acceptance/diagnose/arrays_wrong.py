"""Mistakes in copying one array: its order, its axes, its numbers."""

from __future__ import annotations

import numpy as np

from tests.acceptance.diagnose import layouts
from tests.acceptance.diagnose.layouts import Native
from tests.acceptance.diagnose.plans import Plan
from tests.acceptance.diagnose.settings import Array
from tests.acceptance.diagnose.ways import ALL_PARTS, GATED, OBSERVED, Expected, Place, confine, expect, pick, way

KEYS = {
    "pytorch": {"kernel": "weight_ih", "recurrent kernel": "weight_hh", "bias": "bias_ih", "recurrent bias": "bias_hh"},
    "keras": {"kernel": "kernel", "recurrent kernel": "recurrent", "bias": "bias"},
}
Generator = np.random.Generator


def edit(plan: Plan, places: list[Place], part: str, change: object) -> None:
    """Change one array of each place by change(array, source of the place)."""
    key = KEYS[plan.setting.port][part]
    for layer, direction in places:
        native = plan.arrays[layer][direction]
        native[key] = np.ascontiguousarray(change(native[key], plan.source[layer][direction]))  # type: ignore[operator]


def source_of(plan: Plan, part: str, native: Native) -> Array:
    """Return the array of the right layer that becomes a part."""
    return native[KEYS[plan.setting.right][part]]


def blocks(plan: Plan, array: Array) -> list[Array]:
    """Return the gates' blocks of an array of the port: rows in torch, columns in Keras."""
    axis = 0 if plan.setting.port == "pytorch" else -1
    return np.split(array, len(plan.setting.gates), axis=axis)


def joined(plan: Plan, each: list[Array]) -> Array:
    """Return blocks put together as the port has them."""
    return np.concatenate(each, axis=0 if plan.setting.port == "pytorch" else -1)


def parts_of(plan: Plan) -> list[str]:
    """Return the parts that the port's arrays hold."""
    return [part for part in ALL_PARTS if part in KEYS[plan.setting.port]]


@way("gates-permuted", "kernel", "recurrent", "gates", cell=GATED)
def gates_in_another_order(rng: Generator, plan: Plan) -> Expected:
    """The order of the other framework, of ONNX or of TensorFlow 1; any other of a GRU."""
    orders = (
        [(0, 3, 1, 2), (0, 2, 1, 3), (0, 1, 3, 2), (1, 0, 2, 3)]
        if plan.setting.cell == "lstm"
        else [(1, 0, 2), (1, 0, 2), (2, 0, 1)]
    )
    order, places = pick(rng, orders), confine(rng, plan)
    parts = parts_of(plan) if rng.random() < 0.7 else [pick(rng, ("kernel", "recurrent kernel", "bias"))]
    if parts == ["bias"] and plan.setting.cell != "gru" and plan.setting.port == "pytorch":
        parts = ["bias", "recurrent bias"]
    for part in parts:
        edit(plan, places, part, lambda array, source: joined(plan, [blocks(plan, array)[at] for at in order]))
    both = "bias" in parts and plan.setting.port == "keras"
    return expect(places, *parts, *(("recurrent bias",) if both else ()), implied=False)


def _reordered_source(plan: Plan, part: str, native: Native) -> Array:
    """Return the right array with its gates in the port's order, still with its own axes."""
    array, order = source_of(plan, part, native), list(layouts.TORCH_ORDER[plan.setting.cell])
    axis = -1 if plan.setting.right == "keras" else 0
    gates = np.split(array, len(plan.setting.gates), axis=axis)
    return np.concatenate([gates[at] for at in order], axis=axis)


def _reshape(rng: Generator, plan: Plan, part: str) -> Expected:
    places = confine(rng, plan)

    def change(array: Array, source: Native) -> Array:
        return _reordered_source(plan, part, source).reshape(array.shape)

    edit(plan, places, part, change)
    return expect(places, part)


@way("kernel-reshaped", "kernel")
def kernel_reshaped(rng: Generator, plan: Plan) -> Expected:
    return _reshape(rng, plan, "kernel")


@way("recurrent-kernel-reshaped", "recurrent")
def recurrent_kernel_reshaped(rng: Generator, plan: Plan) -> Expected:
    return _reshape(rng, plan, "recurrent kernel")


@way("recurrent-kernel-not-transposed", "recurrent", cell=("rnn",))
def recurrent_kernel_as_it_is(rng: Generator, plan: Plan) -> Expected:
    places = confine(rng, plan)
    edit(plan, places, "recurrent kernel", lambda array, source: source_of(plan, "recurrent kernel", source))
    return expect(places, "recurrent kernel")


def _blocks_as_they_are(plan: Plan, part: str, places: list[Place]) -> None:
    edit(plan, places, part, lambda array, source: joined(plan, [block.T for block in blocks(plan, array)]))


@way("gate-blocks-not-transposed", "recurrent", cell=GATED)
def recurrent_blocks_stacked(rng: Generator, plan: Plan) -> Expected:
    places = confine(rng, plan)
    _blocks_as_they_are(plan, "recurrent kernel", places)
    return expect(places, "recurrent kernel", implied=False)


@way("gate-blocks-not-transposed", "kernel", cell=GATED, square_kernel=(True,))
def square_blocks_stacked(rng: Generator, plan: Plan) -> Expected:
    places = [place for place in plan.setting.places if plan.setting.width(place[0]) == plan.setting.units]
    _blocks_as_they_are(plan, "kernel", places)
    return expect(places, "kernel", implied=False)


@way("cudnn-layout-read-as-plain", "kernel", "recurrent", cell=("lstm", "gru"), right=("keras",))
def read_from_a_cudnn_layer(rng: Generator, plan: Plan) -> Expected:
    """The blocks as CuDNNLSTM's file has them: the kernel's in another order, the recurrent kernel's transposed."""
    places = list(plan.setting.places)
    _blocks_as_they_are(plan, "recurrent kernel", places)

    def change(array: Array, source: Native) -> Array:
        return joined(plan, [block.reshape(block.T.shape).T for block in blocks(plan, array)])

    edit(plan, places, "kernel", change)
    return expect(places, "kernel", "recurrent kernel")


@way("units-permuted", "kernel", "recurrent", "bias", **OBSERVED)
def units_in_another_order(rng: Generator, plan: Plan) -> Expected:
    """All arrays of a layer agree on the order, and what reads the layer does not know it."""
    layer = int(rng.integers(plan.setting.layers))
    places, order = [place for place in plan.setting.places if place[0] == layer], rng.permutation(plan.setting.units)
    axis = 0 if plan.setting.port == "pytorch" else -1
    for part in parts_of(plan):
        edit(
            plan,
            places,
            part,
            lambda array, source: joined(plan, [np.take(block, order, axis) for block in blocks(plan, array)]),
        )
    edit(plan, places, "recurrent kernel", lambda array, source: np.take(array, order, -1 - axis))
    return expect(places, *ALL_PARTS)


@way("inputs-permuted", "kernel", **OBSERVED)
def inputs_in_another_order(rng: Generator, plan: Plan) -> Expected:
    layer = int(rng.integers(plan.setting.layers))
    places, width = [place for place in plan.setting.places if place[0] == layer], plan.setting.width(layer)
    order = rng.permutation(width) if rng.random() < 0.7 else np.roll(np.arange(width), width // 2)
    edit(plan, places, "kernel", lambda array, source: np.take(array, order, 1 if plan.setting.port == "pytorch" else 0))
    return expect(places, "kernel")


@way("not-copied", "kernel", "recurrent", "bias", **OBSERVED)
def never_copied(rng: Generator, plan: Plan) -> Expected:
    """One array of a place, or all of it, is as the framework made it."""
    places = confine(rng, plan)
    parts = parts_of(plan) if rng.random() < 0.5 else [pick(rng, ("kernel", "recurrent kernel"))]
    bound = 1 / np.sqrt(plan.setting.units)
    for part in parts:
        edit(plan, places, part, lambda array, source: rng.uniform(-bound, bound, array.shape).astype(array.dtype))
    return expect(places, *(ALL_PARTS if len(parts) > 1 else parts), implied=False)


@way("rounded", "kernel", "recurrent", "bias")
def rounded_on_the_way(rng: Generator, plan: Plan) -> Expected:
    """Saved in half precision, in bfloat16, or float64 in float32."""
    kind = pick(rng, ("float16", "bfloat16") if plan.setting.dtype == "float32" else ("float32", "float32", "float16"))

    def change(array: Array, source: Native) -> Array:
        if kind == "bfloat16":
            bits = array.astype(np.float32).view(np.uint32)
            even = ((bits >> 16) & 1) + np.uint32(0x7FFF)
            return np.asarray(((bits + even) & np.uint32(0xFFFF0000)).view(np.float32))
        rounded: Array = array.astype(kind).astype(array.dtype)
        return rounded

    for part in parts_of(plan):
        edit(plan, list(plan.setting.places), part, change)
    return expect(plan.setting.places, *ALL_PARTS)


@way("scaled", "kernel", "recurrent", **OBSERVED)
def array_scaled(rng: Generator, plan: Plan) -> Expected:
    places, part = confine(rng, plan), pick(rng, ("kernel", "recurrent kernel"))
    factor = pick(rng, (0.5, 2.0, 0.1, float(rng.uniform(0.3, 1.7)), 1 / np.sqrt(plan.setting.units)))
    edit(plan, places, part, lambda array, source: (array * factor).astype(array.dtype))
    return expect(places, part, implied=False)


@way("not-a-number", "kernel", "recurrent", "bias", **OBSERVED)
def weight_is_not_a_number(rng: Generator, plan: Plan) -> Expected:
    part, place = pick(rng, ("kernel", "recurrent kernel")), pick(rng, plan.setting.places)

    def change(array: Array, source: Native) -> Array:
        array = array.copy()
        array.flat[int(rng.integers(array.size))] = np.nan
        return array

    edit(plan, [place], part, change)
    return expect([place], part, implied=False)
