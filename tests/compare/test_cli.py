"""The command ends in a sentence and an exit status, not in a traceback."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from compare import cli, commands
from compare.report import making as report
from compare.report.contents import PAGES
from compare.report.studies.data import MissingDataError, data_folder

PAGE_FOLDERS = Path(str(report.__file__)).parent / "pages"


def test_a_folder_that_cannot_be_made_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def write_at_once(out: Path, *_: object, **_options: object) -> None:
        out.mkdir(parents=True)

    monkeypatch.setattr(report, "make_report", write_at_once)
    (tmp_path / "file").write_text("in the way")
    out = tmp_path / "file" / "reports"
    assert cli.main(["report", "--out", str(out)]) == 2
    said = capsys.readouterr().err
    assert f"gatewise: {out} must be writable, but [Errno" in said
    assert "Traceback" not in said


def test_every_command_has_a_row_and_every_row_a_command(capsys: pytest.CaptureFixture[str]) -> None:
    modules = {path.stem for path in Path(commands.__file__).parent.glob("*.py") if "\ndef run(" in path.read_text()}
    assert modules == set(commands.COMMANDS)
    for name in commands.COMMANDS:
        with pytest.raises(SystemExit, match="0"):
            cli.main([name, "--help"])
        shown = capsys.readouterr().out
        assert f"usage: gatewise {name} [-h]" in shown
        assert f"example:\n  {cli.load([name])[name].EXAMPLE}" in shown
        statuses = re.findall(r"^  (\d+) ", shown.partition("exit status:")[2], flags=re.MULTILINE)
        assert {"0", "2", "130"} <= set(statuses)
        assert all(flag in shown for flag in commands.FLAGS)
        assert max(map(len, shown.splitlines())) <= 80
        assert cli.main(["help", name]) == 0
        assert capsys.readouterr().out == shown
    with pytest.raises(SystemExit, match="0"):
        cli.main(["--help"])
    overview = capsys.readouterr().out
    assert cli.main(["help"]) == 0
    assert capsys.readouterr().out == overview
    assert all(line in overview for line in commands.COMMANDS.values())


def test_a_command_loads_no_other(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for name in commands.COMMANDS:
        monkeypatch.delitem(sys.modules, f"compare.commands.{name}", raising=False)
    with pytest.raises(SystemExit, match="2"):
        cli.main(["port"])
    assert "the following arguments are required: FILE, OUT" in capsys.readouterr().err
    assert {name for name in commands.COMMANDS if f"compare.commands.{name}" in sys.modules} == {"port"}


@pytest.mark.parametrize(("arguments", "status"), [([], 2), (["repot"], 2), (["--version"], 0), (["report", "--only", "x"], 2)])
def test_a_call_ends_with_its_status(arguments: list[str], status: int) -> None:
    try:
        found = cli.main(arguments)
    except SystemExit as end:
        found = int(end.code or 0)
    assert found == status


def test_a_page_declares_the_studies_that_it_reads() -> None:
    reading = {
        folder.name
        for folder in PAGE_FOLDERS.iterdir()
        if any("compare.report.studies" in path.read_text() for path in folder.rglob("*.py"))
    }
    assert {page.name.replace("-", "_") for page in PAGES if page.studies} == reading
    for page in PAGES:
        assert all(any(data_folder(study).iterdir()) for study in page.studies)
    with pytest.raises(MissingDataError, match="the study weather must have the data of the studies"):
        data_folder("weather")
