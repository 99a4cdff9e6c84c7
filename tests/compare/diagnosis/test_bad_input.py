"""Bad input has a finding or a clear error.

Covers: `compare/diagnosis/sides/case.py`, `compare/diagnosis/sides/port_side.py`, `compare/diagnosis/sides/port_tensors.py`,
`compare/diagnosis/sizes.py`, `compare/diagnosis/remarks.py`.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from compare import diagnose
from gatewise import GatewiseError, copy_weights
from tests.compare.diagnosis.wrong_calls import HIDDEN, LAYERS, Port, X, filled, lstm

Refused = Callable[..., AbstractContextManager[None]]
LAYER, MODULE = lstm(return_sequences=True)


def _output(rnn: Any, x: torch.Tensor) -> Any:
    return rnn(x)[0]


def _misshapen() -> Any:
    module = copy.deepcopy(MODULE)
    module.weight_ih_l0.data = module.weight_ih_l0.detach().T.contiguous()
    return module


@pytest.mark.parametrize(
    ("port", "found"),
    [
        (nn.LSTM(3, 6, batch_first=True), "hidden_size 6"),
        (nn.LSTM(3, 5, 2, batch_first=True), "num_layers 2"),
        (nn.LSTM(3, 5, batch_first=True, bidirectional=True), "bidirectional True"),
        (nn.LSTM(4, 5, batch_first=True), "input_size 4"),
        (_misshapen(), "weight_ih_l0"),
    ],
    ids=["hidden", "layers", "directions", "input", "array"],
)
def test_other_sizes_are_the_finding(port: Any, found: str) -> None:
    for each in (port, Port(port, _output)):
        (finding,) = diagnose(LAYER, each, X).findings
        assert finding.mistake == "sizes"
        assert found in finding.found
        assert finding.error_before is None
        assert finding.error_after is None


def test_another_cell_is_not_named() -> None:
    found = diagnose(LAYER, Port(nn.GRU(3, 5, batch_first=True), _output), X)
    assert found.verdict == "not named"
    assert "gru in the place of lstm" in str(found)


def _raising(x: torch.Tensor) -> torch.Tensor:
    raise RuntimeError(f"first line\n{x.shape}")


@pytest.mark.parametrize(
    ("port", "said"),
    [
        (lambda: None, "raises TypeError"),
        (_raising, "raises RuntimeError: first line."),
        (lambda x: None, "is 0: nothing"),
        (lambda x: "text", "holds a str"),
        (lambda x: (*MODULE(x),), "is 3: "),
        (lambda x: nn.utils.rnn.pack_padded_sequence(x, [7] * 4, batch_first=True), "PackedSequence"),
        (LAYERS.LSTM(4), "has no weights yet"),
        (nn.LSTM(3, 5, proj_size=2), "proj_size"),
        (3, "is a int"),
        (lambda x: MODULE(x)[0] + 0j, "holds a Tensor of complex64"),
        (nn.LSTM(3, 5, batch_first=True, device="meta"), "to_empty and a state_dict"),
        (lambda x: x.to("meta"), "holds a tensor on the meta device"),
    ],
    ids=[
        "signature",
        "raises",
        "nothing",
        "text",
        "too many",
        "packed",
        "unbuilt",
        "projection",
        "number",
        "complex",
        "meta",
        "meta result",
    ],
)
def test_a_port_that_cannot_be_compared_is_refused(port: Any, said: str, refused: Refused) -> None:
    with refused(said):
        diagnose(LAYER, port, X)


@pytest.mark.parametrize(
    "given",
    [
        {"inputs": X.astype("float64")},
        {"inputs": X[:0]},
        {"inputs": X[:, :0]},
        {"inputs": X[0]},
        {"inputs": X.tolist()},
        {"inputs": np.full_like(X, np.nan)},
        {"mask": np.ones((4, 6), bool)},
        {"mask": np.ones((4, 7), int)},
        {"initial_state": [np.zeros((4, 6), "float32")] * 2},
        {"tolerance": -1},
        {"seed": -1},
        {"seed": "x"},
    ],
    ids=lambda given: next(iter(given)),
)
def test_arguments_that_do_not_fit_are_refused(given: dict[str, Any]) -> None:
    with pytest.raises(GatewiseError):
        diagnose(LAYER, Port(MODULE, lambda rnn, x, **_: rnn(x)[0]), **({"inputs": X} | given))


@pytest.mark.parametrize(
    ("call", "verdict"),
    [
        (lambda rnn, x: rnn(x)[0][..., :2], "not named"),
        (lambda rnn, x: rnn(x)[0].sum(), "not named"),
        (lambda rnn, x: rnn(x)[0].argmax(-1), "not named"),
        (lambda rnn, x: rnn(x)[0] > 0, "not named"),
        (lambda rnn, x: rnn(x)[0] * float("nan"), "named"),
        (lambda rnn, x: {"sequence": [rnn(x)[0]], "nothing": None}, "right"),
        (lambda rnn, x: rnn(x.contiguous())[0].transpose(0, 1).contiguous().transpose(0, 1), "right"),
    ],
    ids=["shape", "scalar", "integers", "booleans", "nan", "dict", "strides"],
)
def test_odd_results_have_a_verdict(call: Callable[..., Any], verdict: str) -> None:
    assert diagnose(LAYER, Port(MODULE, call), X).verdict == verdict


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_compared_with_its_tolerance(dtype: torch.dtype) -> None:
    right = diagnose(LAYER, Port(copy.deepcopy(MODULE), _output).to(dtype), X)
    assert right.verdict == "right"
    assert any("tolerance" in note for note in right.notes)
    wrong = diagnose(LAYER, Port(copy.deepcopy(MODULE), lambda rnn, x: rnn(x)[0].flip(1)).to(dtype), X)
    assert [each.mistake for each in wrong.findings] == ["output-not-flipped"]


def test_a_port_of_another_dtype_gets_inputs_of_its_own() -> None:
    assert diagnose(LAYER, Port(copy.deepcopy(MODULE).double(), _output), X)
    assert diagnose(LAYER, copy.deepcopy(MODULE).double(), X)


@pytest.mark.filterwarnings(
    "ignore::DeprecationWarning",
    "ignore:.*TypedStorage:UserWarning",
    "ignore:torch.quantize:UserWarning",
)
def test_a_quantised_module_is_said_to_be_one() -> None:
    quantize: Any = torch.ao.quantization.quantize_dynamic
    port = quantize(Port(copy.deepcopy(MODULE), _output), {nn.LSTM}, dtype=torch.qint8)
    found = diagnose(LAYER, port, X)
    assert found.verdict == "not named"
    assert any("quantised layers" in note for note in found.notes)


def test_zero_biases_are_said_not_to_show_a_mistake() -> None:
    layer = filled(LAYERS.LSTM(HIDDEN, return_sequences=True))
    kernel, recurrent, bias = layer.get_weights()
    layer.set_weights([kernel, recurrent, np.zeros_like(bias)])
    module = nn.LSTM(3, HIDDEN, batch_first=True, bias=False)
    module.load_state_dict({"weight_ih_l0": torch.tensor(kernel.T), "weight_hh_l0": torch.tensor(recurrent.T)})
    found = diagnose(layer, module, X)
    assert found.verdict == "cannot be seen"
    assert not found
    assert any("biases" in note for note in found.notes)


@pytest.mark.gpu
def test_a_module_on_cuda_is_compared_there_and_tf32_is_said() -> None:
    module = copy.deepcopy(MODULE).cuda()
    found = diagnose(LAYER, Port(module, _output), X)
    assert found.verdict == "right"
    assert any("TF32" in note for note in found.notes)
    flipped = diagnose(LAYER, Port(module, lambda rnn, x: rnn(x)[0].flip(1)), X)
    assert [each.mistake for each in flipped.findings] == ["output-not-flipped"]
    assert next(module.parameters()).is_cuda


def test_results_that_cannot_be_compared_before_the_mistake_is_undone_are_said_so() -> None:
    layer, module = lstm()
    (finding,) = diagnose(layer, Port(module, _output), X).findings
    assert finding.error_before == np.inf
    assert "not comparable before, off by " in str(finding)


def test_zeros_in_place_of_a_new_layer_s_bias_may_be_a_missing_forget_bias() -> None:
    layer = LAYERS.LSTM(4)
    layer.build((None, None, 3))
    module: Any = nn.LSTM(3, 4)
    copy_weights(layer, module)
    module.bias_ih_l0.data.zero_()
    module.bias_hh_l0.data.zero_()
    (finding,) = diagnose(layer, module).findings
    assert (finding.mistake, finding.twins) == ("bias-dropped", ("forget-bias-missing",))
    layer.set_weights([array + 0.25 for array in layer.get_weights()])  # a trained one has no such constant
    copy_weights(layer, module)
    module.bias_ih_l0.data.zero_()
    module.bias_hh_l0.data.zero_()
    (finding,) = diagnose(layer, module).findings
    assert (finding.mistake, finding.twins) == ("bias-dropped", ())


def test_no_input_size_tells_a_square_recurrent_kernel_reshaped_from_one_not_transposed() -> None:
    layer, module = LAYERS.SimpleRNN(4), nn.RNN(3, 4)
    layer.build((None, None, 3))
    copy_weights(layer, module)
    kernel = module.get_parameter("weight_hh_l0")
    kernel.data.copy_(kernel.detach().T.clone())
    found = diagnose(layer, module)
    assert "recurrent-kernel-reshaped" in {found.findings[0].mistake, *found.findings[0].twins}
    assert any("to tell them apart, use a recurrent kernel of several gates" in note for note in found.notes)
    assert "input size" not in str(found)
