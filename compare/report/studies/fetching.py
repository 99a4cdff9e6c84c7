"""Fetching the archives of packages from a package index; each is checked before it gets its name."""

from __future__ import annotations

import hashlib
import os
from importlib import import_module
from pathlib import Path
from typing import Any

from compare.report.studies.originals import Original, require_archive
from frameworks.errors import GatewiseError, MissingFrameworkError
from frameworks.locking import lock

INDEX = "https://pypi.org/simple/"


class FetchingError(GatewiseError, OSError):
    """An archive could not be fetched."""


def fetch(original: Original, folder: Path) -> bool:
    """Fetch the archive of a file into a folder, unless it is already there. The index is PIP_INDEX_URL, or PyPI.

    Args:
        original: the file.
        folder: the folder of the archives; created if it is missing.

    Returns:
        True if the archive had to be fetched.

    Raises:
        GatewiseError: if the archive is not the recorded one, if the index does not have it, or if `unearth` is not
            installed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as file:
        lock(file.fileno())  # of two processes that need the same archive, one fetches it
        if (folder / original.archive).exists():
            require_archive(original, folder)
            return False
        _fetch(original, folder)
        return True


def _fetch(original: Original, folder: Path) -> None:
    """Put the archive into the folder once it is complete and checked."""
    index = os.environ.get("PIP_INDEX_URL", INDEX)
    part = folder / ".part"
    try:
        with part.open("wb") as file:
            digest = _download(original, index, file)
        if digest != original.archive_sha256:
            raise _failed(original, index, f"has the SHA-256 {digest} there, not {original.archive_sha256}")
        part.replace(folder / original.archive)
    finally:
        part.unlink(missing_ok=True)


def _download(original: Original, index: str, file: Any) -> str:
    """Write the archive to an open file, and return its SHA-256."""
    finder = _unearth().PackageFinder(index_urls=[index], ignore_compatibility=True)
    digest = hashlib.sha256()
    try:
        listed = finder.find_all_packages(original.package, allow_yanked=True)
        link = next((package.link for package in listed if package.link.filename == original.archive), None)
        if link is not None:
            with finder.session.get_stream(link.normalized) as response:
                response.raise_for_status()
                for block in response.iter_bytes(1 << 16):
                    digest.update(block)
                    file.write(block)
    except Exception as error:  # raised by whichever HTTP library this version of unearth uses
        raise _failed(original, index, f"cannot be: {error}") from error
    if link is None:
        raise _failed(original, index, "is not listed there")
    return digest.hexdigest()


def _unearth() -> Any:
    try:
        return import_module("unearth")
    except ModuleNotFoundError as error:
        raise MissingFrameworkError.because(
            "the package unearth",
            must="be installed to fetch archives",
            but="cannot be imported",
            remedy="Install it with: pip install 'gatewise[originals]'.",
        ) from error


def _failed(original: Original, index: str, why: str) -> FetchingError:
    return FetchingError.because(
        original.archive,
        must=f"be fetched from {index}",
        but=why,
        remedy="Connect to a package index, or name one in PIP_INDEX_URL.",
    )
