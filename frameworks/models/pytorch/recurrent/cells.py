"""Classes for cells that torch lacks, each generated for the options of a layer alone.

They are called like torch's modules with batch_first=True: `y, h = module(x)`, or `y, (h, c) = module(x)` for an LSTM, with
states of shape (1, batch, hidden), so that a call is written alike for both.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from frameworks.cells import CELLS, Cell
from frameworks.files.stored import StoredCell
from frameworks.files.writing.blocks import Tensor as Blocks
from frameworks.files.writing.blocks import cell_tensors
from frameworks.layouts import PYTORCH
from frameworks.models.pytorch.layers.activations import activated, helpers_of
from frameworks.models.pytorch.pieces import Helper
from frameworks.spec import RecurrentSpec

_LAYOUT = replace(PYTORCH, one_bias=replace(PYTORCH.one_bias, name="bias"), splits_biases=False)
"""Torch's layout, but with one bias where two would only be added up."""

WORDS = {
    "hard_sigmoid": "hard_sigmoid of Keras 3, clip(x / 6 + 0.5, 0, 1)",
    "keras2_hard_sigmoid": "hard_sigmoid of Keras 2, clip(0.2 x + 0.5, 0, 1)",
}
"""What an activation is, where its name alone does not say it."""


@dataclass(frozen=True)
class Form:
    """What the code of a class depends on.

    Args:
        spec: the spec of the cell; its sizes do not matter.
        masked: whether it is called with a mask.
        continues: whether it is called with states to start from.
        dropout: whether it drops inputs in training.
        recurrent_dropout: whether it drops the hidden state in training.
        mask_per_gate: whether each gate has dropout masks of its own.
        training: what says if it is in training: "self.training", "training" (an argument of its calls) or "True" (always).
    """

    spec: RecurrentSpec
    masked: bool = False
    continues: bool = False
    dropout: bool = False
    recurrent_dropout: bool = False
    mask_per_gate: bool = False
    training: str = "self.training"

    @property
    def cell(self) -> Cell:
        """The record of the cell."""
        return CELLS[self.spec.cell]

    @property
    def name(self) -> str:
        """The name of the class, which is different for each form."""
        spec, words = self.spec, []
        words += ["Masked"] * self.masked
        words += ["Dropout"] * self.dropout + ["RecurrentDropout"] * self.recurrent_dropout
        words += ["PerGate"] * (self.mask_per_gate and not self.recurrent_dropout)
        words += {"training": ["Told"], "True": ["Always"]}.get(self.training, [])
        words += [camel(spec.activation)] * (spec.activation != "tanh")
        words += [f"{camel(spec.recurrent_activation)}Gated"] * (spec.recurrent_activation != "sigmoid")
        words += ["ResetFirst"] * (not spec.reset_after) + ["Unbiased"] * (not spec.bias) + ["Continuing"] * self.continues
        return "".join([*words, self.cell.names["pytorch"]])

    @property
    def described(self) -> list[str]:
        """What is special about it, in sentences."""
        spec, parts = self.spec, acts(self.spec.activation, self.spec.recurrent_activation)
        if not spec.reset_after:
            parts.append("The reset gate acts before the recurrent product.")
        if self.dropout or self.recurrent_dropout:
            parts.append("Dropout has one mask for all time steps, as in Keras.")
        return parts


def acts(activation: str, recurrent_activation: str) -> list[str]:
    """Return a sentence for each activation that differs from those of an LSTM of torch."""
    named = {"activation": (activation, "tanh"), "recurrent_activation": (recurrent_activation, "sigmoid")}
    return [f"Its {name} is {WORDS.get(value, value)}." for name, (value, usual) in named.items() if value != usual]


def docstring(first: str, further: list[str]) -> list[str]:
    """Return the lines of a class's docstring."""
    if not further:
        return [f'    """{first}"""']
    return [f'    """{first}', "", *(f"    {sentence}" for sentence in further), '    """']


