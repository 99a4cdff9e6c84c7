"""Slots are carried over to the paired parameters, in torch's layout.

Covers: `frameworks/keras_in_torch/optimizers/pairing.py`.
"""

from typing import Any

import numpy as np
import pytest

from frameworks import adapt, copy_weights, emulate, optimizer_like

UNITS = {"SimpleRNN": "RNN", "LSTM": "LSTM", "GRU": "GRU"}


def twins(kind: str) -> tuple[Any, Any, Any, Any]:
    """Return a Keras layer and a torch module with its weights, and another of each to hold gradients."""
    import keras
    import torch

    layers = [keras.layers.Bidirectional(getattr(keras.layers, kind)(4, dtype="float64"), dtype="float64") for _ in range(2)]
    modules = [getattr(torch.nn, UNITS[kind])(3, 4, bidirectional=True, batch_first=True).double() for _ in range(2)]
    for layer in layers:
        layer.build((None, None, 3))
    for module in modules:
        for name, parameter in module.named_parameters():
            parameter.requires_grad_(kind == "GRU" or "bias_hh" not in name)
    return layers[0], modules[0], layers[1], modules[1]


@pytest.mark.backend
@pytest.mark.parametrize(("kind", "name"), [*((kind, "Adam") for kind in UNITS), ("LSTM", "Adafactor")])
def test_a_recurrent_layer_continues_training_in_torch(kind: str, name: str, randomise: Any) -> None:
    import keras
    import torch

    layer, module, keras_gradient, torch_gradient = twins(kind)
    randomise(layer)
    optimizer: Any = getattr(keras.optimizers, name)(0.01)

    def apply_in_keras(seed: int) -> None:
        randomise(keras_gradient, seed)
        gradients = [keras.ops.copy(one.value) for one in keras_gradient.trainable_variables]
        optimizer.apply(gradients, layer.trainable_variables)

    def apply_in_torch(follower: torch.optim.Optimizer, seed: int) -> None:
        # Gradients have the layout of weights, which copy_weights knows.
        copy_weights(randomise(keras_gradient, seed), torch_gradient)
        for parameter, gradient in zip(module.parameters(), torch_gradient.parameters(), strict=True):
            parameter.grad = gradient.detach().clone() if parameter.requires_grad else None
        follower.step()

    for seed in range(3):
        apply_in_keras(seed)
    copy_weights(layer, module)
    follower = optimizer_like(optimizer, [(layer, module)])
    for seed in range(3, 6):
        apply_in_keras(seed)
        apply_in_torch(follower, seed)
    copy_weights(layer, torch_gradient)
    exact = keras.config.backend() == "tensorflow" or name == "Adam"
    for (path, expected), actual in zip(torch_gradient.named_parameters(), module.parameters(), strict=True):
        np.testing.assert_allclose(actual.detach(), expected.detach(), rtol=0, atol=1e-12 if exact else 1e-6, err_msg=path)


def trained() -> tuple[Any, Any]:
    """Return a Dense layer with a square kernel, and an Adam that has trained it."""
    import keras

    layer = keras.layers.Dense(3, bias_initializer="normal")
    layer.build((None, 3))
    optimizer = keras.optimizers.Adam()
    optimizer.apply([keras.ops.ones(one.shape) * 0.5 + one for one in layer.trainable_variables], layer.trainable_variables)
    return layer, optimizer


def linear(layer: Any) -> Any:
    import torch

    module = torch.nn.Linear(3, 3)
    kernel, bias = (one.numpy() for one in layer.trainable_variables)
    module.load_state_dict({"weight": torch.tensor(kernel.T.copy()), "bias": torch.tensor(bias)})
    return module


def test_a_square_kernel_is_carried_by_its_values_or_as_a_layer() -> None:
    layer, optimizer = trained()
    module = linear(layer)
    expected = optimizer._velocities[0].numpy().T
    named = {layer.bias.path: module.bias, layer.kernel.path: module.weight}
    for given in (module.parameters(), [(layer, module)], named, list(zip(layer.variables, module.parameters(), strict=True))):
        follower = optimizer_like(optimizer, given)
        np.testing.assert_array_equal(follower.state[module.weight]["velocity"], expected)
    assert not np.allclose(expected, expected.T)


def test_square_kernels_of_a_whole_model_are_carried_as_torch_has_them() -> None:
    import keras
    import torch

    layers = [keras.layers.Dense(3, dtype="float64") for _ in range(2)]
    model = keras.Sequential([keras.Input((3,), dtype="float64"), *layers])
    optimizer = keras.optimizers.Adam(0.1)
    optimizer.build(model.trainable_variables)
    rng = np.random.default_rng(0)
    optimizer.apply([keras.ops.convert_to_tensor(rng.normal(size=one.shape)) for one in model.trainable_variables])
    module = torch.nn.Sequential(*(linear(layer) for layer in layers))
    follower = optimizer_like(optimizer, [(model, module)])
    for part, slot in zip(module, optimizer._momentums[::2], strict=True):
        np.testing.assert_allclose(follower.state[part.weight]["momentum"], slot.numpy().T, rtol=1e-6)


