"""The command ends in a sentence and an exit status, not in a traceback."""

from __future__ import annotations

from pathlib import Path

import pytest

from compare import cli
from compare.report import making as report


def test_a_folder_that_cannot_be_made_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def write_at_once(out: Path, *_: object) -> None:
        out.mkdir(parents=True)

    monkeypatch.setattr(report, "make_report", write_at_once)
    (tmp_path / "file").write_text("in the way")
    out = tmp_path / "file" / "reports"
    assert cli.main(["report", "--out", str(out)]) == 2
    said = capsys.readouterr().err
    assert f"gatewise: {out} must be writable, but [Errno" in said
    assert "Traceback" not in said
