"""The wheel holds what is imported and nothing else; the source archive holds everything.

Covers: `pyproject.toml`, `compare/facade`.
"""

from __future__ import annotations

import email
import re
import tarfile
import zipfile
from pathlib import Path

import pytest

from frameworks import __version__
from tests.shipping.installing import ROOT, tracked_files

ENTRIES = "compare/report/studies/wrong_ports/entries/"
"""Code that is data: the wrong ports."""
FOLDERS = {"compare/facade": "gatewise", "compare/pytest_plugin": "gatewise_pytest"}


@pytest.fixture(scope="module")
def wheel(dist: Path) -> zipfile.ZipFile:
    return zipfile.ZipFile(dist / f"gatewise-{__version__}-py3-none-any.whl")


@pytest.fixture(scope="module")
def sdist(dist: Path) -> set[str]:
    with tarfile.open(dist / f"gatewise-{__version__}.tar.gz") as archive:
        return {member.name.partition("/")[2] for member in archive if member.isfile()}


def installed_as(file: str) -> str:
    folder = next((folder for folder in FOLDERS if file.startswith(f"{folder}/")), None)
    return file if folder is None else FOLDERS[folder] + file.removeprefix(folder)


def test_the_source_archive_has_every_file_of_the_repository(sdist: set[str]) -> None:
    made = {name for name in sdist if ".egg-info/" in name} | {"PKG-INFO", "setup.cfg"}
    assert sdist - made == tracked_files()
    assert {"CHANGELOG.md", "tests/test_readme.py", "reports/results.json", ".ci/run"} <= sdist
    assert "compare/report/studies/real_models/data/sources.json" in sdist
    assert "compare/report/studies/real_models/data/LICENSE.silero" in sdist
    assert f"{ENTRIES}gates_permuted.py" in sdist


def test_the_wheel_has_every_module_once_and_no_data(wheel: zipfile.ZipFile) -> None:
    names = wheel.namelist()
    code = {name for name in tracked_files() if re.match(r"(compare|frameworks)/(.*/)?(\w+\.py|py\.typed)$", name)}
    code = {name for name in code if not name.startswith(ENTRIES)}
    assert sorted(name for name in names if ".dist-info/" not in name) == sorted(map(installed_as, code))


def test_the_wheel_is_small_and_has_only_its_own_license(wheel: zipfile.ZipFile) -> None:
    assert sum(entry.file_size for entry in wheel.infolist()) < 3_700_000
    assert [name.rpartition("/")[2] for name in wheel.namelist() if "/licenses/" in name] == ["LICENSE"]


def test_the_metadata_are_complete_and_name_no_address(wheel: zipfile.ZipFile) -> None:
    metadata = email.message_from_bytes(wheel.read(f"gatewise-{__version__}.dist-info/METADATA"))
    assert metadata["Version"] == __version__
    assert metadata["Author"] == "gatewise contributors"
    assert metadata["License-Expression"] == "MIT"
    assert metadata.get_all("Project-URL") is None
    topics = {text.partition(" :: ")[0] for text in metadata.get_all("Classifier") or ()}
    assert topics == {"Development Status", "Framework", "Intended Audience", "Operating System", "Programming Language"} | {
        "Topic",
        "Typing",
    }


def test_changelog_and_citation_name_this_version() -> None:
    assert re.search(rf"^## \[{re.escape(__version__)}\]", (ROOT / "CHANGELOG.md").read_text(), flags=re.MULTILINE)
    citation = (ROOT / "CITATION.cff").read_text()
    assert re.search(rf'^version: "?{re.escape(__version__)}"?$', citation, flags=re.MULTILINE)
    assert "gatewise contributors" in citation
