"""The return-value map agrees with what both frameworks return; Keras's own results are the expected values."""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any, cast

import keras
import numpy as np
import numpy.typing as npt
import pytest
import torch

from compare import ReturnsMap, returns_map
from frameworks import KerasOptions, convert
from frameworks.options import MergeMode, Nesting
from frameworks.spec import CellName, Stack

Array = npt.NDArray[np.floating]

BATCH, TIME, INPUT, HIDDEN = 2, 3, 5, 4
MERGE_MODES: tuple[MergeMode | None, ...] = ("concat", "sum", "mul", "ave", None)
TOLERANCE = 1e-12 if keras.backend.backend() == "tensorflow" else 1e-5  # on other backends Keras's matmul computes in float32
KERAS_LAYERS = {"rnn": "SimpleRNN", "lstm": "LSTM", "gru": "GRU"}
TORCH_LAYERS = {"rnn": torch.nn.RNN, "lstm": torch.nn.LSTM, "gru": torch.nn.GRU}
CHEAP = {"kernel_initializer": "zeros", "recurrent_initializer": "zeros", "dtype": "float64"}
GATES_FOR_TORCH = {"rnn": (0,), "lstm": (0, 1, 2, 3), "gru": (1, 0, 2)}


@dataclass(frozen=True)
class Case:
    """A Keras layer to build, and whether Bidirectional gets an explicit backward layer."""

    stack: Stack
    options: KerasOptions
    backward_layer: bool = False


def _cases(cell: CellName, nesting: Nesting, num_layers: int, *, bidirectional: bool) -> Iterator[Case]:
    """Yield all flags that Keras accepts for one kind of layer, without the merge mode."""
    backwards = (False, True) if num_layers == 1 or nesting == "cells" else (False,)
    separate = (False, True) if bidirectional else (False,)
    for sequences, state, go_backwards, own in itertools.product((False, True), (False, True), backwards, separate):
        if bidirectional and go_backwards and not own:
            continue  # Keras refuses it: both layers would read backwards
        if own and not go_backwards and (nesting, num_layers) != ("layers", 1):
            continue  # to save time
        yield Case(
            Stack(cell, HIDDEN, num_layers, bidirectional), KerasOptions(sequences, state, go_backwards, nesting=nesting), own
        )


def _with_merge_modes(case: Case, layers: list[Any]) -> Iterator[Case]:
    """Set each merge mode in the built layer, as Keras reads it in the call; to save time, not all for every stack."""
    if not case.stack.bidirectional:
        yield case
        return
    single = (case.options.nesting, case.stack.num_layers) == ("layers", 1)
    every = single or (case.stack.num_layers == 2 and case.stack.cell == "gru" and not case.options.go_backwards)
    for mode in MERGE_MODES if every else MERGE_MODES[::4]:
        layers[-1].merge_mode = mode
        yield replace(case, options=replace(case.options, merge_mode=mode))


def _keras_layers(case: Case) -> list[Any]:
    """Build the layers that are called one after the other; the last one has the flags of the case."""
    count = case.stack.num_layers if case.options.nesting == "layers" else 1
    lower = replace(case.options, return_sequences=True, return_state=False, merge_mode="concat")
    return [_keras_layer(case, case.options if index == count - 1 else lower) for index in range(count)]


def _keras_layer(case: Case, options: KerasOptions) -> Any:
    def one(*, go_backwards: bool) -> Any:
        flags = {
            "return_sequences": options.return_sequences,
            "return_state": options.return_state,
            "go_backwards": go_backwards,
        }
        name = KERAS_LAYERS[case.stack.cell]
        if options.nesting != "cells":
            return getattr(keras.layers, name)(HIDDEN, **flags, **CHEAP)
        cells = [getattr(keras.layers, f"{name}Cell")(HIDDEN, **CHEAP) for _ in range(case.stack.num_layers)]
        return keras.layers.RNN(keras.layers.StackedRNNCells(cells, dtype="float64"), **flags, dtype="float64")

    forward = one(go_backwards=options.go_backwards)
    if not case.stack.bidirectional:
        return forward
    backward = one(go_backwards=not options.go_backwards) if case.backward_layer else None
    return keras.layers.Bidirectional(forward, backward_layer=backward, merge_mode=options.merge_mode, dtype="float64")


