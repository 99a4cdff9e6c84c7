"""What a report must not do is found out before anything is run: replace other files, fail to write, miss a package."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from compare import cli
from compare.report import making
from compare.report.contents import INDEX, PAGES
from compare.report.results import RESULTS, read_results

REPORTS = Path(__file__).parents[3] / "reports"
WEIGHTS = next(page for page in PAGES if page.name == "weights")


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Let the experiments find the committed results; the list has an entry for each run."""
    runs: list[str] = []

    def run(pages: Any, _: object) -> Any:
        runs.append("run")
        results = read_results(REPORTS / RESULTS)
        needed = {name for page in pages for _, name in page.experiments}
        return {name: results[name] for name in ("environment", *needed)}

    monkeypatch.setattr(making, "_run", run)
    return runs


def report(out: Path, *more: str) -> int:
    return cli.main(["report", "--only", "weights", "--out", str(out), *more])


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


@pytest.mark.parametrize("name", [INDEX.file, WEIGHTS.file, WEIGHTS.figures[0].file])
@pytest.mark.parametrize("marker", [None, "{}", '{"environment": {}}', '{"tests": [1, 2]}', "not json", "[]"])
def test_a_file_that_is_not_of_a_report_is_kept(
    name: str, marker: str | None, tmp_path: Path, ran: list[str], capsys: Any
) -> None:
    if marker is not None:
        (tmp_path / RESULTS).write_text(marker)
    (tmp_path / name).write_text("mine")
    before = contents(tmp_path)
    assert report(tmp_path) == 2
    said = capsys.readouterr().err
    assert name in said
    assert "--force" in said
    assert contents(tmp_path) == before
    assert ran == []


def test_a_results_file_of_another_kind_is_kept_too(tmp_path: Path, ran: list[str]) -> None:
    (tmp_path / RESULTS).write_text('{"tests": [1, 2]}')
    assert report(tmp_path) == 2
    assert contents(tmp_path) == {RESULTS: b'{"tests": [1, 2]}'}
    assert ran == []


def test_other_files_in_the_folder_need_no_force(tmp_path: Path, ran: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(making, "_write", lambda *_: None)
    (tmp_path / "notes.md").write_text("mine")
    (tmp_path / PAGES[0].file).write_text("of a page that is not written")
    assert report(tmp_path) == 0
    assert ran == ["run"]


def test_a_target_that_cannot_be_written_is_named_before_the_run(tmp_path: Path, ran: list[str], capsys: Any) -> None:
    (tmp_path / "file").write_text("in the way")
    (tmp_path / "link").symlink_to("nowhere")
    (tmp_path / "folder" / WEIGHTS.file).mkdir(parents=True)
    for out, said in (
        (tmp_path / "file", "must be a folder, but is a file"),
        (tmp_path / "link", "must be a folder, but is a link that leads nowhere"),
        (tmp_path / "file" / "below", "below must be writable, but [Errno"),
        (tmp_path / "folder", f"{WEIGHTS.file} must be a file, but is not one"),
        (Path("/proc/reports"), "/proc/reports must be writable, but [Errno"),
    ):
        assert report(out) == 2
        captured = capsys.readouterr()
        assert said in captured.err
        assert captured.err.count("\n") == 1
    assert ran == []
    assert not (tmp_path / "new").exists()


def test_a_check_without_reports_says_how_they_are_made(
    tmp_path: Path, ran: list[str], monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.main(["report", "--check"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("gatewise: reports must hold the reports of an earlier run, but does not exist.")
    assert "Run `gatewise report` first" in said
    (tmp_path / "reports").mkdir()
    assert cli.main(["report", "--check"]) == 2
    assert f"but has no {RESULTS}." in capsys.readouterr().err
    assert ran == []
    shutil.copytree(REPORTS, tmp_path / "reports", dirs_exist_ok=True)
    assert cli.main(["report", "--check", "--only", "weights", "--json"]) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out)["results"] == {"out": "reports", "differences": []}
    assert ran == ["run"]


def test_a_check_that_fails_lists_the_differences(tmp_path: Path, ran: list[str], capsys: Any) -> None:
    shutil.copytree(REPORTS, tmp_path / "reports")
    (tmp_path / "reports" / WEIGHTS.file).write_text("edited")
    assert report(tmp_path / "reports", "--check", "--json") == 1
    whole = json.loads(capsys.readouterr().out)
    assert whole["status"] == 1
    assert whole["results"]["differences"] == [f"{WEIGHTS.file} differs from its rendered {RESULTS}"]
    assert ran == ["run"]


@pytest.mark.parametrize("missing", [["torch"], ["keras", "tensorflow"], ["matplotlib"]])
def test_missing_packages_are_named_with_their_extra_before_the_run(
    missing: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.setattr("compare.report.target.find_spec", lambda name: None if name in missing else name)
    monkeypatch.setattr(making, "_run_job", lambda *_: pytest.fail("it was run"))
    assert report(tmp_path) == 2
    said = capsys.readouterr().err
    assert said == (
        f"gatewise: {' and '.join(missing)} must be installed to run the comparisons, but cannot be found."
        " Install them with: pip install 'gatewise[reports]'.\n"
    )
    shutil.copytree(REPORTS, tmp_path / "reports")
    assert report(tmp_path / "reports", "--check") == 2
    assert missing[0] in capsys.readouterr().err


def test_a_blocked_package_counts_as_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    for name in ("keras", "torch", "tensorflow"):
        monkeypatch.setitem(sys.modules, name, None)
    assert report(tmp_path) == 2
    assert "gatewise: keras and torch and tensorflow" in capsys.readouterr().err
