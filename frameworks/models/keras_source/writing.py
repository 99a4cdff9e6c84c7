"""`write_keras`: a torch module as the source of a Keras model."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from frameworks.files.writing.blocks import whole
from frameworks.models.keras_source.classes import PACKAGE, class_lines
from frameworks.models.keras_source.methods import written
from frameworks.models.keras_source.names import RESERVED, snake
from frameworks.models.keras_source.unit import Unit
from frameworks.models.keras_source.weights import arrays_in
from frameworks.models.pytorch.names import Names, class_name
from frameworks.models.pytorch.tidying import harmless, paragraphs, table
from frameworks.models.source import Became, Source
from frameworks.models.tracing.steps import Method, ModuleCall
from frameworks.models.tracing.tracing import Trace

_IMPORTS = """
from pathlib import Path

import keras
from keras import ops
"""
_FUNCTIONS = '''
def build(path=None):
    """Return the model with the weights beside this file, or with those of another .weights.h5 file."""
    model = {name}(name="{snake}")
    model.build()
    model.load_weights(path or Path(__file__).with_suffix(".weights.h5"))
    return model


def load(path=None):
    """Return the weights by name."""
    return {{weight.path: ops.convert_to_numpy(weight) for weight in build(path).weights}}
'''


def write_keras(trace: Trace) -> Source:
    """Return the source of a Keras model that computes what a module does.

    Raises:
        NoCounterpartError: for what Keras has no counterpart of, with the line of the module's code.
    """
    called = [step.path for step in trace.root.body.all_steps() if isinstance(step, (ModuleCall, Method))]
    root = Unit(trace, "", {}, called)
    root.methods["forward"] = written(root, trace.root, [name for name in trace.root.arguments if name in trace.inputs])
    classes = _classes(root)
    functions = _FUNCTIONS.format(name=root.name, snake=snake(root.name)).strip("\n")
    code = "\n\n\n".join([_IMPORTS.strip("\n"), *classes, functions]).replace(PACKAGE, snake(root.name))
    rows = tuple(_rows(root))
    text = "\n".join([*_docstring(trace, rows), "", code, ""])
    blocks = {place: whole(array) for place, array in arrays_in(root)}
    return Source("keras", text, rows, (), blocks, hashlib.sha256(text.encode()).hexdigest()[:16])


def _classes(root: Unit) -> list[str]:
    """Return the texts of the classes, the inner ones first; modules that are alike have one class."""
    names = Names(RESERVED)
    texts: dict[str, str] = {}
    for unit in _inner_first(root):
        unit.name = wish = class_name(type(unit.module).__name__)
        text = "\n".join(class_lines(unit))
        if text not in texts:
            unit.name = names.free(wish)
            texts[text] = unit.name
        unit.name = texts[text]
    return [text.replace(f"\nclass {_named(text)}(", f"\nclass {name}(", 1) for text, name in texts.items()]


def _named(text: str) -> str:
    return text.partition("\nclass ")[2].partition("(")[0]


def _inner_first(unit: Unit) -> Iterator[Unit]:
    for entry in unit.entries():
        if isinstance(entry.made, Unit):
            yield from _inner_first(entry.made)
    yield unit


def _docstring(trace: Trace, rows: tuple[Became, ...]) -> list[str]:
    title = f'"""{type(trace.module).__name__}, a module of torch, in Keras, written by gatewise.'
    cells = [["module", "is", "here", "what became of it"]]
    cells += [[harmless(each) for each in (row.layer, row.kind, row.here, row.how)] for row in rows]
    remarks = [line for remark in trace.remarks for line in paragraphs(harmless(remark), 0)]
    return [*paragraphs(title, 0), "", *([*remarks, ""] if remarks else []), *table(cells), '"""']


def _rows(root: Unit) -> Iterator[Became]:
    """Yield a row for each module of torch, in the order of their calls, then for those that no result depends on."""
    modules = dict(root.trace.module.named_modules())
    called = list(dict.fromkeys(path for path in root.used if path))
    for path in called:
        kind = type(modules[path]).__name__
        if path in root.units:
            yield Became(path, kind, root.inside(path), "a class of its own")
            continue
        layer = root.layer_at(path)
        around = next((unit.chained[path] for unit in root.units.values() if path in unit.chained), None)
        if around is not None:
            yield Became(path, kind, root.inside_layer(around[0]), f"{around[1].class_name} in it")
            continue
        if layer is None and not any(True for _ in modules[path].children()):
            yield Became(path, kind, "", "a function where it is called")
        elif layer is not None:
            yield Became(path, kind, root.inside_layer(path), layer.became)
    for path, module in modules.items():
        if path not in called and not any(True for _ in module.children()) and path:
            yield Became(path, type(module).__name__, "", "left out: no result depends on it")
