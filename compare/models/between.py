"""Naming what a port does with results before the next layer gets them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from compare.groundwork.progress import track
from compare.models.forms import (
    Form,
    Source,
    attention_forms,
    binary_forms,
    plain_forms,
    relations,
    same,
    unary_forms,
)
from compare.models.reordering import arrays_of, reordered, same_numbers
from frameworks.output import RecurrentOutput

Array = npt.NDArray[Any]
_RECENT = 6
"""How many of the latest results are combined two by two."""
_ROWS = 4
"""The search looks at so many rows of the batch."""
_ROUNDING = 1e-4
"""How far from 1 a factor may be that is not shown."""
_SEQUENCE = 3
"""How many axes a sequence has: batch, time and features."""


@dataclass(frozen=True)
class Explanation:
    """What is passed on.

    Args:
        must_be: the expression that must be passed, "" if it is not known.
        found: the expression that is passed, "" if it is not known.
        relation: in words, what makes the one of the other, if the two are not known.
        known: whether `must_be` is an expression over results that the port has too.
    """

    must_be: str = ""
    found: str = ""
    relation: str = ""
    known: bool = True

    def words(self, to: str, result: str = "the result") -> str:
        """Return what mends it, for what is passed to a module, or for a result of the model if that is ""."""
        target = f"to {to}" if to else f"as {result}"
        if self.must_be and self.found and self.must_be != self.found:
            return f"pass `{self.must_be}` {target}, not `{self.found}`"
        if self.relation:
            return (
                f"{f'pass `{self.must_be}` {target}' if self.must_be else f'what is passed {target} is wrong'}: {self.relation}"
            )
        if self.must_be:
            return f"pass `{self.must_be}` {target}; what is passed is no known expression"
        return f"`{self.found}` is passed {target}, and must not be" if self.found else ""


class _Found(NamedTuple):
    """An expression, and what it is on the port's own results."""

    text: str
    own: Array


def explain_passed(
    sources: Sequence[tuple[Source, Source]], only: Sequence[Source], wanted: Array, found: Array
) -> Explanation:
    """Return which expression over earlier results is passed on, and which must be.

    Args:
        sources: earlier results, the latest first, and the inputs: those of the expected model, laid out as the port has them,
            and the port's own.
        only: results of layers that only the expected model has.
        wanted: what must be passed, laid out as the port has it.
        found: what is passed.
    """
    forms = _Forms(sources)
    must_be = forms.express(wanted, 0)
    if must_be is not None and same(must_be.own, found):
        return Explanation(must_be.text, must_be.text)
    has = forms.express(found, 1)
    text = "" if must_be is None else must_be.text
    own = has.text if has is not None else ""
    relation = (
        "" if text and own else relations(wanted, found) or _missing_term([*(one for one, _ in sources), *only], wanted, found)
    )
    if not text:
        text = next((form.text for form in _forms(only) if same(form.value, wanted)), "")
        return Explanation(text, own, relation, known=False)
    return Explanation(text, own, relation)


def _missing_term(sources: Sequence[Source], wanted: Array, found: Array) -> str:
    """Name the earlier result, or the multiple of one, that what is passed lacks as a summand; "" if there is none."""
    if wanted.shape != found.shape or wanted.dtype.kind != "f":
        return ""
    rest = wanted - found
    for form in plain_forms(sources):
        if form.value.shape == rest.shape and form.value.dtype.kind == "f":
            factor = float(np.vdot(form.value, rest)) / (float(np.vdot(form.value, form.value)) or 1.0)
            if factor and same(rest, factor * form.value):
                return f"add `{'' if abs(factor - 1) < _ROUNDING else f'{factor:.6g} * '}{form.text}`"
    return ""


def explain(sources: Sequence[tuple[Source, Source]], only: Sequence[Source], wanted: Array, found: Array) -> Explanation:
    """Return the same as `explain_passed`, found on a few rows of the batch, unless the port mixes the rows."""
    fewer = few(sources, only, wanted, found)
    explained = explain_passed(*fewer)
    if explained.found or fewer[3] is found:
        return explained
    mixed = _Forms(sources).reshaped(found, 1)
    return explained if mixed is None else replace(explained, found=mixed.text)


