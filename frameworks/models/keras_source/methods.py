"""The methods of the source: a statement for each step."""

from __future__ import annotations

from typing import Any

from torch import nn

from frameworks.errors import NoCounterpartError
from frameworks.models.keras_source.functions import FUNCTIONS
from frameworks.models.keras_source.held import Held, plain_order
from frameworks.models.keras_source.loops import loop
from frameworks.models.keras_source.modules import MODULES, recurrent
from frameworks.models.keras_source.scope import Scope, refused
from frameworks.models.keras_source.unit import Unit
from frameworks.models.pytorch.names import identifier
from frameworks.models.tracing.matching import MismatchError, Pairs, require_alike
from frameworks.models.tracing.sizes import origin
from frameworks.models.tracing.steps import Each, Function, Loop, Method, ModuleCall, Step, Value, leaves, values_in

_PACKING = {"pack_padded_sequence": recurrent.pack, "pad_packed_sequence": recurrent.unpack}


def write_steps(scope: Scope) -> None:
    """Write the steps of a scope."""
    for at, step in enumerate(scope.block.steps):
        scope.at = at
        write_step(scope, step)


def write_step(scope: Scope, step: Step) -> None:
    """Write one step."""
    if isinstance(step, Loop):
        loop(scope, step, write_steps)
    elif isinstance(step, Method):
        method_call(scope, step)
    elif isinstance(step, ModuleCall):
        module = scope.trace.module.get_submodule(step.path)
        writer = MODULES.get(type(module).__name__)
        if writer is None:
            known = "one of those that gatewise carries to Keras"
            raise refused(
                step,
                f"the module {step.path}",
                f"be {known}",
                f"is nn.{type(module).__name__}",
                "Write it with functions that it carries.",
            )
        writer(scope, step, module)
    elif isinstance(step, Function) and step.name in _PACKING:
        _PACKING[step.name](scope, step)
    elif isinstance(step, Function):
        writer = FUNCTIONS.get(step.name)
        if writer is None:
            raise refused(
                step,
                f"the function {step.name}",
                "be one of those that gatewise carries to Keras",
                "is not",
                "Write it with others, or compute it outside of the module.",
            )
        writer(scope, step)


# Calls of the user's own modules and methods


def method_call(scope: Scope, step: Method) -> None:
    """Write the call of a module inside, or of a method; what a module of torch only passes on is written in its place."""
    module = scope.trace.module.get_submodule(step.path)
    if isinstance(module, nn.Sequential):
        return _in_place(scope, step)
    unit = scope.unit.units.get(step.path) or Unit(scope.trace, step.path, scope.unit.units, scope.unit.used)
    dynamic = {name: value for name, value in step.arguments.items() if _counts(scope, value)}
    if step.name not in unit.methods:
        unit.methods[step.name] = []
        unit.written[step.name] = step
        unit.methods[step.name] = written(unit, step, list(dynamic))
    else:
        _require_same(unit.written[step.name], step)
    name = method_name(unit, step.name)
    ahead = "self" if unit is scope.unit else scope.unit.inside(step.path)
    call = f"{ahead}{'' if step.name == 'forward' else '.' + name}"
    text = f"{call}({', '.join(_structure(scope, value) for value in dynamic.values())})"
    _take(scope, step, text)
    return None


def _in_place(scope: Scope, step: Method) -> None:
    """Write the steps of a Sequential where it is called."""
    scope.inline(step)
    for each in step.body.steps:
        write_step(scope, each)


def method_name(unit: Unit, name: str) -> str:
    """Return what a method is called in the source."""
    if name == "forward":
        return "call"
    key = f"method {name}"
    if key not in unit._places:
        unit._places[key] = unit.names.free(name)
    return unit._places[key]


def _counts(scope: Scope, argument: Any) -> bool:
    """Return whether an argument differs from call to call."""
    return any(isinstance(leaf, Value) or scope.varies(leaf) for leaf in leaves(argument))


def _structure(scope: Scope, structure: Any) -> str:
    """Return a structure of tensors and numbers as code."""
    if isinstance(structure, dict):
        return (
            "{"
            + ", ".join(f"{name!r}: {_structure(scope, each)}".replace("'", '"', 2) for name, each in structure.items())
            + "}"
        )
    if isinstance(structure, (list, tuple)):
        inner = ", ".join(_structure(scope, each) for each in structure)
        return f"[{inner}]" if isinstance(structure, list) else f"({inner}{',' * (len(structure) == 1)})"
    if isinstance(structure, Each):
        return f"ops.unstack({scope.arg(structure.value)})"
    return scope.arg(structure)


