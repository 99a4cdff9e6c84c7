"""Numbers as code."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from frameworks.models.tracing.steps import Constant

SYMBOLS = {"add": "+", "sub": "-", "mul": "*", "floordiv": "//", "truediv": "/", "mod": "%", "pow": "**", "neg": "-"}
_NOT_FINITE = {"inf": 'float("inf")', "-inf": 'float("-inf")', "nan": 'float("nan")'}
_LOOSE = re.compile(r" [-+*/%]|^-")


def literal(number: Any) -> str:
    """Return a number, a flag, a text or None as code."""
    if isinstance(number, bool) or number is None:
        return str(number)
    if isinstance(number, int):
        return str(int(number))
    if isinstance(number, float):
        return _NOT_FINITE.get(str(float(number)), repr(float(number)))
    return repr(number).replace("'", '"') if isinstance(number, str) and '"' not in number else repr(number)


def constant(value: Constant) -> str:
    """Return a tensor of numbers as code."""
    return f'ops.convert_to_tensor({value.data.tolist()!r}, dtype="{value.data.dtype}")'


def in_parentheses(text: str) -> str:
    """Return an expression that can stand beside an operator."""
    return f"({text})" if _LOOSE.search(text) and not text.startswith("ops.") else text


def sequence(texts: Sequence[str], brackets: str = "()") -> str:
    """Return a tuple or list as code."""
    comma = "," if len(texts) == 1 and brackets == "()" else ""
    return f"{brackets[0]}{', '.join(texts)}{comma}{brackets[1]}"
