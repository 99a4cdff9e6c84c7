"""The modules of torch.nn, each with what the source writes for it; one table by class name."""

from frameworks.models.keras_source.modules import plain, recurrent, windows
from frameworks.models.keras_source.modules.plain import Writer

MODULES: dict[str, Writer] = {**plain.WRITERS, **windows.WRITERS, **recurrent.WRITERS}

LAYERLESS = frozenset(
    name
    for name in MODULES
    if name.startswith("Adaptive") or MODULES[name] in (plain.activation, plain.identity, plain.unflatten)
)
"""Those that no layer of the source stands for."""
