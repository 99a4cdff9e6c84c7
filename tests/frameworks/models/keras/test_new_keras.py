"""Whole models of tf_keras, ported to a .keras file, compute the same in plain Keras 3.

Covers: `frameworks/models/keras`.
"""

from __future__ import annotations

import json
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import tf_keras

from frameworks.errors import InvalidValueError, NoCounterpartError
from frameworks.files import Written
from frameworks.files.building import hard_sigmoids
from frameworks.models.keras import build_keras
from frameworks.models.keras.masks import Plan
from frameworks.models.keras.saving import read_whole, save_model

Array = npt.NDArray[Any]

LAYERS = tf_keras.layers
TOLERANCE = 1e-5

PLAIN = """
import sys
sys.modules.update(dict.fromkeys(("gatewise", "frameworks", "compare")))  # with None, an import of it fails
import numpy as np
import keras
for name in sys.argv[1:]:
    arrays = dict(np.load(name + ".npz"))
    model = keras.saving.load_model(name + ".keras")
    results = {}
    for call in sorted({key.split(".")[0] for key in arrays}):
        inputs = [arrays[key] for key in sorted(arrays) if key.split(".")[0] == call]
        made = model(inputs[0] if len(inputs) == 1 else inputs)
        made = made if isinstance(made, (list, tuple)) else [made]
        results |= {f"{call}.{at}": np.asarray(each) for at, each in enumerate(made)}
    model.compile("sgd", "mse", run_eagerly=True)
    targets = [results["0." + str(at)] for at in range(len(made))]
    first = [arrays[key] for key in sorted(arrays) if key.startswith("0.")]
    model.fit(first if len(first) > 1 else first[0], targets if len(targets) > 1 else targets[0], verbose=0)
    np.savez(name + ".results.npz", **results)
"""
"""What runs in a process that cannot import gatewise: it opens files in safe mode, calls the models, and trains them a step."""


def ids() -> Any:
    return tf_keras.Input((None,), dtype="int32")


def steps() -> Any:
    return tf_keras.Input((None, 5))


def tokens() -> Any:
    return LAYERS.Embedding(6, 5, mask_zero=True)


def stacked() -> Any:
    """Recurrent layers of every kind, with Keras 2's hard_sigmoid wherever Keras 3 can have it."""
    old = {"recurrent_activation": "hard_sigmoid", "return_sequences": True}
    return tf_keras.Sequential(
        [
            steps(),
            LAYERS.Masking(),
            LAYERS.LSTM(4, **old, kernel_regularizer="l2"),
            LAYERS.GRU(3, **old, activation="hard_sigmoid"),
            LAYERS.GRU(4, **old, reset_after=False, activation="hard_sigmoid", use_bias=False),
            LAYERS.Bidirectional(LAYERS.SimpleRNN(2, activation="hard_sigmoid", return_sequences=True), merge_mode="sum"),
            LAYERS.RNN([LAYERS.LSTMCell(3, recurrent_activation="hard_sigmoid"), LAYERS.GRUCell(2)], return_sequences=True),
            LAYERS.TimeDistributed(LAYERS.Dense(4, activation="hard_sigmoid")),
            LAYERS.Activation("hard_sigmoid"),
            LAYERS.LSTM(3, go_backwards=True),
            LAYERS.Dense(2, activation="softmax"),
        ]
    )


def windows() -> Any:
    """Convolutions, normalisation, and layers whose class or options changed."""
    return tf_keras.Sequential(
        [
            tf_keras.Input((8, 5)),
            LAYERS.Conv1D(4, 3, activation="hard_sigmoid", padding="causal"),
            LAYERS.BatchNormalization(),
            LAYERS.LayerNormalization(),
            LAYERS.SeparableConv1D(4, 2, activation="hard_sigmoid"),
            LAYERS.LeakyReLU(0.1),
            LAYERS.PReLU(),
            LAYERS.ThresholdedReLU(0.3),
            LAYERS.SpatialDropout1D(0.3),
            LAYERS.MaxPooling1D(),
            LAYERS.Flatten(),
            LAYERS.Dense(3, activation="swish"),
        ]
    )


def convolved(read: Any) -> Any:
    """A ConvLSTM, which is not read as a recurrent layer, and whose gates have Keras 2's hard_sigmoid by default."""
    return LAYERS.ConvLSTM1D(3, 2, return_sequences=True)(read)