def _call(layers: list[Any], inputs: Array, **arguments: Any) -> Any:
    result: Any = inputs
    for layer in layers:
        result = layer(result, **arguments)
    return result


def _built(case: Case) -> list[Any]:
    """Build the case with random weights, including biases."""
    layers = _keras_layers(case)
    random = np.random.default_rng(0)
    for index, layer in enumerate(layers):
        layer.build((BATCH, TIME, INPUT if index == 0 else HIDDEN * case.stack.num_directions))
        layer.set_weights([random.uniform(-0.9, 0.9, weight.shape) for weight in layer.weights])
    return layers


def _inputs(batch: int = BATCH, time: int = TIME) -> Array:
    return np.random.default_rng(1).normal(size=(batch, time, INPUT))


def _keras_cells(layers: list[Any], stack: Stack) -> list[Any]:
    """Return the cells in the order [layer][direction]."""
    sides = [[layer.forward_layer, layer.backward_layer] if stack.bidirectional else [layer] for layer in layers]
    if hasattr(sides[0][0].cell, "cells"):
        return list(zip(*(side.cell.cells for side in sides[0]), strict=True))
    return [[side.cell for side in layer] for layer in sides]


def _torch_module(stack: Stack, cells: list[Any]) -> torch.nn.Module:
    """Copy Keras's weights by hand: gate blocks in torch's order, transposed, and one bias split into two."""
    module: torch.nn.Module = TORCH_LAYERS[stack.cell](
        INPUT, HIDDEN, len(cells), batch_first=True, bidirectional=len(cells[0]) == 2, dtype=torch.float64
    )
    order = GATES_FOR_TORCH[stack.cell]

    def blocks(columns: Array) -> torch.Tensor:
        parts = np.split(np.asarray(columns), len(order), axis=-1)
        return torch.tensor(np.concatenate([parts[gate] for gate in order], axis=-1).T)

    state = {}
    for layer, directions in enumerate(cells):
        for cell, suffix in zip(directions, ("", "_reverse"), strict=False):
            kernel, recurrent, bias = (
                keras.ops.convert_to_numpy(part) for part in (cell.kernel, cell.recurrent_kernel, cell.bias)
            )
            pair = bias if bias.ndim == 2 else np.stack([bias, np.zeros_like(bias)])
            for name, part in (("weight_ih", kernel), ("weight_hh", recurrent), ("bias_ih", pair[0]), ("bias_hh", pair[1])):
                state[f"{name}_l{layer}{suffix}"] = blocks(part)
    module.load_state_dict(state)
    return module


def _modules(case: Case, layers: list[Any]) -> dict[str, torch.nn.Module]:
    """Return the modules by the names in the map's code: rnn, or one module for each direction."""
    cells = _keras_cells(layers, case.stack)
    if case.options.nesting == "cells" and case.stack.num_layers > 1 and case.stack.bidirectional:
        sides = ([[directions[side]] for directions in cells] for side in (0, 1))
        return dict(zip(("forward_rnn", "backward_rnn"), (_torch_module(case.stack, side) for side in sides), strict=True))
    return {"rnn": _torch_module(case.stack, cells)}


def _run_code(mapped: ReturnsMap, modules: dict[str, torch.nn.Module], inputs: Array) -> list[torch.Tensor]:
    """Execute the lines that the map prints, and return output, h_n and, for an LSTM, c_n."""
    names: dict[str, Any] = {"torch": torch, "x": torch.tensor(inputs), **modules}
    exec(mapped.code, names)  # noqa: S102  the lines that a reader would copy
    return [names[name] for name in ("output", "h_n", "c_n") if name in names]


def _numpy(tensor: Any) -> Array:
    return np.asarray(tensor.detach().cpu() if hasattr(tensor, "detach") else tensor)


