"""The errors of gatewise, and the form that all their messages have."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from frameworks.escaping import printable

if TYPE_CHECKING:
    from typing_extensions import Self


class GatewiseError(Exception):
    """The base class of every error that gatewise itself raises."""

    @classmethod
    def because(cls, subject: str, *, must: str, but: str, remedy: str, lines: Sequence[str] = ()) -> Self:
        """Return an error with the message `{subject} must {must}, but {but}. {remedy}`, unprintable characters escaped.

        Args:
            subject: what is refused.
            must: what is required of it.
            but: what it is instead.
            remedy: what the user can do, in sentences.
            lines: lines below the message, such as code for each layer.
        """
        return cls("\n".join(map(printable, (f"{subject} must {must}, but {but}. {remedy}", *lines))))


class InvalidValueError(GatewiseError, ValueError):
    """Raised for a value, shape or state that does not fit."""


class InvalidTypeError(GatewiseError, TypeError):
    """Raised for an object or a dtype of a kind that is not accepted."""


class NoCounterpartError(GatewiseError, ValueError):
    """Raised for something that the other framework's own layers cannot represent."""


class MissingFrameworkError(GatewiseError, ImportError):
    """Raised for a framework, or another package, that is needed but cannot be imported."""

    @classmethod
    def of(cls, package: str, error: object, *, extra: str, to: str = "") -> Self:
        """Return the error for a package whose import failed.

        Args:
            package: what could not be imported.
            error: the error of the import.
            extra: the extra of gatewise that installs it.
            to: what it is needed for, as in "draw the figures".
        """
        return cls.because(
            package,
            must=f"be importable to {to}" if to else "be importable",
            but=f"importing it failed with: {error}",
            remedy=f"Install it with: pip install 'gatewise[{extra}]'.",
        )


class ProcessError(GatewiseError, RuntimeError):
    """Raised for a process that cannot be started, or that ends before its work is done.

    Attributes:
        printed: what the process wrote to stderr, or "".
    """

    printed = ""
