"""The errors of gatewise, and the one form that their messages have."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing_extensions import Self


def printable(text: str) -> str:
    """Write what would act on a terminal, or cannot be encoded, as escapes; names in files may hold anything."""
    return text if text.isprintable() else "".join(each if each.isprintable() else repr(each)[1:-1] for each in text)


class GatewiseError(Exception):
    """What gatewise refuses, and the root of every error it raises itself."""

    @classmethod
    def because(cls, subject: str, *, must: str, but: str, remedy: str) -> Self:
        """Make an error of the form `{subject} must {must}, but {but}. {remedy}`, which may be printed whatever it names."""
        message = f"{subject} must {must}, but {but}. {remedy}"
        return cls("\n".join(map(printable, message.split("\n"))))


class InvalidValueError(GatewiseError, ValueError):
    """A value, shape or state that does not fit what it is given to."""


class InvalidTypeError(GatewiseError, TypeError):
    """An object or a dtype of a kind that is not taken here."""


class NoCounterpartError(GatewiseError, ValueError):
    """Something that the other framework's own layers cannot hold."""


class MissingFrameworkError(GatewiseError, ImportError):
    """A framework that is needed and cannot be imported."""
