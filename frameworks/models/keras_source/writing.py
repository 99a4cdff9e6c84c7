"""`write_keras`: a torch module as the source of a Keras model."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

from frameworks.files.writing.blocks import whole
from frameworks.models.keras_source.layer import KerasLayer
from frameworks.models.keras_source.methods import written
from frameworks.models.keras_source.names import RESERVED
from frameworks.models.keras_source.scope import literal
from frameworks.models.keras_source.unit import Entry, Unit
from frameworks.models.keras_source.weights import arrays_of_unit
from frameworks.models.pytorch.names import Names, class_name
from frameworks.models.pytorch.tidying import code_lines, harmless, paragraphs, table
from frameworks.models.source import Became, Source
from frameworks.models.tracing.steps import Method, ModuleCall
from frameworks.models.tracing.tracing import Trace

_LOADING = '''
def build(path=None):
    """Return the model with the weights beside this file, or with those of another .weights.h5 file."""
    model = {name}()
    model.build()
    model.load_weights(path or Path(__file__).with_suffix(".weights.h5"))
    return model


def load(path=None):
    """Return the weights by name."""
    return {{weight.path: weight.numpy() for weight in build(path).weights}}
'''


def write_keras(trace: Trace) -> Source:
    """Return the source of a Keras model that computes what a module does.

    Raises:
        NoCounterpartError: for what Keras has no counterpart of, with the line of the module's code.
    """
    used = [step.path for step in trace.root.body.all_steps() if isinstance(step, (ModuleCall, Method))]
    units: dict[str, Unit] = {}
    root = Unit(trace, "", units, used)
    root.methods["forward"] = written(root, trace.root, [name for name in trace.root.arguments if name in trace.inputs])
    names = Names(RESERVED)
    texts: dict[str, str] = {}
    order = list(_inner_first(root))
    for unit in order:
        wish = class_name(type(unit.module).__name__)
        unit.name = names.free(wish)
        text = "\n".join(_class_lines(unit, is_root=unit is root))
        plain = text.replace(f"class {unit.name}(", "class (")
        twin = next((name for name, each in texts.items() if each.replace(f"class {name}(", "class (") == plain), None)
        if twin:
            unit.name = twin
        else:
            texts[unit.name] = text
    body = [line for text in texts.values() for line in [*text.split("\n"), "", ""]]
    rows = list(_rows(root))
    package = root.name.lower()
    code = "\n".join([*body, *_LOADING.format(name=root.name).strip("\n").split("\n")])
    code = code.replace("__PACKAGE__", package)
    title = f'"""{type(trace.module).__name__} of torch in Keras, written by gatewise.'
    cells = [["module", "kind", "here", "what became of it"]]
    cells += [[harmless(row.layer), harmless(row.kind), harmless(row.here), harmless(row.how)] for row in rows]
    text = "\n".join(
        [
            *paragraphs(title, 0),
            "",
            *table(cells),
            '"""',
            "",
            "from pathlib import Path",
            "",
            "import keras",
            "from keras import ops",
            "",
            "",
            code,
            "",
        ]
    )
    blocks = {place: whole(array) for place, array in arrays_of_unit(root)}
    return Source("keras", text, tuple(rows), (), blocks, hashlib.sha256(text.encode()).hexdigest()[:16])


def _inner_first(unit: Unit) -> Iterator[Unit]:
    for held in unit.attributes.values():
        for entry in _entries(held):
            if isinstance(entry.made, Unit):
                yield from _inner_first(entry.made)
    yield unit


def _entries(held: Entry | list[Entry] | dict[str, Entry]) -> list[Entry]:
    if isinstance(held, Entry):
        return [held]
    return list(held.values()) if isinstance(held, dict) else held


def _class_lines(unit: Unit, *, is_root: bool) -> list[str]:
    base = "keras.Model" if is_root else "keras.layers.Layer"
    lines = ['@keras.saving.register_keras_serializable("__PACKAGE__")', f"class {unit.name}({base}):"]
    lines += ["    def __init__(self, **kwargs):", "        super().__init__(**kwargs)"]
    for name, held in unit.attributes.items():
        for remark in dict.fromkeys(entry.made.remark for entry in _entries(held) if isinstance(entry.made, KerasLayer)):
            if remark:
                lines.append(f"        # {remark}.")
        lines.append(f"        self.{name} = {_constructed(held)}")
    for weight in sorted(unit.weights.values(), key=lambda weight: not weight.trainable):
        options = "" if weight.trainable else ", trainable=False"
        dtype = "" if weight.array.dtype.name == "float32" else f', dtype="{weight.array.dtype.name}"'
        lines.append(
            f'        self.{weight.name} = self.add_weight(shape={weight.array.shape}, name="{weight.name}"{options}{dtype})'
        )
    lines += ["", "    def build(self, *_):"]
    lines += [f"        {line}" for line in _builds(unit)]
    lines.append("        self.built = True")
    for name in [name for name in unit.methods if name != "forward"] + ["forward"]:
        lines += ["", *(f"    {line}" if line else "" for line in unit.methods.get(name, []))]
    return [fitted for line in lines for fitted in (code_lines(line) or [""])]


def _constructed(held: Entry | list[Entry] | dict[str, Entry]) -> str:
    if isinstance(held, Entry):
        return _text(held)
    if isinstance(held, dict):
        return "{" + ", ".join(f'"{name}": {_text(entry)}' for name, entry in held.items()) + "}"
    texts = [_text(entry) for entry in held]
    if len(texts) > 1 and len(set(texts)) == 1:
        return f"[{texts[0]} for _ in range({len(texts)})]"
    return f"[{', '.join(texts)}]"


def _text(entry: Entry) -> str:
    if entry.made is None:
        return "None"
    return entry.made.text if isinstance(entry.made, KerasLayer) else f"{entry.made.name}()"


def _builds(unit: Unit) -> Iterator[str]:
    for name, held in unit.attributes.items():
        if isinstance(held, Entry):
            yield from _built(held, f"self.{name}")
        else:
            items: Mapping[Any, Entry] = held if isinstance(held, dict) else dict(enumerate(held))
            lines = {key: list(_built(entry, "layer")) for key, entry in items.items()}
            if len(items) > 1 and len({tuple(each) for each in lines.values()}) == 1 and any(lines.values()):
                yield f"for layer in self.{name}{'.values()' if isinstance(held, dict) else ''}:"
                yield from (f"    {line}" for line in next(iter(lines.values())))
            else:
                for key, entry in items.items():
                    shown = f'"{key}"' if isinstance(key, str) else literal(key)
                    yield from _built(entry, f"self.{name}[{shown}]")


def _built(entry: Entry, text: str) -> Iterator[str]:
    if isinstance(entry.made, KerasLayer) and entry.made.built:
        yield f"{text}.build({entry.made.built})"
    elif isinstance(entry.made, Unit):
        yield f"{text}.build()"


def _rows(unit: Unit, prefix: str = "", where: str = "self") -> Iterator[Became]:
    for name, held in unit.attributes.items():
        for at, entry in enumerate(_entries(held)):
            here = f"{where}.{name}" if isinstance(held, Entry) else f"{where}.{name}[{at}]"
            if isinstance(entry.made, KerasLayer):
                yield Became(here.removeprefix("self."), entry.made.class_name, here, entry.made.remark or "its weights")
            elif entry.made is not None:
                yield Became(here.removeprefix("self."), entry.made.name, here, "a class of its own")
                yield from _rows(entry.made, f"{prefix}{name}.", here)
