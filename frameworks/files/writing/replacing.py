"""Atomic replacing of a file: a temporary file beside it is written, and renamed when it is complete.

The temporary file is locked while it is written. One without a lock was left by a killed process, and the next run removes it.
Where the system has no locks, such a file stays, because it could still be in use.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from frameworks.errors import InvalidValueError
from frameworks.locking import CAN_LOCK, lock


@contextmanager
def replacing(path: Path, *, force: bool) -> Iterator[Path]:
    """Yield the path of an empty file to write to. It replaces `path` afterwards, unless the body fails.

    Args:
        path: the file to create.
        force: whether to replace an existing file.

    Raises:
        GatewiseError: for an existing file without `force`, and for a path that cannot be written to.
    """
    written = None
    try:
        path = path.resolve() if path.is_symlink() else path
        require_free(path, force=force)
        _remove_leftovers(path)
        written, held = _begin(path)
        try:
            yield written
            require_free(path, force=force)
            written.replace(path)
        finally:
            with suppress(FileNotFoundError):
                written.unlink()
            if held is not None:
                os.close(held)
    except OSError as error:
        named = None if written is None else error.filename  # before it is made, nothing else is touched
        if named is not None and str(named) not in (str(path), str(written), str(path.parent)):
            raise  # the error is about another file
        raise _unwritable(path, error) from error


@contextmanager
def setting_aside(*paths: Path, force: bool) -> Iterator[Callable[[Mapping[Path, Path]], None]]:
    """Yield a function that takes existing files out of the way. If the body fails, all of them are put back as they were.

    The function is given the files that get the names, each with the temporary file that it is now. Where the process is
    killed, the earlier files stay under names that the next run removes.

    Args:
        paths: the files, in the order in which they go.
        force: whether there may be any.

    Raises:
        GatewiseError: for a file that cannot be taken out of the way.
    """
    paths = tuple(path.resolve() for path in paths)
    asides, new = dict[Path, Path](), dict[Path, int]()

    def set_aside(coming: Mapping[Path, Path]) -> None:
        new.update({path.resolve(): written.stat().st_ino for path, written in coming.items()})
        for path in filter(Path.exists, paths if force else ()):
            aside = path.with_name(f".{path.name}.tmp-earlier")
            try:
                path.replace(aside)
            except OSError as error:
                raise _unwritable(path, error) from error
            asides[path] = aside

    try:
        for path in paths:
            _remove_leftovers(path)
        yield set_aside
    except BaseException:
        for path in paths[::-1]:
            with suppress(OSError):
                if path.stat().st_ino == new.get(path):
                    path.unlink()
            with suppress(OSError, KeyError):
                asides[path].replace(path)
        raise
    for aside in asides.values():
        with suppress(OSError):
            aside.unlink()


def _unwritable(path: Path, error: OSError) -> InvalidValueError:
    return InvalidValueError.because(
        str(path), must="be writable", but=f"writing it failed with: {error}", remedy="Give another path."
    )


def _begin(path: Path) -> tuple[Path, int | None]:
    """Make the file to be written and lock it; return its path and the descriptor that holds the lock."""
    while True:
        written = path.with_name(f".{path.name}.tmp-{secrets.token_hex(4)}{path.suffix}")
        descriptor = os.open(written, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
        if not CAN_LOCK:
            os.close(descriptor)  # Windows cannot rename an open file
            return written, None
        # Until it is locked, another process may take it for a leftover and remove it.
        lock(descriptor)
        if os.fstat(descriptor).st_nlink:
            return written, descriptor
        os.close(descriptor)


def _remove_leftovers(path: Path) -> None:
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


def require_free(path: Path, *, force: bool) -> None:
    """Raise an error for a folder, and without `force` for an existing file."""
    if path.is_dir():
        raise InvalidValueError.because(str(path), must="be a file", but="is a folder", remedy="Name a file in it.")
    if path.exists() and not force:
        raise InvalidValueError.because(
            str(path), must="not exist yet", but="does", remedy="Give another path, or force=True (--force) to replace it."
        )
