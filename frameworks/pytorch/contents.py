"""The recurrent modules inside a torch module."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch import nn

from frameworks.whole_models import Found, WholeModelError, whole_model


def refuse_whole(net: Any) -> WholeModelError | None:
    """Return the refusal of a module or list that contains recurrent modules, or None if it contains none."""
    if isinstance(net, (list, tuple)):
        layers = [Found(f"[{place}]", module, place=2 * place) for place, module in enumerate(net) if _is_recurrent(module)]
        return whole_model(net, "layers", layers, []) if layers else None
    found = list(recurrent_in(net)) if isinstance(net, nn.Module) else []
    if not found:
        return None
    return whole_model(net, "net", found, list(_others(net)))


def recurrent_in(net: nn.Module) -> Iterator[Found]:
    """Yield the recurrent modules below a module, with the code that gets each."""
    inside: list[str] = []
    for place, (name, module) in enumerate(net.named_modules()):
        if not name or not _is_recurrent(module) or any(name.startswith(f"{each}.") for each in inside):
            continue
        inside.append(name)
        # Never at consecutive places: a stack in torch is one module.
        yield Found(_path(net, name), module, name, 2 * place)


def _others(net: nn.Module) -> Iterator[str]:
    """Yield the classes of the modules that are not recurrent, and contain none that is."""
    for child in net.children():
        if any(recurrent_in(child)) and not _is_recurrent(child):
            yield from _others(child)
        elif not _is_recurrent(child):
            yield type(child).__name__


def _is_recurrent(module: nn.Module) -> bool:
    own = getattr(module, "layer", module)
    emulated = type(own).__module__.startswith("frameworks.keras_in_torch") and hasattr(own, "slots")
    return emulated or isinstance(module, (nn.RNNBase, nn.RNNCellBase))


def _path(net: nn.Module, name: str) -> str:
    steps, parent = "", net
    for part in name.split("."):
        if part.isdigit() and isinstance(parent, (nn.Sequential, nn.ModuleList)):
            steps += f"[{part}]"
        elif part.isidentifier():
            steps += f".{part}"
        else:
            return f".get_submodule({name!r})"
        parent = parent.get_submodule(part)
    return steps