def images() -> Any:
    read, sequence = tf_keras.Input((None, 5, 4)), tf_keras.Input((8, 5))
    return tf_keras.Model([read, sequence], [convolved(read), windows()(sequence)])


def added() -> Any:
    """A model in which two masks with different holes meet."""
    one, other = ids(), steps()
    return tf_keras.Model([one, other], LAYERS.LSTM(3)(LAYERS.Add()([tokens()(one), LAYERS.Masking()(other)])))


def masks() -> Any:
    """Masks with different holes that meet in every way, that are given, and that reach decoders, attention and operations."""
    one, other, words, mask = ids(), steps(), ids(), tf_keras.Input((None,), dtype="bool")
    embed = tokens()
    both = [embed(one), LAYERS.Masking()(other)]
    met = [
        *(layer(both) for layer in (LAYERS.Add(), LAYERS.Multiply(), LAYERS.Maximum(), LAYERS.Concatenate())),
        LAYERS.Concatenate(axis=1)(both),
        LAYERS.Multiply()([both[0], other]),
        LAYERS.Attention()(both),
        LAYERS.Concatenate()([(other * 2.0 + 1.0)[:, :, :3], both[0]]),
    ]
    _, *states = LAYERS.Bidirectional(LAYERS.LSTM(4, return_state=True))(both[0])
    decoded = LAYERS.Bidirectional(LAYERS.LSTM(4, return_sequences=True))(embed(words), initial_state=states)
    by_step = LAYERS.TimeDistributed(LAYERS.Masking())(LAYERS.Reshape((-1, 5, 1))(other))
    results = [
        *(LAYERS.SimpleRNN(2)(each) for each in met),
        LAYERS.LSTM(3)(other, mask=mask),
        LAYERS.Bidirectional(LAYERS.LSTM(2, go_backwards=True))(both[0]),
        decoded,
        LAYERS.SimpleRNN(2)(LAYERS.TimeDistributed(LAYERS.SimpleRNN(2))(by_step)),
        LAYERS.Dense(2, name="tag_root")(LAYERS.SimpleRNN(3, name="tag/root")(decoded)),
    ]
    return tf_keras.Model([one, other, words, mask], results)


def not_passed_on() -> Any:
    """A Rescaling, which lost the mask in Keras 2, in a Sequential."""
    return tf_keras.Sequential([ids(), tokens(), LAYERS.Rescaling(2.0), LAYERS.LSTM(3)])


def nested() -> Any:
    """Nested models: called with and without a mask, making a mask, merging masks in them; and a shared layer."""
    one, other, words = steps(), steps(), ids()
    read, left, right = steps(), steps(), steps()
    inner = tf_keras.Model(read, LAYERS.SimpleRNN(5, return_sequences=True)(LAYERS.Dense(5)(read)), name="inner")
    encoder = tf_keras.Sequential([ids(), tokens(), LAYERS.SimpleRNN(5, return_sequences=True)], name="encoder")
    met = LAYERS.SimpleRNN(5, return_sequences=True)(LAYERS.Add()([left, right]))
    meeting = tf_keras.Model([left, right], met, name="meeting")
    shared = LAYERS.LSTM(3, recurrent_activation="hard_sigmoid")
    masked, encoded = LAYERS.Masking()(one), encoder(words)
    results = [shared(inner(masked)), shared(inner(other)), shared(encoded)]
    results += [LAYERS.SimpleRNN(2)(meeting([each, encoded])) for each in (masked, other)]
    return tf_keras.Model([one, other, words], [*results, LAYERS.SimpleRNN(2)(LAYERS.Add()([encoded, masked]))])


def with_a_slash() -> Any:
    read = steps()
    return tf_keras.Model(read, LAYERS.Dense(2, name="tag_root")(LAYERS.LSTM(3, name="tag/root")(read)))


@dataclass(frozen=True)
class Case:
    """A model of tf_keras.

    Args:
        build: builds it.
        reads: what its inputs are: "ids", "steps", or the shape of one, without the batch axis.
        ending: the format in which it is saved.
    """

    build: Callable[[], Any]
    reads: Sequence[Any]
    ending: str = ".h5"


CASES: Mapping[str, Case] = {
    "stacked": Case(stacked, ("steps",)),
    "images": Case(images, (("time", 5, 4), (8, 5)), ".keras"),
    "masks": Case(masks, ("ids", "steps", "ids", "mask")),
    "not passed on": Case(not_passed_on, ("ids",)),
    "nested": Case(nested, ("steps", "steps", "ids"), ".keras"),
}


