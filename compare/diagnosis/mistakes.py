"""The mistakes that `diagnose` names: one sentence and one line of repair each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class Mistake:
    """A mistake that porters make.

    Args:
        sentence: what it is, in a sentence.
        fix: what mends it: a line or two of code, or words. Names in braces are filled in by a finding.
    """

    sentence: str
    fix: str


_TABLE: Mapping[str, Mistake] = MappingProxyType(
    {
        # Weights: how an array of the port was made from the right ones
        "gates-permuted": Mistake(
            "The blocks of the gates lie in another order.",
            "Put the blocks into the order of the gates, by their names, as gatewise.copy_weights(right, port) does.",
        ),
        "kernel-reshaped": Mistake(
            "The kernel was reshaped where it must be transposed.",
            "weight_ih.copy_(kernel.T), not kernel.reshape(weight_ih.shape)",
        ),
        "recurrent-kernel-reshaped": Mistake(
            "The recurrent kernel was reshaped where it must be transposed.",
            "weight_hh.copy_(recurrent_kernel.T), not recurrent_kernel.reshape(weight_hh.shape)",
        ),
        "recurrent-kernel-not-transposed": Mistake(
            "The recurrent kernel was copied as it is where it must be transposed.",
            "weight_hh.copy_(recurrent_kernel.T): it is square for one gate, so that no shape check notices.",
        ),
        "gate-blocks-not-transposed": Mistake(
            "The blocks of the gates were put in place without transposing each of them.",
            "Transpose the whole array, as in kernel.T, rather than stacking its blocks.",
        ),
        "cudnn-layout-read-as-plain": Mistake(
            "Weights in the layout of CuDNNLSTM or CuDNNGRU were read as those of a plain layer.",
            "Read the file with gatewise.open_checkpoint, which knows both layouts.",
        ),
        "bias-doubled": Mistake(
            "The bias acts twice: it was copied into both of PyTorch's biases, which are added.",
            "bias_ih.copy_(bias); bias_hh.zero_()",
        ),
        "bias-halved": Mistake(
            "Half of the bias acts.",
            "bias_ih.copy_(bias); bias_hh.zero_(): the two are added, and not averaged.",
        ),
        "bias-dropped": Mistake("The bias is zero or missing.", "bias_ih.copy_(bias), in a module that has bias=True"),
        "recurrent-bias-dropped": Mistake(
            "The second bias is zero or missing.", "Copy the second bias too: bias_hh.copy_(bias[1])."
        ),
        "biases-summed": Mistake(
            "Both biases of a GRU were added into one; its candidate gate applies the reset gate to the second alone.",
            "bias_ih.copy_(bias[0]); bias_hh.copy_(bias[1])",
        ),
        "biases-swapped": Mistake("The two biases are exchanged.", "bias_ih.copy_(bias[0]); bias_hh.copy_(bias[1])"),
        "forget-bias-missing": Mistake(
            "The forget gate lacks the constant 1 that the right layer adds to its bias.", "bias['forget'] += 1"
        ),
        "forget-bias-twice": Mistake(
            "The constant 1 was added to a forget bias that already contains it.", "bias['forget'] -= 1"
        ),
        "units-permuted": Mistake(
            "The hidden units are in another order.", "Put the hidden units into the order of the right layer."
        ),
        "inputs-permuted": Mistake(
            "The input features are in another order.", "Put the rows of the kernel into the order of the input features."
        ),
        "not-copied": Mistake(
            "The array holds other numbers, as it does when it was never copied.", "gatewise.copy_weights(right, port)"
        ),
        "directions-swapped": Mistake(
            "The weights of the two directions are exchanged.",
            "Copy those of the forward layer into the arrays without _reverse.",
        ),
        "direction-repeated": Mistake(
            "Both directions have the weights of one.",
            "Copy those of each direction into its own arrays; in torch, the backward ones end in _reverse.",
        ),
        "layers-swapped": Mistake("The weights of two layers are exchanged.", "Copy layer by layer: layer n into _l{n}."),
        "from-another-layer": Mistake("The array is that of another layer or direction.", "gatewise.copy_weights(right, port)"),
        "rounded": Mistake("The weights were rounded.", "Save and copy the weights in the dtype of the right layer."),
        "scaled": Mistake("The numbers were multiplied by a constant.", "Copy them as they are."),
        "sizes": Mistake("The two layers have other sizes.", "Build the port with the sizes of the right layer."),
        "not-a-number": Mistake(
            "The weights or results hold NaN.", "Copy the weights again, and look for the operation that makes the NaN."
        ),
        # The recurrence
        "activation": Mistake("Another activation.", "Use gatewise.emulate(right), which computes its activation."),
        "recurrent-activation": Mistake(
            "Another activation of the gates.", "Use gatewise.emulate(right), which computes the activation of its gates."
        ),
        "cell-activation": Mistake(
            "Another activation of the cell state on its way to the output.", "h = output_gate * activation(c)"
        ),
        "reset-after": Mistake(
            "The reset gate is applied on the other side of the recurrent product.",
            "Use gatewise.emulate(right), or train the layer again with the other reset_after.",
        ),
        "update-gate-inverted": Mistake(
            "The update gate weighs the new candidate where it must weigh the old state.",
            "h = update * h + (1 - update) * candidate",
        ),
        # The call
        "batch-first": Mistake(
            "The batch axis is taken for the time axis.", "Build the module with batch_first=True, or transpose(0, 1)."
        ),
        "input-not-flipped": Mistake("The layer reads backwards, its port forwards.", "rnn(x.flip(1))"),
        "output-not-flipped": Mistake("The output lies in the other order of time.", "output.flip(1)"),
        "backward-not-flipped": Mistake(
            "The backward direction reads forwards, or its output is not turned back.", "backward(x.flip(1))[0].flip(1)"
        ),
        "mask-ignored": Mistake(
            "The port ignores the mask.", "Pack the sequence, or pass the mask to gatewise.emulate(right)."
        ),
        "mask-ignored-backwards": Mistake(
            "The backward direction ignores the mask.", "Pack the sequence before it is read in both directions."
        ),
        "mask-inverted": Mistake("The mask is inverted.", "True is a valid step: ids != 0"),
        "mask-read-as-lengths": Mistake(
            "The mask is taken for right padding: only its count of valid steps is used.",
            "Use gatewise.emulate(right), which takes any mask.",
        ),
        "masked-steps-shown-otherwise": Mistake(
            "The output at masked steps follows the rule of the other framework.",
            "Compare the valid steps, or fill the masked ones as the right layer does.",
        ),
        "state-forgotten": Mistake("The port starts from zeros and not from the initial states.", "rnn(x, (h_0, c_0))"),
        "states-swapped": Mistake("The hidden and the cell state are exchanged.", "(h, c), in this order"),
        "state-directions-swapped": Mistake(
            "The states of the two directions are exchanged.", "h_n[0] is the forward direction, h_n[1] the backward one."
        ),
        "state-kept": Mistake(
            "The port starts from the final states of its last call.", "Start each call from zeros, or from initial states."
        ),
        "state-not-kept": Mistake(
            "The right layer is stateful; the port starts from zeros each time.", "Keep the final states, and pass them on."
        ),
        "dropout-active": Mistake(
            "Dropout is active in the port.",
            "port.eval(), and F.dropout(x, p, training=self.training) where it is called by hand",
        ),
        # The results
        "wrong-result": Mistake("The port returns another array.", "{must_be}"),
        "merge-mode": Mistake(
            "The outputs of the two directions are merged in another way.", "Merge them as the right layer does: {must_be}"
        ),
        "halves-swapped": Mistake("The halves of the two directions are exchanged.", "torch.cat((forward, backward), dim=-1)"),
        "halves-interleaved": Mistake(
            "The units of the two directions alternate, as after reshaping.", "torch.cat((forward, backward), dim=-1)"
        ),
    }
)

MISTAKES: Mapping[str, str] = MappingProxyType({name: mistake.sentence for name, mistake in _TABLE.items()})
"""Each mistake that `diagnose` names: its identifier, and a sentence."""


def fix_of(mistake: str, **words: str) -> str:
    """Return the line that mends a mistake."""
    return _TABLE[mistake].fix.format_map(words) if words else _TABLE[mistake].fix
