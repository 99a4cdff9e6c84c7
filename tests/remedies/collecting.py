"""Every remedy in the sources, by its call: `.because(...)`, a helper that passes a remedy on, or `warnings.warn(...)`."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import FrameType

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Remedy:
    """One remedy, identified by its module and its text, and not by its line.

    Args:
        module: the path of the module that states it.
        subject: the constant parts of what is refused; "{}" stands for what is filled in.
        text: the constant parts of the remedy, or of a warning.
    """

    module: str
    subject: str
    text: str

    def __str__(self) -> str:
        return f"{self.module}: {self.subject} | {self.text}"


@dataclass(frozen=True)
class _Helper:
    """A function that passes its argument on as the remedy: its calls state the remedies."""

    position: int
    name: str


@cache
def remedies() -> Mapping[Remedy, tuple[tuple[int, int], ...]]:
    """Return every remedy, with the first and last lines of the calls that state it."""
    trees = {
        str(path.relative_to(ROOT)): ast.parse(path.read_text())
        for package in ("compare", "frameworks")
        for path in sorted((ROOT / package).rglob("*.py"))
    }
    found: dict[Remedy, list[tuple[int, int]]] = {}
    helpers = {module: dict(helpers_of(tree)) for module, tree in trees.items()}
    public = {name: each for own in helpers.values() for name, each in own.items() if not name.startswith("_")}
    for module, tree in trees.items():
        for remedy, call in collect(module, tree, {**public, **helpers[module]}):
            found.setdefault(remedy, []).append((call.lineno, call.end_lineno or call.lineno))
    return {remedy: tuple(lines) for remedy, lines in found.items()}


def stated_at(frame: FrameType | None) -> Remedy | None:
    """Return the remedy whose call is running in a frame or in one of its callers, the innermost first."""
    while frame is not None:
        path = Path(frame.f_code.co_filename)
        module = str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else ""
        for remedy, lines in _by_module().get(module, ()):
            if any(first <= frame.f_lineno <= last for first, last in lines):
                return remedy
        frame = frame.f_back
    return None


@cache
def _by_module() -> Mapping[str, list[tuple[Remedy, tuple[tuple[int, int], ...]]]]:
    sorted_out: dict[str, list[tuple[Remedy, tuple[tuple[int, int], ...]]]] = {}
    for remedy, lines in remedies().items():
        sorted_out.setdefault(remedy.module, []).append((remedy, lines))
    return sorted_out


def collect(module: str, tree: ast.Module, helpers: Mapping[str, _Helper]) -> Iterator[tuple[Remedy, ast.Call]]:
    """Yield each remedy of a module, with the call that states it."""
    inside = {id(call): helper for _, _, calls in _passing_on(tree) for call, helper in calls}
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        name = _name(call.func)
        if name == "because" and id(call) not in inside:
            yield Remedy(module, _text(call.args[0]), _text(_keyword(call, "remedy"))), call
        elif name == "warn" and isinstance(call.func, ast.Attribute):
            yield Remedy(module, "a warning", _text(call.args[0])), call
        elif name in helpers and (given := _argument(call, helpers[name])) is not None:
            yield Remedy(module, _text(call.args[0]) if call.args else "", _text(given)), call


def helpers_of(tree: ast.Module) -> Iterator[tuple[str, _Helper]]:
    """Yield the helpers of a module by name."""
    for name, helper, _ in _passing_on(tree):
        yield name, helper


def _passing_on(tree: ast.Module) -> Iterator[tuple[str, _Helper, list[tuple[ast.Call, str]]]]:
    for function in ast.walk(tree):
        if not isinstance(function, ast.FunctionDef) or function.name == "because":
            continue
        parameters = [each.arg for each in (*function.args.args, *function.args.kwonlyargs)]
        calls = [node for node in ast.walk(function) if isinstance(node, ast.Call) and _name(node.func) == "because"]
        for call in calls:
            named = {node.id for node in ast.walk(_keyword(call, "remedy")) if isinstance(node, ast.Name)}
            if passed := next((each for each in parameters if each in named and each in ("remedy", "instead")), None):
                yield function.name, _Helper(parameters.index(passed), passed), [(call, passed)]


def _argument(call: ast.Call, helper: _Helper) -> ast.expr | None:
    if any(each.arg == helper.name for each in call.keywords):
        return _keyword(call, helper.name)
    position = helper.position - isinstance(call.func, ast.Attribute)
    return call.args[position] if position < len(call.args) else None


def _keyword(call: ast.Call, name: str) -> ast.expr:
    return next((each.value for each in call.keywords if each.arg == name), ast.Constant(""))


def _name(function: ast.expr) -> str:
    return function.attr if isinstance(function, ast.Attribute) else function.id if isinstance(function, ast.Name) else ""


def _text(node: ast.expr) -> str:
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(each) if isinstance(each, ast.Constant) else "{}" for each in node.values)
    if isinstance(node, ast.IfExp):
        return f"{_text(node.body)} / {_text(node.orelse)}"
    return "{}"
