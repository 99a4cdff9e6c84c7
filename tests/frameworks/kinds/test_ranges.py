"""The ranges of options are those of the constructors of Keras: a value out of them is refused there, too.

Covers: `frameworks/kinds/ranges.py`.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

from frameworks.kinds import known_options
from frameworks.kinds.ranges import RANGES, out_of_range
from tests.frameworks.models.reading.test_bad_input import IMPOSSIBLE


@pytest.mark.parametrize(("kind", "options", "name"), [case[:3] for case in IMPOSSIBLE])
def test_keras_refuses_it_too(kind: str, options: dict[str, Any], name: str) -> None:
    del name
    with pytest.raises(Exception, match=r"."):  # what TensorFlow or torch raise is no ValueError
        getattr(keras.layers, kind)(**options)(np.zeros((1, 4, 3), "float32"))


@pytest.mark.parametrize("name", RANGES)
def test_a_range_holds_the_numbers_that_its_text_names(name: str) -> None:
    within = RANGES[name]
    assert str(within).startswith("a whole number from" if within.whole else "a number from")
    assert within.holds(within.least)
    assert not within.holds(within.least - 2)
    assert within.holds(within.least + 0.5) is not within.whole
    assert within.most is None or not within.holds(within.most + 1)
    assert within.holds(None)


def test_an_option_is_known_by_its_earlier_name() -> None:
    names = {name: option.name for name, option in known_options("Dropout").items()}
    ((name, value, _),) = out_of_range("Dropout", {"p": -0.5, "seed": -1}, names)
    assert (name, value) == ("p", -0.5)