@pytest.mark.parametrize("sizes", [(2, 3, 4), (3, 3, 3)])
def test_the_kernel_of_a_convolution_is_carried_with_its_axes_in_reverse(sizes: tuple[int, int, int], refused: Any) -> None:
    import keras
    import torch

    window, inputs, filters = sizes
    layer = keras.layers.Conv1D(filters, window, dtype="float64")
    layer.build((None, None, inputs))
    module = torch.nn.Conv1d(inputs, filters, window).double()
    optimizer = keras.optimizers.Adam(0.1)
    optimizer.build(layer.trainable_variables)
    rng = np.random.default_rng(0)
    optimizer.apply([keras.ops.convert_to_tensor(rng.normal(size=one.shape)) for one in layer.trainable_variables])
    follower = optimizer_like(optimizer, [(layer, module)])
    np.testing.assert_array_equal(follower.state[module.weight]["momentum"], optimizer._momentums[0].numpy().T)
    with refused("whose last two axes are different ones in torch"):
        optimizer_like(keras.optimizers.Adafactor(), [(layer, module)])


def test_a_variable_that_one_side_trains_twice_or_alone_is_refused_by_name(refused: Any) -> None:
    layer, optimizer = trained()
    module = linear(layer)
    twice, _ = trained()
    twice.set_weights(layer.get_weights())
    module.bias.requires_grad = False
    with refused("are 1 for 2 variables"):
        optimizer_like(type(optimizer)(0.1), [(layer.kernel, module.weight), (twice.kernel, module.weight)])
    with refused(f"but belong to {twice.kernel.path}"):
        optimizer_like(optimizer, [(layer, linear(layer)), (twice.kernel, module.weight)])


def test_what_does_not_pair_up_is_refused_by_name(refused: Any) -> None:
    import torch

    layer, optimizer = trained()
    other, wide = torch.nn.Linear(3, 3), torch.nn.Linear(3, 5)
    module = linear(layer)
    for given, said in (
        (other.parameters(), layer.kernel.path),
        (wide.parameters(), "(5, 3)"),
        ([module.weight], "be as many"),
        (None, "are missing"),
        ([], "are missing"),
        ([(layer, wide)], layer.kernel.path),
        ({layer.kernel.path: module.weight}, f"leave out {layer.bias.path}"),
        ({"elsewhere": module.weight}, "elsewhere"),
        ([{"params": [module.weight]}], "dict"),
        ([(layer, torch.nn.LSTM(3, 3))], "layer"),
    ):
        with refused(said):
            optimizer_like(optimizer, given)


@pytest.mark.parametrize(
    ("kind", "name", "settings"),
    [("GRU", "Adafactor", {}), ("GRU", "Adam", {"clipnorm": 1.0}), ("LSTM", "Adam", {"global_clipnorm": 1.0})],
)
def test_one_variable_as_two_parameters_is_refused_if_the_rule_needs_it_whole(
    kind: str, name: str, settings: dict[str, Any], refused: Any
) -> None:
    import keras
    import torch

    layer = getattr(keras.layers, kind)(4)
    layer.build((None, None, 3))
    module = getattr(torch.nn, kind)(3, 4)
    copy_weights(layer, module)
    optimizer = getattr(keras.optimizers, name)(**settings)
    optimizer.build(layer.trainable_variables)
    with refused("bias", "2 parameters"):
        optimizer_like(optimizer, [(layer, module)])
    optimizer = keras.optimizers.Adam(global_clipnorm=1.0) if kind == "GRU" else keras.optimizers.Adam(clipnorm=1.0)
    module.requires_grad_(kind == "GRU")
    for weight in (module.weight_ih_l0, module.weight_hh_l0, module.bias_ih_l0):
        weight.requires_grad_()
    optimizer_like(optimizer, [(layer, module)])


def test_gates_in_another_order_are_not_mistaken_for_a_transposed_kernel(refused: Any) -> None:
    import keras
    import torch

    layer = keras.layers.GRU(4)
    layer.build((None, None, 3))
    module = torch.nn.GRU(3, 4)
    copy_weights(layer, module)
    optimizer = keras.optimizers.Adam()
    optimizer.build(layer.trainable_variables[:2])
    with refused("another gate order", "[(keras_layer, torch_module), ...]"):
        optimizer_like(optimizer, [module.weight_ih_l0, module.weight_hh_l0])


@pytest.mark.parametrize(("kind", "settings"), [("LSTM", {}), ("GRU", {}), ("GRU", {"reset_after": False}), ("SimpleRNN", {})])
def test_an_emulated_layer_is_paired_as_a_whole_whatever_its_gate_order(kind: str, settings: Any, randomise: Any) -> None:
    import keras
    import torch

    layer = keras.layers.Bidirectional(getattr(keras.layers, kind)(4, dtype="float64", **settings), dtype="float64")
    layer.build((None, None, 3))
    randomise(layer)
    optimizer = keras.optimizers.SGD(0.1, momentum=0.9)
    rng = np.random.default_rng(0)
    variables = layer.trainable_variables
    optimizer.apply([keras.ops.convert_to_tensor(rng.normal(size=one.shape)) for one in variables], variables)
    module = emulate(layer)
    follower = optimizer_like(optimizer, [(layer, module)])
    start = layer.get_weights()
    optimizer.apply([keras.ops.zeros_like(one) for one in variables], variables)
    for parameter in module.parameters():
        parameter.grad = torch.zeros_like(parameter)
    follower.step()
    inputs = rng.normal(size=(2, 5, 3))
    expected, actual = (np.asarray(adapt(one).forward(inputs).output) for one in (layer, module))
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-6)  # Keras keeps momentum in float32
    assert max(np.abs(one - other).max() for one, other in zip(start, layer.get_weights(), strict=True)) > 1e-2
