"""g2p_en's encoder and decoder pronounce in both frameworks as the package does."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from compare.report.studies.translation import g2p

EXPECTED = g2p.expected()
FEW = [word for word in EXPECTED if len(word) in (1, 7, 34)]
"""Words are pronounced in batches of one length, and a batch costs Keras a second."""


def test_pytorch_pronounces_every_word_as_the_package_does_and_no_word_when_the_state_is_not_handed_over() -> None:
    model = g2p.build_pytorch()
    assert g2p.pronounce(model, EXPECTED) == EXPECTED
    assert len(EXPECTED) == 202
    whole = model.encoder.forward
    model.encoder.forward = lambda source: (None, 0 * whole(source)[1])
    assert len(set(g2p.pronounce(model, EXPECTED).values())) == 1


@pytest.mark.backend
def test_keras_pronounces_words_as_the_package_does_and_not_with_gates_in_pytorch_s_order() -> None:
    model = g2p.build_keras()
    expected = {word: EXPECTED[word] for word in FEW}
    assert len(expected) > 30
    assert g2p.pronounce(model, FEW) == expected
    model.decoder.gru.set_weights([_reset_first(array) for array in model.decoder.gru.get_weights()])
    wrong = g2p.pronounce(model, FEW[-10:])
    assert not wrong.items() & expected.items()


def _reset_first(array: Any) -> Any:
    update, reset, candidate = np.split(array, 3, axis=-1)
    return np.concatenate([reset, update, candidate], axis=-1)
