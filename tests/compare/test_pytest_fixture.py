"""The fixture `assert_parity` passes a converted layer and fails a changed one.

Covers: `compare/pytest_plugin`.
"""

import pytest

from tests.compare.test_pytest_plugin import run

pytestmark = pytest.mark.frameworks


def test_a_converted_layer_passes_and_a_changed_one_fails(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTHONPATH", raising=False)  # as a user runs it
    monkeypatch.setenv("KERAS_BACKEND", "torch")  # the faster to import
    pytester.makepyfile(
        """
        import keras
        import pytest
        import torch
        from frameworks import convert

        @pytest.fixture
        def layers():
            layer = keras.layers.GRU(5, bias_initializer="random_normal", return_sequences=True, return_state=True)
            layer.build((None, None, 3))
            return layer, convert(layer, to="pytorch")

        def test_right(layers, assert_parity):
            assert_parity(*layers, gradients=True)

        def test_wrong_gradients(layers, assert_parity):
            layers[1].bias_hh_l0.register_hook(lambda gradient: 2 * gradient)
            assert_parity(*layers)
            with pytest.raises(AssertionError, match="gradient of recurrent_bias"):
                assert_parity(*layers, gradients=True)

        def test_wrong(layers, assert_parity):
            with torch.no_grad():
                layers[1].weight_hh_l0[:5].neg_()
            assert_parity(*layers)
        """
    )
    run(pytester).assert_outcomes(passed=2, failed=1)
