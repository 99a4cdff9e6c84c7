"""An `nn.Sequential` whose modules each become one layer, as a `keras.Sequential`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from frameworks.models.keras_source.held import Held, channels_last, plain_order
from frameworks.models.keras_source.layer import Array, KerasLayer
from frameworks.models.keras_source.literals import literal
from frameworks.models.keras_source.modules import MODULES, windows
from frameworks.models.keras_source.names import snake
from frameworks.models.keras_source.scope import Scope
from frameworks.models.tracing.steps import Block, Method, ModuleCall, Value

FUNCTIONS: Mapping[str, Callable[[Any], str]] = {
    "ReLU": lambda _: "keras.layers.ReLU()",
    "ReLU6": lambda _: 'keras.layers.Activation("relu6")',
    "Tanh": lambda _: 'keras.layers.Activation("tanh")',
    "Sigmoid": lambda _: 'keras.layers.Activation("sigmoid")',
    "SELU": lambda _: 'keras.layers.Activation("selu")',
    "SiLU": lambda _: 'keras.layers.Activation("silu")',
    "LeakyReLU": lambda module: f"keras.layers.LeakyReLU({literal(module.negative_slope)})",
    "ELU": lambda module: f"keras.layers.ELU({literal(module.alpha)})",
    "GELU": lambda module: 'keras.layers.Activation("gelu")' if module.approximate == "none" else "",
    "Softmax": lambda module: "keras.layers.Softmax()" if module.dim == -1 else "",
    "Identity": lambda _: "keras.layers.Identity()",
}
"""Modules that are functions elsewhere, as layers of a chain; "" for options that the layer does not have."""


class _Probe(Scope):
    """Sees what is written for a module that is given `x`."""

    def __init__(self, scope: Scope, step: ModuleCall, order: tuple[int, ...]) -> None:
        super().__init__(scope.trace, Block([step], step.result), scope.unit)
        self.hold(step.args[0], Held("x", order))
        self.found: KerasLayer | None = None

    def layer(self, step: Any, layer: KerasLayer, part: int | None = None, wish: str = "") -> str:  # noqa: ARG002
        self.found = layer
        return "layer"


def chain(scope: Scope, step: Method) -> bool:
    """Write a Sequential as one layer, unless one of its modules is more than that; return whether it is written."""
    order, layers = _layers(scope, step) if _is_alone(scope, step) else ((), [])
    if not layers:
        return False
    given = step.arguments["input"]
    texts = ", ".join(layer.text for layer in layers)
    remarks = dict.fromkeys(layer.remark for layer in layers if layer.remark)
    shape = ", ".join(str(None if at == 0 or scope.axes(given)[axis] else given.shape[axis]) for at, axis in enumerate(order))
    whole = KerasLayer(f"keras.Sequential([{texts}])", f"({shape})", _arrays(layers), remark=". ".join(remarks))
    held = scope.whole(given).ordered(order)
    name = scope.unit.layer(step.path, whole)
    for path, layer in zip((each.path for each in step.body.steps if isinstance(each, ModuleCall)), layers, strict=True):
        scope.unit.chained[path] = (step.path, layer)
    scope.put(step.result, f"{name}({held.text})", order)
    return True


def _is_alone(scope: Scope, step: Method) -> bool:
    """Return whether the modules of a Sequential are called by it alone, one after the other, with weights of their own."""
    steps = step.body.steps
    if list(step.arguments) != ["input"] or not all(isinstance(each, ModuleCall) and len(each.args) == 1 for each in steps):
        return False
    links = [step.arguments["input"], *(each.result for each in steps)]
    chained = all(each.args[0] is before for each, before in zip(steps, links, strict=False)) and links[-1] is step.result
    calls = Counter(scope.unit.used)
    paths = [each.path for each in steps if isinstance(each, ModuleCall)]
    counted = len(set(paths)) == len(paths) and all(calls[path] == calls[step.path] for path in paths)
    return (
        chained and counted and all(isinstance(each, Value) and not each.packed for each in links) and not _shares(scope, step)
    )


def _shares(scope: Scope, step: Method) -> bool:
    """Return whether another module has a parameter of a Sequential."""
    own = {id(each) for each in scope.trace.module.get_submodule(step.path).parameters()}
    others = scope.trace.module.named_parameters(remove_duplicate=False)
    return any(id(each) in own and not path.startswith(f"{step.path}.") for path, each in others)


def _layers(scope: Scope, step: Method) -> tuple[tuple[int, ...], list[KerasLayer]]:
    """Return the order of axes that a chain keeps, and its layers; no layers if one of its modules is more than a layer."""
    modules = [(each, scope.trace.module.get_submodule(each.path)) for each in step.body.steps if isinstance(each, ModuleCall)]
    rank = len(step.arguments["input"].shape)
    windowed = any(type(module).__name__ in windows.WRITERS and type(module).__name__ != "LayerNorm" for _, module in modules)
    order = channels_last(rank) if windowed else plain_order(rank)
    layers: list[KerasLayer] = []
    for each, module in modules:
        kind = type(module).__name__
        if kind not in MODULES:
            return order, []
        probe = _Probe(scope, each, order)
        MODULES[kind](probe, each, module)
        held = probe.held(each.result) if probe.knows(each.result) else Held("", ())
        text = FUNCTIONS[kind](module) if kind in FUNCTIONS else ""
        layer = probe.found or (KerasLayer(text) if text else None)
        simple = held.text == "layer(x)" if probe.found else held.text.count("x") >= 1 and bool(text)
        if layer is None or not simple or held.order != order or probe.lines:
            return order, []
        layers.append(layer)
    return order, layers


def _arrays(layers: list[KerasLayer]) -> dict[str, tuple[Array, ...]]:
    counts: Counter[str] = Counter()
    found: dict[str, tuple[Array, ...]] = {}
    for layer in layers:
        kind = snake(layer.class_name)
        number = f"_{counts[kind]}" if counts[kind] else ""
        counts[kind] += 1
        found |= {f"layers/{kind}{number}{'/' if within else ''}{within}": arrays for within, arrays in layer.arrays.items()}
    return found
