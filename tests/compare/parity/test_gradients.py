"""Parity of gradients passes for layers that train alike, and fails for those with equal results but other gradients."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import wraps
from importlib import import_module
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from compare import assert_parity, check_parity
from compare.parity.cases import draw_weights
from compare.parity.gradients import PART_BY_PART
from frameworks import RecurrentOutput, RecurrentSpec, adapt, build, convert, copy_weights, emulate
from frameworks.gradients import RecurrentGradients
from frameworks.weights import DirectionWeights, RecurrentWeights

pytestmark = pytest.mark.frameworks

Array = npt.NDArray[Any]

BATCH, TIME, INPUT, HIDDEN = 4, 5, 3, 6
RIGHT = np.arange(TIME) < np.array([TIME, 1, 3, 2])[:, None]
ANY = np.array([[1, 1, 1, 1, 1], [0, 0, 1, 1, 1], [1, 0, 1, 0, 0], [0, 0, 0, 0, 0]], bool)


def keras_layer(kind: str, *, two: bool = False, dtype: str = "float64", **options: Any) -> Any:
    layers = import_module("keras").layers
    layer = getattr(layers, kind)(HIDDEN, dtype=dtype, **options)
    layer = layers.Bidirectional(layer, dtype=dtype) if two else layer
    layer.build((None, None, INPUT))
    return layer


def torch_module(kind: str, **options: Any) -> Any:
    torch = import_module("torch")
    return getattr(torch.nn, kind)(INPUT, HIDDEN, **{"dtype": torch.float64, **options})


def draw(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).standard_normal(shape)


X = draw(BATCH, TIME, INPUT)


def gradients_of(result: Any) -> list[Any]:
    return [each for each in result.comparisons if each.kind == "gradient"]


def failed(result: Any) -> list[Any]:
    return [each for each in result.comparisons if each.verdict != "passed"]


# What trains alike passes


@pytest.mark.backend
@pytest.mark.parametrize(
    ("kind", "dtype", "flags"),
    [("LSTM", "float64", {"two": True}), ("GRU", "float32", {}), ("SimpleRNN", "float64", {"activation": "relu"})],
)
def test_a_layer_its_conversion_and_their_emulations_have_the_same_gradients(
    kind: str, dtype: str, flags: dict[str, Any], randomise: Callable[..., Any]
) -> None:
    layer = randomise(keras_layer(kind, dtype=dtype, **flags))
    module = convert(layer, to="pytorch")
    result = check_parity(layer, module, gradients=True)
    assert result, str(result)
    exact = dtype == "float64" and import_module("keras").backend.backend() == "tensorflow"
    assert result.tolerance == (1e-12 if exact else 1e-5)
    arrays = {"inputs", "h_0", "kernel", "recurrent_kernel", "bias", "recurrent_bias"} | ({"c_0"} if kind == "LSTM" else set())
    assert {each.array for each in gradients_of(result)} == arrays
    assert {each.against for each in gradients_of(result)} == {"reference of expected", "reference of actual", "expected"}
    inputs = X.astype(dtype)
    assert check_parity(module, emulate(module, to="keras"), inputs, gradients=True)
    assert check_parity(emulate(layer, to="pytorch"), module, inputs, gradients=True)


@pytest.mark.backend
def test_a_layer_that_reads_backwards_has_the_gradients_of_a_turned_call(randomise: Callable[..., Any]) -> None:
    layer, module = randomise(keras_layer("GRU", return_sequences=True, go_backwards=True)), torch_module("GRU")
    copy_weights(layer, module)
    for sides in ((layer, module), (module, layer)):
        assert_parity(*sides, X, mask=RIGHT[:, ::-1], initial_state=draw(1, BATCH, HIDDEN), gradients=True)
    module.weight_ih_l0.register_hook(lambda gradient: gradient.flip(1))
    (name,) = {each.array for each in failed(check_parity(layer, module, X, gradients=True))}
    assert name == "kernel"


@pytest.mark.backend
def test_stacks_and_cells_have_the_same_gradients(randomise: Callable[..., Any]) -> None:
    keras = import_module("keras")
    stack = randomise(torch_module("GRU", num_layers=2, bidirectional=True))
    result = check_parity(stack, convert(stack, to="keras"), X, gradients=True)
    assert result, str(result)
    assert "gradient of kernel of layer 1, direction 1 of actual, from zeros" in {each.name for each in gradients_of(result)}
    # There are many: the table shows the worst for each array and what it is compared with.
    text = str(result)
    assert len(gradients_of(result)) == 3 * (2 + 4 * 4)
    assert text.count("\ngradient of") == 3 * len({each.array for each in gradients_of(result)})
    cell = keras.layers.LSTMCell(HIDDEN, dtype="float64", recurrent_activation="hard_sigmoid")
    cell.build((None, INPUT))
    for native in (randomise(cell), emulate(randomise(torch_module("GRUCell")), to="keras")):
        ported = emulate(native, to="pytorch") if native is cell else convert(native, to="pytorch")
        # TensorFlow keeps the sixth of hard_sigmoid in float32.
        assert check_parity(native, ported, X, gradients=True, tolerance=1e-6)


@pytest.mark.backend
@pytest.mark.parametrize("flags", [{}, {"zero_output_for_mask": True}, {"two": True, "return_sequences": True}], ids=str)
def test_masked_layers_have_the_same_gradients_each_by_its_own_rule(
    flags: dict[str, Any], randomise: Callable[..., Any]
) -> None:
    layer = randomise(keras_layer("LSTM", **flags))
    states = tuple(0.5 * draw(1 + ("two" in flags), BATCH, HIDDEN, seed=n) for n in (1, 2))
    assert_parity(layer, convert(layer, to="pytorch"), X, mask=RIGHT, initial_state=states, gradients=True)
    assert_parity(layer, emulate(layer, to="pytorch"), X, keras_call={"mask": ANY}, gradients=True)


@pytest.mark.backend
def test_masked_steps_count_where_both_sides_treat_them_alike(randomise: Callable[..., Any]) -> None:
    layer = randomise(keras_layer("SimpleRNN", return_sequences=True))
    other = emulate(layer, to="pytorch")

    class Zeroing(type(adapt(other))):  # type: ignore[misc]
        zeroes_masked_steps = True

    repeated, zeroed = (check_parity(layer, side, X, mask=ANY, gradients=True) for side in (other, Zeroing(other)))
    assert repeated, str(repeated)
    assert zeroed, str(zeroed)
    # The scalar has changed: the numbers differ, so masked steps took part in the first one.
    largest = [max(each.allowed for each in gradients_of(result) if each.array == "inputs") for result in (repeated, zeroed)]
    assert largest[0] != largest[1]


@pytest.mark.backend
def test_layers_of_unequal_parts_are_differentiated_part_by_part(randomise: Callable[..., Any]) -> None:
    layers = import_module("keras").layers
    cells = [layers.LSTMCell(4, dtype="float64"), layers.GRUCell(5, reset_after=False, dtype="float64")]
    layer = layers.RNN(layers.StackedRNNCells(cells, dtype="float64"), dtype="float64", return_sequences=True)
    layer.build((None, None, INPUT))
    module = emulate(randomise(layer), to="pytorch")
    result = check_parity(layer, module, gradients=True)
    assert result, str(result)
    assert PART_BY_PART in result.notes
    assert PART_BY_PART not in check_parity(layer, module).notes
    module.weight_hh_l1.register_hook(lambda gradient: 1.5 * gradient)
    names = {each.name.partition(" of layer")[0] for each in failed(check_parity(layer, module, gradients=True))}
    assert names == {"cell 1: gradient of recurrent_kernel"}


def test_a_bias_that_one_side_lacks_is_compared_with_its_reference_only_and_a_note_says_so(
    randomise: Callable[..., Any],
) -> None:
    one, other = randomise(torch_module("LSTM", bias=False)), torch_module("LSTM")
    for name, parameter in other.named_parameters():
        parameter.data = getattr(one, name).data.clone() if "weight" in name else parameter.data * 0
    result = check_parity(one, other, gradients=True)
    assert result, str(result)
    assert any("only one side has a bias" in note for note in result.notes)
    assert {each.against for each in gradients_of(result) if "bias" in each.array} == {"reference of actual"}


# What computes alike but is differentiated otherwise


def test_a_hook_that_changes_one_gate_s_gradient_is_found_at_its_place(randomise: Callable[..., Any]) -> None:
    torch = import_module("torch")
    module = randomise(torch_module("GRU", bidirectional=True))
    copy = convert(module, to="pytorch")
    spoilt = torch.ones(3 * HIDDEN, HIDDEN, dtype=torch.float64)
    spoilt[HIDDEN + 2, 4] = 1.01  # torch's second gate is update
    copy.weight_hh_l0_reverse.register_hook(lambda gradient: gradient * spoilt)
    assert check_parity(module, copy)
    result = check_parity(module, copy, gradients=True)
    assert result.verdict == "failed"
    assert result.cause is None
    wrong = {each.name: each for each in failed(result)}
    name = "gradient of recurrent_kernel of layer 0, direction 1 of actual, from"
    assert set(wrong) == {f"{name} zeros", f"{name} random states"}
    assert wrong[f"{name} zeros"].where == {"layer": 0, "direction": 1, "gate": "update", "from unit": 4, "unit": 2}
    assert f"{name} zeros is" in str(result)
    with pytest.raises(AssertionError, match="gradient of recurrent_kernel"):
        assert_parity(module, copy, gradients=True)


@pytest.mark.parametrize(
    ("kind", "parameter", "array"), [("LSTM", "bias_hh_l0", "recurrent_bias"), ("GRU", "bias_ih_l0", "bias")]
)
def test_each_of_two_biases_has_the_gradient_of_the_one(
    kind: str, parameter: str, array: str, randomise: Callable[..., Any]
) -> None:
    layer = randomise(keras_layer(kind))
    module = convert(layer, to="pytorch")
    assert check_parity(layer, module, X, gradients=True)
    getattr(module, parameter).register_hook(lambda gradient: gradient / 2)
    found = failed(check_parity(layer, module, X, gradients=True))
    assert {(each.array, each.against) for each in found} == {(array, "reference of actual"), (array, "expected")}


@pytest.mark.parametrize("cut", ["output", "h_n", "all"])
def test_a_result_that_is_cut_off_from_the_graph_is_found(cut: str, randomise: Callable[..., Any]) -> None:
    module = randomise(torch_module("GRU"))
    copy = convert(module, to="pytorch")

    def detach(_module: Any, _arguments: Any, results: Any) -> Any:
        output, h_n = results
        return output.detach() if cut != "h_n" else output, h_n.detach() if cut != "output" else h_n

    copy.register_forward_hook(detach)
    assert check_parity(module, copy)
    result = check_parity(module, copy, gradients=True)
    assert result.verdict == "failed"
    assert {each.array for each in failed(result)} >= {"inputs", "h_0", "kernel", "recurrent_kernel", "bias"}


@pytest.mark.backend
def test_a_cell_that_learns_from_one_step_at_a_time_is_found(
    monkeypatch: pytest.MonkeyPatch, randomise: Callable[..., Any]
) -> None:
    keras = import_module("keras")
    layer = randomise(keras_layer("GRU"))
    module = convert(layer, to="pytorch")
    whole = keras.layers.GRUCell.call

    @wraps(whole)
    def cut(self: Any, inputs: Any, states: Any, **options: Any) -> Any:
        return whole(self, inputs, [keras.ops.stop_gradient(state) for state in states], **options)

    monkeypatch.setattr(keras.layers.GRUCell, "call", cut)
    assert check_parity(module, layer, X)
    result = check_parity(module, layer, X, gradients=True)
    assert result.verdict == "failed"
    wrong = {each.array for each in failed(result)}
    assert wrong == {"inputs", "h_0", "kernel", "recurrent_kernel", "bias", "recurrent_bias"}


def spoilt(native: Any, mistake: Callable[[DirectionWeights], dict[str, Any]]) -> Any:
    """Return an adapter whose gradients with respect to the weights are wrong."""
    kind: Any = type(adapt(native))

    class Spoilt(kind):  # type: ignore[misc]
        def gradients(self, *arguments: Any) -> RecurrentGradients:
            found: RecurrentGradients = super().gradients(*arguments)
            weights = (tuple(replace(one, **mistake(one)) for one in directions) for directions in found.weights.layers)
            return replace(found, weights=RecurrentWeights(tuple(weights)))

    return Spoilt(native)


MISTAKES: dict[str, Callable[[DirectionWeights], dict[str, Any]]] = {
    "recurrent_kernel": lambda one: {"recurrent_kernel": one.recurrent_kernel.swapaxes(1, 2)},
    "kernel": lambda one: {"kernel": one.kernel[[1, 0, 2, 3]]},
    "bias": lambda one: {"bias": None if one.bias is None else 2 * one.bias},
}


@pytest.mark.parametrize("array", MISTAKES)
def test_untransposed_exchanged_and_doubled_gradients_are_found(array: str, randomise: Callable[..., Any]) -> None:
    module = randomise(torch_module("LSTM"))
    result = check_parity(module, spoilt(module, MISTAKES[array]), gradients=True)
    assert result.verdict == "failed"
    assert {each.array for each in failed(result)} == {array}


def test_nan_in_a_gradient_is_a_failure_with_its_place(randomise: Callable[..., Any]) -> None:
    layer = randomise(keras_layer("LSTM", zero_output_for_mask=True))
    module = convert(layer, to="pytorch")
    inputs = np.where(RIGHT[..., None], X, np.nan)
    assert check_parity(layer, module, inputs, mask=RIGHT)
    result = check_parity(module, layer, inputs, mask=RIGHT, gradients=True)
    assert result.verdict == "failed"
    wrong = [each for each in failed(result) if each.array == "kernel"]
    assert all(np.isnan(each.max_abs) and set(each.where) >= {"gate", "input", "unit"} for each in wrong)
    assert "holds NaN at gate" in str(result)
    assert any("not finite at masked steps" in note for note in result.notes)
    # Packing never reads the inputs there, in either framework.
    assert check_parity(module, emulate(module, to="keras"), inputs, mask=RIGHT, gradients=True)


def test_an_expected_layer_with_wrong_gradients_gives_no_verdict_on_the_other(randomise: Callable[..., Any]) -> None:
    module = randomise(torch_module("LSTM"))
    copy = convert(module, to="pytorch")
    module.weight_ih_l0.register_hook(lambda gradient: 2 * gradient)
    result = check_parity(module, copy, gradients=True)
    assert result.verdict == "ill-conditioned"
    assert {each.array for each in failed(result)} == {"kernel"}
    with pytest.raises(AssertionError, match="ill-conditioned"):
        assert_parity(module, copy, gradients=True)


def test_chaotic_weights_give_no_verdict_on_gradients() -> None:
    one = build("pytorch", RecurrentSpec("rnn", INPUT, 24))
    one.set_weights(draw_weights(one.spec, 0, scale=0.75))
    result = check_parity(one, convert(one, to="pytorch"), draw(2, 150, INPUT).astype("float32"), gradients=True)
    assert result.verdict == "ill-conditioned"
    own = [each for each in gradients_of(result) if each.against.startswith("reference")]
    assert {each.verdict for each in own} == {"ill-conditioned"}


# What is looked at stays as it was


@pytest.mark.backend
def test_frozen_weights_are_compared_and_stay_frozen(snapshot: Callable[..., Any], randomise: Callable[..., Any]) -> None:
    layer = randomise(keras_layer("GRU"))
    module = convert(layer, to="pytorch").eval()
    layer.trainable = False
    module.weight_hh_l0.requires_grad_(requires_grad=False)
    before = snapshot(layer), snapshot(module)
    with import_module("torch").no_grad():
        result = check_parity(layer, module, X, gradients=True)
    assert result, str(result)
    assert {each.array for each in gradients_of(result)} >= {"kernel", "recurrent_kernel"}
    assert (snapshot(layer), snapshot(module)) == before
    assert not module.training


def test_a_failing_differentiation_leaves_the_module_as_it_was(snapshot: Callable[..., Any]) -> None:
    module = torch_module("LSTM", num_layers=2, dropout=0.5).eval()
    module.weight_ih_l0.requires_grad_(requires_grad=False)

    def fail(*_arguments: Any) -> None:
        raise ArithmeticError

    module.register_forward_hook(fail)
    before = snapshot(module)
    cotangents = RecurrentOutput(draw(1, 2, HIDDEN), draw(2, 1, HIDDEN), draw(2, 1, HIDDEN))
    with pytest.raises(ArithmeticError):
        adapt(module).gradients(draw(1, 2, INPUT), None, None, cotangents)
    assert snapshot(module) == before


def test_cotangents_that_do_not_fit_and_backends_without_gradients_are_refused(refused: Callable[..., Any]) -> None:
    adapter = adapt(torch_module("GRU"))
    fitting = RecurrentOutput(draw(2, TIME, HIDDEN), draw(1, 2, HIDDEN))
    for name, wrong in (("output", draw(TIME, 2, HIDDEN)), ("h_n", draw(1, 2, HIDDEN).astype("float32")), ("h_n", None)):
        with refused(f"the cotangent of {name}", "float64"):
            adapter.gradients(draw(2, TIME, INPUT), None, None, replace(fitting, **{name: wrong}))
    with refused("backend", "'numpy'"):
        import_module("frameworks.keras.gradients").pull_back(None, (), (), (), backend="numpy")
