"""Errors of the user's files: the user's own traceback, short."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from pathlib import Path

from compare.commands.failures import is_ours
from compare.commands.searching.user_files import UserFiles
from frameworks.errors import GatewiseError, InvalidValueError
from frameworks.escaping import printable

_MOST = 8
"""The largest number of calls that are shown."""
_INSTALLED = {"site-packages", "dist-packages"}


def as_refusal(error: BaseException, files: UserFiles) -> Exception:
    """Return the refusal of a user's code that raises an error while it is called; any other error as it is."""
    calls = traceback.extract_tb(error.__traceback__)
    last = max((at for at, call in enumerate(calls) if is_ours(call.filename)), default=-1)
    blamed = [call for call in calls[last + 1 :] if _is_of_user(call, files)]
    if isinstance(error, GatewiseError) or (isinstance(error, Exception) and not blamed):
        return error
    subject = Path(blamed[-1].filename).name if blamed else "what is compared"
    refusal = InvalidValueError.because(
        subject,
        must="be callable without an error",
        but=f"raises {type(error).__name__}: {' '.join(str(error).split()).removesuffix('.')}",
        remedy="Correct the line that is shown above.",
    )
    return refusal.with_traceback(error.__traceback__)


def short_traceback(error: BaseException, files: UserFiles) -> list[str]:
    """Return the lines of the traceback in the user's files, with the call at its end; [] if it passed through none."""
    for each in _chain(error):
        calls = traceback.extract_tb(each.__traceback__)
        own = [call for call in calls if _is_of_user(call, files)]
        is_syntax = isinstance(each, SyntaxError) and _is_in(str(each.filename), files)
        if own or is_syntax:
            shown = [*own[-_MOST:], *([] if not own or calls[-1] in own or is_ours(calls[-1].filename) else calls[-1:])]
            text = [*traceback.format_list(shown), *traceback.format_exception_only(type(each), each)]
            return ["Traceback (most recent call last):", *(printable(line) for line in "".join(text).splitlines())]
    return []


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield the errors that led to one, the first one first."""
    if error is not None:
        yield from _chain(error.__cause__ or (None if error.__suppress_context__ else error.__context__))
        yield error


def _is_of_user(call: traceback.FrameSummary, files: UserFiles) -> bool:
    return _is_in(call.filename, files)


def _is_in(file: str, files: UserFiles) -> bool:
    place = Path(file)
    if is_ours(file) or _INSTALLED.intersection(place.parts):
        return False
    return any(place.is_relative_to(folder) for folder in files.folders)
