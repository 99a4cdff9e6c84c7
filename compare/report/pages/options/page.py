"""The page on options: every argument of every constructor, and its fate in the other framework."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from compare.report.page import Page, Tree, code, number, table, worst
from compare.report.results import Value

_FRAMEWORKS = (("keras", "Keras", "PyTorch"), ("pytorch", "PyTorch", "Keras"))
_GROUPS = {
    "layers": ("LSTM", "GRU", "SimpleRNN"),
    "cells": ("LSTMCell", "GRUCell", "SimpleRNNCell"),
    "wrappers": ("RNN", "StackedRNNCells", "Bidirectional"),
}
_GROUPS_OF_PYTORCH = {"layers": ("LSTM", "GRU", "RNN"), "cells": ("LSTMCell", "GRUCell", "RNNCell")}
_FATES = ("native", "emulated", "no effect", "refused")
_DEFAULTS = {"kwargs": "in `**kwargs`"}


def _own(results: Tree) -> Tree:
    """Return the results of this page's experiment."""
    tree: Tree = results["options"]["tensorflow"]
    return tree


def _verdict(results: Tree) -> str:
    own = _own(results)
    counted: Counter[str] = Counter(
        fate["fate"].value
        for framework, _, _ in _FRAMEWORKS
        for entry in _arguments(own, framework).values()
        for fate in _fates(entry)
    )
    known, unmapped = (
        [
            (name, argument)
            for framework, name, _ in _FRAMEWORKS
            for argument, entry in _arguments(own, framework).items()
            if entry["mapped"].value is held
        ]
        for held in (True, False)
    )
    share = f"{len(known)} of the {len(known) + len(unmapped)}" if unmapped else f"All {len(known)}"
    counts = ", ".join(f"{counted[fate]} {fate.replace('no effect', 'without effect')}" for fate in _FATES)
    largest = worst(each for value in _errors(own) for each in value)
    warning = "".join(f"`{argument}` of {name} is unmapped. " for name, argument in unmapped)
    return (
        f"{warning}{share} arguments of {len(_kinds(own, 'keras'))} Keras and {len(_kinds(own, 'pytorch'))} PyTorch constructors are mapped. "
        f"They make {counted.total()} rows, since the fate of some depends on the value: {counts}. Excluding half precision, the largest error "
        f"is {largest} where `convert` or `emulate` accepts an argument."
    )


def _body(results: Tree) -> str:
    own = _own(results)
    parts = [
        "*native*: the other framework's layer has an equivalent, and `convert` ports it. *emulated*: `convert` raises an error naming the "
        "argument, and `emulate` computes what the source computes. *no effect*: it does not change what the layer returns in inference "
        "(seeds, regularizers and `implementation` change training). *refused*: both raise an error naming the argument.",
        "The arguments are read from the constructors' signatures, including those of base classes and those popped from `**kwargs`. An "
        "argument of a new version that the table does not list appears here as **unmapped** and makes `gatewise report --check` fail.",
        "Each row was tried on a layer and on a cell that have the argument. The columns *convert* and *emulate* show the errors of the "
        "ported layers. The column *changes* shows how much the argument changes the result in the source framework (empty if shapes or "
        "dtypes change). The last column shows whether the emulated layers, such as `KerasLSTM(...)` and `TorchLSTM(...)`, accept the "
        "argument when you construct them directly.",
    ]
    for framework, name, other in _FRAMEWORKS:
        parts += [f"## {name}'s arguments, in {other}", _table(own[framework], other)]
    parts += [
        "The emulated layers are in `frameworks.emulation.pytorch` (Keras layers written in PyTorch) and `frameworks.emulation.keras` (PyTorch "
        "layers written in Keras). The table itself is `frameworks.counterparts.OPTIONS`.",
        "## Activations",
        _activations(own["activations"]),
        "Each was tried on the gates and the candidate of an LSTM cell. *fate* is for an LSTM cell that uses the activation everywhere; "
        "*native* lists the places where torch's layers have it anyway.",
        "## Dropout inside a cell",
        _dropout(own["dropout"]),
        "The masks were read off a linear simple RNN that passes its input, or its state, on unchanged, with `training=True`. The `dropout` "
        "of torch's layers acts between layers and draws a new mask at each time step.",
        "## The code",
        code("python", own["code"]["code"].value),
        f"`convert` refuses the layer: *{own['code']['refusal'].value}* The errors of the two modules are "
        f"{number(own['code']['rnn'])} (`rnn`) and {number(own['code']['written'])} (`written`).",
    ]
    return "\n\n".join(parts)


def _arguments(own: Tree, framework: str) -> Tree:
    tree: Tree = own[framework]["arguments"]
    return tree


def _fates(entry: Tree) -> list[Tree]:
    return list(entry["fates"].values())


def _kinds(own: Tree, framework: str) -> set[str]:
    return {name for entry in _arguments(own, framework).values() for name in entry["defaults"].value}


