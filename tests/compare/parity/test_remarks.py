"""What parity passes and leaves open is said in its notes, and doing what a note says gives the Keras call's own results."""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from compare import ParityResult, assert_parity, check_parity
from frameworks import convert, copy_weights, emulate
from frameworks.files import open_checkpoint

pytestmark = [pytest.mark.frameworks, pytest.mark.backend]

BATCH, TIME, INPUT, HIDDEN = 3, 5, 4, 6


def inputs() -> Any:
    return np.random.default_rng(1).standard_normal((BATCH, TIME, INPUT)).astype("float32")


def numbers(tensor: Any) -> Any:
    return tensor.detach().numpy() if hasattr(tensor, "detach") else np.asarray(tensor)


def checked(layer: Any, **module: Any) -> tuple[Any, ParityResult]:
    """Copy a layer's weights into a plain torch module, and return it with the result of their parity."""
    torch = import_module("torch")
    built = torch.nn.LSTM(INPUT, HIDDEN, **{"batch_first": True, **module}).eval()
    copy_weights(layer, built)
    result = check_parity(layer, built)
    assert result.passed, str(result)
    return built, result


def note(result: ParityResult, word: str) -> str:
    """Return the only note with a word."""
    found = [each for each in result.notes if word in each]
    assert len(found) == 1, (word, result.notes)
    return found[0]


def lstm(randomise: Callable[..., Any], *, two: str | None = "", **options: Any) -> Any:
    layers = import_module("keras").layers
    layer = layers.LSTM(HIDDEN, return_sequences=True, **options)
    layer = layer if two == "" else layers.Bidirectional(layer, merge_mode=two)
    layer.build((BATCH if options.get("stateful") else None, None, INPUT))
    return randomise(layer)


def test_nothing_is_left_open_by_a_plain_layer_and_its_conversion(randomise: Callable[..., Any]) -> None:
    layer = lstm(randomise)
    assert check_parity(layer, convert(layer)).notes == ()


def test_a_module_that_takes_time_first_is_named_with_the_call_that_agrees(randomise: Callable[..., Any]) -> None:
    torch = import_module("torch")
    layer = lstm(randomise)
    module, result = checked(layer, batch_first=False)
    assert note(result, "batch_first").startswith("actual has batch_first=False")
    x = torch.from_numpy(inputs())
    wanted = numbers(layer(inputs()))
    namespace = {"rnn": module, "x": x}
    call = re.search(r"rnn\(.*?\)\)", note(result, "batch_first"))
    assert call is not None
    output, _ = eval(call[0], namespace)  # noqa: S307  the line that the note prints
    assert np.allclose(numbers(output.transpose(0, 1)), wanted, atol=1e-6)
    assert np.abs(numbers(module(x)[0]) - wanted).max() > 0.01, "the call that the note warns of agrees too"
    assert note(check_parity(module, layer), "batch_first").startswith("expected has batch_first=False")


def test_two_modules_that_take_time_first_need_no_note(randomise: Callable[..., Any]) -> None:
    module, _ = checked(lstm(randomise), batch_first=False)
    assert check_parity(module, module).notes == ()
    assert check_parity(module, emulate(module, to="keras")).notes == ()


def test_go_backwards_is_noted_as_the_map_has_it(randomise: Callable[..., Any]) -> None:
    torch = import_module("torch")
    layer = lstm(randomise, go_backwards=True)
    module, result = checked(layer)
    said = note(result, "backwards")
    assert "rnn(x.flip(1))" in said
    assert "flip nothing back" in said
    output, _ = module(torch.from_numpy(inputs()).flip(1))
    assert np.allclose(numbers(output), numbers(layer(inputs())), atol=1e-6)
    assert np.abs(numbers(output.flip(1)) - numbers(layer(inputs()))).max() > 0.01


def test_a_stateful_layer_is_noted_beside_a_module_that_starts_from_zeros(randomise: Callable[..., Any]) -> None:
    torch = import_module("torch")
    layer = lstm(randomise, stateful=True)
    module, result = checked(layer)
    assert "single calls" in note(result, "stateful")
    layer.reset_states()
    x = torch.from_numpy(inputs())
    layer(inputs())
    second = numbers(layer(inputs()))
    assert np.allclose(numbers(module(x, module(x)[1])[0]), second, atol=1e-6)
    assert np.abs(numbers(module(x)[0]) - second).max() > 0.01
    layer.reset_states()


@pytest.mark.parametrize("mode", ["sum", "mul", "ave", None])
def test_a_merge_mode_is_noted_with_the_expression_that_merges(mode: str | None, randomise: Callable[..., Any]) -> None:
    torch = import_module("torch")
    layer = lstm(randomise, two=mode)
    module, result = checked(layer, bidirectional=True)
    expressions = re.search(r"is (.*) of the results of actual", note(result, "merge_mode"))
    assert expressions is not None
    output, (h_n, c_n) = module(torch.from_numpy(inputs()))
    named = {"torch": torch, "output": output, "h_n": h_n, "c_n": c_n}
    merged = [numbers(eval(text, named)) for text in expressions[1].split(" and ")]  # noqa: S307  as printed
    returned = layer(inputs())
    wanted = [numbers(each) for each in (returned if isinstance(returned, (list, tuple)) else [returned])]
    assert len(merged) == len(wanted) == (2 if mode is None else 1)
    assert all(np.allclose(one, other, atol=1e-6) for one, other in zip(merged, wanted, strict=True))