def randomise(model: Any, rng: np.random.Generator) -> None:
    """Give a model random weights, biases included; variances are positive."""
    model.set_weights(
        [
            np.abs(rng.normal(size=each.shape)) * 0.5 + 0.1 * rng.normal(size=each.shape) + 0.3
            if "variance" in variable.name
            else rng.normal(size=each.shape) * 0.6
            for variable, each in zip(model.weights, model.get_weights(), strict=True)
        ]
    )


def drawn(reads: Sequence[Any], rng: np.random.Generator) -> Iterator[list[Array]]:
    """Yield the inputs of two calls with different batch sizes and lengths; masks have holes, one row is masked wholly."""
    for batch, time in ((3, 7), (2, 5)):
        inputs = []
        for each in reads:
            if each == "ids":
                words = rng.integers(0, 6, (batch, time)).astype("int32")
                words[0], words[-1, :2], words[-1, 2] = 0, (0, 3), 0
                inputs.append(words)
                continue
            if each == "mask":
                inputs.append(rng.random((batch, time)) < 0.6)
                continue
            shape = (time, 5) if each == "steps" else tuple(time if size == "time" else size for size in each)
            values = rng.normal(size=(batch, *shape)).astype("float32")
            values[rng.random(values.shape[:2]) < 0.3] = 0
            inputs.append(values)
        yield inputs


