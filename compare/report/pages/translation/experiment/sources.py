"""The source of the models without docstrings, and the difference of two versions, line by line."""

from __future__ import annotations

import ast
import difflib
import inspect
from types import ModuleType
from typing import Any


def code_of(thing: Any) -> list[str]:
    """Return the lines of a class or function, or of all of a module's, without docstrings."""
    text = inspect.getsource(thing)
    tree = ast.parse(text)
    wanted = [node for node in tree.body if isinstance(node, (ast.ClassDef, ast.FunctionDef))]
    hidden = {line for node in ast.walk(tree) for line in _docstring(node)}
    lines = text.splitlines()
    kept: list[str] = []
    for node in wanted:
        first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
        if kept:
            kept += ["", ""]
        kept += [lines[at - 1] for at in range(first, (node.end_lineno or first) + 1) if at not in hidden]
    return _tidied(kept)


def difference(one: Any, other: Any) -> str:
    """Return both versions in one text: lines only in the first begin with "-", lines only in the second with "+".

    Args:
        one: a module, class or function.
        other: the same in another version.
    """
    matcher = difflib.SequenceMatcher(None, a := code_of(one), b := code_of(other), autojunk=False)
    lines: list[str] = []
    for kind, from_a, to_a, from_b, to_b in matcher.get_opcodes():
        if kind == "equal":
            lines += [f"  {line}".rstrip() for line in a[from_a:to_a]]
        else:
            gone, come = (
                [f"{sign} {line}" for line in changed] for sign, changed in (("-", a[from_a:to_a]), ("+", b[from_b:to_b]))
            )
            lines += [line for pair in zip(gone, come, strict=True) for line in pair] if len(gone) == len(come) else gone + come
    return "\n".join(lines)


def modules_of(name: str) -> tuple[ModuleType, ModuleType]:
    """Return the Keras module and the PyTorch module of that name in the translation study."""
    from importlib import import_module

    keras, pytorch = (import_module(f"compare.report.studies.translation.{each}.{name}") for each in ("keras", "pytorch"))
    return keras, pytorch


def _docstring(node: ast.AST) -> range:
    body = getattr(node, "body", None)
    if not isinstance(node, (ast.ClassDef, ast.FunctionDef)) or not body or ast.get_docstring(node) is None:
        return range(0)
    return range(body[0].lineno, (body[0].end_lineno or body[0].lineno) + 1)


def _tidied(lines: list[str]) -> list[str]:
    """Remove the blank lines that followed docstrings."""
    return [line for at, line in enumerate(lines) if line or not at or not lines[at - 1].rstrip().endswith(":")]
