"""Layers of published models, ported from the packages' files: correctly, and with the usual mistakes."""

from __future__ import annotations

import shlex
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from compare.report.pages.real_models.experiment import call_own, call_ported, choose, other_than
from compare.report.results import Results, control, exact, measured
from compare.report.snippets import run_snippet, working_folder
from compare.report.studies.fetching import fetch
from compare.report.studies.originals import cache_folder
from compare.report.studies.real_models.files import lay_out
from compare.report.studies.real_models.mistakes import MISTAKES
from compare.report.studies.real_models.models import load_all
from compare.report.studies.real_models.recorded import RecordedLayer, RecordedModel
from compare.report.studies.real_models.replay import TOLERANCE, beginning, largest_error
from compare.training import Checkpoint
from frameworks.files import StoredLayer

SETUP = "from gatewise import open_checkpoint\n"
LINES = """\
checkpoint = open_checkpoint({arguments})
layer = checkpoint["{name}"]
ported = layer.{how}(to="{to}")
"""
"""The port, run and shown."""


def run(progress: Callable[[int, int], None], checkpoint: Checkpoint) -> Results:  # noqa: ARG001  seconds a model
    """Fetch the archives that are missing, and port the files in them. An interrupted run keeps its archives.

    Args:
        progress: a function called with the numbers of finished models and of all models.
        checkpoint: not used, since most of the time goes into fetching.
    """
    models, ported = load_all(), {}
    for done, model in enumerate(models, start=1):
        fetch(model, cache_folder())
        with tempfile.TemporaryDirectory() as folder:
            lay_out(model, cache_folder(), Path(folder))
            ported[model.name] = run_model(model, Path(folder))
        progress(done, len(models))
    return {"setup": exact(SETUP), "models": ported}


def run_model(model: RecordedModel, folder: Path) -> Results:
    """Port the layers of a model, whose files are in `folder`."""
    with working_folder(folder):
        return {
            "layers": {layer.name: run_layer(model, layer) for layer in model.layers},
            "commands": {command: exact(succeeds(command)) for command in commands(model)},
        }


def run_layer(model: RecordedModel, layer: RecordedLayer) -> Results:
    """Port a layer from the working folder, and return the errors of the correct port and of wrong ones."""
    stored, ported = port_layer(model, layer)
    return {**ported, "wrong": {name: control(_wrong_port(layer, stored, name)) for name in layer.mistakes}}


def port_layer(model: RecordedModel, layer: RecordedLayer) -> tuple[StoredLayer, Results]:
    """Port a layer from the working folder, and return the stored layer and the errors."""
    arguments, to = _arguments(model), other_than(layer.origin)
    _, names = run_snippet(f"{SETUP}layer = open_checkpoint({arguments})[{layer.in_file!r}]\n")
    how, refusal = choose(names["layer"])
    code = LINES.format(arguments=arguments, name=layer.in_file, how=how, to=to)
    _, names = run_snippet(SETUP + code)
    stored = names["layer"]
    return stored, {
        "code": exact(code),
        "by": exact(how),
        "refused": exact(refusal),
        "warnings": exact(list(stored.warnings)),
        "in its own framework": measured(largest_error(layer.cases, call_own(stored)), TOLERANCE),
        "ported": measured(largest_error(layer.cases, call_ported(stored, names["ported"], how)), TOLERANCE),
    }


def commands(model: RecordedModel) -> tuple[str, ...]:
    """Return the command lines that port a model's file and verify the result."""
    path = PurePosixPath(model.file)
    options = [f"--architecture {PurePosixPath(model.architecture).name}"] if model.architecture else []
    options += [f"--option {name}={value}" for name, value in model.options.items()]
    return tuple(" ".join(("gatewise", verb, path.name, f"{model.name}.safetensors", *options)) for verb in ("port", "verify"))


def succeeds(command: str) -> bool:
    """Run a `gatewise` command line in the working folder, and return whether it exits with 0."""
    _, *arguments = shlex.split(command)
    gatewise = [sys.executable, "-m", "compare", *arguments]
    run = subprocess.run(gatewise, stdout=subprocess.DEVNULL, check=False)  # noqa: S603  our own command
    return run.returncode == 0


def _arguments(model: RecordedModel) -> str:
    return ", ".join(_each_argument(model))


def _each_argument(model: RecordedModel) -> Iterator[str]:
    yield f'"{PurePosixPath(model.file).name}"'
    if model.architecture:
        yield f'architecture="{PurePosixPath(model.architecture).name}"'
    if model.options:
        yield f"options={_written(model.options_by_layer)}"


def _written(value: Any) -> str:
    """Return the code of a value, with text in double quotes."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_written(name)}: {_written(each)}" for name, each in value.items()) + "}"
    return f'"{value}"' if isinstance(value, str) else repr(value)


def _wrong_port(layer: RecordedLayer, stored: StoredLayer, name: str) -> float:
    """Return the error of a port with a mistake."""
    mistake = MISTAKES[name]
    wrong = mistake.change(stored)
    how, _ = choose(wrong)
    ported = getattr(wrong, how)(other_than(wrong.origin))
    return largest_error((beginning(layer.cases[0]),), mistake.applied_to(call_ported(wrong, ported, how)))