def saved(model: Any, path: Path) -> Path:
    """Save a model of tf_keras; of .h5 it warns that the format is old."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.save(path)
    return path


def results(model: Any, inputs: Sequence[Array]) -> list[Array]:
    """Return what a model of tf_keras or of Keras computes."""
    made = model(inputs[0] if len(inputs) == 1 else list(inputs))
    return [np.asarray(each) for each in (made if isinstance(made, (list, tuple)) else [made])]


@dataclass(frozen=True)
class Ported:
    """What came of one case."""

    expected: Mapping[str, Array]
    actual: Mapping[str, Array]
    written: Sequence[Written]


@pytest.fixture(scope="module")
def ported(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Ported]:
    """Port all models, and call those of the files in one process that cannot import gatewise."""
    folder, expected, written = tmp_path_factory.mktemp("new"), {}, {}
    for number, (name, case) in enumerate(CASES.items()):
        tf_keras.backend.clear_session()
        rng = np.random.default_rng(number)
        model = case.build()
        randomise(model, rng)
        calls = list(drawn(case.reads, rng))
        expected[name] = {
            f"{at}.{place}": np.asarray(each)
            for at, inputs in enumerate(calls)
            for place, each in enumerate(results(model, inputs))
        }
        read: dict[str, Any] = {f"{at}.{n}": each for at, call in enumerate(calls) for n, each in enumerate(call)}
        np.savez(folder / f"{name}.npz", **read)
        written[name] = save_model(folder / f"{name}.keras", read_whole(saved(model, folder / f"old {name}{case.ending}")))
    subprocess.run([sys.executable, "-I", "-c", PLAIN, *CASES], check=True, cwd=folder, capture_output=True, text=True)
    return {name: Ported(expected[name], dict(np.load(folder / f"{name}.results.npz")), written[name]) for name in CASES}


@pytest.mark.parametrize("name", CASES)
def test_plain_keras_opens_the_file_and_computes_the_same(name: str, ported: Mapping[str, Ported]) -> None:
    one = ported[name]
    assert one.expected.keys() == one.actual.keys()
    for place, expected in one.expected.items():
        np.testing.assert_allclose(one.actual[place], expected, rtol=0, atol=TOLERANCE * max(1, np.abs(expected).max()))


def rebuilt(case: Case, folder: Path) -> tuple[Any, Any, list[Array]]:
    """Return a model of tf_keras, its port, and inputs."""
    rng = np.random.default_rng(1)
    model = case.build()
    randomise(model, rng)
    return model, build_keras(read_whole(saved(model, folder / "old.h5"))), next(drawn(case.reads, rng))


def apart(case: Case, folder: Path) -> float:
    model, port, inputs = rebuilt(case, folder)
    return max(
        float(np.abs(one - other).max()) for one, other in zip(results(model, inputs), results(port, inputs), strict=True)
    )


@pytest.mark.parametrize("layer", [LAYERS.LSTM, LAYERS.GRU])
def test_an_unscaled_hard_sigmoid_is_caught(layer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    case = Case(lambda: tf_keras.Sequential([steps(), layer(4, recurrent_activation="hard_sigmoid")]), ("steps",))
    assert apart(case, tmp_path) < TOLERANCE
    monkeypatch.setattr(hard_sigmoids, "FACTOR", 1.0)
    assert apart(case, tmp_path) > 1e-2


def test_masks_left_to_keras_3_are_caught(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    case = Case(added, ("ids", "steps"))
    assert apart(case, tmp_path) < TOLERANCE
    monkeypatch.setattr("frameworks.models.keras.building.plan_masks", lambda graph: Plan())
    assert apart(case, tmp_path) > 1e-2


def test_names_and_kinds_stay_and_a_slash_is_replaced_and_said(ported: Mapping[str, Ported]) -> None:
    names = {each.name: each for each in ported["masks"].written}
    assert names["tag_root"].place == "tag_root"
    assert names["tag/root"].place == "tag_root_2"
    assert any("refuses its name" in each for each in names["tag/root"].caveats)
    assert {each.name for each in ported["nested"].written} >= {"inner", "encoder"}


def test_a_nested_model_stays_nested_and_a_shared_layer_is_one(tmp_path: Path) -> None:
    _, port, _ = rebuilt(CASES["nested"], tmp_path)
    assert {layer.name for layer in port.layers} >= {"inner", "encoder"}
    (shared,) = [layer for layer in port.layers if type(layer).__name__ == "LSTM"]
    assert len(shared._inbound_nodes) == 3


def test_what_scaled_arrays_mean_for_training_is_said(ported: Mapping[str, Ported]) -> None:
    told = {each.name: " ".join(each.caveats) for each in ported["stacked"].written}
    assert "1.2 times as large" in told["lstm"]
    assert "kernel_regularizer" in told["lstm"]
    assert "kernel_regularizer" not in told["gru"]
    assert "optimizer" in " ".join(ported["stacked"].written[0].caveats)


REFUSED: Mapping[str, tuple[Callable[[], Any], str]] = {
    "an activation of the cell state": (lambda: LAYERS.LSTM(3, activation="hard_sigmoid"), "activation of the layer lstm"),
    "a Lambda": (lambda: LAYERS.Lambda(lambda x: x * 2, name="twice"), "the layer twice of"),
    "a class that is gone": (lambda: LAYERS.LocallyConnected1D(3, 2, name="local"), "the layer local of"),
    "time first": (lambda: LAYERS.LSTM(3, time_major=True, name="first"), "time_major of the layer first"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_keras_3_cannot_have_is_refused_by_name(what: str, tmp_path: Path) -> None:
    make, subject = REFUSED[what]
    tf_keras.backend.clear_session()
    model = tf_keras.Sequential([tf_keras.Input((6, 5)), make()])
    with pytest.raises(NoCounterpartError, match=subject):
        build_keras(read_whole(saved(model, tmp_path / "old.h5")))
    assert not (tmp_path / "new.keras").exists()


def test_a_file_without_an_architecture_is_refused_with_both_ways_on(tmp_path: Path) -> None:
    model = with_a_slash()
    model.save_weights(tmp_path / "only.weights.h5")
    with pytest.raises(InvalidValueError, match=r"--architecture.*\.weights\.h5"):
        read_whole(tmp_path / "only.weights.h5")
    graph = read_whole(tmp_path / "only.weights.h5", architecture=json.loads(model.to_json()))
    inputs = next(drawn(("steps",), np.random.default_rng(0)))
    np.testing.assert_allclose(results(build_keras(graph), inputs)[0], results(model, inputs)[0], atol=TOLERANCE)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16", "float64"])
def test_a_dtype_policy_is_carried(policy: str, tmp_path: Path) -> None:
    build = lambda: tf_keras.Sequential([steps(), LAYERS.LSTM(4, dtype=policy), LAYERS.Dense(2, dtype="float32")])  # noqa: E731
    model, port, inputs = rebuilt(Case(build, ("steps",)), tmp_path)
    assert port.layers[0].dtype_policy.name == policy
    np.testing.assert_allclose(
        results(port, inputs)[0], results(model, inputs)[0], atol=2e-2 if "mixed" in policy else TOLERANCE
    )
