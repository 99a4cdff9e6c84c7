"""Published models, read from their original files: weights as recorded, bit for bit, and outputs as recorded.

Covers: `frameworks/files`, `compare/report/studies/real_models`, `compare/report/pages/real_models/experiment`.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from compare.cli import main
from compare.report.pages.real_models.experiment import as_stored
from compare.report.pages.real_models.experiment import original_files as real_models
from compare.report.results import leaves
from compare.report.snippets import working_folder
from compare.report.studies.originals import cache_folder, missing
from compare.report.studies.real_models.files import lay_out
from compare.report.studies.real_models.kept import read_kept
from compare.report.studies.real_models.mistakes import MISTAKES
from compare.report.studies.real_models.models import load, load_all
from compare.report.studies.real_models.recorded import RecordedLayer
from compare.report.studies.real_models.replay import TOLERANCE, beginning, largest_error
from frameworks.files import Checkpoint, StoredLayer, open_checkpoint

MISSING = missing(load_all(), cache_folder())
pytestmark = pytest.mark.skipif(bool(MISSING), reason=MISSING)

LAYERS = [(model.name, layer.name) for model in load_all() for layer in model.layers]
KEPT = [(model.name, layer.name) for model in load_all() for layer in model.layers if layer.kept]
FORMATS = {
    **dict.fromkeys(("astrorapid", "crema", "dgaintel", "nakdimon", "rnnmorph", "textgenrnn"), "Keras h5"),
    **dict.fromkeys(("beatnet", "uzmorph_bilstm"), "PyTorch zip"),
    **dict.fromkeys(("nsnet2", "silero"), "ONNX"),
    "g2p_en": "NumPy",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a subfolder of files for each model, named after it."""
    root = tmp_path_factory.mktemp("originals")
    for model in load_all():
        lay_out(model, cache_folder(), root / model.name)
    return root


@pytest.fixture(scope="module")
def checkpoints(folder: Path) -> dict[str, Checkpoint]:
    return {model.name: _open(model, folder / model.name) for model in load_all()}


def _open(model: Any, folder: Path) -> Checkpoint:
    described = folder / Path(model.architecture).name if model.architecture else None
    return open_checkpoint(folder / Path(model.file).name, described, model.options_by_layer)


def recorded(name: str, layer: str) -> RecordedLayer:
    return load(name).layer(layer)


def in_the_file(checkpoints: dict[str, Checkpoint], name: str, layer: str) -> StoredLayer:
    return checkpoints[name][recorded(name, layer).in_file]


def test_every_file_is_recognised_and_has_exactly_the_recorded_layers(
    checkpoints: dict[str, Checkpoint],
) -> None:
    assert {name: checkpoint.format for name, checkpoint in checkpoints.items()} == FORMATS
    for model in load_all():
        assert list(checkpoints[model.name]) == [layer.in_file for layer in model.layers]


@pytest.mark.parametrize(("name", "layer"), LAYERS)
def test_the_layer_is_as_recorded(checkpoints: dict[str, Checkpoint], name: str, layer: str) -> None:
    stored, expected = in_the_file(checkpoints, name, layer), recorded(name, layer)
    assert (stored.spec, stored.origin) == (expected.spec, expected.origin)
    assert (stored.options is None) == (expected.origin == "pytorch")
    if stored.options is None:
        return
    inner = expected.config.get("layer", {}).get("config", expected.config)
    for option in ("return_sequences", "go_backwards", "dropout", "recurrent_dropout"):
        assert getattr(stored.options, option) == inner.get(option, getattr(type(stored.options)(), option)), option
    assert stored.options.merge_mode == expected.config.get("merge_mode", "concat")
    assert bool(stored.mask) == any(case.mask is not None for case in expected.cases)


@pytest.mark.parametrize(("name", "layer"), KEPT)
def test_the_weights_are_as_recorded_bit_for_bit(checkpoints: dict[str, Checkpoint], name: str, layer: str) -> None:
    stored, kept = in_the_file(checkpoints, name, layer), read_kept(recorded(name, layer))
    for (_, _, actual), (_, _, wanted) in zip(stored.weights, kept.weights, strict=True):
        for gate in wanted.gates:
            for part in _parts(wanted):
                one, other = (_part(weights, part)[weights.gates.index(gate)] for weights in (actual, wanted))
                np.testing.assert_array_equal(one, other, err_msg=f"{part} of {gate}")


def _parts(wanted: Any) -> Iterator[str]:
    """Name the parts to compare; a single bias is a sum."""
    yield from ("kernel", "recurrent_kernel")
    yield from ("bias", "recurrent_bias") if wanted.recurrent_bias is not None else ("summed_bias",)


def _part(weights: Any, part: str) -> Any:
    return weights.summed_bias() if part == "summed_bias" else getattr(weights, part)


@pytest.mark.parametrize(("name", "layer"), LAYERS)
def test_the_outputs_are_as_recorded_in_either_framework(folder: Path, name: str, layer: str) -> None:
    with working_folder(folder / name):
        _, results = real_models.port_layer(load(name), recorded(name, layer))
    by_name = dict(leaves(results))
    assert by_name["in its own framework"].value <= TOLERANCE
    assert by_name["ported"].value <= TOLERANCE
    assert len(by_name["code"].value.splitlines()) == 3


@pytest.mark.parametrize(("name", "layer"), LAYERS)
def test_numpy_returns_the_recorded_outputs_and_the_usual_mistakes_do_not(
    checkpoints: dict[str, Checkpoint], name: str, layer: str
) -> None:
    stored, expected = in_the_file(checkpoints, name, layer), recorded(name, layer)
    cases = (beginning(expected.cases[0]),)
    assert largest_error(cases, as_stored(stored, stored.forward)) <= TOLERANCE
    for mistake in map(MISTAKES.__getitem__, expected.mistakes):
        wrong = mistake.change(stored)
        assert largest_error(cases, mistake.applied_to(as_stored(wrong, wrong.forward))) > 1e-2


@pytest.mark.parametrize("name", ["rnnmorph", "textgenrnn"])
def test_the_commands_of_a_page_state_the_missing_options(
    folder: Path, name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    port, verify = real_models.commands(load(name))
    monkeypatch.chdir(folder / name)
    assert real_models.succeeds(port)
    assert real_models.succeeds(verify)
    assert main(shlex.split(verify.partition(" --")[0])[1:]) == 0
    assert " does not state " in capsys.readouterr().out.splitlines()[-1]