class _Forms:
    """The expressions over the results of both models, each computed once.

    Args:
        sources: the results of the expected model, and the port's own.
    """

    def __init__(self, sources: Sequence[tuple[Source, Source]]) -> None:
        """Compute nothing yet."""
        both = _forms([one for one, _ in sources]), _forms([two for _, two in sources])
        self._sources = sources
        self._left = zip(*both, strict=False)
        self._known: list[tuple[Form, Form]] = []

    def express(self, array: Array, side: int) -> _Found | None:
        """Return an expression whose value is an array: of the expected model (side 0) or of the port (side 1)."""
        if not array.any():
            return _Found("zeros", array)
        for pair in self._all():
            if same(pair[side].value, array):
                return _Found(pair[side].text, pair[1].value)
        if array.ndim < 2 or array.dtype.kind != "f":
            return None
        return self._joined(array, side, 3) or self.reshaped(array, side) or self._repeated(array, side)

    def reshaped(self, array: Array, side: int) -> _Found | None:
        """Return a result with its axes in another order, reshaped."""
        for pair in self._sources:
            for forms in zip(*(arrays_of(source) for source in pair), strict=False):
                if not same_numbers(forms[side].value, array):
                    continue
                for both in zip(*(reordered(form, array.shape) for form in forms), strict=True):
                    if same(both[side].value, array):
                        return _Found(both[side].text, both[1].value)
        return None

    def _repeated(self, array: Array, side: int) -> _Found | None:
        """Return an expression that is repeated for each time step."""
        if array.ndim != _SEQUENCE or array.shape[1] == 1 or not same(np.repeat(array[:, :1], array.shape[1], 1), array):
            return None
        found = self.express(array[:, 0], side)
        if found is None:
            return None
        steps = array.shape[1]
        return _Found(f"({found.text})[:, None].expand(-1, {steps}, -1)", np.repeat(found.own[:, None], steps, 1))

    def _all(self) -> Iterator[tuple[Form, Form]]:
        yield from self._known
        for pair in self._left:
            self._known.append(pair)
            yield pair

    def _joined(self, array: Array, side: int, most: int) -> _Found | None:
        """Return a concatenation of up to so many expressions along the last axis."""
        size = array.shape[-1]
        for pair in self._known:
            value = pair[side].value
            if value.ndim != array.ndim or not 0 < value.shape[-1] < size or value.shape[:-1] != array.shape[:-1]:
                continue
            if not same(value, array[..., : value.shape[-1]]):
                continue
            rest = array[..., value.shape[-1] :]
            ends = (each for each in self._known if same(each[side].value, rest))
            end = next((_Found(each[side].text, each[1].value) for each in ends), None)
            if end is None and most > 2:
                end = self._joined(rest, side, most - 1)
            if end is not None and end.own.shape[:-1] == pair[1].value.shape[:-1]:
                first = pair[side].text
                parts = f"{first}, {end.text.removeprefix('torch.cat((').removesuffix('), dim=-1)')}"
                return _Found(f"torch.cat(({parts}), dim=-1)", np.concatenate((pair[1].value, end.own), -1))
        return None


def few(
    sources: Sequence[tuple[Source, Source]], only: Sequence[Source], wanted: Array, found: Array
) -> tuple[Any, Any, Array, Array]:
    """Return the same for the first rows of the batch, where the arrays have the batch axis first."""
    sizes = {len(array) for pair in sources for each in pair if (array := _first_array(each)) is not None}
    if len(sizes) != 1:
        return sources, only, wanted, found
    (batch,) = sizes
    if batch <= _ROWS or len(wanted) % batch or len(found) % batch:
        return sources, only, wanted, found
    cut = [array[: _ROWS * (len(array) // batch)] for array in (wanted, found)]
    return [(_cut(one), _cut(two)) for one, two in sources], [_cut(each) for each in only], cut[0], cut[1]


def _first_array(source: Source) -> Array | None:
    return source.whole.output if source.whole is not None else source.value


def _cut(source: Source) -> Source:
    whole = source.whole
    if whole is not None:
        h_n, c_n = (None if each is None else each[:, :_ROWS] for each in (whole.h_n, whole.c_n))
        whole = RecurrentOutput(np.asarray(whole.output)[:_ROWS], h_n, c_n)
    parts = (None if each is None else each[:_ROWS] for each in (source.value, source.mask))
    value, mask = parts
    return Source(source.name, value, whole, source.spec, mask, source.zero_masked)


def _forms(sources: Sequence[Source]) -> Iterator[Form]:
    recent = sources[:_RECENT]
    yield from plain_forms(sources)
    for source in track(sources, "expressions over earlier results"):
        yield from unary_forms(source)
    yield from binary_forms(recent)
    yield from attention_forms(recent)
    yield from chain.from_iterable(_of_form(form) for form in plain_forms(recent) if form.value.ndim > 1)


def _of_form(form: Form) -> Iterator[Form]:
    """Yield the expressions over a part of a recurrent layer's results."""
    if form.value.dtype.kind == "f" and " of " in form.text:
        yield from unary_forms(Source(f"({form.text})", form.value))
