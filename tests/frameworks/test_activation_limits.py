"""Activations reach their limits at large numbers.

Covers: `frameworks/activations.py`.
"""

from __future__ import annotations

import numpy as np

from frameworks.activations import ACTIVATIONS


def test_large_numbers_reach_the_limits_without_a_warning() -> None:
    far = np.array([[-1e4, 1e4]])
    np.testing.assert_array_equal(ACTIVATIONS["sigmoid"](far), [[0, 1]])
    np.testing.assert_array_equal(ACTIVATIONS["softplus"](far), [[0, 1e4]])
    np.testing.assert_array_equal(ACTIVATIONS["elu"](far), [[-1, 1e4]])
    np.testing.assert_array_equal(ACTIVATIONS["softmax"](far), [[0, 1]])