def _errors(own: Tree) -> Iterator[list[Value]]:
    for framework, _, _ in _FRAMEWORKS:
        for entry in _arguments(own, framework).values():
            for fate in _fates(entry):
                yield [one[way] for one in fate["tried"].values() for way in ("convert", "emulate") if _is_single(one[way])]
    yield [entry["emulate"] for entry in own["activations"].values() if "emulate" in entry]


def _is_single(value: Value) -> bool:
    """Return whether a value is an error in float32 or float64."""
    return value.allowed is not None and value.allowed < 1e-3


def _table(side: Tree, other: str) -> str:
    everyone = _everyone(side)
    rows = [row for argument, entry in side["arguments"].items() for row in _rows(argument, entry, everyone)]
    rows += [
        (f"`{argument}`", "none", "", "**gone**: in the table, but in no signature", *[""] * 5) for argument in side["stale"]
    ]
    headers = ("argument", "of", "values", "fate", f"in {other}", "`convert`", "`emulate`", "changes", "constructed directly")
    return table(headers, rows)


def _everyone(side: Tree) -> list[str]:
    return list(dict.fromkeys(name for entry in side["arguments"].values() for name in entry["defaults"].value))


def _rows(argument: str, entry: Tree, everyone: Sequence[str]) -> Iterator[Sequence[object]]:
    owners = entry["defaults"].value
    shown = _shown(argument, list(dict.fromkeys(owners.values())))
    if not entry["mapped"].value:
        yield (shown, _names(list(owners), everyone), "any", "**unmapped**", *[""] * 5)
    for fate in _fates(entry):
        yield (
            shown,
            _names(list(owners), everyone),
            fate["values"].value,
            fate["fate"].value,
            fate["there"].value,
            *(_outcome(fate, way) for way in ("convert", "emulate")),
            _effect(fate),
            _written(fate["written"].value, everyone),
        )


def _shown(argument: str, defaults: Sequence[str]) -> str:
    """Write an argument with its default, or with all defaults if constructors differ."""
    if defaults == ["required"]:
        return f"`{argument}`"
    if set(defaults) & set(_DEFAULTS):
        return f"`{argument}`, {' or '.join(_DEFAULTS.get(default, default) for default in defaults)}"
    return f"`{argument}={' or '.join(defaults)}`"


def _outcome(fate: Tree, way: str) -> str:
    values = [one[way] for one in fate["tried"].values()]
    errors = [value for value in values if value.kind == "measured"]
    refused = "refused" if len(errors) < len(values) else ""
    return " ".join(filter(None, [refused, worst(errors) if errors else ""]))


def _effect(fate: Tree) -> str:
    effects = [one["effect"] for one in fate["tried"].values() if "effect" in one]
    return worst(effects) if effects else ""


def _written(taken: dict[str, bool], everyone: Sequence[str]) -> str:
    refusing = [name for name, takes in taken.items() if not takes]
    if not taken or not refusing:
        return "accepted" if taken else ""
    return "error" if len(refusing) == len(taken) else f"accepted, except by {_names(refusing, everyone)}"


def _names(names: Sequence[str], everyone: Sequence[str]) -> str:
    """Name some classes; a complete group is named by the group."""
    if set(names) == set(everyone):
        return "all"
    left, parts = list(names), []
    groups = _GROUPS if "Bidirectional" in everyone else _GROUPS_OF_PYTORCH
    for group, members in groups.items():
        if set(members) <= set(left):
            parts.append(group)
            left = [name for name in left if name not in members]
    return ", ".join([*parts, *left])


def _activations(activations: Tree) -> str:
    rows = [
        (
            f"`{name}`",
            entry["in Keras"].value,
            _places(entry["native"].value),
            f"**{entry['fate'].value}**"
            if entry["fate"].value == "unmapped"
            else entry["fate"].value + (f": {entry['why'].value}" if "why" in entry else ""),
            entry.get("emulate", ""),
        )
        for name, entry in activations.items()
    ]
    return table(("activation", "in Keras 3", "native", "fate", "`emulate`"), rows)


def _places(places: Sequence[Sequence[str]]) -> str:
    by_argument: dict[str, list[str]] = {}
    for argument, kind in places:
        by_argument.setdefault(argument, []).append(kind)
    return "; ".join(f"`{argument}` of {', '.join(kinds)}" for argument, kinds in by_argument.items())


def _dropout(dropout: Tree) -> str:
    return table(
        ("argument", "Keras", "`emulate`"),
        [(f"`{name}`", entry["keras"].value, entry["pytorch"].value) for name, entry in dropout.items()],
    )


PAGE = Page(
    name="options",
    title="Options",
    question="What becomes of each constructor argument of a recurrent layer in the other framework?",
    experiments=(("tensorflow", "options"),),
    verdict=_verdict,
    body=_body,
)
