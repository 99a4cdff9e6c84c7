"""The divergence of two models over their layers, as a figure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from compare.groundwork.canvas import load_matplotlib, make_canvas

if TYPE_CHECKING:
    from compare.models.comparison import ModelComparison, Row

_LEAST = 1e-9
"""Smaller errors, and those that are exactly zero, are drawn here."""
_SERIES = (
    ("input_error", "input", "tab:gray", "s"),
    ("output_error", "output", "tab:blue", "o"),
    ("alone_error", "alone, on the expected model's input", "tab:orange", "^"),
)
_WORDS = 26
"""The longest name that is shown whole."""
_LABELS = 60
"""How many layers are named at most."""


def draw(comparison: ModelComparison) -> Any:
    """Return a figure with the errors of each pair of layers, from the first to the last, on a logarithmic axis.

    Raises:
        MissingFrameworkError: if matplotlib is not installed.
    """
    load_matplotlib()
    rows = [row for row in comparison.rows if row.expected and row.actual]
    figure, axes = make_canvas(1, 1, (max(6.4, 2.2 + 0.42 * min(len(rows), _LABELS)), 4.8))
    figure.subplots_adjust(left=min(0.14, 0.9 / figure.get_figwidth()), right=0.98, bottom=0.34, top=0.9)
    panel = axes[0][0]
    for attribute, label, colour, marker in _SERIES:
        points = [(at, max(error, _LEAST)) for at, row in enumerate(rows) if (error := getattr(row, attribute)) is not None]
        if points:
            panel.plot(*zip(*points, strict=True), label=label, color=colour, marker=marker, markersize=5, linewidth=1.2)
    for at, row in enumerate(rows):
        if row.verdict == "wrong here":
            panel.axvspan(at - 0.5, at + 0.5, color="tab:red", alpha=0.13, linewidth=0)
    if comparison.allowed:
        panel.axhline(comparison.allowed, color="black", linewidth=0.8, linestyle=":", label="allowed")
    _name(panel, rows)
    panel.set_yscale("log")
    panel.set_ylim(bottom=_LEAST / 2)
    panel.set_ylabel("largest difference")
    panel.set_title("the models' results agree" if comparison.passed else _title(comparison), fontsize=11)
    panel.grid(axis="y", alpha=0.3)
    panel.legend(fontsize=8.5, framealpha=0.8)
    return figure


def _title(comparison: ModelComparison) -> str:
    first = comparison.first
    if first is None:
        return "the models' results differ"
    target = _short(first.actual or "the result")
    return (
        f"they part in {target}"
        if first.kind == "in"
        else f"they part between {_short(first.after or 'the inputs')} and {target}"
    )


def _name(panel: Any, rows: list[Row]) -> None:
    every = -(-len(rows) // _LABELS) or 1
    places = range(0, len(rows), every)
    names = [_short(row.expected if row.expected == row.actual else f"{row.expected} | {row.actual}") for row in rows[::every]]
    panel.set_xticks(list(places), names, rotation=55, ha="right", rotation_mode="anchor", fontsize=8.5)
    panel.set_xlim(-0.6, max(len(rows) - 0.4, 0.6))


def _short(name: str | None) -> str:
    shown = str(name).replace("$", r"\$")
    return shown if len(shown) <= _WORDS else f"{shown[: _WORDS // 2]}…{shown[-_WORDS // 2 :]}"