def arrays_of(cell: StoredCell) -> dict[str, Blocks]:
    """Return the arrays of a cell by their names in its class."""
    return cell_tensors(cell, _LAYOUT)


def class_of(form: Form) -> Helper:
    """Return the class of a form."""
    code = "\n".join(_lines(form)).replace("\n\n\n", "\n\n")
    functions = (*helpers_of(form.spec.activation), *helpers_of(form.spec.recurrent_activation))
    return Helper(form.name, code, tuple(dict.fromkeys(functions)))


def camel(name: str) -> str:
    """Return a name in the form of a class: "hard_sigmoid" gives "HardSigmoid"."""
    return "".join(word[:1].upper() + word[1:] for word in re.split(r"[^0-9a-zA-Z]+", name))


def _lines(form: Form) -> Iterator[str]:
    torch_name = form.cell.names["pytorch"]
    article = "an" if torch_name[0] in "AEFHILMNORSX" else "a"  # as the letter is read
    yield f"class {form.name}(nn.Module):"
    yield from docstring(f"{article.capitalize()} {torch_name} called like nn.{torch_name}.", form.described)
    yield ""
    yield from (f"    {line}" if line else "" for line in _constructor(form))
    yield ""
    arguments = [
        "self",
        "x",
        *["mask"] * form.masked,
        *["state=None"] * form.continues,
        *["*", "training"] * (form.training == "training"),
    ]
    yield f"    def forward({', '.join(arguments)}):"
    yield from (f"        {line}" for line in _body(form))


def _constructor(form: Form) -> Iterator[str]:
    rates = [rate for rate in ("dropout", "recurrent_dropout") if getattr(form, rate)]
    yield f"def __init__(self, {', '.join(['input_size', 'hidden_size', *rates])}):"
    yield "    super().__init__()"
    rows = f"{len(form.cell.gates)} * hidden_size" if form.cell.gated else "hidden_size"
    yield f"    self.weight_ih = nn.Parameter(torch.empty({rows}, input_size))"
    yield f"    self.weight_hh = nn.Parameter(torch.empty({rows}, hidden_size))"
    for bias in _biases(form):
        yield f"    self.{bias} = nn.Parameter(torch.empty({rows}))"
    yield from (f"    self.{rate} = {rate}" for rate in rates)
    yield "    for weight in self.parameters():"
    yield "        nn.init.uniform_(weight, -(hidden_size**-0.5), hidden_size**-0.5)"


def _biases(form: Form) -> tuple[str, ...]:
    if not form.spec.bias:
        return ()
    return ("bias_ih", "bias_hh") if form.spec.has_two_biases else ("bias",)


def _body(form: Form) -> Iterator[str]:
    states, count = form.cell.states, len(form.cell.gates)
    yield f"{' = '.join(states)} = x.new_zeros(x.shape[0], self.weight_hh.shape[1])"
    if form.continues:
        yield "if state is not None:"
        yield f"    {', '.join(states)} = {', '.join(f'state[{at}][0]' for at in range(2)) if len(states) > 1 else 'state[0]'}"
    yield from _projection(form, count)
    if form.recurrent_dropout:
        kept = _dropped(form, "torch.ones_like(h)", "recurrent_dropout")
        yield f"keep = [{kept} for _ in range({count})]" if form.cell.gated else f"keep = {kept}"
    if not form.spec.reset_after:
        yield "w_r, w_z, w_n = self.weight_hh.chunk(3)"
    yield "outputs = []"
    yield "for t in range(x.shape[1]):"
    yield from (f"    {line}" for line in _STEPS[form.spec.cell](form))
    yield "    outputs.append(h)"
    if form.masked and form.continues:
        yield "started = mask.cumsum(dim=1) > 0"
        yield "outputs = torch.stack(outputs, dim=1) * started.unsqueeze(-1)"
    finals = ", ".join(f"{state}.unsqueeze(0)" for state in states)
    outputs = "outputs" if form.masked and form.continues else "torch.stack(outputs, dim=1)"
    yield f"return {outputs}, {finals if len(states) == 1 else f'({finals})'}"


