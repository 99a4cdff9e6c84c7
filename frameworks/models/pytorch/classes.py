"""The class of a part as text: its docstring, its modules, its `forward`, and a method for each gap."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from frameworks.models.graph import Layer, Tensor
from frameworks.models.pytorch.axes import axes
from frameworks.models.pytorch.dtypes import FLOATING
from frameworks.models.pytorch.forward import Forward
from frameworks.models.pytorch.gaps import gap_method
from frameworks.models.pytorch.parts import Part
from frameworks.models.pytorch.tidying import indented, paragraphs, quoted
from frameworks.showing import shortened

_DTYPE = '''\
@property
def dtype(self):
    """The dtype in which it computes, that of its weights."""
    return next(self.parameters()).dtype'''


_RESET_STATES = '''\
def reset_states(self):
    """Forget the states that layers keep from call to call."""
    for module in self.modules():
        if module is not self and hasattr(module, "reset_states"):
            module.reset_states()'''


def class_of(part: Part, forward: Forward, gaps: Mapping[str, str], *, frozen: bool = False) -> list[str]:
    """Return the lines of the class of a part.

    Args:
        part: the part.
        forward: its `forward`.
        gaps: why each layer that is left to the reader cannot be written.
        frozen: whether the layer that holds it is frozen, so that its own layers need not say so.
    """
    modules = list(_modules(part, frozen=frozen))
    lines = [f"class {part.name}(nn.Module):", *_docstring(part, forward)]
    if modules:
        lines += ["", "    def __init__(self):", "        super().__init__()", *indented(modules, 2)]
    lines += ["", *indented([f"def forward({', '.join(['self', *forward.arguments])}):"], 1), *indented(forward.lines, 2)]
    if any(FLOATING in line for line in forward.lines):
        lines += ["", *indented(_DTYPE.splitlines(), 1)]
    if any(layer.keeps_states for layer in part.graph.all_layers()):
        lines += ["", *indented(_RESET_STATES.splitlines(), 1)]
    for use in {use.call.layer: use for use in part.uses}.values():
        name = use.call.layer
        if name in gaps:
            lines += ["", *gap_method(part.graph.layers[name], part.graph, part.attributes[name], part.weights.get(name, ""))]
    return lines


def modules_of(part: Part) -> dict[str, str]:
    """Return the name of the module of each layer that has one and is called, in the order of the calls."""
    called = dict.fromkeys(use.call.layer for use in part.uses)
    return {name: part.weights.get(name, part.attributes[name]) for name in called if part.pieces[name].module}


def _modules(part: Part, *, frozen: bool) -> Iterator[str]:
    layers = part.graph.layers
    modules = modules_of(part)
    trained = [name for name in modules if part.pieces[name].arrays or name in part.nested]
    still = {name for name in trained if not frozen and not _trains(layers[name])}
    every = len(still) > 1 and len(still) == len(trained)
    for name, attribute in modules.items():
        freezing = ".requires_grad_(False)" if name in still and not every else ""
        yield f"self.{attribute} = {part.pieces[name].module}{freezing}"
    if every:
        yield "self.requires_grad_(False)"


def _trains(layer: Layer) -> bool:
    return layer.trainable and (layer.inner is None or _trains(layer.inner))


def _docstring(part: Part, forward: Forward) -> list[str]:
    graph = part.graph
    title = f'"""The model {quoted(shortened(graph.name, 60))}.'
    takes = [
        _described(name, each, graph.dtypes.get(each, ""), part)
        for name, each in zip(forward.arguments, graph.inputs, strict=False)
    ]
    takes += [f"{name}: (batch, time), true where a step counts" for name in forward.arguments[len(graph.inputs) :]]
    returns = [_described(name, each, "", part) for name, each in zip(forward.results, graph.outputs, strict=True)]
    masks = [f"the mask of {forward.results[at]}: (batch, time)" for at in sorted(part.returned)]
    lines = [*paragraphs(title, 1), "", "    Called with:"]
    for each in takes:
        lines += paragraphs(each, 2, 4)
    lines += ["", "    Returns:"]
    for each in [*returns, *masks] if len(returns) + len(masks) > 1 else [returns[0].partition(": ")[2] or returns[0]]:
        lines += paragraphs(each, 2, 4)
    return [*lines, '    """']


def _described(name: str, tensor: Tensor, dtype: str, part: Part) -> str:
    shown = axes(part.graph.shapes.get(tensor)) or "of unknown shape"
    return f"{name}: {shown}{', integers' if dtype.startswith(('int', 'uint')) else ''}"
