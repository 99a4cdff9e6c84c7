"""The errors of gatewise, and the one form that their messages have."""

from __future__ import annotations

from typing import Self


class GatewiseError(Exception):
    """What gatewise refuses, and the root of every error it raises itself."""

    @classmethod
    def because(cls, subject: str, *, must: str, but: str, remedy: str) -> Self:
        """Make an error of the form `{subject} must {must}, but {but}. {remedy}`."""
        return cls(f"{subject} must {must}, but {but}. {remedy}")


class InvalidValueError(GatewiseError, ValueError):
    """A value, shape or state that does not fit what it is given to."""


class InvalidTypeError(GatewiseError, TypeError):
    """An object or a dtype of a kind that is not taken here."""


class NoCounterpartError(GatewiseError, ValueError):
    """Something that the other framework's own layers cannot hold."""


class MissingFrameworkError(GatewiseError, ImportError):
    """A framework that is needed and cannot be imported."""
