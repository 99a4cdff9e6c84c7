"""The methods of the source: a statement for each step."""

from __future__ import annotations

import re
from typing import Any

from frameworks.errors import NoCounterpartError
from frameworks.models.keras_source.chains import chain
from frameworks.models.keras_source.functions import FUNCTIONS
from frameworks.models.keras_source.held import Held, plain_order
from frameworks.models.keras_source.literals import sequence
from frameworks.models.keras_source.loops import loop
from frameworks.models.keras_source.modules import MODULES
from frameworks.models.keras_source.modules.packing import PACKING
from frameworks.models.keras_source.scope import Scope, uncarried
from frameworks.models.keras_source.unit import Unit
from frameworks.models.pytorch.names import identifier
from frameworks.models.tracing.matching import MismatchError, Pairs, require_alike
from frameworks.models.tracing.sizes import origin
from frameworks.models.tracing.steps import Each, Function, Loop, Method, ModuleCall, Step, Value, leaves, values_in

_OTHERWISE = "Write it with others, or compute it outside of the module."


def write_steps(scope: Scope) -> None:
    """Write the steps of a scope."""
    for at, step in enumerate(scope.block.steps):
        scope.at = at
        _write_step(scope, step)


def _write_step(scope: Scope, step: Step) -> None:
    if isinstance(step, Loop):
        loop(scope, step, write_steps)
    elif isinstance(step, Method):
        _method_call(scope, step)
    elif isinstance(step, ModuleCall):
        module = scope.trace.module.get_submodule(step.path)
        kind = type(module).__name__
        if kind not in MODULES:
            known = "be one of those that gatewise carries to Keras"
            raise uncarried(step, f"the module {step.path}", known, f"is nn.{kind}", _OTHERWISE)
        MODULES[kind](scope, step, module)
    elif isinstance(step, Function):
        writer = PACKING.get(step.name) or FUNCTIONS.get(step.name)
        if writer is None:
            known = "be one of those that gatewise carries to Keras"
            raise uncarried(step, f"the function {step.name}", known, "is not", _OTHERWISE)
        writer(scope, step)


# Calls of the user's own modules and methods


def _method_call(scope: Scope, step: Method) -> None:
    """Write the call of a module inside, or of a method; what a Sequential calls is written in its place."""
    unit: Unit = scope.unit
    if unit.trace.is_chain(step.path):
        if chain(scope, step):
            return
        scope.uses.inline(step)
        for each in step.body.steps:
            _write_step(scope, each)
        return
    if any(value.packed for value in values_in((step.result, step.arguments))):
        raise uncarried(step, "a packed sequence", "stay in the module that packs it", "is passed on", "Unpack it there.")
    called = unit.unit_of(step.path)
    dynamic = {name: value for name, value in step.arguments.items() if _counts(scope, value)}
    if step.name not in called.methods:
        called.methods[step.name] = []  # a method that calls itself
        called.written[step.name] = step
        called.methods[step.name] = written(called, step, list(dynamic))
    else:
        _require_same(called.written[step.name], step)
    ahead = "self" if called is unit else unit.inside(step.path)
    call = ahead if step.name == "forward" else f"{ahead}.{called.method_name(step.name)}"
    _take(scope, step, f"{call}({', '.join(_structure(scope, value) for value in dynamic.values())})")


def _counts(scope: Scope, argument: Any) -> bool:
    """Return whether an argument differs from call to call."""
    return any(isinstance(leaf, Value) or scope.varies(leaf) for leaf in leaves(argument))


def _structure(scope: Scope, structure: Any) -> str:
    """Return a structure of tensors and numbers as code."""
    if isinstance(structure, dict):
        return "{" + ", ".join(f'"{name}": {_structure(scope, each)}' for name, each in structure.items()) + "}"
    if isinstance(structure, (list, tuple)):
        return sequence([_structure(scope, each) for each in structure], "[]" if isinstance(structure, list) else "()")
    if isinstance(structure, Each):
        return f"ops.unstack({scope.arg(structure.value)})"
    return scope.arg(structure)


