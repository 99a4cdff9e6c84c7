"""A whole model as a graph of layer calls, and its source in the other framework."""

from __future__ import annotations

from typing import TYPE_CHECKING

from frameworks.lazy_imports import lazy_names

if TYPE_CHECKING:
    from frameworks.models.porting import port_model, to_source
    from frameworks.models.source import Source

__all__ = ["Source", "port_model", "to_source"]

__getattr__, __dir__ = lazy_names(
    globals(),
    {
        "Source": "frameworks.models.source",
        "port_model": "frameworks.models.porting",
        "to_source": "frameworks.models.porting",
    },
)
