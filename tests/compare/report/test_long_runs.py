"""The long runs: parts in processes of their own, which an interruption, a kill or a damaged file costs no finished step."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from compare import cli
from compare.report import making as report
from compare.report.contents import PAGES
from compare.report.long_parts import PARTS, Part
from compare.report.long_runs import forget_parts, run_parts
from compare.report.studies.translation.defaults import DEFAULTS
from frameworks import GatewiseError

EXPERIMENT = """\
import time
from pathlib import Path
import numpy as np
from compare.report.results import exact
from compare.training import train_together

class Counter:
    def __init__(self, log):
        self.count, self.log = np.zeros(1), Path(log)
    def step(self, batch):
        time.sleep(0.01)
        self.count = self.count + 1
        with self.log.open("a") as log:
            log.write(f"{batch} ")
        return float(self.count[0])
    def parameters(self):
        return {"count": self.count}
    def state(self):
        return {"count": self.count}
    def restore(self, state):
        self.count = state["count"]

def run(progress, checkpoint, log, steps, rate=1):
    if rate == 0:
        raise ValueError("no rate")
    found = train_together({"one": Counter(log)}, lambda step: step, steps, checkpoint=checkpoint, progress=progress)
    return {"losses": exact(found.losses["one"].tolist())}
"""


@pytest.fixture
def parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Part]:
    """Two parts of a module that counts its steps, in a file beside the checkpoints."""
    (tmp_path / "counting_steps.py").write_text(EXPERIMENT)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return {
        name: Part("counting_steps", steps, {"log": str(tmp_path / f"{name}.log"), "steps": steps})
        for name, steps in (("long", 80), ("short", 3))
    }


def steps_made(tmp_path: Path, name: str) -> list[int]:
    return [int(step) for step in (tmp_path / f"{name}.log").read_text().split()]


def test_parts_are_run_and_their_progress_is_told(tmp_path: Path, parts: dict[str, Part]) -> None:
    told: list[tuple[str, int, int]] = []
    found = run_parts(parts, tmp_path / "kept", lambda *news: told.append(news))
    assert found["short"]["losses"].value == [1.0, 2.0, 3.0]
    assert found["short"]["environment"]["numpy"].kind == "environment"
    assert {("long", 80, 80), ("short", 3, 3)} <= set(told)
    assert len({done for name, done, _ in told if name == "long"}) > 2


INTERRUPTED = """\
import json, signal, sys
from pathlib import Path
from compare.report.long_parts import Part
from compare.report.long_runs import forget_parts, run_parts
signal.signal(signal.SIGINT, signal.default_int_handler)  # which is ignored where the tests run in the background
parts = {name: Part(**fields) for name, fields in json.loads(sys.argv[1]).items()}
try:
    run_parts(parts, Path(sys.argv[2]), lambda *news: print(*news, flush=True))
