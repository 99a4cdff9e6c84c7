"""What is promised of the ports of drawn models, and the table of the outcomes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from tabulate import tabulate

from tests.acceptance.ported.judging import Outcome

REFUSED: tuple[str, ...] = ()
"""The beginnings of refusals that are right."""


def broken(outcomes: Sequence[Outcome]) -> list[str]:
    """Return the promises that are not kept, each with the first draw that breaks it."""
    return list(_broken(outcomes))


def _broken(outcomes: Sequence[Outcome]) -> Iterator[str]:
    for verdict in ("wrong", "raised"):
        bad = [each for each in outcomes if each.verdict == verdict]
        if bad:
            yield f"{len(bad)} of {len(outcomes)} ports are {verdict}, the first of draw {bad[0].number}."
    refused = [each for each in outcomes if each.verdict == "refused" and not any(part in each.text for part in REFUSED)]
    if refused:
        yield f"{len(refused)} of {len(outcomes)} ports are refused without need, the first of draw {refused[0].number}."


def table(outcomes: Sequence[Outcome]) -> str:
    """Return the number of each verdict by library, form and target."""
    verdicts = ("right", "refused", "wrong", "raised")
    rows = dict.fromkeys((each.library, each.form, each.to) for each in outcomes)
    count = Counter((each.library, each.form, each.to, each.verdict) for each in outcomes)
    counted = [(*row, *(count[row[0], row[1], row[2], each] for each in verdicts)) for row in rows]
    return tabulate(counted, ("library", "form", "to", *verdicts))


def coverage(outcomes: Sequence[Outcome]) -> str:
    """Return the number of ports that hold each step, by library and form."""
    forms = sorted({(each.library, each.form) for each in outcomes})
    count = Counter((step, each.library, each.form) for each in outcomes for step in set(each.steps))
    rows = [(step, *(count[step, library, form] for library, form in forms)) for step in sorted({key[0] for key in count})]
    return tabulate(rows, ("step", *map(" ".join, forms)))