def _take(scope: Scope, step: Method, text: str) -> None:
    """Write the call with the names of what it returns."""
    result = step.result
    new = [value for value in dict.fromkeys(values_in(result)) if not scope.knows(value)]
    if any(value.packed for value in values_in(result)):
        raise refused(step, "a packed sequence", "be unpacked in the module that packs it", "is returned", "Unpack it there.")
    if isinstance(result, Value):
        return scope.put(result, text) if new else None
    if not any(scope.uses[value] for value in new):
        return None
    if isinstance(result, (list, tuple)) and all(not isinstance(each, (list, tuple, dict)) for each in result):
        targets = [_target(scope, each, new) for each in result]
        scope.write(f"{', '.join(targets)}{',' * (len(targets) == 1)} = {text}")
        return None
    name = scope.assign_new("results", text)
    _name_inside(scope, result, name, new)
    return None


def _target(scope: Scope, value: Any, new: list[Value]) -> str:
    if not isinstance(value, Value) or value not in new or not scope.uses[value]:
        return "_"
    name = scope.name(scope.named(value) or value.name or "y", value, result=True)
    scope.hold(value, Held(name, plain_order(len(value.shape))))
    return name


def _name_inside(scope: Scope, structure: Any, text: str, new: list[Value]) -> None:
    if isinstance(structure, Value):
        if structure in new:
            scope.hold(structure, Held(text, plain_order(len(structure.shape))))
    elif isinstance(structure, dict):
        for name, each in structure.items():
            _name_inside(scope, each, f'{text}["{name}"]', new)
    elif isinstance(structure, (list, tuple)):
        for at, each in enumerate(structure):
            _name_inside(scope, each, f"{text}[{at}]", new)


def _require_same(first: Method, other: Method) -> None:
    """Require that a method does the same in every call."""
    try:
        pairs = Pairs(first.body.steps, other.body.steps)
        given = (values_in(first.arguments), values_in(other.arguments))
        pairs.values |= dict(zip(*given, strict=True))
        require_alike(pairs, lambda value, held: pairs.values.get(value) is held)
    except (MismatchError, ValueError):
        raise NoCounterpartError.because(
            f"{first.path or 'the module'}.{first.name}",
            must="do the same in every call",
            but=f"does one thing at {first.line} and another at {other.line}",
            remedy="Make two methods of it.",
        ) from None


# The text of a method


def written(unit: Unit, step: Method, parameters: list[str]) -> list[str]:
    """Return the lines of a method, from "def" on."""
    scope = Scope(unit.trace, step.body, unit)
    scope.names = step.names
    names = [scope.name(identifier(name, "x"), object()) for name in parameters]
    root = not unit.path and step.name == "forward"
    for name, parameter in zip(names, parameters, strict=True):
        _receive(scope, step.arguments[parameter], name)
    write_steps(scope)
    scope.at = len(step.body.steps)
    arguments = ["self", *names]
    if root and len(names) > 1:
        arguments[2:] = [f"{name}=None" for name in names[1:]]
    lines = [f"def {method_name(unit, step.name)}({', '.join(arguments)}):"]
    if root and len(names) > 1:
        lines += [
            f"    if {names[1]} is None:  # fit and predict pass all inputs as one",
            f"        {', '.join(names)} = {names[0]}",
        ]
    returned = _structure(scope, step.body.result)
    lines += [f"    {line}" if line else "" for line in scope.lines]
    return [
        *lines,
        f"    return {returned.removeprefix('(').removesuffix(')') if isinstance(step.body.result, tuple) and len(step.body.result) > 1 else returned}",
    ]


def _receive(scope: Scope, argument: Any, name: str) -> None:
    """Hold what a method is given."""
    if isinstance(argument, Value):
        scope.hold(argument, Held(name, plain_order(len(argument.shape))))
        scope.own(name, argument)
    elif isinstance(argument, (list, tuple)):
        for at, each in enumerate(argument):
            _receive(scope, each, f"{name}[{at}]")
    elif isinstance(argument, dict):
        for key, each in argument.items():
            _receive(scope, each, f'{name}["{key}"]')
    else:
        of = origin(argument)
        if of is not None and of.what == "size":
            scope.bind(of.parts, name)
        elif of is not None and of.what == "index":
            scope.bind(("index", of.parts[0]), name)
