"""Ports that programs wrote are run, each in a process of its own, and what becomes of them is told.

Covers: `compare/report/studies/wrong_ports/ports.py`, `compare/report/studies/wrong_ports/run_port.py`,
`compare/report/studies/wrong_ports/tasks.py`, `compare/report/studies/wrong_ports/score.py`.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from compare.report.studies.wrong_ports import run_port
from compare.report.studies.wrong_ports.corpus import load
from compare.report.studies.wrong_ports.ports import judge
from compare.report.studies.wrong_ports.score import main
from compare.report.studies.wrong_ports.tasks import Task, describe, tasks, write

pytestmark = pytest.mark.frameworks
TASKS = tasks(load())
TASK = next(task for task in TASKS if "gates_permuted" in {entry.name for entry in task.entries})
DIAGNOSE = "compare:diagnose"


def port_of(task: Task, function: str) -> str:
    """Return the source of a port.py with the wrong or the correct port of an entry."""
    imports = "\n".join(line for line in task.entry.text.splitlines() if line.startswith("import "))
    return f"{imports}\n\n\n{task.entry.source_of(function).replace(f'def {function}(', 'def port(')}\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tasks")
    write(TASK, folder / TASK.name)
    return folder


def run(folder: Path, text: str) -> dict[str, Any]:
    """Run a port in this process."""
    path = folder / TASK.name / "port.py"
    path.write_text(text)
    return run_port.run(path, TASK.entry, DIAGNOSE, 7)


def test_a_right_port_is_right(folder: Path) -> None:
    found = run(folder, port_of(TASK, "correct"))
    assert (found["outcome"], found["named"]) == ("right", "")
    assert found["distance"] < 1e-6


def test_a_port_that_was_made_for_the_sample_alone_is_wrong(folder: Path) -> None:
    """It ports the layer that was saved with the task, whichever layer it is given."""
    text = port_of(TASK, "correct").replace("layer.get_weights()", "sample.get_weights()")
    sample = f"sample = keras.saving.load_model({str(folder / TASK.name / 'layer.keras')!r}).layers[0]"
    found = run(folder, text.replace("\n\n\ndef", f"\n{sample}\n\n\ndef", 1))
    assert (found["outcome"], found["distance"] > 0.1) == ("wrong", True)


def test_a_wrong_port_is_wrong_and_its_mistake_is_named(folder: Path) -> None:
    found = run(folder, port_of(TASK, "wrong"))
    assert (found["outcome"], found["named"]) == ("wrong", "gates-permuted")
    assert found["distance"] > 0.1


def test_results_of_another_shape_are_wrong(folder: Path) -> None:
    found = run(folder, "def port(layer):\n    return lambda x: x[:, 0]\n")
    assert (found["outcome"], found["distance"]) == ("wrong", None)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("def port(layer):\n    return layer.nothing\n", "AttributeError: "),
        ("def port(layer):\n    return lambda: 0\n", "TypeError: "),
        ("def other(layer):\n    return layer\n", "AttributeError: "),
        ("import no_such_module\n", "ModuleNotFoundError: "),
    ],
)
def test_a_port_that_raises_is_quoted(folder: Path, text: str, message: str) -> None:
    found = run(folder, text)
    assert found["outcome"] == "raises"
    assert found["named"].startswith(message)


def test_a_port_that_ends_the_process_crashes(folder: Path) -> None:
    (folder / TASK.name / "port.py").write_text("import os\nos._exit(11)\n")
    score = judge(TASK, folder, DIAGNOSE, timeout=60, seed=1)
    assert (score.outcome, score.named) == ("crashes", "the process ended with status 11")


@pytest.mark.skipif(os.name == "nt", reason="processes are killed in groups where the system has them")
def test_a_port_that_hangs_is_killed_with_what_it_started(folder: Path) -> None:
    started = folder / "started"
    child = f"import time; open({str(started)!r}, 'w').write(str(__import__('os').getpid())); time.sleep(600)"
    text = f"import subprocess, sys\nsubprocess.Popen([sys.executable, '-c', {child!r}]).wait()\n"
    (folder / TASK.name / "port.py").write_text(text)
    score = judge(TASK, folder, DIAGNOSE, timeout=4, seed=1)
    assert (score.outcome, score.named) == ("times out", "it took more than 4 s")
    assert score.seconds < 60
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and is_alive(int(started.read_text())):
        time.sleep(0.1)
    assert not is_alive(int(started.read_text()))


def is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{process}/stat")
    return not status.exists() or status.read_text().rpartition(")")[2].split()[0] != "Z"


def test_the_command_judges_the_ports_that_a_program_wrote(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "torch")  # it loads faster
    names = [TASK.name, TASKS[1].name, TASKS[2].name]
    only = [part for name in names for part in ("--only", name)]
    assert main(["tasks", str(tmp_path), *only]) == 0
    (tmp_path / names[0] / "port.py").write_text(port_of(TASKS[0], "correct"))
    (tmp_path / names[1] / "right.py").write_text("changed = True\n")
    (tmp_path / names[1] / "port.py").write_text(port_of(TASKS[1], "correct"))
    capsys.readouterr()
    assert main(["ports", str(tmp_path), *only, "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert [score["outcome"] for score in found["scores"]] == ["right", "missing", "missing"]
    assert [score["named"].partition(":")[0] for score in found["scores"][1:]] == [
        "right.py is of another version of the corpus",
        "port.py is missing",
    ]
    assert found["totals"] == {"right": 1, "missing": 2}


def test_every_entry_has_a_task_and_no_two_tasks_are_the_same() -> None:
    assert sorted(entry.name for task in TASKS for entry in task.entries) == sorted(entry.name for entry in load())
    assert len({task.right_source for task in TASKS}) == len(TASKS)


def test_no_task_gives_a_mistake_away() -> None:
    mistakes = {mistake for entry in load() for mistake in entry.mistakes if "-" in mistake}
    mistakes |= {"MISTAKES", "def wrong", "def correct"}
    assert [task.name for task in TASKS if any(word in task.right_source for word in mistakes)] == []


def test_the_files_of_a_task_hold_the_layer_and_the_call_of_seed_0(folder: Path) -> None:
    import keras

    own = folder / TASK.name
    names: dict[str, Any] = {}
    exec((own / "right.py").read_text(), names)  # noqa: S102 - what a porter runs
    layer, saved = names["right"](0), keras.saving.load_model(own / "layer.keras")
    call = dict(np.load(own / "call.npz"))
    np.testing.assert_array_equal(call["inputs"], names["call"](0)["inputs"])
    np.testing.assert_array_equal(np.asarray(saved(call["inputs"])), np.asarray(layer(call["inputs"])))


def test_the_text_says_how_the_port_is_called_and_what_it_returns() -> None:
    mask = SimpleNamespace(shape=(3, 7), dtype="bool")
    states = [SimpleNamespace(shape=(3, 5), dtype="float32")] * 2
    text = describe(TASK, {"inputs": mask, "mask": mask, "initial_state": states}, [(3, 7, 5), (3, 5)], "layer.keras")
    assert "from Keras to PyTorch" in text
    assert "`port(inputs, mask=mask, initial_state=initial_state)` with PyTorch tensors" in text
    assert "arrays of these shapes: (3, 7, 5), (3, 5)." in text
    assert "a list of 2 arrays (3, 5), float32" in text
    assert TASK.right_source.partition("\n\n")[2] in text


def test_an_unknown_name_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    for arguments in (["names", "--only", "gates"], ["tasks", str(tmp_path), "--only", "gates_permuted"]):
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        assert ended.value.code == 2
        assert "there are " in capsys.readouterr().err


def test_the_command_scores_the_function_of_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine.py").write_text(
        "from types import SimpleNamespace\n\n\ndef name(right, port, inputs, mask=None, initial_state=None):\n"
        "    return SimpleNamespace(verdict='right', findings=[])\n"
    )
    only = ["--only", "right_bias_split", "--only", "bias_doubled"]
    assert main([f"{tmp_path / 'mine.py'}:name", *only, "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert [(score["entry"], score["which"], score["outcome"]) for score in found["scores"]] == [
        ("bias_doubled", "wrong", "called right"),
        ("bias_doubled", "correct", "right"),
        ("right_bias_split", "wrong", "right"),
    ]
    assert main([f"{tmp_path / 'mine.py'}:name", "--only", "right_bias_split"]) == 0
    assert "false alarm" in capsys.readouterr().out
