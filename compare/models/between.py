"""Naming what a port does with results before the next layer gets them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy.typing as npt

from compare.models.forms import Form, Source, binary_forms, plain_forms, relations, same, unary_forms
from compare.progress import track
from frameworks.output import RecurrentOutput

Array = npt.NDArray[Any]
_RECENT = 6
"""How many of the latest results are combined two by two."""
_ROWS = 4
"""The search looks at so many rows of the batch."""


@dataclass(frozen=True)
class Explanation:
    """What is passed on.

    Args:
        must_be: the expression that must be passed, "" if it is not known.
        found: the expression that is passed, "" if it is not known.
        relation: in words, what makes the one of the other, if the two are not known.
    """

    must_be: str = ""
    found: str = ""
    relation: str = ""

    def words(self, to: str) -> str:
        """Return what mends it, for what is passed to a module."""
        target = f"to {to}" if to else "as the result"
        if self.must_be and self.found and self.must_be != self.found:
            return f"pass `{self.must_be}` {target}, not `{self.found}`"
        if self.relation:
            return (
                f"{target.capitalize()}: {self.relation}"
                if not self.must_be
                else f"pass `{self.must_be}` {target}: {self.relation}"
            )
        if self.must_be:
            return f"pass `{self.must_be}` {target}; what is passed is no known expression"
        return f"`{self.found}` is passed {target}, and must not be" if self.found else ""


def explain_passed(sources: Sequence[tuple[Source, Source]], wanted: Array, found: Array) -> Explanation:
    """Return which expression over earlier results is passed on, and which must be.

    Args:
        sources: earlier results, the latest first, and the inputs: those of the expected model, laid out as the port has them,
            and the port's own.
        wanted: what must be passed, laid out as the port has it.
        found: what is passed.
    """
    must_be, has = "", ""
    for right, own in zip(_forms([one for one, _ in sources]), _forms([two for _, two in sources]), strict=False):
        if not must_be and same(right.value, wanted):
            must_be = right.text
            if same(own.value, found):
                return Explanation(must_be, must_be)
        if not has and same(own.value, found):
            has = own.text
        if must_be and has:
            break
    if must_be and not has and not found.any():
        has = "zeros"
    return Explanation(must_be, has, "" if must_be and has else relations(wanted, found))


def few(sources: Sequence[tuple[Source, Source]], wanted: Array, found: Array) -> tuple[Any, Array, Array]:
    """Return the same for the first rows of the batch, where the arrays have the batch axis first."""
    sizes = {len(array) for pair in sources for each in pair if (array := _first_array(each)) is not None}
    if len(sizes) != 1:
        return sources, wanted, found
    (batch,) = sizes
    if batch <= _ROWS or len(wanted) % batch or len(found) % batch:
        return sources, wanted, found
    cut = [array[: _ROWS * (len(array) // batch)] for array in (wanted, found)]
    return [(_cut(one), _cut(two)) for one, two in sources], cut[0], cut[1]


def _first_array(source: Source) -> Array | None:
    return source.whole.output if source.whole is not None else source.value


def _cut(source: Source) -> Source:
    whole = source.whole
    if whole is not None:
        states = (None if each is None else each[:, :_ROWS] for each in (whole.h_n, whole.c_n))
        whole = RecurrentOutput(whole.output[:_ROWS], *states)
    parts = (None if each is None else each[:_ROWS] for each in (source.value, source.mask))
    value, mask = parts
    return Source(source.name, value, whole, source.spec, mask)


def _forms(sources: Sequence[Source]) -> Iterator[Form]:
    recent = sources[:_RECENT]
    yield from plain_forms(sources)
    for source in track(sources, "expressions over earlier results"):
        yield from unary_forms(source)
    yield from binary_forms(recent)
    yield from chain.from_iterable(_of_form(form) for form in plain_forms(recent) if form.value.ndim > 1)


def _of_form(form: Form) -> Iterator[Form]:
    """Yield the expressions over a part of a recurrent layer's results."""
    if form.value.dtype.kind == "f" and " of " in form.text:
        yield from unary_forms(Source(f"({form.text})", form.value))
