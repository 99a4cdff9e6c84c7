"""The verdicts of `gatewise verify`, as text for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tabulate import tabulate

from compare.checkpoints.name_ranges import together
from compare.checkpoints.terminal_tables import caveats, shown_name, table
from compare.checkpoints.verified import PairedBy, Row, Verdict, Verification
from frameworks.escaping import printable

_SHOWN: dict[Verdict, str] = {"same": "same", "differs": "DIFFERS", "missing": "MISSING", "not compared": "not compared"}
_PAIRED: dict[PairedBy, str] = {"weights": "their equal weights", "sizes": "their sizes, which leave no other choice"}


def render(verification: Verification, *, verbose: bool = False) -> str:
    """Return a table of the layers, what differs in each, and the overall verdict in the last line.

    Args:
        verification: the verdicts.
        verbose: whether to add the table of all comparisons of each layer.
    """
    rows = [(shown_name(row.name), row.kind, _SHOWN[row.verdict], _error(row)) for row in verification.rows]
    parts = [table(("layer", "is", "verdict", "largest error"), rows)]
    details = [line for row in verification.rows for line in _details(row)]
    paired = [
        f"Paired by {how}: {', '.join(names)}"
        for by, how in _PAIRED.items()
        if (names := [shown_name(row.name) for row in verification.rows if row.paired_by == by])
    ]
    if verbose:
        parts += [text for row in verification.rows for text in _comparisons(row)]
    parts += ["\n".join(lines) for lines in (details, paired) if lines]
    parts += caveats((row.name, row.notes) for row in verification.rows)
    return "\n\n".join([*parts, " ".join(_verdict(verification))])


def _error(row: Row) -> str:
    return "-" if row.largest_error is None else f"{row.largest_error:.1e}"


def _details(row: Row) -> Iterator[str]:
    """Yield what differs in a layer, and below it what `diagnose` says of it."""
    if row.cause:
        yield f"{shown_name(row.name)}: {printable(row.cause)}"
    if row.diagnosis is not None:
        yield from (f"  {printable(line)}" for line in str(row.diagnosis).splitlines())


def _comparisons(row: Row) -> Iterator[str]:
    lines = [(printable(each.name), each.max_abs, each.allowed, each.verdict) for each in row.comparisons]
    if lines:
        head = f"{shown_name(row.name)}:"
        shown = tabulate(lines, ("what", "max abs", "allowed", "verdict"), tablefmt="simple", floatfmt=".2e")
        yield f"{head}\n{shown}"


def _verdict(verification: Verification) -> Iterator[str]:
    """Yield the sentences of the last line. "All are the same" is said only if everything was compared."""
    rows, (first, second) = verification.rows, map(printable, verification.names)
    named = {verdict: [row for row in rows if row.verdict == verdict] for verdict in _SHOWN}
    groups = [
        ("These differ", named["differs"]),
        (f"Missing from {second}", [row for row in named["missing"] if row.expected]),
        (f"Missing from {first}", [row for row in named["missing"] if row.actual]),
        ("Could not be compared", named["not compared"]),
    ]
    told = [f"{head}: {_listed(group)}." for head, group in groups if group]
    for side, file in (("expected", first), ("actual", second)):
        owners: dict[str, list[str]] = {}
        for row in rows:
            for each in row.unstated:
                if each.by == side:
                    owners.setdefault(str(each), []).append((row.expected or row.actual)[0])
        if owners:
            listed = "; ".join(f"{option} of {', '.join(together(names))}" for option, names in owners.items())
            told.append(f"{file} does not state {printable(listed)}.")
    if verification.without_weights:
        told.append(f"Only in one of the files, without weights: {printable(', '.join(verification.without_weights))}.")
    same = len(named["same"])
    if same == len(rows) and not told and not verification.chosen:
        yield f"All {same} are the same."
    elif same == len(rows):
        yield f"The {same} compared {'is' if same == 1 else 'are'} the same."
    yield from told
    yield from _left_out(verification)


def _left_out(verification: Verification) -> Iterator[str]:
    """Yield the sentences about what was not to be compared."""
    if verification.training and not verification.chosen:
        yield f"The state of training is not compared: {printable(', '.join(verification.training))}."
    if verification.chosen:
        yield "Only the chosen layers were compared."


def _listed(rows: Sequence[Row]) -> str:
    return ", ".join(shown_name(row.name) for row in rows)
