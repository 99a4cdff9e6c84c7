"""`gatewise completion` prints a script with which a shell completes commands, options and files."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from compare import cli
from compare.commands import COMMANDS

COMPLETE = """
source "$1"
shift
function=$(complete -p gatewise | sed 's/.*-F \\([^ ]*\\).*/\\1/')
COMP_WORDS=("$@")
COMP_CWORD=$(( $# - 1 ))
$function gatewise "${@: -1}"
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("shtab")
    path = tmp_path_factory.mktemp("completion") / "gatewise.bash"
    command = [sys.executable, "-m", "compare", "completion", "bash"]
    path.write_text(subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[3]).stdout)
    return path


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
@pytest.mark.parametrize(
    ("words", "completed"),
    [
        (["gatewise", ""], [*COMMANDS]),
        (["gatewise", "ins"], ["inspect"]),
        (["gatewise", "verify", "--arch"], ["--architecture"]),
        (["gatewise", "help", "p"], ["port"]),
        (["gatewise", "inspect", "mod"], ["model.h5"]),
        (["gatewise", "diagnose", "mod"], ["model.h5"]),
        (["gatewise", "diagnose", "model.h5", "mod"], ["model.h5"]),
        (["gatewise", "compare", "--wei"], ["--weights"]),
        (["gatewise", "compare", "--inputs", "mod"], ["model.h5"]),
        (["gatewise", "inspect", "--js"], ["--json"]),
        (["gatewise", "nonsense", "--arch"], [""]),
    ],
)
def test_bash_completes(script: Path, words: list[str], completed: list[str], tmp_path: Path) -> None:
    (tmp_path / "model.h5").touch()
    command = ["bash", "-c", COMPLETE, "bash", str(script), *words]
    shown = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path).stdout
    assert shown.splitlines() == completed


@pytest.mark.parametrize("shell", ["bash", "zsh", "tcsh"])
def test_each_shell_has_a_script(shell: str, capsys: Any) -> None:
    pytest.importorskip("shtab")
    assert cli.main(["completion", shell]) == 0
    said = capsys.readouterr().out
    assert all(name in said for name in COMMANDS)


def test_a_missing_library_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.setitem(sys.modules, "shtab", None)
    assert cli.main(["completion", "bash"]) == 2
    assert "Install it with: pip install 'gatewise[completion]'." in capsys.readouterr().err
