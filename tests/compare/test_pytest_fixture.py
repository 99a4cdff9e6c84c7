"""The fixtures `assert_parity` and `assert_models_agree` pass a right port and fail a wrong one.

Covers: `compare/pytest_plugin`.
"""

import pytest

from tests.compare.test_pytest_plugin import run

pytestmark = pytest.mark.frameworks


def test_right_ports_pass_and_wrong_ones_fail(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
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

        class Port(torch.nn.Module):
            def __init__(self, gru, step):
                super().__init__()
                self.gru = gru
                self.step = step

            def forward(self, x):
                return self.gru(x)[0][:, self.step]

        @pytest.fixture
        def models(layers):
            inputs = keras.Input((7, 3))
            return keras.Model(inputs, layers[0](inputs)[0][:, -1]), layers[1]

        def test_right_model(models, assert_models_agree):
            assert_models_agree(models[0], Port(models[1], -1))

        def test_wrong_model(models, assert_models_agree):
            with pytest.raises(AssertionError, match="differ"):
                assert_models_agree(models[0], Port(models[1], 0))
            assert_models_agree(models[0], Port(models[1], 0), tolerance=100)
            assert_models_agree(models[0], Port(models[1], 0))
        """
    )
    result = run(pytester)
    result.assert_outcomes(passed=3, failed=2)
    result.stdout.fnmatch_lines(["FAILED *::test_wrong*", "FAILED *::test_wrong_model*"])
