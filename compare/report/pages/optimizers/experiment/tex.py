"""Printing the lines of an update rule as TeX, in the subset that both code hosts and matplotlib render."""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection, Mapping

_SYMBOLS: Mapping[str, str] = {
    "learning_rate": "\\eta",
    "lr": "\\eta",
    "lr_decay": "\\delta",
    "momentum": "\\mu",
    "momentum_decay": "\\psi",
    "weight_decay": "\\lambda",
    "epsilon": "\\varepsilon",
    "eps": "\\varepsilon",
    "epsilon_1": "\\varepsilon_1",
    "epsilon_2": "\\varepsilon_2",
    "eps_1": "\\varepsilon_1",
    "eps_2": "\\varepsilon_2",
    "initial_accumulator_value": "a_0",
    "beta_2_decay": "\\kappa",
    "beta2_decay": "\\kappa",
    "clip_threshold": "d",
    "learning_rate_power": "\\kappa",
    "l1_regularization_strength": "\\lambda_1",
    "l2_regularization_strength": "\\lambda_2",
    "l2_shrinkage_regularization_strength": "\\lambda_3",
    "warmup_steps": "w",
    "rms_rate": "\\gamma",
    "clipnorm": "c",
    "ema_momentum": "\\mu",
    "theta": "\\theta",
    "alpha": "\\alpha",
    "beta": "\\beta",
    "beta_1": "\\beta_1",
    "beta_2": "\\beta_2",
    "beta_t": "\\beta_t",
    "rho": "\\rho",
    "g_mean": "\\bar{g}",
    "v_max": "\\hat{v}",
    "u_now": "u_t",
    "u_next": "u_{t+1}",
    "product": "\\pi",
}
"""The TeX of names; any other name is printed unchanged."""

_AROUND: Mapping[str, tuple[str, str]] = {
    "sqrt": ("\\sqrt{", "}"),
    "abs": ("|", "|"),
    "norm": ("\\|", "\\|"),
    "max": ("\\max(", ")"),
    "min": ("\\min(", ")"),
}
"""The text around the arguments of a function; any other function is printed by its name."""

_SUM, _PRODUCT, _SIGNED, _ATOM = range(4)
"""The precedence of a printed expression."""
Printed = tuple[str, int]


def symbol(name: str) -> str:
    """Print a name as a symbol."""
    return _SYMBOLS.get(name, name)


def print_line(line: str, changes: Collection[str]) -> str:
    """Print an assignment, with an arrow if the name keeps its value from step to step."""
    name, _, expression = line.partition(" = ")
    arrow = "\\leftarrow" if name in changes else "="
    return f"{symbol(name)} &{arrow} {print_expression(expression)}"


def print_expression(expression: str) -> str:
    """Print an expression."""
    return _print(ast.parse(expression, mode="eval").body)[0]


def _print(node: ast.expr) -> Printed:
    if isinstance(node, ast.BinOp):
        return _OPERATORS[type(node.op)](node.left, node.right)
    if isinstance(node, ast.UnaryOp):
        return f"-{_held(node.operand, _PRODUCT)}", _SIGNED
    if isinstance(node, ast.Call):
        return _call(node)
    if isinstance(node, ast.Name):
        return symbol(node.id), _ATOM
    return ast.unparse(node), _ATOM


def _held(node: ast.expr, level: int) -> str:
    """Print a part, in brackets if its precedence is too low."""
    text, own = _print(node)
    return text if own >= level else f"\\left({text}\\right)"


def _sum(left: ast.expr, right: ast.expr) -> Printed:
    return f"{_held(left, _SUM)} + {_held(right, _SUM)}", _SUM


def _difference(left: ast.expr, right: ast.expr) -> Printed:
    return f"{_held(left, _SUM)} - {_held(right, _PRODUCT)}", _SUM


def _product(left: ast.expr, right: ast.expr) -> Printed:
    one, other = _held(left, _PRODUCT), _held(right, _PRODUCT)
    dot = "\\cdot" if other[0].isdigit() else "\\,"
    return f"{one} {dot} {other}", _PRODUCT


def _quotient(left: ast.expr, right: ast.expr) -> Printed:
    return f"\\frac{{{_print(left)[0]}}}{{{_print(right)[0]}}}", _PRODUCT


def _power(base: ast.expr, exponent: ast.expr) -> Printed:
    held = _held(base, _ATOM)
    raised = f"{{{held}}}" if "_" in held or "\\hat" in held else held
    return f"{raised}^{{{_print(exponent)[0]}}}", _ATOM


def _call(node: ast.Call) -> Printed:
    name = ast.unparse(node.func)
    before, after = _AROUND.get(name, (f"\\mathrm{{{name}}}(", ")"))
    return before + ", ".join(_print(argument)[0] for argument in node.args) + after, _ATOM


_OPERATORS: Mapping[type[ast.operator], Callable[[ast.expr, ast.expr], Printed]] = {
    ast.Add: _sum,
    ast.Sub: _difference,
    ast.Mult: _product,
    ast.Div: _quotient,
    ast.Pow: _power,
}