def _off(actual: Any, expected: Any) -> float:
    """Return the largest difference of two results relative to max(1, |expected|); both must have the same nesting."""
    if isinstance(expected, (tuple, list)):
        assert type(actual) is type(expected)
        return max(_off(one, other) for one, other in zip(actual, expected, strict=True))
    actual, expected = _numpy(actual), _numpy(expected)
    assert (actual.shape, actual.dtype) == (expected.shape, expected.dtype)
    return float(np.abs(actual - expected).max() / max(1, np.abs(expected).max()))


def _flat(nested: Any) -> list[Any]:
    return [leaf for part in nested for leaf in _flat(part)] if isinstance(nested, (tuple, list)) else [nested]


def _expected_missing(stack: Stack, options: KerasOptions) -> set[str]:
    mixed = stack.bidirectional and options.merge_mode in ("sum", "mul", "ave")
    lower = stack.num_layers > 1
    no_states = (lower and options.nesting == "layers") or not options.return_state
    missing = {
        "output": not options.return_sequences or mixed,
        "h_n": no_states and (lower or mixed),
        "c_n": no_states and stack.cell == "lstm",
    }
    return {name for name, holds in missing.items() if holds}


@pytest.mark.backend
@pytest.mark.parametrize("bidirectional", [False, True], ids=["one direction", "two directions"])
@pytest.mark.parametrize(("nesting", "num_layers"), [("layers", 1), ("layers", 2), ("cells", 1), ("cells", 2)])
@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_both_ways_give_what_the_frameworks_return(
    cell: CellName, nesting: Nesting, num_layers: int, *, bidirectional: bool
) -> None:
    inputs = _inputs()
    for built in _cases(cell, nesting, num_layers, bidirectional=bidirectional):
        layers = _built(built)
        arrays = _run_code(ReturnsMap(built.stack, built.options), _modules(built, layers), inputs)
        below = _call(layers[:-1], inputs)
        for case in _with_merge_modes(built, layers):
            _check_both_ways(case, arrays, layers[-1](below))


def _check_both_ways(case: Case, arrays: list[torch.Tensor], returned: Any) -> None:
    mapped = ReturnsMap(case.stack, case.options)
    made = mapped.to_keras(*arrays)
    assert _off(made, returned) < TOLERANCE, case
    assert all(leaf.requires_grad for leaf in _flat(made)), case
    assert _off(mapped.to_keras(*map(_numpy, arrays)), _to_numpy(returned)) < TOLERANCE, case

    back = mapped.to_torch(returned)
    assert set(mapped.missing) == _expected_missing(case.stack, case.options), case
    for name, array in zip(("output", "h_n", "c_n"), arrays, strict=False):
        actual = getattr(back, name)
        assert (actual is None) == (name in mapped.missing), (case, name)
        assert actual is None or _off(actual, array) < TOLERANCE, (case, name)

    names = {"torch": torch, **dict(zip(("output", "h_n", "c_n"), arrays, strict=False))}
    for item, leaf in zip(mapped.items, _flat(returned), strict=True):
        texts = (item.pytorch, *(equivalent.text for equivalent in item.equivalents))
        assert all(_off(eval(text, names), leaf) < TOLERANCE for text in texts), (case, item)  # noqa: S307
        assert len(item.shape) == len(leaf.shape), (case, item)


def _to_numpy(nested: Any) -> Any:
    return type(nested)(map(_to_numpy, nested)) if isinstance(nested, (tuple, list)) else _numpy(nested)


@pytest.mark.backend
@pytest.mark.parametrize(
    ("cell", "nesting", "num_layers"),
    [("lstm", "layers", 1), ("gru", "layers", 1), ("lstm", "layers", 2), ("lstm", "cells", 2), ("gru", "cells", 2)],
)
def test_reverse_expressions_hold_for_a_call_with_the_flags_they_name(
    cell: CellName, nesting: Nesting, num_layers: int
) -> None:
    inputs = _inputs()
    modes: tuple[MergeMode | None, ...] = ("mul", None)
    for mode in modes:
        case = Case(Stack(cell, HIDDEN, num_layers, bidirectional=True), KerasOptions(merge_mode=mode, nesting=nesting))
        mapped = ReturnsMap(case.stack, case.options)
        arrays = _run_code(mapped, _modules(case, _built(case)), inputs)
        for entry, array in zip(mapped.reverse, arrays, strict=True):
            if entry.keras is None:
                assert (nesting, num_layers) == ("layers", 2), entry
                assert "call each layer" in entry.missing
                continue
            changed = replace(case, options=replace(case.options, **cast("dict[str, Any]", entry.flags)))
            result = _call(_built(changed), inputs)
            assert _off(eval(entry.keras, {"keras": keras, "result": result}), array) < TOLERANCE, entry  # noqa: S307
            assert (entry.missing == "") == (changed == case) == (entry.changed == ()), entry


