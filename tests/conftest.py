"""What the tests share: the environment, set before any framework is imported, and fixtures that build and watch layers."""

import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import settings

from frameworks import GatewiseError
from tests.without_frameworks import FRAMEWORKS, needs_frameworks

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("JAX_ENABLE_X64", "1")

pytest_plugins = ["pytester"]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--without-frameworks", action="store_true", help="run only the tests that need no framework")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--without-frameworks"):
        sys.modules.update(dict.fromkeys(FRAMEWORKS))  # type: ignore[arg-type]  # with None, an import of it fails


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    return (config.getoption("--without-frameworks") and needs_frameworks(collection_path)) or None


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("gpu"):
        import torch

        if not torch.cuda.is_available():
            pytest.skip("this machine has no CUDA device")


# Building a layer takes as long as it takes: no deadline. The same examples in every run, so that a run can be repeated.
settings.register_profile("gatewise", deadline=None, derandomize=True)
settings.load_profile("gatewise")

MESSAGE = re.compile(r"\S.* must \S.*, but \S.*\. [A-Z].*[^.][.?]", re.DOTALL)
"""{subject} must {expectation}, but {observation}. {Remedy}."""

Refused = Callable[..., AbstractContextManager[None]]
Randomise = Callable[..., Any]
Snapshot = Callable[[Any], Any]


@pytest.fixture(scope="session")
def refused() -> Refused:
    """Expect a GatewiseError whose message has the common form and contains each of the given texts."""

    @contextmanager
    def expect(*said: str) -> Iterator[None]:
        with pytest.raises(GatewiseError) as caught:
            yield
        message = str(caught.value)
        assert MESSAGE.fullmatch(message), message
        for text in said:
            assert text in message

    return expect


@pytest.fixture(scope="session")
def randomise() -> Randomise:
    """Fill all weights of a native layer or list of layers with random numbers, biases included, and return the layer."""
    return _randomise


def _randomise(native: Any, seed: int = 0) -> Any:
    rng = np.random.default_rng(seed)
    for layer in native if isinstance(native, (list, tuple)) else [native]:
        if _is_keras(layer):
            for variable in layer.weights:
                variable.assign(rng.normal(0, 0.4, variable.shape).astype(_dtype_name(variable)))
        else:
            import torch

            for parameter in layer.parameters():
                parameter.data.copy_(torch.from_numpy(rng.normal(0, 0.4, parameter.shape)))
    return native


@pytest.fixture(scope="session")
def snapshot() -> Snapshot:
    """Record everything about a native layer that reading it must not change, down to the bytes."""
    return _snapshot


def _snapshot(native: Any) -> Any:
    if isinstance(native, (list, tuple)):
        return [_snapshot(layer) for layer in native]
    return _keras_snapshot(native) if _is_keras(native) else _torch_snapshot(native)


def _keras_snapshot(native: Any) -> dict[str, Any]:
    found: dict[str, Any] = {f"{index} {variable.name}": _bytes(variable) for index, variable in enumerate(native.variables)}
    for index, layer in enumerate(native._flatten_layers()):
        states = getattr(layer, "states", None)
        leaves = states if isinstance(states, (list, tuple)) else [states]
        found[f"states {index}"] = [
            None if leaf is None or isinstance(leaf, (list, tuple)) else _bytes(leaf) for leaf in leaves
        ]
        generator = getattr(layer, "seed_generator", None)
        found[f"seed {index}"] = generator if generator is None else _bytes(generator.state)
        found[f"flags {index}"] = [
            layer.trainable,
            layer.built,
            getattr(layer, "zero_output_for_mask", None),
            layer.get_config(),
        ]
    return found


def _torch_snapshot(module: Any) -> dict[str, Any]:
    found: dict[str, Any] = {
        name: (
            _bytes(parameter),
            parameter.requires_grad,
            parameter._version,
            parameter.data_ptr(),
            str(parameter.device),
            parameter.grad if parameter.grad is None else _bytes(parameter.grad),
        )
        for name, parameter in module.named_parameters()
    }
    return found | {"flags": {name: value for name, value in vars(module).items() if not name.startswith("_")}}


def _is_keras(layer: Any) -> bool:
    return hasattr(layer, "get_config")


def _dtype_name(variable: Any) -> str:
    return str(getattr(variable.dtype, "name", variable.dtype))


def _bytes(variable: Any) -> bytes:
    tensor = variable.value if hasattr(variable, "value") and not callable(variable.value) else variable
    tensor = tensor.detach().cpu() if hasattr(tensor, "detach") else tensor
    array: np.ndarray[Any, Any] = np.asarray(tensor.numpy() if hasattr(tensor, "numpy") else tensor)
    return array.tobytes()
