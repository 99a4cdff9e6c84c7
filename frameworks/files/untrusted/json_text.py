"""Untrusted JSON: limited in size and depth, and always an object."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from frameworks.files.untrusted.source import damaged, unsupported

MAX_BYTES = 32 << 20


def read_json(text: str | bytes, name: str, object_hook: Callable[[dict[str, Any]], Any] | None = None) -> Mapping[str, Any]:
    """Parse a JSON object.

    Args:
        text: the JSON.
        name: what messages call the text.
        object_hook: replaces each object, inner ones first; None for no change.

    Raises:
        GatewiseError: for text that is not a JSON object, is too large or is nested too deep.
    """
    if len(text) > MAX_BYTES:
        raise unsupported(name, f"has {len(text)} bytes, more than {MAX_BYTES >> 20} MiB")
    try:
        parsed = json.loads(text, object_hook=object_hook)
    except RecursionError as error:
        raise unsupported(name, "is nested too deep") from error
    except ValueError as error:
        raise damaged(name, f"is not JSON: {error}") from error
    if not isinstance(parsed, dict):
        raise damaged(name, f"is a JSON {type(parsed).__name__}, not an object")
    return parsed
