"""Results go to stdout in the form that the flags ask for, and everything else to stderr.

Covers: `compare/cli.py`, `compare/commands/outcome.py`, `compare/commands/printing.py`, `compare/commands/failures.py`.
"""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
import warnings
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from compare import cli
from compare.checkpoints import inspection
from compare.commands import COMMANDS
from compare.commands.printing import to_json
from compare.report import making
from frameworks import __version__
from frameworks.layouts import PYTORCH
from frameworks.spec import RecurrentSpec

HOSTILE = "a\x1b[31m\nlayer  same\u202eb|`<script>"
SPEC = RecurrentSpec("gru", 3, 4)


def arrays(name: str, seed: int = 0) -> dict[str, Any]:
    """The arrays of a torch GRU."""
    rng = np.random.default_rng(seed)
    return {f"{name}.{array}": rng.normal(size=shape).astype("float32") for array, shape in PYTORCH.shapes(SPEC, 0).items()}


def save(path: Path, **named: Any) -> None:
    np.savez(path, **named)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    save(tmp_path / "model.npz", **{**arrays("gru"), "head.weight": np.zeros((3, 4), "float32")})
    return tmp_path / "model.npz"


@pytest.fixture
def calls(file: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """A call of each command that ends with status 0."""
    monkeypatch.setattr(making, "make_report", lambda *_, **__: {})
    return {
        "report": ["report"],
        "inspect": ["inspect", str(file)],
        "port": ["port", str(file), str(file.with_name("out.safetensors")), "--force"],
        "verify": ["verify", str(file), str(file)],
        "diagnose": ["diagnose", str(file), str(file)],
        "help": ["help", "verify"],
    }


ALWAYS = sorted({*COMMANDS} - {"completion", "compare"})  # which need shtab and a framework


@pytest.mark.parametrize("command", ALWAYS)
def test_json_is_one_object_with_the_status(command: str, calls: dict[str, list[str]], capsys: Any) -> None:
    assert cli.main([*calls[command], "--json"]) == 0
    captured = capsys.readouterr()
    whole = json.loads(captured.out)
    assert list(whole) == ["command", "version", "status", "results"]
    assert (whole["command"], whole["version"], whole["status"]) == (command, __version__, 0)
    assert whole["results"]
    assert captured.err == ""


@pytest.mark.parametrize("command", ALWAYS)
def test_quiet_prints_nothing_but_errors(command: str, calls: dict[str, list[str]], capsys: Any) -> None:
    assert cli.main([*calls[command], "--quiet"]) == 0
    assert capsys.readouterr() == ("", "")
    assert cli.main(["--quiet", *calls[command]]) == 0
    assert capsys.readouterr() == ("", "")
    assert cli.main(calls[command]) == 0
    assert capsys.readouterr().out
    assert cli.main(["inspect", "missing.npz", "--quiet"]) == 2
    assert "missing.npz" in capsys.readouterr().err


def test_quiet_and_verbose_exclude_each_other(file: Path, capsys: Any) -> None:
    with pytest.raises(SystemExit, match="2"):
        cli.main(["inspect", str(file), "--quiet", "--verbose"])
    assert "not allowed with argument" in capsys.readouterr().err


def test_verbose_prints_what_is_otherwise_summed_up(tmp_path: Path, capsys: Any) -> None:
    blocks = {f"layers.{number}.norm.weight": np.zeros(4, "float32") for number in range(5)}
    save(tmp_path / "model.npz", **arrays("gru"), **blocks, **{f"odd.a{n}": np.zeros(2) for n in range(6)})
    for command in (["inspect", str(tmp_path / "model.npz")], ["port", str(tmp_path / "model.npz"), str(tmp_path / "o.npz")]):
        assert cli.main(command) == 0
        said = capsys.readouterr().out
        assert "layers.{0-4}.norm" in said
        assert "layers.3.norm" not in said
        assert cli.main([*command, "--verbose", *["--force"] * (command[0] == "port")]) == 0
        said = capsys.readouterr().out.partition("Caveats")[0]
        assert "{0-4}" not in said
        assert "layers.3.norm" in said
    assert cli.main(["inspect", str(tmp_path / "model.npz"), "--verbose"]) == 0
    assert "a5 (2,)" in " ".join(capsys.readouterr().out.split())


def test_json_tells_an_error_too(capsys: Any) -> None:
    assert cli.main(["inspect", "missing.npz", "--json"]) == 2
    captured = capsys.readouterr()
    whole = json.loads(captured.out)
    assert (whole["command"], whole["status"]) == ("inspect", 2)
    assert whole["results"]["error"] == "InvalidValueError"
    assert captured.err == f"gatewise: {whole['results']['message']}\n"


@pytest.mark.parametrize(
    ("arguments", "command", "said"),
    [
        ([], "", "a command is required"),
        (["inspec", "model.npz"], "", "invalid choice: 'inspec'"),
        (["inspect"], "inspect", "the following arguments are required: FILE"),
        (["inspect", "model.npz", "--nonsense"], "inspect", "unrecognized arguments: --nonsense"),
        (["inspect", "model.npz", HOSTILE], "inspect", "unrecognized arguments: a\\x1b[31m\\nlayer"),
        (["verify", "a.npz", "b.npz", "--seed=-1"], "verify", "--seed: must be a whole number from 0 on, but is '-1'"),
        (["report", "--check", "--full"], "report", "leave out --full"),
    ],
)
@pytest.mark.parametrize("flag", ["--json", "--js", None])
def test_a_wrong_call_is_one_json_object_too(
    arguments: list[str], command: str, said: str, flag: str | None, capsys: Any
) -> None:
    with pytest.raises(SystemExit) as end:
        cli.main([*([flag] if flag else []), *arguments])
    captured = capsys.readouterr()
    assert end.value.code == 2
    assert said in captured.err.splitlines()[-1]
    if flag:
        whole = json.loads(captured.out)
        assert (whole["command"], whole["status"], whole["results"]["error"]) == (command, 2, "WrongCallError")
        assert whole["results"]["message"] in captured.err
    else:
        assert captured.out == ""


def test_paths_that_are_no_files_are_named_with_what_they_are(file: Path, tmp_path: Path, capsys: Any) -> None:
    os.mkfifo(tmp_path / "pipe")
    long = tmp_path / ("x" * 300)
    for arguments, said in (
        (["inspect", tmp_path / "pipe"], "pipe must be a file, but is a pipe or a device"),
        (["verify", file, "/dev/null"], "/dev/null must be a file, but is a pipe or a device"),
        (["inspect", tmp_path], "must be a file, but is a folder"),
        (["inspect", f"{long}.npz"], "must be a readable file, but cannot be opened"),
        (["inspect", f"{long}.h5"], "must be a readable file, but cannot be opened"),
        (["port", file, f"{long}.npz"], "must be writable, but writing it failed"),
        (["port", file, "."], ". must end in one of"),
    ):
        assert cli.main([*map(str, arguments)]) == 2
        captured = capsys.readouterr()
        assert said in captured.err
        assert captured.err.startswith("gatewise: ")
        assert "--debug" not in captured.err


class _Kind(str, Enum):
    ONE = "one"


@dataclass
class _Result:
    kind: _Kind
    errors: tuple[float, ...]
    where: Path


def test_results_become_strict_json() -> None:
    result = _Result(_Kind.ONE, (1.5, float("nan"), float("inf")), Path("a/b"))
    plain = to_json({"result": result, 3: np.float32(0.5), "array": np.arange(2), "none": None, "yes": True})
    assert json.loads(json.dumps(plain, allow_nan=False)) == {
        "result": {"kind": "one", "errors": [1.5, None, None], "where": "a/b"},
        "3": 0.5,
        "array": [0, 1],
        "none": None,
        "yes": True,
    }


def test_what_a_library_prints_and_warns_is_no_result(file: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    def noisy(_: Any) -> Any:
        print("a library prints")  # noqa: T201
        warnings.warn_explicit("a library warns", UserWarning, "/elsewhere/library.py", 1)
        warnings.warn_explicit(f"gatewise warns of {HOSTILE}", UserWarning, str(inspection.__file__), 1)
        return {"path": "p", "format": "f", "layers": [], "others": []}

    monkeypatch.setattr(inspection, "describe", noisy)
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        assert cli.main(["inspect", str(file), "--json"]) == 0
        captured = capsys.readouterr()
        assert json.loads(captured.out)["results"]["path"] == "p"
        assert "a library prints" in captured.err
        assert "a library warns" not in captured.err
        assert "\ngatewise: warning: gatewise warns of a\\x1b[31m\\nlayer" in captured.err
        assert cli.main(["inspect", str(file), "--quiet"]) == 0
        assert "warning" not in capsys.readouterr().err


@pytest.mark.parametrize("form", [[], ["--verbose"]])
def test_hostile_names_are_harmless_in_every_output(form: list[str], tmp_path: Path, capsys: Any) -> None:
    file, out, other = tmp_path / "model.npz", str(tmp_path / "out.safetensors"), tmp_path / "other.npz"
    save(file, **arrays(HOSTILE), **{f"{HOSTILE} head.weight": np.zeros((3, 4), "float32")})
    save(other, **arrays(HOSTILE, seed=1))
    for status, command in (
        (0, ["inspect", str(file)]),
        (0, ["port", str(file), out]),
        (0, ["verify", str(file), out]),
        (1, ["verify", str(file), str(other)]),
        (2, ["port", str(file), out]),
        (2, ["port", str(file), out, "--layer", f"{HOSTILE}x"]),
        (2, ["inspect", str(file), "--option", f"{HOSTILE}.reset=1"]),
        (2, ["inspect", str(tmp_path / HOSTILE.partition("/")[0])]),
    ):
        assert cli.main([*command, *form]) == status
        captured = capsys.readouterr()
        whole = captured.out + captured.err
        assert [each for each in whole if not each.isprintable() and each != "\n"] == []
        assert [line for line in whole.splitlines() if line.startswith("layer  same")] == []
        assert status != 2 or captured.err.count("\n") == 1
    with pytest.raises(SystemExit, match="2"):
        cli.main(["inspect", str(file), HOSTILE, *form])
    assert f"unrecognized arguments: {HOSTILE.encode('unicode_escape').decode()}" in capsys.readouterr().err


def test_tables_of_real_shapes_fit_80_columns(tmp_path: Path, capsys: Any) -> None:
    stack = RecurrentSpec("lstm", 3, 4, num_layers=3, bidirectional=True)
    place = "model.speech_encoder.bidirectional_stack"
    shapes = {name: shape for layer in range(3) for name, shape in PYTORCH.shapes(stack, layer).items()}
    save(
        tmp_path / "model.npz",
        **{f"{place}.{name}": np.ones(shape, "float32") for name, shape in shapes.items()},
        **arrays("a_decoder_with_a_name_that_is_longer_than_a_column_of_any_of_these_tables"),
        **{f"model.blocks.{n}.feed_forward.dense.weight": np.zeros((3, 4), "float32") for n in range(12)},
    )
    files = [str(tmp_path / name) for name in ("model.npz", "out.safetensors")]
    for command in (["inspect", files[0]], ["port", *files], ["verify", *files]):
        assert cli.main(command) == 0
        tables = capsys.readouterr().out.partition("\n\nCaveats:")[0].splitlines()[1:]
        assert max(len(line) for line in tables if not line.startswith("- ")) <= 80  # code is not broken
        assert len(tables) > 5
        assert "..." not in "".join(tables)


def run(*arguments: object, **how: Any) -> Any:
    return subprocess.run([sys.executable, "-m", "compare", *map(str, arguments)], check=False, text=True, **how)


@pytest.mark.parametrize("arguments", [["inspect", "model.npz"], ["verify", "model.npz", "model.npz"], ["help"], ["--help"]])
def test_no_escape_sequence_is_printed_on_a_terminal(file: Path, arguments: list[str]) -> None:
    ours, theirs = pty.openpty()
    root = str(Path(__file__).parents[3])
    surroundings = {**os.environ, "PYTHONPATH": root, "TERM": "xterm-256color", "FORCE_COLOR": "1"}
    surroundings.pop("NO_COLOR", None)
    assert run(*arguments, cwd=file.parent, stdout=theirs, stderr=theirs, env=surroundings).returncode == 0
    os.close(theirs)
    printed = b""
    while True:
        try:
            printed += os.read(ours, 1 << 16)
        except OSError:  # how Linux ends the reading of a terminal that nobody has open
            break
        if not printed:
            break
    os.close(ours)
    assert len(printed) > 100
    assert b"\x1b" not in printed


@pytest.mark.parametrize("arguments", [["inspect", "model.npz"], ["--help"], ["help", "port"], ["--version"], ["inspect"]])
def test_closed_streams_cause_no_traceback_and_no_other_status(file: Path, arguments: list[str]) -> None:
    expected = 2 if arguments == ["inspect"] else 0
    surroundings = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    command = " ".join([sys.executable, "-m", "compare", *arguments])
    for closing in (">&-", "2>&-", "<&- >&- 2>&-"):
        whole = subprocess.run(
            ["/bin/sh", "-c", f"{command} {closing}"],  # a shell can close streams
            cwd=file.parent,
            env=surroundings,
            capture_output=True,
            text=True,
            check=False,
        )
        assert whole.returncode == expected
        assert "Traceback" not in whole.stderr
    reading, writing = os.pipe()
    os.close(reading)
    process = run(*arguments, cwd=file.parent, env=surroundings, stdout=writing, stderr=subprocess.PIPE)
    os.close(writing)
    assert "Traceback" not in process.stderr
    assert "Exception" not in process.stderr


def test_an_unexpected_error_is_one_line_and_debug_shows_its_traceback(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    def broken(_: Any) -> None:
        raise ZeroDivisionError("of\n\x1b[2Jnothing")

    monkeypatch.setattr(inspection, "describe", broken)
    assert cli.main(["inspect", str(file)]) == 2
    said = capsys.readouterr().err
    assert said.startswith("gatewise: gatewise inspect must end with a result, but ")
    assert "inspect.py, line " in said
    assert "raised ZeroDivisionError: of \\x1b[2Jnothing. Report it with the traceback that --debug shows.\n" in said
    assert said.count("\n") == 1
    assert cli.main(["inspect", str(file), "--debug"]) == 2
    said = capsys.readouterr().err
    assert "Traceback (most recent call last):" in said
    assert "\x1b" not in said


def test_debug_shows_the_traceback_of_a_refusal_too(capsys: Any) -> None:
    assert cli.main(["inspect", "missing.npz"]) == 2
    assert "Traceback" not in capsys.readouterr().err
    assert cli.main(["--debug", "inspect", "missing.npz"]) == 2
    assert "Traceback" in capsys.readouterr().err
