"""Arrays of torch's modules are called a kind only where no other module of torch.nn has them.

Covers: `frameworks/kinds/pytorch.py`, `frameworks/files/torch/other_layers.py`.
"""

from __future__ import annotations

import inspect
import itertools
import warnings
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from torch import nn

from frameworks.files.given_options import GivenOptions
from frameworks.files.torch.other_layers import read_other
from frameworks.files.untrusted.source import in_memory
from frameworks.kinds import PYTORCH, Kind

FLAGS = ("bias", "affine", "elementwise_affine", "track_running_stats", "add_bias_kv")
"""Arguments on which a module's arrays depend."""

SIZES: tuple[dict[str, Any], ...] = (
    {"in_channels": 4, "out_channels": 6, "num_channels": 4, "num_groups": 2, "num_features": 5, "normalized_shape": 5},
    {"in_channels": 8, "out_channels": 8, "groups": 8, "in1_features": 3, "in2_features": 3, "normalized_shape": (3, 4)},
    {"in_channels": 8, "out_channels": 4, "groups": 4, "in1_features": 7, "in2_features": 1, "normalized_shape": (5, 1)},
    {"in_channels": 1, "out_channels": 8, "in1_features": 1, "in_features": 8, "num_embeddings": 6, "num_parameters": 5},
)
COMMON: dict[str, Any] = {
    **dict.fromkeys(("embed_dim", "d_model"), 8),
    **dict.fromkeys(("num_heads", "nhead", "num_groups", "in1_features"), 2),
    **dict.fromkeys(("in2_features", "kernel_size"), 3),
    **dict.fromkeys(("in_features", "num_channels"), 4),
    **dict.fromkeys(("out_features", "embedding_dim"), 6),
    "num_features": 5,
    "num_embeddings": 11,
    "n_classes": 20,
    "cutoffs": [5],
}

WITHOUT_RECORDS = {
    "NonDynamicallyQuantizableLinear": "the Linear inside MultiheadAttention",
    **dict.fromkeys(("LSTM", "GRU", "RNN", "LSTMCell", "GRUCell", "RNNCell", "RNNBase", "RNNCellBase"), "recurrent"),
}


def classes() -> Iterator[Any]:
    values = [getattr(nn, name) for name in dir(nn)]
    yield from (
        each for each in values if inspect.isclass(each) and issubclass(each, nn.Module) and "Lazy" not in each.__name__
    )


def made(constructor: Any) -> Iterator[nn.Module]:
    """Yield modules of a class, with all combinations of the flags that it has, in several sizes."""
    parameters = inspect.signature(constructor.__init__).parameters
    flags = [name for name in FLAGS if name in parameters]
    for sizes in SIZES:
        given = {**COMMON, **sizes}
        for values in itertools.product((True, False), repeat=len(flags)):
            own = {name: value for name, value in given.items() if name in parameters}
            with warnings.catch_warnings(), suppress(TypeError, ValueError, RuntimeError):
                warnings.simplefilter("ignore")
                yield constructor(**own, **dict(zip(flags, values, strict=True)))


def with_arrays() -> Iterator[tuple[str, dict[str, tuple[int, ...]]]]:
    """Yield the class of every module with arrays of its own, with their names and shapes."""
    for constructor in classes():
        for module in made(constructor):
            for part in module.modules():
                own = {**dict(part.named_parameters(recurse=False)), **dict(part.named_buffers(recurse=False))}
                if own and type(part).__name__ not in WITHOUT_RECORDS:
                    yield type(part).__name__, {name: tuple(array.shape) for name, array in own.items()}


MODULES = {(name, tuple(shapes.items())) for name, shapes in with_arrays()}


def claimed(shapes: tuple[tuple[str, tuple[int, ...]], ...]) -> str:
    arrays = {name: in_memory(np.zeros(shape, "float32")) for name, shape in shapes}
    (layer,) = read_other("module", arrays)
    return layer.kind


def wrongly_claimed() -> set[str]:
    return {name for name, shapes in MODULES if claimed(shapes) not in ("", name)}


def test_every_module_of_torch_with_arrays_has_a_record_that_fits_them() -> None:
    assert {name for name, _ in MODULES} == {kind.name for kind in PYTORCH if kind.having}
    assert {kind.name for kind in PYTORCH if not kind.having} == {"BatchNorm", "InstanceNorm"}  # which ONNX states
    for name, shapes in MODULES:
        assert name in [kind.name for kind in PYTORCH.holding(dict(shapes))], (name, shapes)


def test_no_module_is_taken_for_another(monkeypatch: pytest.MonkeyPatch) -> None:
    assert wrongly_claimed() == set()
    assert {claimed(shapes) for name, shapes in MODULES if name == "Linear"} == {"Linear", ""}  # with a bias, and without
    alone = {
        name: kind for name, kind in PYTORCH.kinds.items() if name not in ("Linear", "LayerNorm", "RMSNorm", "EmbeddingBag")
    }
    monkeypatch.setattr(PYTORCH, "kinds", alone)  # the control: with these gone, only Embedding is left for a matrix
    assert {"Linear", "EmbeddingBag"} <= wrongly_claimed()


@pytest.mark.parametrize("kind", list(PYTORCH), ids=lambda kind: kind.name)
def test_a_kind_is_told_for_its_own_arrays_and_refused_for_all_others(kind: Kind, refused: Any) -> None:
    own = [shapes for name, shapes in MODULES if name == kind.name]
    given = GivenOptions({"module": {"kind": kind.name}})
    for shapes in {shapes for _, shapes in MODULES}:
        arrays = {name: in_memory(np.zeros(shape, "float32")) for name, shape in shapes}
        if kind.fits(dict(shapes)):
            (layer,) = read_other("module", arrays, given=given)
            assert layer.kind == kind.name
        else:
            assert shapes not in own
            with refused("kind of module", kind.name):
                list(read_other("module", arrays, given=given))