def _projection(form: Form, count: int) -> Iterator[str]:
    bias = next(iter(_biases(form)), "")
    if form.dropout and form.mask_per_gate:
        yield "ones = torch.ones_like(x[:, :1])"
        yield "projected = torch.cat("
        yield f"    [F.linear(x * {_dropped(form, 'ones', 'dropout')}, w) for w in self.weight_ih.chunk({count})], dim=-1"
        yield f"){f' + self.{bias}' if bias else ''}"
        return
    if form.dropout:
        yield f"x = x * {_dropped(form, 'torch.ones_like(x[:, :1])', 'dropout')}"
    yield f"projected = F.linear(x, self.weight_ih{f', self.{bias}' if bias else ''})"


def _dropped(form: Form, ones: str, rate: str) -> str:
    return f"F.dropout({ones}, self.{rate}{'' if form.training == 'True' else f', {form.training}'})"


def _recurrent(form: Form) -> str:
    """Return the recurrent product of all gates, with the recurrent bias if there is one."""
    bias = ", self.bias_hh" if form.spec.has_two_biases else ""
    if not form.recurrent_dropout:
        return f"F.linear(h, self.weight_hh{bias})"
    if not form.cell.gated:
        return "(h * keep) @ self.weight_hh.T"
    product = f"torch.cat([(h * k) @ w.T for k, w in zip(keep, self.weight_hh.chunk({len(form.cell.gates)}))], dim=-1)"
    return f"{product}{' + self.bias_hh' if bias else ''}"


def _next(form: Form, state: str, value: str) -> str:
    """Return the assignment of a state's next value, which a masked step leaves as it is."""
    return f"{state} = torch.where(mask[:, t, None], {value}, {state})" if form.masked else f"{state} = {value}"


def _rnn(form: Form) -> Iterator[str]:
    act = form.spec.activation
    yield _next(form, "h", activated(f"projected[:, t] + {_recurrent(form)}", act))


def _lstm(form: Form) -> Iterator[str]:
    act, gate_act = form.spec.activation, form.spec.recurrent_activation
    if form.recurrent_dropout:
        yield f"recurrent = {_recurrent(form)}"
    yield f"i, f, g, o = (projected[:, t] + {'recurrent' if form.recurrent_dropout else _recurrent(form)}).chunk(4, dim=-1)"
    if gate_act != "linear":
        yield f"i, f, o = ({activated('gate', gate_act)} for gate in (i, f, o))"
    yield _next(form, "c", f"f * c + i * {activated('g', act)}")
    yield _next(form, "h", f"o * {activated('c', act)}")


def _gru(form: Form) -> Iterator[str]:
    act, gate_act = form.spec.activation, form.spec.recurrent_activation
    yield "x_r, x_z, x_n = projected[:, t].chunk(3, dim=-1)"
    if form.spec.reset_after:
        if form.recurrent_dropout:
            yield f"recurrent = {_recurrent(form)}"
        yield f"h_r, h_z, h_n = {'recurrent' if form.recurrent_dropout else _recurrent(form)}.chunk(3, dim=-1)"
        yield f"r = {activated('x_r + h_r', gate_act)}"
        yield f"z = {activated('x_z + h_z', gate_act)}"
        yield f"n = {activated('x_n + r * h_n', act)}"
    else:
        h_r, h_z, h_n = (f"(h * keep[{at}])" for at in range(3)) if form.recurrent_dropout else ("h", "h", "h")
        yield f"r = {activated(f'x_r + {h_r} @ w_r.T', gate_act)}"
        yield f"z = {activated(f'x_z + {h_z} @ w_z.T', gate_act)}"
        yield f"n = {activated(f'x_n + (r * {h_n}) @ w_n.T', act)}"
    yield _next(form, "h", "z * h + (1 - z) * n")


_STEPS = {"rnn": _rnn, "lstm": _lstm, "gru": _gru}
