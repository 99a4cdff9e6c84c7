"""Whole torch modules become Keras models that compute the same, at any size, however they are called.

Covers: `frameworks/models/keras_source`, `frameworks/models/tracing`.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import torch

from frameworks.models import port_model, to_source
from frameworks.models.tracing import other_sizes
from tests.frameworks.models.keras_source.networks import NETWORKS, network

pytestmark = pytest.mark.backend
NAMES = list(NETWORKS)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sources")


@cache
def written(name: str, folder: Path) -> Any:
    """Return the module of a network's source, which is written once."""
    module, arguments = network(name)
    path, _ = to_source(module, example=arguments).write(folder / name.replace(" ", "_").replace(",", ""))
    spec = spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    found = module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


def arrays_in(returned: Any) -> Iterator[Any]:
    """Yield the arrays of what a model of either framework returns, those of a mapping by their names' order."""
    if isinstance(returned, Mapping):
        returned = [returned[name] for name in sorted(returned)]
    if isinstance(returned, (list, tuple)):
        for each in returned:
            yield from arrays_in(each)
    else:
        yield (
            returned.numpy()
            if isinstance(returned, torch.Tensor) and not returned.requires_grad
            else np.asarray(keras.ops.convert_to_numpy(returned))
        )


def off(expected: Any, found: Any) -> float:
    pairs = list(zip(arrays_in(expected), arrays_in(found), strict=True))
    assert all(one.shape == other.shape for one, other in pairs)
    return max(float(np.abs(one - other).max() / max(1.0, np.abs(one).max())) for one, other in pairs)


def called(module: torch.nn.Module, arguments: Any) -> Any:
    with torch.no_grad():
        return module(*arguments)


@pytest.mark.parametrize("name", NAMES)
def test_the_model_computes_what_the_module_does_at_every_size(name: str, folder: Path) -> None:
    module, arguments = network(name)
    model = written(name, folder).build()
    given = [each.numpy() for each in arguments]
    parameters = list(NETWORKS[name][0].forward.__annotations__)[: len(given)]
    sizes = other_sizes(module, dict(zip(parameters, given, strict=True)))
    assert len(sizes) == 2
    for each in [given, *(list(size.values()) for size in sizes)]:
        assert off(called(module, map(torch.as_tensor, each)), model(*each)) < 3e-6


# On torch Keras infers shapes from lengths of 1.
@pytest.mark.filterwarnings("ignore:(?s).*You are using a softmax over axis -1 of a tensor of shape:UserWarning")
@pytest.mark.parametrize("name", NAMES)
def test_it_predicts_and_trains_compiled_with_all_inputs_as_one(name: str, folder: Path) -> None:
    module, arguments = network(name)
    model = written(name, folder).build()
    given = [each.numpy() for each in arguments]
    whole = given if len(given) > 1 else given[0]
    expected = called(module, arguments)
    assert off(expected, model.predict_on_batch(whole)) < 3e-6
    targets = keras.tree.map_structure(np.zeros_like, keras.tree.map_structure(lambda each: each.numpy(), expected))
    model.compile("sgd", keras.tree.map_structure(lambda _: "mse", targets))
    before = [keras.ops.convert_to_numpy(each) for each in model.trainable_variables]
    model.train_on_batch(whole, targets)
    after = [keras.ops.convert_to_numpy(each) for each in model.trainable_variables]
    assert all(np.isfinite(each).all() for each in after)
    assert any((one != other).any() for one, other in zip(before, after, strict=True))


@pytest.mark.parametrize("name", NAMES)
def test_it_is_saved_as_a_keras_file_and_loaded_again(name: str, folder: Path) -> None:
    _, arguments = network(name)
    model = written(name, folder).build()
    given = [each.numpy() for each in arguments]
    path = folder / f"{type(model).__name__}.keras"
    model.save(path)
    assert off(model(*given), keras.models.load_model(path)(*given)) < 1e-7


def test_the_sources_pass_ruff_and_import_neither_torch_nor_gatewise(folder: Path) -> None:
    for name in NAMES:
        written(name, folder)
    ruff = [sys.executable, "-m", "ruff", "check", "--isolated", "--line-length", "120", "--no-cache", str(folder)]
    assert subprocess.run(ruff, capture_output=True, text=True, check=False).stdout.strip() == "All checks passed!"
    imports = {line for path in folder.glob("*.py") for line in path.read_text().splitlines() if "import " in line}
    assert imports == {"from pathlib import Path", "import keras", "from keras import ops"}


def test_a_wrong_array_is_seen(folder: Path) -> None:
    module, arguments = network("packed tagger")
    model = written("packed tagger", folder).build()
    i, f, *others = np.split(model.lstm.forward_layer.cell.recurrent_kernel.numpy(), 4, axis=1)
    model.lstm.forward_layer.cell.recurrent_kernel.assign(np.concatenate([f, i, *others], axis=1))
    assert off(called(module, arguments), model(*[each.numpy() for each in arguments])) > 1e-3


def test_dropout_by_a_function_is_a_layer_that_is_active_in_training_alone() -> None:
    class Dropping(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.nn.functional.dropout(x, 0.5, self.training)

    x = np.ones((4, 50), "float32")
    model = port_model(Dropping(), example=(torch.from_numpy(x),))
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(model(x)), x)
    assert set(np.unique(keras.ops.convert_to_numpy(model(x, training=True)))) == {0.0, 2.0}
