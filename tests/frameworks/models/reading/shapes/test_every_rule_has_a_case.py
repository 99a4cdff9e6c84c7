"""Every kind whose shape has a rule is among the cases that are compared with Keras.

Covers: `frameworks/models/reading/shapes`.
"""

from __future__ import annotations

from frameworks.kinds import KERAS, RECURRENT
from tests.frameworks.kinds.layer_cases import CASES


def test_every_kind_with_a_rule_is_in_the_cases() -> None:
    elsewhere = {"AdditiveAttention", "Attention", "MultiHeadAttention", "GroupedQueryAttention", "Bidirectional"}
    elsewhere |= {"TimeDistributed", "RNN", "SimpleRNNCell", "LSTMCell", "GRUCell", "StackedRNNCells"}
    without_classes = {"CuDNNGRU", "CuDNNLSTM", "InputLayer", "Functional", "Model", "Sequential"}
    kinds = {kind.name for kind in (*KERAS, *RECURRENT) if kind.shape}
    assert kinds - {name for name, _, _ in CASES} == elsewhere | without_classes