@pytest.mark.backend
@pytest.mark.parametrize("bidirectional", [False, True], ids=["one direction", "two directions"])
@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_a_functional_model_returns_every_layers_states(cell: CellName, *, bidirectional: bool) -> None:
    options = KerasOptions(return_sequences=True, return_state=True)
    case = Case(Stack(cell, HIDDEN, 2, bidirectional), options)
    layers = [_keras_layer(case, options) for _ in range(2)]
    symbolic = keras.Input((TIME, INPUT), dtype="float64")
    first, *lower = layers[0](symbolic)
    last, *upper = layers[1](first)
    model = keras.Model(symbolic, (last, *lower, *upper))
    random = np.random.default_rng(0)
    model.set_weights([random.uniform(-0.9, 0.9, weight.shape) for weight in model.weights])
    mapped = returns_map(case.stack, replace(options, nesting="model"))
    arrays = _run_code(mapped, {"rnn": _torch_module(case.stack, _keras_cells(layers, case.stack))}, _inputs())
    returned = model(_inputs())
    assert _off(mapped.to_keras(*arrays), returned) < TOLERANCE
    assert not mapped.missing
    back = mapped.to_torch(returned)
    assert (
        max(_off(getattr(back, name), array) for name, array in zip(("output", "h_n", "c_n"), arrays, strict=False)) < TOLERANCE
    )


@pytest.mark.backend
@pytest.mark.parametrize("bidirectional", [False, True], ids=["one direction", "two directions"])
def test_masked_states_equal_those_of_packing_and_the_equivalents_do_not(*, bidirectional: bool) -> None:
    lengths, inputs = [4, 2, 1], _inputs(3, 4)
    mask = np.arange(4) < np.asarray(lengths)[:, None]
    case = Case(Stack("lstm", HIDDEN, 1, bidirectional), KerasOptions(return_state=True))
    layers = _built(case)
    mapped = ReturnsMap(case.stack, case.options)
    packed = torch.nn.utils.rnn.pack_padded_sequence(
        torch.tensor(inputs), torch.tensor(lengths), batch_first=True, enforce_sorted=False
    )
    output, (h_n, c_n) = _modules(case, layers)["rnn"](packed)
    padded, _ = torch.nn.utils.rnn.pad_packed_sequence(output, batch_first=True)
    returned = _call(layers, inputs, mask=mask)
    assert _off(mapped.to_keras(padded, h_n, c_n), returned) < TOLERANCE
    for item, leaf in zip(mapped.items, _flat(returned), strict=True):
        for equivalent in item.equivalents:
            off = _off(eval(equivalent.text, {"torch": torch, "output": padded, "h_n": h_n}), leaf)  # noqa: S307
            at_the_start = equivalent.text.startswith("output[:, 0")
            assert off < TOLERANCE if at_the_start else off > 0.01
            assert equivalent.caveat == "only without packing and without a mask"


@pytest.mark.backend
def test_the_classic_mistakes_give_large_errors() -> None:
    case = Case(Stack("lstm", HIDDEN, 1, bidirectional=True), KerasOptions(return_state=True))
    layers, inputs = _built(case), _inputs()
    mapped = ReturnsMap(case.stack, case.options)
    output, h_n, c_n = _run_code(mapped, _modules(case, layers), inputs)
    joined, *states = _call(layers, inputs)
    assert _off(output[:, -1], joined) > 0.01
    assert _off(h_n.reshape(BATCH, -1), joined) > 0.01
    assert _off(mapped.to_keras(output, c_n, h_n)[1:], tuple(states)) > 0.01
    assert _off(mapped.to_keras(output, h_n.flip(0), c_n.flip(0))[1:], tuple(states)) > 0.01
    reversed_output = replace(case, options=KerasOptions(return_sequences=True, go_backwards=True), stack=Stack("lstm", HIDDEN))
    layers = _built(reversed_output)
    rnn = _modules(reversed_output, layers)["rnn"]
    assert _off(rnn(torch.tensor(inputs))[0].flip(1), _call(layers, inputs)) > 0.01


