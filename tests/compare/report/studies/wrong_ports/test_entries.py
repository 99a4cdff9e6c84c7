"""Computed by the frameworks alone, each correct port is right and each wrong one is not.

Covers: `compare/report/studies/wrong_ports/entries`, `compare/report/studies/wrong_ports/calling.py`.
"""

from __future__ import annotations

import numpy as np
import pytest

from compare.report.studies.wrong_ports.calling import CALLS, TOLERANCE, call_right, compare_results, results_of
from compare.report.studies.wrong_ports.corpus import load
from compare.report.studies.wrong_ports.tasks import Task, tasks

pytestmark = pytest.mark.frameworks
SEED = 3


@pytest.mark.parametrize("task", tasks(load()), ids=lambda task: task.title)
def test_correct_ports_agree_with_the_layers_own_call_and_wrong_ones_do_not(task: Task) -> None:
    layer, call = task.entry.right(SEED), task.entry.call(SEED)
    expected = [call_right(layer, call) for _ in range(CALLS)]
    unused = task.entry.right(SEED)
    for entry in task.entries:
        for make, is_right in ((entry.correct, True), (entry.wrong, entry.is_right)):
            port = make(unused)
            distance = compare_results(port, results_of(port, call, entry.target), expected)
            assert (distance <= TOLERANCE) is is_right, (entry.name, distance)
            assert is_right or distance > 1e-4, (entry.name, distance)


@pytest.mark.parametrize("task", tasks(load())[::8], ids=lambda task: task.title)
def test_weights_and_inputs_are_drawn_from_the_seed(task: Task) -> None:
    first, again, other = (call_right(task.entry.right(seed), task.entry.call(0))[0] for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 0.1
    assert not np.array_equal(task.entry.call(1)["inputs"], task.entry.call(2)["inputs"])


def test_other_shapes_other_counts_and_nan_are_infinitely_far() -> None:
    right = [[np.ones((2, 3))]]
    assert compare_results(None, [[np.ones((2, 3)) * 1.5]], right) == 0.5
    assert compare_results(None, [[np.ones((2, 3))], [np.ones((2, 3)) * 3]], right * 2) == 2
    for wrong in ([np.ones((3, 2))], [np.ones((2, 3))] * 2, [np.full((2, 3), np.nan)]):
        assert compare_results(None, [wrong], right) == float("inf")


def test_large_results_are_compared_by_their_size() -> None:
    assert compare_results(None, [[np.array([101.0])]], [[np.array([100.0])]]) == pytest.approx(0.01)
