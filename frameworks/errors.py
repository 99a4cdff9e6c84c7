"""The errors of gatewise, and the form that all their messages have."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing_extensions import Self


def printable(text: str) -> str:
    """Escape characters that would act on a terminal or cannot be encoded; names in files may contain anything."""
    return text if text.isprintable() else "".join(each if each.isprintable() else repr(each)[1:-1] for each in text)


class GatewiseError(Exception):
    """The base class of every error that gatewise itself raises."""

    @classmethod
    def because(cls, subject: str, *, must: str, but: str, remedy: str) -> Self:
        """Return an error with the message `{subject} must {must}, but {but}. {remedy}`, unprintable characters escaped."""
        message = f"{subject} must {must}, but {but}. {remedy}"
        return cls("\n".join(map(printable, message.split("\n"))))


class InvalidValueError(GatewiseError, ValueError):
    """Raised for a value, shape or state that does not fit."""


class InvalidTypeError(GatewiseError, TypeError):
    """Raised for an object or a dtype of a kind that is not accepted."""


class NoCounterpartError(GatewiseError, ValueError):
    """Raised for something that the other framework's own layers cannot represent."""


class MissingFrameworkError(GatewiseError, ImportError):
    """Raised for a framework that is needed but cannot be imported."""