@pytest.mark.backend
@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_layers_are_mapped_unbuilt_and_built(cell: CellName) -> None:
    nestings: tuple[Nesting, ...] = ("layers", "cells")
    for nesting, num_layers, bidirectional in itertools.product(nestings, (1, 2), (False, True)):
        options = KerasOptions(return_sequences=True, return_state=True, merge_mode="ave" if bidirectional else "concat")
        case = Case(Stack(cell, HIDDEN, num_layers, bidirectional), replace(options, nesting=nesting))
        for layers in (_keras_layers(case), _built(case)):
            mapped = returns_map(layers if len(layers) > 1 else layers[0])
            expected = returns_map(case.stack, case.options)
            assert (mapped.call, mapped.items, mapped.reverse) == (expected.call, expected.items, expected.reverse), case


def test_gradients_flow_through_the_expressions() -> None:
    stack = Stack("lstm", HIDDEN, 1, bidirectional=True)
    for sequences, mode in itertools.product((False, True), MERGE_MODES):
        rnn = torch.nn.LSTM(INPUT, HIDDEN, batch_first=True, bidirectional=True)
        made = returns_map(stack, KerasOptions(sequences, return_state=True, merge_mode=mode)).to_keras(
            *rnn(torch.ones(2, 3, 5))
        )
        torch.cat([leaf.flatten() for leaf in _flat(made)]).sum().backward()  # type: ignore[no-untyped-call]
        assert all(parameter.grad is not None and parameter.grad.abs().max() > 0 for parameter in rnn.parameters())


def test_numpy_needs_no_torch() -> None:
    program = """
import sys
sys.modules["torch"] = None
import numpy as np
from compare import returns_map
from frameworks import KerasOptions, RecurrentSpec
for mode in ("concat", "sum", "mul", "ave", None):
    mapped = returns_map(RecurrentSpec("gru", 5, 4, bidirectional=True), KerasOptions(merge_mode=mode))
    made = mapped.to_keras(np.ones((2, 3, 8)), np.ones((2, 2, 4)))
    print(len(made) if mode is None else made.shape, type(made).__name__)
print([name for name in ("keras", "tensorflow", "jax") if name in sys.modules])
"""
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert run.stdout.splitlines() == ["(2, 8) ndarray", *["(2, 4) ndarray"] * 3, "2 tuple", "[]"]


@pytest.mark.parametrize(("cell", "bidirectional"), [("gru", False), ("rnn", True), ("lstm", False)])
def test_keras_2_s_stacked_cells_return_a_single_state_without_a_list(cell: CellName, *, bidirectional: bool) -> None:
    k = import_module("tf_keras").layers
    kind = getattr(k, f"{KERAS_LAYERS[cell]}Cell")
    layer = k.RNN([kind(HIDDEN)] if bidirectional else [kind(HIDDEN), kind(HIDDEN)], return_state=True, return_sequences=True)
    layer = k.Bidirectional(layer) if bidirectional else layer
    inputs = _inputs().astype("float32")
    returned = layer(inputs)
    mapped = returns_map(layer)
    module = convert(layer)
    output, states = module(torch.tensor(inputs))
    assert _off([*mapped.to_keras(output, states)], returned) < 1e-5
    names = {"result": returned}
    for item, leaf in zip(mapped.items, _flat(returned), strict=True):
        np.testing.assert_array_equal(eval(item.keras, names), leaf)  # noqa: S307  the printed expression
    assert _off(mapped.to_torch(returned).h_n, states[0] if cell == "lstm" else states) < 1e-5
