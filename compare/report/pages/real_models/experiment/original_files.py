"""Layers that strangers trained, ported from the files that they were shipped in: right, and wrong as everybody does first."""

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

SETUP = "from frameworks.files import open_checkpoint\n"
LINES = """\
checkpoint = open_checkpoint({arguments})
layer = checkpoint["{name}"]
ported = layer.{how}(to="{to}")
"""
"""The port: these lines are run, and shown."""


def run(progress: Callable[[int, int], None], checkpoint: Checkpoint) -> Results:  # noqa: ARG001  seconds a model
    """Fetch the archives, those that are not there yet, and port the files in them. An interrupted run keeps the archives.

    Args:
        progress: is told of models.
        checkpoint: not needed: fetching is most of the time.
    """
    models, found = load_all(), {}
    for done, model in enumerate(models, start=1):
        fetch(model, cache_folder())
        with tempfile.TemporaryDirectory() as folder:
            lay_out(model, cache_folder(), Path(folder))
            found[model.name] = run_model(model, Path(folder))
        progress(done, len(models))
    return {"setup": exact(SETUP), "models": found}


def run_model(model: RecordedModel, folder: Path) -> Results:
    """Port the layers of a model whose files lie in a folder."""
    with working_folder(folder):
        return {
            "layers": {layer.name: run_layer(model, layer) for layer in model.layers},
            "commands": {command: exact(succeeds(command)) for command in commands(model)},
        }


def run_layer(model: RecordedModel, layer: RecordedLayer) -> Results:
    """Port a layer whose model's files lie in the working folder, and give the errors of the right port and of wrong ones."""
    stored, found = port_layer(model, layer)
    return {**found, "wrong": {name: control(_wrong_port(layer, stored, name)) for name in layer.mistakes}}


def port_layer(model: RecordedModel, layer: RecordedLayer) -> tuple[StoredLayer, Results]:
    """Port a layer whose model's files lie in the working folder, and give it and the errors."""
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
        "beware": exact(list(stored.warnings)),
        "in its own framework": measured(largest_error(layer.cases, call_own(stored)), TOLERANCE),
        "ported": measured(largest_error(layer.cases, call_ported(stored, names["ported"], how)), TOLERANCE),
    }


def commands(model: RecordedModel) -> tuple[str, ...]:
    """Give the command lines that convert a model's file, and compare the two."""
    path = PurePosixPath(model.file)
    said = [f"--architecture {PurePosixPath(model.architecture).name}"] if model.architecture else []
    said += [f"--option {name}={value}" for name, value in model.options.items()]
    return tuple(" ".join(("gatewise", verb, path.name, f"{model.name}.safetensors", *said)) for verb in ("port", "verify"))


def succeeds(command: str) -> bool:
    """Run a command line of `gatewise` in the working folder, and tell whether it ends well."""
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
        yield f"options={{None: {_written(model.options)}}}"


def _written(options: Mapping[str, Any]) -> str:
    return "{" + ", ".join(f'"{name}": {value!r}' for name, value in options.items()) + "}"


def _wrong_port(layer: RecordedLayer, stored: StoredLayer, name: str) -> float:
    """Measure a mistake in the other framework."""
    mistake = MISTAKES[name]
    wrong = mistake.change(stored)
    how, _ = choose(wrong)
    ported = getattr(wrong, how)(other_than(wrong.origin))
    return largest_error((beginning(layer.cases[0]),), mistake.applied_to(call_ported(wrong, ported, how)))
