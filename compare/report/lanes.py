"""The distribution of experiments over two processes, so that both finish at about the same time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

_LANES = 2
_IMPORT = 4.0
_SECONDS: Mapping[tuple[str, str], float] = MappingProxyType(
    {
        ("tensorflow", "real_models"): 6,
        ("tensorflow", "translation"): 9,
        ("tensorflow", "optimizers"): 9,
        ("tensorflow", "training.initialisation"): 5,
        ("tensorflow", "training.biases"): 4,
        ("tensorflow", "training.gradients"): 4,
        ("tensorflow", "training.embeddings"): 4,
        ("tensorflow", "parity"): 6,
        ("tensorflow", "return_values"): 4,
        ("tensorflow", "options"): 4,
        ("torch", "return_values.grid"): 9,
        ("torch", "optimizers"): 5,
        ("torch", "parity"): 3,
    }
)
_OTHERS = 2.0
"""Rough times in seconds: to import a backend, to run each longer experiment, to run any other. Only the order depends on
them."""


@dataclass
class Job:
    """Experiments to run in one process.

    Args:
        backend: Keras's backend, chosen once per process.
        experiments: the names of the experiments, longest first.
    """

    backend: str
    experiments: list[str] = field(default_factory=list)


def share(needed: Iterable[tuple[str, str]]) -> tuple[tuple[Job, ...], ...]:
    """Distribute (backend, experiment) pairs over two lanes, whose jobs run one after the other.

    The experiments of the busiest backend are dealt one by one, longest first, to the lane that finishes first. Those of any
    other backend stay together, since each process imports its backend anew.

    Returns:
        The jobs of each lane, at most one per backend; empty lanes are left out.
    """
    lanes: list[dict[str, Job]] = [{} for _ in range(_LANES)]
    ends = [0.0] * _LANES
    for backend, names in _units(needed):
        costs = [end + (0 if backend in lane else _IMPORT) for end, lane in zip(ends, lanes, strict=True)]
        at = costs.index(min(costs))
        ends[at] = costs[at] + sum(_seconds(backend, name) for name in names)
        lanes[at].setdefault(backend, Job(backend)).experiments.extend(names)
    return tuple(tuple(lane.values()) for lane in lanes if lane)


def _units(needed: Iterable[tuple[str, str]]) -> Iterator[tuple[str, list[str]]]:
    """Yield the groups to deal: the experiments of the busiest backend one by one, those of every other backend together."""
    by_backend: dict[str, list[str]] = {}
    for backend, name in needed:
        by_backend.setdefault(backend, []).append(name)
    *others, most = sorted(by_backend, key=lambda backend: sum(_seconds(backend, name) for name in by_backend[backend]))
    yield from ((backend, by_backend[backend]) for backend in others)
    yield from ((most, [name]) for name in sorted(by_backend[most], key=lambda name: -_seconds(most, name)))


def _seconds(backend: str, name: str) -> float:
    return _SECONDS.get((backend, name), _OTHERS)
