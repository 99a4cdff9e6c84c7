"""Published models, whole: ported from their original files, they compute what the original programs computed.

Covers: `frameworks/models`, `compare/report/studies/real_models`.

`real_models.npz` holds inputs and results of whole models, recorded in the original programs; the models and their licenses are
those of `compare/report/studies/real_models/data/SOURCES.md`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

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
    Whole("crema", ("x",), {0: "chord_tag", 2: "chord_root"}, ("squeeze_layer_1",)),
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
    return [RECORDED[f"{model.name}/raw/{each}"].astype("float32") for each in model.inputs]


def _error(model: Whole, module: Callable[..., Any]) -> float:
    with torch.no_grad():
        made = module(*map(torch.from_numpy, _inputs(model)))
    results = made if isinstance(made, tuple) else (made,)
    return max(
        float(np.abs(results[at].numpy() - RECORDED[f"{model.name}/final/{name}"]).max()) for at, name in model.results.items()
    )


@pytest.mark.parametrize("model", COMPLETE, ids=lambda model: model.name)
def test_the_port_computes_what_the_original_program_did(model: Whole, originals: Callable[[str], Path]) -> None:
    path = originals(model.name)
    assert _error(model, port_model(path, to="pytorch", **_arguments(path))) < _ALLOWED


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
        _error(model, module)
    setattr(type(module), source.gaps[0].method, {"rnnmorph": _reversed_lstm, "crema": _squeezed}[model.name])
    assert _error(model, module) < _ALLOWED


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
    arrays = {name.rpartition(".")[2]: each for name, each in module.state_dict().items() if "LSTM_1_backward" in name}
    kernel, recurrent, bias = (arrays[name] for name in ("kernel", "recurrent_kernel", "bias"))
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