def test_a_concatenating_layer_needs_no_note(randomise: Callable[..., Any]) -> None:
    assert checked(lstm(randomise, two="concat"), bidirectional=True)[1].notes == ()


@pytest.mark.parametrize("rate", ["dropout", "recurrent_dropout"])
def test_dropout_inside_a_layer_is_noted_beside_a_plain_module(rate: str, randomise: Callable[..., Any]) -> None:
    options: dict[str, Any] = {rate: 0.25}
    _, result = checked(lstm(randomise, **options))
    assert f"{rate}=0.25" in note(result, "only inference")


def test_dropout_between_layers_on_one_side_only_is_noted() -> None:
    torch = import_module("torch")
    one, other = (torch.nn.GRU(INPUT, HIDDEN, num_layers=2, dropout=rate).eval() for rate in (0.5, 0.0))
    other.load_state_dict(one.state_dict())
    assert "0.5 in expected, 0.0 in actual" in note(check_parity(one, other), "dropout")
    assert check_parity(one, one).notes == ()


@pytest.mark.parametrize("library", ["keras", "tf_keras"])
def test_a_mask_that_the_model_feeds_is_named_by_the_layer_that_makes_it(library: str, randomise: Callable[..., Any]) -> None:
    keras = pytest.importorskip(library)
    if library == "tf_keras" and import_module("keras").backend.backend() != "tensorflow":
        pytest.skip("tf_keras runs on TensorFlow")
    layers = keras.layers
    model = keras.Sequential(
        [
            layers.Input((TIME,), dtype="int32"),
            layers.Embedding(9, INPUT, mask_zero=True, name="words"),
            layers.LSTM(HIDDEN, return_sequences=True),
            layers.Dropout(0.5),
            layers.Bidirectional(layers.GRU(HIDDEN)),
        ]
    )
    for layer in (randomise(model.layers[1]), randomise(model.layers[3])):
        port = convert(layer)
        assert "'words'" in note(check_parity(layer, port), "mask")
        assert "'words'" in note(check_parity(port, layer), "mask")
    mask = np.arange(TIME) < np.array([[2], [5], [3]])
    assert not [each for each in check_parity(model.layers[1], convert(model.layers[1]), mask=mask).notes if "'words'" in each]


def test_a_mask_passed_by_name_in_a_functional_model_is_named(randomise: Callable[..., Any]) -> None:
    keras = import_module("keras")
    x, steps = keras.Input((TIME, INPUT)), keras.Input((TIME,), dtype="bool", name="steps")
    layer = keras.layers.LSTM(HIDDEN)
    keras.Model([x, steps], layer(x, mask=steps))
    randomise(layer)
    assert "'steps'" in note(check_parity(layer, convert(layer)), "mask")


def test_a_layer_without_a_mask_in_its_model_needs_no_note(randomise: Callable[..., Any]) -> None:
    keras = import_module("keras")
    words = keras.layers.Embedding(9, INPUT)
    model = keras.Sequential([keras.Input((TIME,), dtype="int32"), words, keras.layers.LSTM(HIDDEN)])
    layer = randomise(model.layers[1])
    assert check_parity(layer, convert(layer)).notes == ()


def test_the_mask_of_a_layer_in_a_file_is_noted(tmp_path: Path, randomise: Callable[..., Any]) -> None:
    keras = import_module("keras")
    pad = keras.layers.Masking(-1.0, name="pad")
    model = keras.Sequential([keras.Input((TIME, INPUT)), pad, keras.layers.LSTM(HIDDEN, name="lstm")])
    randomise(model.layers[1])
    model.save(tmp_path / "model.keras")
    stored = open_checkpoint(tmp_path / "model.keras")["lstm"]
    assert "pad" in note(check_parity(stored, stored.convert()), "mask")


def test_the_notes_are_part_of_the_text_and_of_a_failure(randomise: Callable[..., Any]) -> None:
    layer = lstm(randomise, stateful=True)
    module, result = checked(layer, batch_first=False)
    assert all(f"note: {each}" in str(result) for each in result.notes)
    with import_module("torch").no_grad():
        module.weight_ih_l0[0, 0] += 1
    with pytest.raises(AssertionError, match="note: actual has batch_first=False"):
        assert_parity(layer, module)


def test_a_layer_in_a_torch_file_has_the_note_of_its_stated_time_axis(tmp_path: Path, randomise: Callable[..., Any]) -> None:
    layer = lstm(randomise)
    module, _ = checked(layer)
    import_module("torch").save({f"lstm.{name}": each for name, each in module.state_dict().items()}, tmp_path / "lstm.pt")
    for first in (True, False):
        stored = open_checkpoint(tmp_path / "lstm.pt", options={"lstm": {"batch_first": first}})["lstm"]
        assert bool([each for each in check_parity(layer, stored).notes if "batch_first" in each]) is not first
