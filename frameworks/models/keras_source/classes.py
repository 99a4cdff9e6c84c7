"""The text of a class: what it constructs, what it builds, and its methods."""

from __future__ import annotations

from collections.abc import Iterator

from frameworks.models.keras_source.layer import KerasLayer
from frameworks.models.keras_source.unit import Attribute, Entry, Unit, Weight
from frameworks.models.pytorch.tidying import code_lines

PACKAGE = "__PACKAGE__"
"""Stands for the name under which the classes are registered."""


def class_lines(unit: Unit) -> list[str]:
    """Return the lines of a class."""
    base = "keras.layers.Layer" if unit.path else "keras.Model"
    lines = [f'@keras.saving.register_keras_serializable("{PACKAGE}")', f"class {unit.name}({base}):"]
    lines += ["    def __init__(self, **kwargs):", "        super().__init__(**kwargs)"]
    for name, held in unit.attributes.items():
        lines += [f"        # {remark}." for remark in dict.fromkeys(_remarks(held))]
        lines.append(f"        self.{name} = {_constructed(held, is_dict=name in unit.dicts)}")
    for weight in weights_in_order(unit):
        options = "" if weight.trainable else ", trainable=False"
        options += "" if weight.array.dtype.name == "float32" else f', dtype="{weight.array.dtype.name}"'
        lines.append(f'        self.{weight.name} = self.add_weight(shape={weight.array.shape}, name="{weight.name}"{options})')
    lines += ["", "    def build(self, *_):", *(f"        {line}" for line in _builds(unit)), "        self.built = True"]
    for name in sorted(unit.methods, key="forward".__eq__):  # call comes last
        lines += ["", *(f"    {line}" if line else "" for line in unit.methods[name])]
    return [fitted for line in lines for fitted in (code_lines(line) or [""])]


def weights_in_order(unit: Unit) -> list[Weight]:
    """Return the weights that a class itself holds, in the order in which Keras stores them: the trained ones first."""
    return sorted(unit.weights.values(), key=lambda weight: not weight.trainable)


def _entries(held: Attribute) -> list[Entry]:
    return [held] if isinstance(held, Entry) else list(held.values())


def _remarks(held: Attribute) -> Iterator[str]:
    for entry in _entries(held):
        if isinstance(entry.made, KerasLayer) and entry.made.remark:
            yield entry.made.remark


def _constructed(held: Attribute, *, is_dict: bool) -> str:
    if isinstance(held, Entry):
        return _text(held)
    texts = [_text(entry) for entry in held.values()]
    if is_dict:
        return "{" + ", ".join(f'"{name}": {text}' for name, text in zip(held, texts, strict=True)) + "}"
    if len(texts) > 1 and len(set(texts)) == 1:
        return f"[{texts[0]} for _ in range({len(texts)})]"
    return f"[{', '.join(texts)}]"


def _text(entry: Entry) -> str:
    if entry.made is None:
        return "None"
    return entry.made.text if isinstance(entry.made, KerasLayer) else f"{entry.made.name}()"


def _builds(unit: Unit) -> Iterator[str]:
    """Yield the statements that build what a class holds."""
    for name, held in unit.attributes.items():
        if isinstance(held, Entry):
            yield from _built(held, f"self.{name}")
            continue
        lines = [list(_built(entry, "layer")) for entry in held.values()]
        is_dict = name in unit.dicts
        if len(held) > 1 and any(lines) and all(each == lines[0] for each in lines):
            yield f"for layer in self.{name}{'.values()' if is_dict else ''}:"
            yield from (f"    {line}" for line in lines[0])
        else:
            for at, (key, entry) in enumerate(held.items()):
                yield from _built(entry, f'self.{name}["{key}"]' if is_dict else f"self.{name}[{at}]")


def _built(entry: Entry, text: str) -> Iterator[str]:
    if isinstance(entry.made, KerasLayer) and entry.made.built:
        yield f"{text}.build({entry.made.built})"
    elif isinstance(entry.made, Unit):
        yield f"{text}.build()"
