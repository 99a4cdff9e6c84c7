"""The whole return-value map, a section of the page on return values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain

from compare.report.page import Tree, code, table, worst
from compare.report.results import Value

_ERRORS = ("error", "error of the way back")
_KINDS = {
    "one layer": "one layer",
    "stacked cells": "stacked cells",
    "two layers": "two layers",
    "Bidirectional": "Bidirectional",
    "Bidirectional over stacked cells": "Bidirectional over stacked cells",
    "two Bidirectional layers": "two Bidirectional layers",
}
_REFUSING = {"map": "The map", "keras": "Keras"}


def rows_of(grids: Sequence[Tree]) -> Iterator[Tree]:
    """Yield every row of the map on every backend."""
    for grid in grids:
        for kinds in grid.values():
            for entry in kinds.values():
                yield from entry["rows"].values()


def worst_error(rows: Iterable[Tree], names: Sequence[str] = _ERRORS) -> str:
    """Format the largest error of some rows; return "" if they have none."""
    errors: list[Value] = [row[name] for row in rows for name in names if name in row]
    return worst(errors) if errors else ""


def render_map(grids: Sequence[Tree]) -> Iterator[str]:
    """Yield the map as blocks of Markdown: an overview, then a section for each kind of layers.

    Args:
        grids: the results on each backend, the one with every call first.
    """
    groups = _alike(grids[0])
    kinds = grids[0][groups[0][0]]
    yield table(
        ("kind", *(" and ".join(cells) for cells in groups)),
        [(_KINDS[kind], *(_link(cells, kind) for cells in groups)) for kind in kinds],
    )
    yield from (
        f"What is shown for {cells[0]} also holds for {' and '.join(cells[1:])}, and was executed for each of them."
        for cells in groups
        if len(cells) > 1
    )
    for cells in groups:
        for kind, entry in grids[0][cells[0]].items():
            yield f"### {_heading(cells, kind)}"
            yield code("python", _written(entry["written"]))
            yield from _refusals(entry["refused"])
            executed = [grid[name][kind]["rows"] for grid in grids for name in cells]
            calls = {name: [rows[name] for rows in executed if name in rows] for name in entry["rows"]}
            yield _forward(calls)
            yield _reverse(calls)


def _heading(cells: Sequence[str], kind: str) -> str:
    return f"{' and '.join(cells)}: {_KINDS[kind]}"


def _link(cells: Sequence[str], kind: str) -> str:
    heading = _heading(cells, kind)
    return f"[{heading}](#{heading.lower().replace(':', '').replace(' ', '-')})"


def _alike(grid: Tree) -> list[list[str]]:
    """Group the cells whose maps have the same expressions everywhere."""
    groups: dict[str, list[str]] = {}
    for name, kinds in grid.items():
        maps = [(row["items"].value, row["reverse"].value) for entry in kinds.values() for row in entry["rows"].values()]
        groups.setdefault(repr(maps), []).append(name)
    return list(groups.values())


def _written(written: Mapping[str, Value]) -> str:
    """Write the Keras layers as comments above the lines that call PyTorch; layers with the same call share them."""
    by_lines: dict[str, list[str]] = {}
    for keras, lines in written.items():
        by_lines.setdefault(lines.value, []).append(f"# {keras}")
    return "\n\n".join("\n".join((*keras, lines)) for lines, keras in by_lines.items())


def _refusals(refused: Mapping[str, Value]) -> Iterator[str]:
    for keras, why in refused.items():
        yield f'{_REFUSING[why.value["by"]]} refuses `{keras}`: "{why.value["because"].rstrip(".")}."'


def _forward(calls: Mapping[str, Sequence[Tree]]) -> str:
    """Tabulate the results of Keras, one row per setting.

    Args:
        calls: the rows of each cell and backend, by setting; the first is shown, with the largest error of all.
    """
    rows = [
        (*_setting(alike[:1]), _returned(alike[0]), sum(row["calls"].value for row in alike), worst_error(alike, _ERRORS[:1]))
        for alike in calls.values()
    ]
    return _with_setting(("what Keras returns", "calls", "error"), rows)


def _reverse(calls: Mapping[str, Sequence[Tree]]) -> str:
    """Tabulate the results of PyTorch; merge modes with the same expressions share a row."""
    shared: dict[tuple[str, ...], list[Sequence[Tree]]] = {}
    for alike in calls.values():
        read = "<br>".join(_read(alike[0]["reverse"].value))
        shared.setdefault((*_setting(alike[:1])[:2], read), []).append(alike)
    rows = [
        (*_setting([alike[0] for alike in group]), read, worst_error(chain.from_iterable(group), _ERRORS[1:]))
        for (*_, read), group in shared.items()
    ]
    return _with_setting(("what PyTorch returns", "error"), rows)


def _setting(rows: Sequence[Tree]) -> tuple[str, ...]:
    """Write the return flags that some rows share, and their merge modes."""
    settings = [row["setting"].value for row in rows]
    flags = (str(settings[0][name]) for name in ("return_sequences", "return_state"))
    return (*flags, ", ".join(f"`{setting['merge_mode']!r}`" for setting in settings))


def _with_setting(heads: Sequence[str], rows: Sequence[tuple[object, ...]]) -> str:
    """Tabulate rows that begin with a setting; leave out the merge mode if there is only one."""
    kept = [0, 1, *([2] if len({row[2] for row in rows}) > 1 else []), *range(3, len(rows[0]))]
    every = ("`return_sequences`", "`return_state`", "`merge_mode`", *heads)
    return table([every[at] for at in kept], [[row[at] for at in kept] for row in rows])


def _returned(row: Tree) -> str:
    return "<br>".join(f"`{keras}` = `{pytorch}`" for keras, _, pytorch in row["items"].value)


def _read(reverse: Sequence[tuple[str, str | None, list[str], str]]) -> Iterator[str]:
    """Write the expression of each of PyTorch's arrays; arrays missing for the same reason are joined."""
    lost: dict[str, list[str]] = {}
    for name, keras, changed, missing in reverse:
        if keras is None:
            lost.setdefault(missing, []).append(f"`{name}`")
        else:
            yield f"`{name}` = `{keras}`" + (f" with {', '.join(f'`{flag}`' for flag in changed)}" if changed else "")
    yield from (f"{', '.join(names)}: {missing}" for missing, names in lost.items())
