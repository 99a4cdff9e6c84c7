"""Every remedy in the sources, by its call: `.because(...)`, a helper that passes a remedy on, or `warnings.warn(...)`.

Caveats of files, notes of a comparison and remedies that a function puts together have no such call. They are collected by
their text, as far as it tells the user to do something (`advice`).
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import FrameType

ROOT = Path(__file__).parents[2]

ADVISING = (
    "frameworks/files",
    "frameworks/keras/natives.py",
    "frameworks/keras_in_torch/step_kinds.py",
    "frameworks/whole_models.py",
    "compare/parity/remarks.py",
    "compare/training",
)
"""Where texts tell the user to do something outside of a remedy's call."""

_VERBS = (
    "add build call cast choose convert copy delete emulate export fetch flip give install keep leave load make mask name open"
    " order pack pad pass port put read remove rename return run save say set take train transpose unpack use wait write"
)
_ADVICE = re.compile(
    rf"(?:^|[.!] )(?:{_VERBS.title().replace(' ', '|')})\b"
    rf"|[:;,] (?:{_VERBS.replace(' ', '|')})\b"
    r"|--option\b|The JSON of|[Oo]ptions?(?:, or .*,)? (?:can |override)|[Tt]he option \S+ states"
)


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

    def is_in(self, stated: str) -> bool:
        """Return whether a text contains that of this remedy."""
        return re.search(".*".join(map(re.escape, self.text.strip().split("{}"))), stated, re.DOTALL) is not None


@dataclass(frozen=True)
class _Helper:
    """A function that passes its argument on as the remedy: its calls state the remedies."""

    position: int
    name: str


@cache
def remedies() -> Mapping[Remedy, tuple[tuple[int, int], ...]]:
    """Return every remedy, with the first and last lines of the calls that state it."""
    trees = _trees()
    found: dict[Remedy, list[tuple[int, int]]] = {}
    helpers = {module: dict(helpers_of(tree)) for module, tree in trees.items()}
    public = {name: each for own in helpers.values() for name, each in own.items() if not name.startswith("_")}
    for module, tree in trees.items():
        for remedy, call in collect(module, tree, {**public, **helpers[module]}):
            found.setdefault(remedy, []).append((call.lineno, call.end_lineno or call.lineno))
    return {remedy: tuple(lines) for remedy, lines in found.items()}


@cache
def advice() -> frozenset[Remedy]:
    """Return the texts that tell the user to do something outside of a remedy's call."""
    modules = ((module, tree) for module, tree in _trees().items() if module.startswith(ADVISING))
    return frozenset(Remedy(module, ADVICE, text) for module, tree in modules for text in advice_in(tree))


ADVICE = "a caveat, a note or a part of a remedy"
"""The subject of what `advice` returns."""


def advice_in(tree: ast.Module) -> Iterator[str]:
    """Yield the texts of a module, outside of docstrings and of remedies' calls, that tell the user to do something."""
    left = set[int]()
    for node in ast.walk(tree):
        is_docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        if is_docstring or (isinstance(node, ast.Call) and _name(node.func) in ("because", "warn")):
            left |= {id(each) for each in ast.walk(node)}
        elif isinstance(node, ast.JoinedStr):
            left |= {id(each) for each in ast.walk(node)} - {id(node)}
        if isinstance(node, (ast.Constant, ast.JoinedStr)) and id(node) not in left and _is_advice(_text(node)):
            yield _text(node)


def _is_advice(text: str) -> bool:
    return " " in text.strip() and _ADVICE.search(text) is not None


@cache
def _trees() -> Mapping[str, ast.Module]:
    return {
        str(path.relative_to(ROOT)): ast.parse(path.read_text())
        for package in ("compare", "frameworks")
        for path in sorted((ROOT / package).rglob("*.py"))
    }


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
        subject = _text(call.args[0]) if call.args else ""
        if name == "because":
            stated = None if id(call) in inside else _keyword(call, "remedy")
        elif name == "warn" and isinstance(call.func, ast.Attribute):
            subject, stated = "a warning", call.args[0]
        else:
            stated = (_argument(call, helpers[name]) if name in helpers else None) or _given(call, "remedy")
        if stated is not None:
            yield Remedy(module, subject, _text(stated)), call


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
    if given := _given(call, helper.name):
        return given
    position = helper.position - isinstance(call.func, ast.Attribute)
    return call.args[position] if position < len(call.args) else None


def _given(call: ast.Call, name: str) -> ast.expr | None:
    return next((each.value for each in call.keywords if each.arg == name), None)


def _keyword(call: ast.Call, name: str) -> ast.expr:
    return _given(call, name) or ast.Constant("")


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
