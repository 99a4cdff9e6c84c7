"""What the comparison of whole models promises, counted over the outcomes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from tabulate import tabulate

from tests.acceptance.models.judging import ORDERS, Outcome

IN_PLACE = 0.95
"""The share of wrong ports whose first divergence is where the mistake is."""
SAID = 0.95
"""The share of mistakes that are said in words: by the remedy, or by `diagnose`."""
FEWEST = {"single": 60, "double": 10, "right": 40}
"""How many ports of each kind a whole run has at least."""


def broken(outcomes: Sequence[Outcome]) -> list[str]:
    """Return the promises that the outcomes do not keep, in words."""
    found = []
    for expected in ORDERS:
        there = [outcome for outcome in outcomes if outcome.expected == expected]
        singles = [outcome for outcome in there if outcome.kind == "single"]
        if _share(outcome.right_place for outcome in singles) < IN_PLACE:
            found.append(f"{expected} expected: {_count(outcome.right_place for outcome in singles)} in the right place")
        doubles = [outcome for outcome in there if outcome.kind == "double"]
        if not all(outcome.right_place and outcome.second_found for outcome in doubles):
            both = _count(outcome.right_place and bool(outcome.second_found) for outcome in doubles)
            found.append(f"{expected} expected: both mistakes found in {both}")
        right = [outcome for outcome in there if outcome.kind == "right"]
        if not all(outcome.right_place for outcome in right):
            found.append(f"{expected} expected: {_count(outcome.right_place for outcome in right)} correct ports pass")
    said = [outcome.said for outcome in outcomes if outcome.said is not None]
    if _share(said) < SAID:
        found.append(f"{_count(said)} mistakes said in words")
    if not all(outcome.in_time for outcome in outcomes):
        found.append(f"{_count(outcome.in_time for outcome in outcomes)} in time")
    return found


def table(outcomes: Sequence[Outcome], key: Callable[[Outcome], str], title: str) -> str:
    """Return the counts of the outcomes by a key."""
    rows = []
    for group in dict.fromkeys(map(key, outcomes)):
        of_it = [outcome for outcome in outcomes if key(outcome) == group]
        wrong = [outcome for outcome in of_it if outcome.kind == "single"]
        rows.append(
            [
                group,
                *(_count(outcome.right_place for outcome in wrong if outcome.expected == expected) for expected in ORDERS),
                _count(bool(outcome.right_place and outcome.second_found) for outcome in of_it if outcome.kind == "double"),
                _count(outcome.right_place for outcome in of_it if outcome.kind == "right"),
                _count(outcome.said for outcome in of_it if outcome.said is not None),
                max(outcome.seconds for outcome in of_it),
            ]
        )
    headers = [title, "in place", "torch expected", "both of two", "correct pass", "said", "longest, s"]
    return tabulate(rows, headers=headers, tablefmt="github", floatfmt=".1f")


def _share(kept: Iterable[bool]) -> float:
    all_of_them = list(kept)
    return sum(all_of_them) / len(all_of_them) if all_of_them else 1.0


def _count(kept: Iterable[bool]) -> str:
    all_of_them = list(kept)
    return f"{sum(all_of_them)} of {len(all_of_them)}" if all_of_them else ""
