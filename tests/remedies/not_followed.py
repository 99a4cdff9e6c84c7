"""The remedies that no case follows, by module, subject and text, with the reason."""

from __future__ import annotations

from collections.abc import Mapping

NOT_FOLLOWED: Mapping[str, Mapping[tuple[str, str], str]] = {}
