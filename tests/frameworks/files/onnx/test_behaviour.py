"""ONNX nodes compute in NumPy and in both frameworks what onnxruntime computes; data/README.md says how that was recorded.

Covers: `frameworks/files/onnx`, `frameworks/files/building`.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from compare import check_parity
from compare.cli import main
from frameworks import adapt
from frameworks.files import StoredLayer, open_checkpoint
from frameworks.rows import FrameworkName
from tests.frameworks.files.onnx.conftest import RECORDED

pytestmark = pytest.mark.frameworks

NAMES = tuple(dict.fromkeys(name.rpartition("/")[0] for name in RECORDED.files))
TOLERANCE = 2e-6


def fed(name: str) -> tuple[Any, Any, Any]:
    """Return inputs, (time, batch, input), initial states and lengths."""
    recorded = {key: RECORDED[f"{name}/{key}"] for key in ("X", "h0", "c0", "lengths") if f"{name}/{key}" in RECORDED}
    states = [recorded[key] for key in ("h0", "c0") if key in recorded]
    return recorded["X"], (states[0] if len(states) == 1 else tuple(states) or None), recorded.get("lengths")


def expected(name: str) -> list[Any]:
    """Return output, (time, batch, direction * hidden), and states."""
    y = RECORDED[f"{name}/Y"]
    output = y.transpose(0, 2, 1, 3).reshape(y.shape[0], y.shape[2], -1)
    return [output, *(RECORDED[f"{name}/{key}"] for key in ("Y_h", "Y_c") if f"{name}/{key}" in RECORDED)]


def in_numpy(layer: StoredLayer, x: Any, states: Any, lengths: Any) -> list[Any]:
    mask = None if lengths is None else np.arange(len(x)) < lengths[:, None]
    ways = len(layer.cells[0])
    directions = []
    for way, part in enumerate(layer.parts):
        cut = tuple(one[way : way + 1] for one in states) if isinstance(states, tuple) else states
        start = cut[way : way + 1] if isinstance(cut, np.ndarray) else cut
        directions.append(part.forward(x.swapaxes(0, 1), start, mask))
    output = np.concatenate([one.output for one in directions], axis=-1).swapaxes(0, 1)
    assert len(directions) == ways
    rows = zip(*([one.h_n, one.c_n] for one in directions), strict=True)
    return [output, *(np.concatenate(each) for each in rows if each[0] is not None)]


def in_torch(module: Any, x: Any, states: Any, lengths: Any) -> list[Any]:
    import torch
    from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

    inputs = torch.tensor(x)
    hx = tuple(map(torch.tensor, states)) if isinstance(states, tuple) else None if states is None else torch.tensor(states)
    with torch.no_grad():
        if lengths is None:
            output, finals = module(inputs, hx)
        else:
            packed, finals = module(pack_padded_sequence(inputs, torch.tensor(lengths), enforce_sorted=False), hx)
            output, _ = pad_packed_sequence(packed, total_length=len(x))
    return [each.numpy() for each in (output, *(finals if isinstance(finals, tuple) else [finals]))]


def in_keras(layer: Any, x: Any, states: Any, lengths: Any) -> list[Any]:
    from frameworks.keras.tensors import to_numpy

    output, finals = layer(x, states, lengths=lengths)
    return [to_numpy(each) for each in (output, *(finals if isinstance(finals, tuple) else [finals]))]


def error(actual: list[Any], name: str) -> float:
    wanted = expected(name)
    assert [each.shape for each in actual] == [each.shape for each in wanted]
    return max(float(np.abs(one - other).max()) for one, other in zip(actual, wanted, strict=True))


@pytest.mark.parametrize("name", NAMES)
def test_a_node_computes_what_onnxruntime_does_in_numpy_and_in_torch(name: str, opened: Any) -> None:
    layer = opened(name)
    assert error(in_numpy(layer, *fed(name)), name) < TOLERANCE
    assert error(in_torch(layer.emulate("pytorch"), *fed(name)), name) < TOLERANCE


@pytest.mark.backend
@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith(("gru", "lstm back", "lstm unlike", "rnn"))])
def test_a_node_computes_what_onnxruntime_does_in_keras(name: str, opened: Any) -> None:
    assert error(in_keras(opened(name).emulate("keras"), *fed(name)), name) < TOLERANCE


@pytest.mark.parametrize("name", [name for name in NAMES if not name.startswith(("lstm of", "lstm deq"))])
def test_the_torch_module_with_the_same_weights_is_far_off(name: str, opened: Any) -> None:
    layer = opened(name)
    plain = {"activation": "tanh", "recurrent_activation": "sigmoid"}
    cells = tuple(replace(cell, spec=replace(cell.spec, **plain)) for cell in layer.cells[0])
    naive = replace(layer, cells=(cells,), options=None)
    if layer.cells[0][0].spec.reset_after:
        assert error(in_torch(naive.emulate("pytorch"), *fed(name)), name) > 1e-2
    else:
        weights = layer.cells[0][0].read()
        assert weights.recurrent_bias is None
        import torch

        module = torch.nn.GRU(
            layer.cells[0][0].spec.input_size, 4, bias=weights.bias is not None, bidirectional=len(cells) == 2
        )
        from frameworks.files.building.parameters import torch_arrays

        with torch.no_grad():
            for each in module.parameters():
                each.zero_()
            for parameter, array in torch_arrays(layer):
                getattr(module, parameter).copy_(torch.from_numpy(array))
        assert error(in_torch(module, *fed(name)), name) > 1e-2


@pytest.mark.parametrize("to", ["pytorch", "keras"])
def test_a_reversed_node_is_emulated_and_never_converted(to: FrameworkName, opened: Any, refused: Any) -> None:
    layer = opened("gru after, back")
    with refused("go_backwards"):
        layer.convert(to)
    emulated = layer.emulate(to)
    assert check_parity(layer, emulated).passed
    with refused("go_backwards"):
        adapt_and_convert(emulated, to)


def adapt_and_convert(layer: Any, to: FrameworkName) -> Any:
    from frameworks import convert

    return convert(adapt(layer), to)


@pytest.mark.parametrize("to", ["pytorch", "keras"])
def test_unlike_directions_are_emulated_and_have_no_single_spec(to: FrameworkName, opened: Any, refused: Any) -> None:
    layer = opened("lstm unlike")
    with refused("activation"):
        _ = layer.spec
    with refused("alike"):
        adapt(layer.emulate(to))


def test_all_forms_of_torch_calls_are_accepted(opened: Any) -> None:
    import torch
    from torch.nn.utils.rnn import pack_padded_sequence

    layer = opened("gru before")
    module, first = layer.emulate("pytorch"), replace(layer, arguments={"batch_first": True}).emulate("pytorch")
    x = torch.tensor(fed("gru before")[0])
    output, h_n = module(x)
    same = partial(torch.testing.assert_close, rtol=0, atol=1e-6)
    same(first(x.transpose(0, 1))[0].transpose(0, 1), output)
    alone, last = module(x[:, 1], torch.zeros(1, 4))
    same((alone, last), (output[:, 1], h_n[:, 1]))
    packed, _ = module(pack_padded_sequence(x, torch.tensor([5, 5, 5])))
    same(packed.data, output.reshape(-1, 4))


@pytest.mark.parametrize("wrong", ["a pair", "no directions", "another batch"])
def test_states_that_do_not_fit_are_refused(wrong: str, opened: Any, refused: Any) -> None:
    import torch

    module, x = opened("gru before").emulate("pytorch"), torch.zeros(5, 3, 2)
    given: Any = {"a pair": (x, x), "no directions": torch.zeros(3, 4), "another batch": torch.zeros(1, 2, 4)}[wrong]
    with refused("hx"):
        module(x, given)


@pytest.mark.backend
def test_a_keras_model_with_an_emulated_node_is_saved_and_loaded(tmp_path: Path, opened: Any) -> None:
    import keras

    from frameworks.keras.tensors import to_numpy

    layer = replace(opened("gru after, unlike"), arguments={"batch_first": True}).emulate("keras")
    inputs = keras.Input((5, 2))
    keras.Model(inputs, layer(inputs)[0]).save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    x = fed("gru after, unlike")[0].swapaxes(0, 1)
    np.testing.assert_allclose(to_numpy(loaded(x)), to_numpy(layer(x)[0]), rtol=0, atol=1e-6)


@pytest.mark.parametrize("end", ["safetensors", "pt", "npz", "weights.h5", "keras"])
@pytest.mark.parametrize("name", ["gru after, unlike", "gru before, back, no bias", "lstm of halves"])
def test_a_node_is_ported_and_verified_and_a_changed_weight_is_detected(
    tmp_path: Path, name: str, end: str, capsys: Any, opened: Any
) -> None:
    opened(name)
    model, out = str(tmp_path / "model.onnx"), tmp_path / f"out.{end}"
    assert main(["port", model, str(out)]) == 0
    assert main(["verify", model, str(out)]) == 0
    is_silent = end == "weights.h5" and "halves" not in name  # about activations and go_backwards
    assert ("1 compared is the same." if is_silent else "All 1 are the same.") in capsys.readouterr().out
    content = bytearray(Path(model).read_bytes())
    array = RECORDED[f"{name}/model"].tobytes()
    weights = open_checkpoint(model)["rec"].cells[0][0].arrays["R"].read()
    at = array.find(weights.astype("f2" if "halves" in name else "f4").reshape(-1)[:4].tobytes())
    assert at > 0
    content[at : at + 2] = np.float16(1.5).tobytes() if "halves" in name else b"\0\0"
    content[at + 2 : at + 4] = content[at + 2 : at + 4] if "halves" in name else b"\xc0\x3f"
    Path(model).write_bytes(content)
    assert main(["verify", model, str(out)]) == 1
    assert "DIFFERS" in capsys.readouterr().out
