"""A source as a live model, without files."""

from __future__ import annotations

import linecache
from typing import Any

from frameworks.errors import MissingFrameworkError
from frameworks.models.source import Source


def built(source: Source) -> Any:
    """Return the model of a complete source, with its weights, in inference mode.

    Raises:
        MissingFrameworkError: without torch.
    """
    name = f"<source {source.port}>"
    linecache.cache[name] = len(source.text), None, source.text.splitlines(keepends=True), name  # for tracebacks
    module: dict[str, Any] = {"__name__": name, "__file__": name}
    try:
        exec(compile(source.text, name, "exec"), module)  # noqa: S102  the text is gatewise's own, whatever the model holds
    except ImportError as error:
        raise MissingFrameworkError.of("torch", error, extra="torch", to="build the model") from error
    arrays = {name: module["torch"].from_numpy(array) for name, array in source.arrays.items()}
    module["load"] = lambda _: arrays
    return module["build"](name)
