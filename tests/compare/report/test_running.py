"""The experiments of a page are run in processes of their own, and what they find is written with the rest.

Covers: `compare/report/making.py`, `compare/report/run_experiments.py`, `compare/report/lanes.py`.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from compare import cli
from compare.report import making as report
from compare.report import processes
from compare.report.contents import PAGES
from compare.report.lanes import Job
from compare.report.results import read_results, write_results
from tests.compare.report.test_making import REPORTS, check

pytestmark = pytest.mark.frameworks


def test_one_page_is_run_and_written_and_the_others_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    kept = read_results(REPORTS / report.RESULTS)
    write_results(kept, folder / report.RESULTS)
    assert cli.main(["report", "--out", str(folder), "--only", "weights"]) == 0
    assert sorted(path.name for path in folder.iterdir()) == ["README.md", "gate-blocks.png", "results.json", "weights.md"]
    assert read_results(folder / report.RESULTS).keys() == kept.keys()
    captured = capsys.readouterr()
    assert "weights: GRU" in captured.err
    assert "WARNING" not in captured.err
    monkeypatch.setattr(report, "_run", lambda pages, progress: read_results(folder / report.RESULTS))
    assert cli.main(["report", "--out", str(folder), "--only", "weights.md", "--check"]) == 0


def test_an_experiment_that_fails_is_told_with_its_message_and_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(processes, "settings_of", lambda backend: {"KERAS_BACKEND": "no such backend"}, raising=True)
    assert cli.main(["report", "--out", str(tmp_path / "out"), "--only", "weights"]) == 2
    said = capsys.readouterr().err
    assert re.search("gatewise: the experiments weights on tensorflow must finish, but ended with .*: no such backend", said)
    assert "Traceback" not in said
    assert cli.main(["report", "--out", str(tmp_path / "out"), "--only", "weights", "--debug"]) == 2
    assert capsys.readouterr().err.count("Traceback") == 2  # of the process, and of the command
    assert not (tmp_path / "out").exists()


def test_every_experiment_runs_once_and_no_process_has_two_backends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs: list[Job] = []
    committed = read_results(REPORTS / report.RESULTS)

    def run(job: Job, *_: object) -> dict[str, Any]:
        jobs.append(job)
        return {name: committed[name][job.backend] for name in job.experiments}

    monkeypatch.setattr(report, "_run_job", run)
    assert cli.main(["report", "--out", str(tmp_path / "out")]) == 0
    assert len(jobs) == 3
    needed = {pair for page in PAGES for pair in page.experiments}
    assert sorted((job.backend, name) for job in jobs for name in job.experiments) == sorted(needed)
    assert check(tmp_path / "out") == []


def test_force_replaces_other_files_and_the_next_run_needs_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "_run", lambda *_: read_results(REPORTS / report.RESULTS))
    (tmp_path / "README.md").write_text("mine")
    (tmp_path / report.RESULTS).write_text('{"theirs": 1}')
    (tmp_path / "notes.md").write_text("mine too")
    command = ["report", "--only", "weights", "--out", str(tmp_path)]
    assert cli.main(command) == 2
    assert (tmp_path / "README.md").read_text() == "mine"
    assert cli.main([*command, "--force"]) == 0
    assert (tmp_path / "README.md").read_text().startswith("# Reports")
    assert cli.main(command) == 0
    assert (tmp_path / "notes.md").read_text() == "mine too"
