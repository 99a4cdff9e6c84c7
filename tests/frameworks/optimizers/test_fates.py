"""Every optimizer that Keras exports is known, and one without a counterpart is refused by name.

Covers: `frameworks/optimizers.py`, `frameworks/keras_in_torch/optimizers`.
"""

from typing import Any

import pytest

from frameworks import optimizer_like
from frameworks.keras_in_torch.optimizers.fates import FATES


def exported() -> set[str]:
    import keras

    return {name for name, value in vars(keras.optimizers).items() if isinstance(value, type)} - {"LegacyOptimizerWarning"}


def test_every_optimizer_that_keras_exports_has_its_fate() -> None:
    missing = exported() - FATES.keys() - {"TFOptimizer"}
    assert missing == set()
    assert FATES.keys() <= exported()


@pytest.mark.parametrize("name", [name for name, fate in FATES.items() if not fate.rule])
def test_a_refusal_says_why_and_what_to_do(name: str) -> None:
    why, remedy = FATES[name].refused
    assert why
    assert remedy.endswith(".")


def test_what_has_no_counterpart_is_refused_by_name(refused: Any) -> None:
    import keras
    import torch

    parameters = [torch.nn.Parameter(torch.ones(2))]

    class Own(keras.optimizers.Adam):  # type: ignore[misc]
        pass

    class Wave(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]
        def __call__(self, step: Any) -> Any:
            return 0.1 * step

        def get_config(self) -> dict[str, Any]:
            return {}

    for optimizer, said in (
        (keras.optimizers.Muon(), "Muon"),
        (keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD()), "torch.amp.GradScaler"),
        (Own(), "Own"),
        (keras.optimizers.SGD(Wave()), "Wave"),
        (keras.optimizers.SGD(lambda: 0.1), "LambdaLR"),
        ("adam", "str"),
    ):
        with refused(said):
            optimizer_like(optimizer, parameters)


def test_keras_2_is_refused_by_name(refused: Any) -> None:
    import tf_keras
    import torch

    with refused("tf_keras"):
        optimizer_like(tf_keras.optimizers.Adam(), [torch.nn.Parameter(torch.ones(2))])


def test_a_constraint_is_refused(refused: Any) -> None:
    import keras
    import torch

    layer = keras.layers.Dense(3, kernel_constraint="max_norm")
    layer.build((None, 5))
    optimizer = keras.optimizers.SGD()
    optimizer.build(layer.trainable_variables)
    module = torch.nn.Linear(5, 3)
    with refused("MaxNorm"):
        optimizer_like(optimizer, [(layer, module)])


def test_an_exclusion_before_the_optimizer_knows_its_variables_is_refused(refused: Any) -> None:
    import keras
    import torch

    optimizer = keras.optimizers.AdamW()
    optimizer.exclude_from_weight_decay(var_names=["bias"])
    with refused("exclude_from_weight_decay", "build"):
        optimizer_like(optimizer, [torch.nn.Parameter(torch.ones(2))])


def test_a_setting_that_is_not_known_is_refused(refused: Any) -> None:
    import torch

    from frameworks.keras_in_torch.optimizers.rules import Adam

    with refused("eps", "epsilon"):
        Adam([torch.nn.Parameter(torch.ones(2))], eps=1e-8)


def test_sparse_gradients_are_refused(refused: Any) -> None:
    import keras
    import torch

    embedding = torch.nn.Embedding(5, 3, sparse=True)
    optimizer = optimizer_like(keras.optimizers.Adam(), embedding.parameters())
    embedding(torch.tensor([1])).sum().backward()
    with refused("sparse"):
        optimizer.step()
