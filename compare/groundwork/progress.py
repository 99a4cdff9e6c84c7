"""Progress of a long search: what a terminal shows of it, and what it has found if it is interrupted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol, TypeVar

Item = TypeVar("Item")


class Watch(Protocol):
    """Whoever watches a search."""

    def step(self, what: str, done: int, total: int) -> None:
        """Take note that `done` of `total` candidates are tried; `what` names what is searched."""

    def found(self, text: str) -> None:
        """Take note of a part of the answer, in words."""


_WATCH: ContextVar[Watch | None] = ContextVar("watch", default=None)


@contextmanager
def watching(watch: Watch) -> Iterator[None]:
    """Show a watch the searches that run inside the block."""
    token = _WATCH.set(watch)
    try:
        yield
    finally:
        _WATCH.reset(token)


def track(items: Sequence[Item], what: str) -> Iterator[Item]:
    """Yield the items, and show the watch how far they are.

    Args:
        items: the candidates of a search.
        what: names the search.
    """
    watch = _WATCH.get()
    for done, item in enumerate(items):
        if watch is not None:
            watch.step(what, done, len(items))
        yield item


def tell(text: str) -> None:
    """Show the watch a part of the answer."""
    watch = _WATCH.get()
    if watch is not None:
        watch.found(text)
