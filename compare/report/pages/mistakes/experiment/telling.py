"""How to tell each mistake that `diagnose` names, without it; and the order in which the page shows them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

GROUPS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "Weights": {
            "gates-permuted": "Every block of the array is right, and lies in the place of another gate. Keras's GRU has update, reset, "
            "candidate, and PyTorch's reset, update, candidate; an LSTM's gates have the same order in both.",
            "kernel-reshaped": "The sorted values of the array are right, but its transpose is not the kernel. No shape check "
            "notices. With one input feature, reshaping and transposing are the same.",
            "recurrent-kernel-reshaped": "From zero states the first time step is right, and all later ones are wrong.",
            "recurrent-kernel-not-transposed": "From zero states the first time step is right, and all later ones are wrong. Only a "
            "simple RNN has a square recurrent kernel, which fits either way.",
            "gate-blocks-not-transposed": "Each square block of the array is the transpose of the right block.",
            "cudnn-layout-read-as-plain": "The file's layers are called CuDNNLSTM or CuDNNGRU, and hold twice as many biases as a "
            "plain LSTM (8 x units, not 4 x units).",
            "bias-doubled": "`bias_ih_l0` equals `bias_hh_l0`, and neither is zero. PyTorch adds the two.",
            "bias-halved": "`bias_ih_l0 + bias_hh_l0` is half of Keras's bias.",
            "bias-dropped": "Zero inputs from zero states give zero outputs, and those of the right layer are not zero.",
            "recurrent-bias-dropped": "`bias_hh_l0` is zero, and the second row of Keras's bias is not.",
            "biases-summed": "`bias_hh_l0` is zero, and `bias_ih_l0` is the sum of both rows of Keras's bias. An LSTM or a simple RNN "
            "adds the two anyway. A GRU's candidate gate does not.",
            "biases-swapped": "`bias_ih_l0` is the second row of Keras's bias. An LSTM or a simple RNN adds the two anyway. A GRU's "
            "candidate gate does not.",
            "forget-bias-missing": "The bias is right but for the forget gate, where it is exactly 1 too small.",
            "forget-bias-twice": "The bias is right but for the forget gate, where it is exactly 1 too large.",
            "units-permuted": "The states are the right ones in another order: `h_n.sort(-1)` agrees.",
            "inputs-permuted": "Feed one feature at a time, all others zero: the port answers as the right layer does to another feature.",
            "not-copied": "The array does not correlate with the right one. PyTorch's initial values lie within 1 / sqrt(units) of zero.",
            "directions-swapped": "`weight_hh_l0` holds the backward layer's recurrent kernel, and `weight_hh_l0_reverse` the "
            "forward layer's.",
            "direction-repeated": "`weight_hh_l0` equals `weight_hh_l0_reverse`.",
            "layers-swapped": "`weight_hh_l0` holds the second layer's recurrent kernel, and `weight_hh_l1` the first layer's.",
            "from-another-layer": "Two arrays of the port hold the same numbers.",
            "rounded": "The error is small. No weight is further off than 2^-11 of itself (float16) or 2^-8 (bfloat16).",
            "scaled": "Divide the port's array by the right one: the quotient is the same number everywhere.",
            "sizes": "Compare `weight.shape` with (gates x units, inputs). `nn.LSTM` in float32 also runs with an array of a wrong "
            "shape that was assigned through `.data`, and reads whatever lies in memory.",
            "not-a-number": "`torch.isnan(array).any()` for each array.",
        },
        "Recurrence": {
            "activation": "Look for `activation` in `layer.get_config()`. PyTorch's LSTM and GRU know tanh only, its simple RNN tanh "
            "and relu. Outputs outside of [-1, 1] rule out tanh.",
            "recurrent-activation": "Look for `recurrent_activation` in `layer.get_config()`. PyTorch knows sigmoid only. Keras 2's "
            "`hard_sigmoid` is not Keras 3's either.",
            "cell-activation": "From zero states `c` is right after the first time step, and `h` is not.",
            "reset-after": "Look for `reset_after` in `layer.get_config()`. Keras 1 and early Keras 2 models have False, `nn.GRU` "
            "computes True. Without a bias the first time step from zero states is right in both.",
            "update-gate-inverted": "Negate the weights and biases of the update gate: the port is right.",
        },
        "Call": {
            "batch-first": "Call the port on one row of the batch alone: its results are not those of the row within the batch.",
            "input-not-flipped": "Look for `go_backwards` in `layer.get_config()`. On a sequence that reads the same in both "
            "directions the port is right.",
            "output-not-flipped": "The final state is right, and the output is right after `.flip(1)`. Keras returns the output of "
            "`go_backwards` in the order of reading, last time step first.",
            "backward-not-flipped": "The forward half of the output is right, and the backward half is not.",
            "mask-ignored": "Change the inputs at masked steps: the port's results change.",
            "mask-ignored-backwards": "Change the inputs at masked steps: the backward half of the port's results changes.",
            "mask-inverted": "Change the inputs at valid steps: the port's results do not change.",
            "mask-read-as-lengths": "Rows that are padded on the right are right, and rows with padding on the left or in between "
            "are not.",
            "masked-steps-shown-otherwise": "States and outputs at valid steps are right. At masked steps Keras repeats the last valid "
            "output, and a packed PyTorch module returns zeros.",
            "state-forgotten": "Pass other initial states: the port's results do not change.",
            "states-swapped": "From zero states the port is right. Both states have the same shape, so nothing else shows it.",
            "state-directions-swapped": "If both directions start from the same states, the port is right.",
            "state-kept": "Call the port twice with the same inputs: the results differ.",
            "state-not-kept": "Call the right layer twice with the same inputs: its results differ, and the port's do not.",
            "dropout-active": "Call the port twice with the same inputs: the results differ. After `port.eval()` they do not.",
        },
        "Results": {
            "wrong-result": "Compare the array with each of `output[:, -1]`, `h_n[-1]`, `h_n[0]` and `c_n[-1]`. `returns_map` prints "
            "the right one.",
            "merge-mode": "Look for `merge_mode` in `layer.get_config()`. Only `concat` doubles the width of the output.",
            "halves-swapped": "`output[..., :units]` is the right layer's `output[..., units:]`.",
            "halves-interleaved": "`output[..., ::2]` is the right layer's `output[..., :units]`.",
        },
    }
)
"""The title of each group, and of each of its mistakes how to tell it."""