def _take(scope: Scope, step: Method, text: str) -> None:
    """Write the call, with the names of what it returns."""
    result = step.result
    new = [value for value in dict.fromkeys(values_in(result)) if not scope.knows(value)]
    if not any(scope.uses[value] for value in new):
        return
    if isinstance(result, Value):
        scope.put(result, text)
    elif isinstance(result, (list, tuple)) and all(not isinstance(each, (list, tuple, dict)) for each in result):
        targets = [_target(scope, each, new) for each in result]
        scope.write(f"{', '.join(targets)}{',' * (len(targets) == 1)} = {text}")
    else:
        _name_inside(scope, result, scope.assign_new("results", text), new)


def _target(scope: Scope, value: Any, new: list[Value]) -> str:
    if not isinstance(value, Value) or value not in new or not scope.uses[value]:
        return "_"
    name = scope.name(scope.uses.named(value) or value.name or "y", value, result=True)
    scope.hold(value, Held(name, plain_order(len(value.shape))))
    return name


def _name_inside(scope: Scope, structure: Any, text: str, new: list[Value]) -> None:
    """Hold the values of a structure as parts of a variable."""
    if isinstance(structure, Value) and structure in new:
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
        pairs.values |= dict(zip(values_in(first.arguments), values_in(other.arguments), strict=True))
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
    """Return the lines of a method, from "def" on.

    Args:
        unit: its class.
        step: the first call of it.
        parameters: the parameters that differ from call to call.
    """
    scope = Scope(unit.trace, step.body, unit, names=step.names)
    names = [scope.name(identifier(name, "x"), object()) for name in parameters]
    for name, parameter in zip(names, parameters, strict=True):
        _receive(scope, step.arguments[parameter], name)
    write_steps(scope)
    scope.at = scope.uses.end
    returned = _returned(scope, step.body.result)
    arguments, lines = names, []
    if not unit.path and step.name == "forward" and len(names) > 1:
        arguments = [names[0], *(f"{name}=None" for name in names[1:])]
        lines = [f"if {names[1]} is None:  # fit and predict pass all inputs as one", f"    {', '.join(names)} = {names[0]}"]
    lines += without_unused([*scope.lines, f"return {returned}"])
    head = f"def {unit.method_name(step.name)}({', '.join(['self', *arguments])}):"
    return [head, *(f"    {line}" if line else "" for line in lines)]


_SIZE = re.compile(r"\s*(\w+) = ops\.shape\(")


def without_unused(lines: list[str]) -> list[str]:
    """Return lines without the sizes that nothing uses, as of a range that another expression stands for."""
    kept: list[str] = []
    for line in reversed(lines):
        size = _SIZE.match(line)
        if not size or any(re.search(rf"\b{size[1]}\b", later.partition("  # ")[0]) for later in kept):
            kept.append(line)
    return kept[::-1]


def _returned(scope: Scope, result: Any) -> str:
    if isinstance(result, tuple) and len(result) > 1:
        return ", ".join(_structure(scope, each) for each in result)
    return _structure(scope, result)


def _receive(scope: Scope, argument: Any, name: str) -> None:
    """Hold what a method is given."""
    if isinstance(argument, Value):
        scope.hold(argument, Held(name, plain_order(len(argument.shape))))
        if name.isidentifier():
            scope.names.give(name, argument)
    elif isinstance(argument, (list, tuple)):
        for at, each in enumerate(argument):
            _receive(scope, each, f"{name}[{at}]")
    elif isinstance(argument, dict):
        for key, each in argument.items():
            _receive(scope, each, f'{name}["{key}"]')
    else:
        of = origin(argument)
        if of is not None and of.what in ("size", "index"):
            scope.bind(of.parts if of.what == "size" else ("index", *of.parts), name)