except KeyboardInterrupt:
    sys.exit(130)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_goes_on_where_it_was(tmp_path: Path, parts: dict[str, Part], number: int) -> None:
    fields = {
        name: {"module": part.module, "steps": part.steps, "arguments": dict(part.arguments)} for name, part in parts.items()
    }
    command = [sys.executable, "-c", INTERRUPTED, json.dumps(fields), str(tmp_path / "kept")]
    root = str(Path(__file__).parents[3])
    surroundings = {**os.environ, "PYTHONPATH": f"{root}{os.pathsep}{tmp_path}"}
    with subprocess.Popen(command, env=surroundings, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("long") and int(line.split()[1]) > 10:
                process.send_signal(number)
                break
        process.communicate()
    assert process.returncode == 130
    made = steps_made(tmp_path, "long")
    assert 10 < len(made) < 80
    found = run_parts(parts, tmp_path / "kept", lambda *news: None)
    assert found["long"]["losses"].value == [step + 1.0 for step in range(80)]
    assert steps_made(tmp_path, "long") == list(range(80))
    assert steps_made(tmp_path, "short") == [0, 1, 2]


def test_a_finished_part_is_not_run_again(tmp_path: Path, parts: dict[str, Part]) -> None:
    only = {"short": parts["short"]}
    assert run_parts(only, tmp_path / "kept", lambda *news: None) == run_parts(only, tmp_path / "kept", lambda *news: None)
    assert steps_made(tmp_path, "short") == [0, 1, 2]


def test_what_a_part_kept_under_other_settings_is_refused(tmp_path: Path, parts: dict[str, Part]) -> None:
    run_parts({"short": parts["short"]}, tmp_path / "kept", lambda *news: None)
    other = Part("counting_steps", 3, {**parts["short"].arguments, "rate": 2})
    with pytest.raises(GatewiseError, match=r"short\.json must come from .*'rate': 2.*, but comes from .* Delete the folder"):
        run_parts({"short": other}, tmp_path / "kept", lambda *news: None)


def test_damaged_results_of_a_part_are_named_and_cost_no_step(tmp_path: Path, parts: dict[str, Part]) -> None:
    only = {"short": parts["short"]}
    run_parts(only, tmp_path / "kept", lambda *news: None)
    path = tmp_path / "kept" / "short.json"
    path.write_text(path.read_text()[:-5])
    with pytest.raises(GatewiseError, match="must hold the results of a finished part, but is damaged"):
        run_parts(only, tmp_path / "kept", lambda *news: None)
    path.unlink()
    assert run_parts(only, tmp_path / "kept", lambda *news: None)["short"]["losses"].value == [1.0, 2.0, 3.0]
    assert steps_made(tmp_path, "short") == [0, 1, 2]


def test_a_part_that_fails_is_told_with_its_message_and_the_other_is_finished(tmp_path: Path, parts: dict[str, Part]) -> None:
    failing = Part("counting_steps", 3, {**parts["short"].arguments, "rate": 0})
    with pytest.raises(GatewiseError, match=r"the long run short must finish, but ended(?s:.)*ValueError: no rate"):
        run_parts({"short": failing, "long": parts["long"]}, tmp_path / "kept", lambda *news: None)
    assert (tmp_path / "kept" / "long.json").exists()


def test_a_page_without_long_runs_leaves_what_those_of_another_have_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report, "_run", lambda *_: {"environment": {}})
    monkeypatch.setattr(report, "_write", lambda *_: None)
    finished = tmp_path / ".long" / f"{next(iter(PARTS))}.npz"
    finished.parent.mkdir()
    finished.write_bytes(b"steps")
    report.make_report(tmp_path, "weights", print, lambda *_: None)
    assert finished.exists()


def test_a_folder_that_another_run_uses_is_refused(tmp_path: Path, parts: dict[str, Part]) -> None:
    folder = tmp_path / "kept"
    folder.mkdir()
    with (folder / "lock").open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(GatewiseError, match="must be used by one long run at a time, but is in use"):
            run_parts({"short": parts["short"]}, folder, lambda *news: None)


def test_what_is_kept_of_other_parts_stays_until_the_last_is_told(tmp_path: Path, parts: dict[str, Part]) -> None:
    folder = tmp_path / "kept"
    run_parts(parts, folder, lambda *news: None)
    forget_parts(["short"], folder)
    assert {path.name.partition(".")[0] for path in folder.iterdir()} == {"long", "lock"}
    forget_parts(["long"], folder)
    assert not folder.exists()


def test_check_runs_the_short_versions_alone(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        cli.main(["report", "--full", "--check"])
    assert "--check runs the short versions: leave out --full" in capsys.readouterr().err


def test_an_interrupted_long_run_says_how_it_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(report, "make_report", interrupted)
    assert cli.main(["report", "--full", "--quiet", "--out", str(tmp_path)]) == 130
    kept = f"gatewise: interrupted. Finished steps are kept in {tmp_path}; run the same command to resume.\n"
    assert capsys.readouterr().err == kept
    assert cli.main(["report", "--out", str(tmp_path)]) == 130
    assert capsys.readouterr().err == "gatewise: interrupted.\n"


def test_every_long_run_of_a_page_is_declared_and_every_default_is_switched() -> None:
    alone = {name.removeprefix("defaults-") for name in PARTS if name.startswith("defaults-")}
    assert alone == {*DEFAULTS, "none", "all", "keras", "fit"}
    assert set(PARTS["defaults-all"].arguments["own"]) == set(DEFAULTS)
    assert {name for page in PAGES for name in page.long} == set(PARTS)
