"""`write_module`: a graph as the source of a torch module."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator, Mapping, Sequence

from frameworks.files.writing.blocks import Tensor as Blocks
from frameworks.models.graph import Graph, Layer
from frameworks.models.pytorch.assembling import assemble, helpers_of
from frameworks.models.pytorch.classes import class_of, modules_of
from frameworks.models.pytorch.forward import Forward, Writing
from frameworks.models.pytorch.gaps import reason
from frameworks.models.pytorch.loading import IMPORTS, loading
from frameworks.models.pytorch.names import VARIABLES
from frameworks.models.pytorch.parts import Part
from frameworks.models.pytorch.pieces import Target
from frameworks.models.pytorch.precision import cast, precision_of
from frameworks.models.pytorch.table import WRITERS
from frameworks.models.pytorch.tidying import code_lines, harmless, paragraphs, quoted, table
from frameworks.models.source import Became, Gap, Source
from frameworks.showing import shortened


def write_module(graph: Graph, *, padding: str = "any", imports_gatewise: bool = False) -> Source:
    """Return the source of a torch module that computes what a graph does.

    Args:
        graph: the model.
        padding: "any": exact for every mask; "end": packs, and refuses a mask with a hole at run time.
        imports_gatewise: whether recurrent layers that torch lacks are imported from gatewise instead of generated.

    Raises:
        NoCounterpartError: for a layer with an option that the source cannot carry, by its name.
    """
    target = Target("any" if padding == "any" else "end", imports_gatewise, graph.version)
    root = assemble(graph, target, WRITERS)
    names = {each.name for each in helpers_of(root)} | {each.name for each in root.everything()}
    precision = precision_of(graph)
    casts = precision not in ("", "float32")
    forwards = {
        part.name: Writing(part, VARIABLES | names, precision or "float32", casts=casts and part is root).run()
        for part in root.everything()
    }
    rows = list(_rows(root, forwards))
    blocks = {name: cast(each, precision) for name, each in _blocks(root)}
    body = _body(root, forwards)
    port = hashlib.sha256("\n".join(body).encode()).hexdigest()[:16]
    constants, functions = loading(root.name, port)
    code = [*constants, "", "", *body, "", "", *functions]
    text = "\n".join([*_docstring(root, rows), "", *_imports(root, code), "", *code, ""])
    return Source("pytorch", text, tuple(rows), tuple(_gaps(root)), blocks, port)


def _body(root: Part, forwards: Mapping[str, Forward]) -> list[str]:
    """Return the helpers and the classes, nested models first."""
    classes: list[str] = []
    for part, frozen in reversed(list(_with_frozen(root))):
        classes += [*class_of(part, forwards[part.name], _reasons(part), frozen=frozen), "", ""]
    written: list[str] = []
    used = _names(classes)
    for helper in reversed(helpers_of(root)):
        if helper.name in used and helper.code:
            code = code_lines(helper.code)
            written = [*code, "", "", *written]
            used |= _names(code)
    return [*written, *classes][:-2]


def _names(code: Sequence[str]) -> set[str]:
    """Return the names that code uses."""
    return {node.id for node in ast.walk(ast.parse("\n".join(code))) if isinstance(node, ast.Name)}


def _with_frozen(part: Part, *, frozen: bool = False) -> Iterator[tuple[Part, bool]]:
    """Yield each part, and whether a layer around it is frozen."""
    yield part, frozen
    for name, nested in part.nested.items():
        yield from _with_frozen(nested, frozen=frozen or not part.graph.layers[name].trainable)


def _reasons(part: Part) -> dict[str, str]:
    every = {name: reason(part.graph.layers[name], WRITERS) for name in part.pieces}
    return {name: why for name, why in every.items() if why}


def _gaps(root: Part, prefix: str = "") -> Iterator[Gap]:
    why = _reasons(root)
    for name in dict.fromkeys(use.call.layer for use in root.uses):
        if name in why:
            yield Gap(f"{prefix}{name}", root.graph.layers[name].kind, why[name], f"{root.name}.{root.attributes[name]}")
        if name in root.nested:
            yield from _gaps(root.nested[name], f"{prefix}{name}/")


def _blocks(part: Part, prefix: str = "") -> Iterator[tuple[str, Blocks]]:
    """Yield the arrays by their names in the state_dict of the model."""
    for name, attribute in modules_of(part).items():
        if name in part.nested:
            yield from _blocks(part.nested[name], f"{prefix}{attribute}.")
        for array, each in part.pieces[name].arrays.items():
            yield f"{prefix}{attribute}.{array}", each


def _rows(part: Part, forwards: Mapping[str, Forward], prefix: str = "", where: str = "self") -> Iterator[Became]:
    """Yield a row for each layer: inputs, then layers in the order of their calls, each with those in it, then unused ones."""
    graph = part.graph
    called = dict.fromkeys(use.call.layer for use in part.uses)
    if not prefix:
        for name, each in zip(forwards[part.name].arguments, graph.inputs, strict=False):
            yield Became(each.layer, graph.layers[each.layer].kind, name, "an argument of forward")
    modules = modules_of(part)
    for name in called:
        layer, piece = graph.layers[name], part.pieces[name]
        here = (
            f"{where}.{part.attributes[name]}"
            if name in modules or name in _reasons(part)
            else forwards[part.name].values.get(name, "")
        )
        yield Became(f"{prefix}{name}", _kind(layer), here, piece.how)
        if name in part.nested:
            yield from _rows(part.nested[name], forwards, f"{prefix}{name}/", here)
    for name, layer in graph.layers.items():
        if name not in called and layer.kind != "InputLayer" and not layer.is_operation:
            yield Became(f"{prefix}{name}", _kind(layer), "", "left out: no output depends on it")


def _kind(layer: Layer) -> str:
    return f"{layer.kind} of {_kind(layer.inner)}" if layer.inner is not None else layer.kind


def _docstring(root: Part, rows: Sequence[Became]) -> list[str]:
    graph = root.graph
    version = ".".join(map(str, graph.version))
    source = harmless(shortened(graph.source, 60))
    title = f'"""The model {quoted(shortened(graph.name, 60))} of {source} (Keras {version}) in PyTorch, written by gatewise.'
    cells = [["layer", "kind", "here", "what became of it"]]
    cells += [[harmless(shortened(text, 80)) for text in (row.layer, row.kind, row.here)] + [harmless(row.how)] for row in rows]
    return [*paragraphs(title, 0), "", *table(cells), '"""']


def _imports(root: Part, code: Sequence[str]) -> list[str]:
    """Return the lines that import what the code uses."""
    used = _names(code)
    defined = {line.split("(")[0].split(":")[0].split()[-1] for line in code if line.startswith(("def ", "class "))}
    own: dict[str, dict[str, None]] = {}
    for line in (line for helper in helpers_of(root) if helper.name in used | defined for line in helper.imports):
        module, _, name = line.partition(" import ")
        own.setdefault(module, {})[name] = None
    if "nn" in used:
        own["from torch"] = {"nn": None}
    functional = ["import torch.nn.functional as F"] * ("F" in used)
    return [
        *IMPORTS,
        "",
        "import torch",
        *functional,
        *(f"{each} import {', '.join(sorted(own[each]))}" for each in sorted(own)),
    ]
