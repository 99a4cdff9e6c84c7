"""A file that appears whole or not at all: it is written beside its place and renamed when it is complete.

While it is written, it is locked. So what a killed process left is known by not being locked, and the next run removes it.
Where the system has no locks, such a file stays: nothing tells it from one that is still being written.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from frameworks.errors import InvalidValueError
from frameworks.locking import CAN_LOCK, lock


@contextmanager
def replacing(path: Path, *, force: bool) -> Iterator[Path]:
    """Give the path of an empty file to be written, which takes the place of `path` unless the body fails.

    Args:
        path: of the file to be.
        force: whether a file that is there may be replaced.

    Raises:
        GatewiseError: for a file that is there without `force`, and for what cannot be written to.
    """
    path = path.resolve() if path.is_symlink() else path
    _require_free(path, force=force)
    written = None
    try:
        _remove_left_over(path)
        written, held = _begin(path)
        try:
            yield written
            _require_free(path, force=force)
            written.replace(path)
        finally:
            with suppress(FileNotFoundError):
                written.unlink()
            if held is not None:
                os.close(held)
    except OSError as error:
        if error.filename is not None and str(error.filename) not in (str(path), str(written), str(path.parent)):
            raise  # of another file than this one
        raise InvalidValueError.because(
            str(path), must="be writable", but=f"writing it failed with: {error}", remedy="Give another path."
        ) from error


def _begin(path: Path) -> tuple[Path, int | None]:
    """Make the file to be written and lock it; return its path and the descriptor that holds the lock."""
    while True:
        written = path.with_name(f".{path.name}.tmp-{secrets.token_hex(4)}{path.suffix}")
        descriptor = os.open(written, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
        if not CAN_LOCK:
            os.close(descriptor)  # Windows renames no open file
            return written, None
        # Another process may take it for left over until it is locked.
        lock(descriptor)
        if os.fstat(descriptor).st_nlink:
            return written, descriptor
        os.close(descriptor)


def _remove_left_over(path: Path) -> None:
    if not CAN_LOCK:
        return
    start = f".{path.name}.tmp-"
    for each in path.parent.iterdir():
        if not each.name.startswith(start) or not each.is_file() or each.is_symlink():
            continue
        with suppress(OSError):  # it is locked, already gone, or another user's
            descriptor = os.open(each, os.O_RDWR)
            try:
                lock(descriptor, wait=False)
                each.unlink()
            finally:
                os.close(descriptor)


def _require_free(path: Path, *, force: bool) -> None:
    if path.is_dir():
        raise InvalidValueError.because(str(path), must="be a file", but="is a folder", remedy="Name a file in it.")
    if path.exists() and not force:
        raise InvalidValueError.because(
            str(path), must="not be there yet", but="is", remedy="Give another path, or force=True (--force) to replace it."
        )
