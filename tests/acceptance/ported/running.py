"""Running the draws: all, a share of them, or one."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator, Sequence
from importlib import import_module
from itertools import product
from random import Random

from tests.acceptance.ported.judging import FORMS, Outcome, judge
from tests.acceptance.ported.steps import STEPS

DRAWS = [(library, step, form) for library, forms in FORMS.items() for step, form in product(STEPS, forms)]
"""Each step in each library and form; the draw's number is its place."""


def run(seed: int, share: float = 1.0, only: int | None = None) -> Iterator[Outcome]:
    """Yield the outcomes of all draws, of a drawn share of them, or of one."""
    numbers: Sequence[int] = range(len(DRAWS))
    if only is not None:
        numbers = range(only, only + 1)
    if share < 1 and only is None:
        numbers = sorted(Random(seed).sample(numbers, round(share * len(numbers))))
    for number in numbers:
        library, step, form = DRAWS[number]
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            logging.disable(logging.WARNING)
            outcomes = judge(number, import_module(library), step, seed, form)
        logging.disable(logging.NOTSET)
        yield from outcomes
