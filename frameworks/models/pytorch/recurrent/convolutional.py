"""ConvLSTM layers: a class generated for the options of each, which carries out the convolutions of its cell."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from frameworks.errors import NoCounterpartError
from frameworks.files.keras.activations import name_of
from frameworks.files.keras.version import Version
from frameworks.files.writing.blocks import Tensor as Blocks
from frameworks.files.writing.blocks import transposed, unchanged
from frameworks.models.graph import Graph, Layer
from frameworks.models.pytorch.layers.activations import activated, helpers_of
from frameworks.models.pytorch.layers.given import Given
from frameworks.models.pytorch.masks import without_mask
from frameworks.models.pytorch.pieces import Helper, Piece, Site, Statements, Target, Writer, literal
from frameworks.models.pytorch.recurrent.calls import flat
from frameworks.models.pytorch.recurrent.cells import acts, camel, docstring
from frameworks.models.pytorch.recurrent.stateful import keeps_own_states, stateful


@dataclass(frozen=True)
class _Form:
    """What the code of a class depends on, but for sizes."""

    rank: int
    activation: str
    recurrent_activation: str
    bias: bool
    channels_first: bool
    strided: bool
    dilated: bool
    pads: bool
    masked: bool
    continues: bool

    @property
    def steps(self) -> list[str]:
        """The further arguments of its constructor, which it keeps."""
        return ["stride"] * self.strided + ["dilation"] * self.dilated + ["padding"] * self.pads

    @property
    def name(self) -> str:
        words = ["Masked"] * self.masked + ["ChannelsFirst"] * self.channels_first
        words += [camel(self.activation)] * (self.activation != "tanh")
        words += [f"{camel(self.recurrent_activation)}Gated"] * (self.recurrent_activation != "sigmoid")
        words += ["Strided"] * self.strided + ["Dilated"] * self.dilated
        words += ["Same"] * self.pads + ["Unbiased"] * (not self.bias) + ["Continuing"] * self.continues
        return f"{''.join(words)}ConvLSTM{self.rank}d"


def _class(form: _Form) -> Helper:
    return Helper(
        form.name,
        "\n".join(_lines(form)),
        tuple(dict.fromkeys((*helpers_of(form.activation), *helpers_of(form.recurrent_activation)))),
    )


def _lines(form: _Form) -> Iterator[str]:
    axes = {1: "columns", 2: "rows, columns", 3: "depth, rows, columns"}[form.rank]
    shape = f"batch, time, channels, {axes}" if form.channels_first else f"batch, time, {axes}, channels"
    yield f"class {form.name}(nn.Module):"
    sentence = f"An LSTM over ({shape}) whose products are convolutions."
    yield from docstring(sentence, acts(form.activation, form.recurrent_activation))
    yield ""
    yield f"    def __init__(self, {', '.join(['channels', 'filters', 'kernel_size', *form.steps])}):"
    yield "        super().__init__()"
    yield "        self.weight_ih = nn.Parameter(torch.empty(4 * filters, channels, *kernel_size))"
    yield "        self.weight_hh = nn.Parameter(torch.empty(4 * filters, filters, *kernel_size))"
    if form.bias:
        yield "        self.bias = nn.Parameter(torch.empty(4 * filters))"
    yield "        bound = (filters * math.prod(kernel_size)) ** -0.5"
    yield "        for weight in self.parameters():"
    yield "            nn.init.uniform_(weight, -bound, bound)"
    if form.steps:
        yield f"        {', '.join(f'self.{each}' for each in form.steps)} = {', '.join(form.steps)}"
    # Keras puts the odd zero of an even kernel behind.
    yield "        self.around = [side for size in reversed(kernel_size) for side in ((size - 1) // 2, size // 2)]"
    yield ""
    arguments = ["self", "x", *["mask"] * form.masked, *["state=None"] * form.continues]
    yield f"    def forward({', '.join(arguments)}):"
    yield from (f"        {line}" for line in _body(form))


def _body(form: _Form) -> Iterator[str]:
    conv, first = f"F.conv{form.rank}d", form.channels_first
    if not first:
        yield "x = x.movedim(-1, 2)"
    frames = "frames" if form.pads else "x.flatten(0, 1)"
    if form.pads:
        yield "frames = F.pad(x.flatten(0, 1), self.padding)"
    bias = "self.bias" if form.bias else ""
    arguments = [frames, "self.weight_ih", *([bias] if bias else [])]
    arguments += ["stride=self.stride"] * form.strided + ["dilation=self.dilation"] * form.dilated
    yield f"projected = {conv}({', '.join(arguments)})"
    yield "projected = projected.unflatten(0, x.shape[:2])"
    yield "h = c = torch.zeros_like(projected[:, 0].chunk(4, dim=1)[0])"
    if form.continues:
        yield "if state is not None:"
        yield f"    h, c = {'state' if first else '(each.movedim(-1, 1) for each in state)'}"
    if form.masked:
        ones = ", 1" * (form.rank + 1)
        yield f"mask = mask.view(*mask.shape{ones})"
    yield "outputs = []"
    yield "for t in range(x.shape[1]):"
    yield f"    recurrent = {conv}(F.pad(h, self.around), self.weight_hh)"
    yield "    i, f, g, o = (projected[:, t] + recurrent).chunk(4, dim=1)"
    if form.recurrent_activation != "linear":
        yield f"    i, f, o = ({activated('gate', form.recurrent_activation)} for gate in (i, f, o))"
    c, h = f"f * c + i * {activated('g', form.activation)}", f"o * {activated('c', form.activation)}"
    yield f"    c = {f'torch.where(mask[:, t], {c}, c)' if form.masked else c}"
    yield f"    h = {f'torch.where(mask[:, t], {h}, h)' if form.masked else h}"
    yield "    outputs.append(h)"
    yield "outputs = torch.stack(outputs, dim=1)"
    if form.masked and form.continues:
        yield "outputs = outputs * (mask.cumsum(dim=1) > 0)"
    results = ("outputs", "h", "c") if first else ("outputs.movedim(2, -1)", "h.movedim(1, -1)", "c.movedim(1, -1)")
    yield f"return {results[0]}, ({results[1]}, {results[2]})"


def _write(rank: int) -> Writer:
    def write(layer: Layer, graph: Graph, target: Target) -> Piece:
        given = Given(layer, graph, target)
        _refuse_dropout(given, graph)
        calls = graph.calls_of(layer.name)
        kernel, strides, dilation = (given.sizes(name, rank) for name in ("kernel_size", "strides", "dilation_rate"))
        sides, pads = _sides(given, rank, kernel, strides, dilation), given["padding"] == "same"
        form = _Form(
            rank,
            _name(given, "activation"),
            _name(given, "recurrent_activation"),
            "bias" in given.stored,
            given.channels_first,
            strided=set(strides) != {1},
            dilated=set(dilation) != {1},
            pads=pads,
            masked=any(call.mask is not None for call in calls),
            continues=given["stateful"] or any(call.kwargs.get("initial_state") is not None for call in calls),
        )
        weight = given.stored["kernel"].shape
        steps = {"stride": strides, "dilation": dilation, "padding": sides}
        arguments = [weight[-2], weight[-1] // 4, kernel, *(steps[each] for each in form.steps)]
        helper = _class(form)
        if given["stateful"]:
            helper = stateful(
                helper,
                helper.name,
                ("h", "c"),
                batch=0,
                masked=form.masked,
                continues=any(call.kwargs.get("initial_state") is not None for call in calls),
                keeps_own=keeps_own_states(graph.version),
            )
        return Piece(
            lambda site: _call(site, given, form),
            f"{helper.name}({', '.join(literal(each) for each in arguments)})",
            _arrays(given, rank),
            "; ".join(_how(given)),
            (helper,),
            results=("", "h", "c") if given["return_state"] else (),
        )

    return write


def _how(given: Given) -> Iterator[str]:
    yield "a class of its own, as torch has no such layer"
    if given["stateful"]:
        yield "keeps its states from call to call until reset_states()"
    if given["dropout"] or given["recurrent_dropout"]:
        yield "without its dropout, which acts in training alone"


def _arrays(given: Given, rank: int) -> dict[str, Blocks]:
    axes = (rank + 1, rank, *range(rank))
    names = {"kernel": "weight_ih", "recurrent_kernel": "weight_hh"}
    arrays = {there: transposed(given.stored[here], axes) for here, there in names.items()}
    return arrays | ({"bias": unchanged(given.stored["bias"])} if "bias" in given.stored else {})


def _name(given: Given, option: str) -> str:
    """Return an activation in the names of `frameworks.activations`."""
    return name_of(given[option], Version(".".join(map(str, given.version))))


def _sides(given: Given, rank: int, *window: tuple[int, ...]) -> tuple[int, ...]:
    """Return the zeros around the inputs, the last axis first as in F.pad."""
    shape = given.shape or (None,) * (rank + 3)
    lengths = shape[3:] if given.channels_first else shape[2:-1]
    sides: list[int] = []
    for size, step, gap, length in reversed(list(zip(*window, lengths, strict=True))):
        reach = (size - 1) * gap + 1
        missing = max(reach - ((length or 0) % step or step), 0)
        sides += [missing // 2, missing - missing // 2]
    return tuple(sides)


def _refuse_dropout(given: Given, graph: Graph) -> None:
    """Refuse dropout that a call states, which the generated class lacks."""
    stated = any(call.kwargs.get("training") is True for call in graph.calls_of(given.layer.name))
    if stated and (given["dropout"] or given["recurrent_dropout"]):
        raise NoCounterpartError.because(
            f"training of a call of {given.layer.kind}",
            must="not be True where the layer has dropout",
            but="is True",
            remedy="Call the layer without training=True in the Keras model, and save it again.",
        )


def _call(site: Site, given: Given, form: _Form) -> str | Statements:
    backwards, mask = given["go_backwards"], str(site.mask) if site.call.mask is not None else ""
    states = [literal(each) for each in flat(site.kwargs.get("initial_state"))]
    arguments = [f"{each}.flip(1)" if backwards and each else each for each in (str(site.x), mask)]
    arguments = [*arguments[:1], *([arguments[1] or without_mask(site.x)] if form.masked else [])]
    arguments += [f"({', '.join(states)})"] if states else []
    reads_output, *read = (name is not None for name in (*site.names, None, None, None)[:3])
    sequences = given["return_sequences"]
    y = str(site.names[0]) if reads_output and sequences else "_"
    h = site.free("h") if read[0] or (reads_output and not sequences) else "_"
    c = site.free("c") if read[1] else "_"
    names = f"({h}, {c})" if (h, c) != ("_", "_") else "_"
    line = f"{y}, {names} = {site.module}({', '.join(arguments)})"
    factor = ""
    ones = f"[:, {'0' if backwards else '-1'}, {', '.join(['None'] * (len(given.sizes('strides', _rank(given))) + 1))}]"
    if mask and given["zero_output_for_mask"] and given.version >= (3,):  # Keras 2 took the option and forgot it
        wide = f"[:, :, {', '.join(['None'] * (_rank(given) + 1))}]"
        factor = f" * {arguments[1]}{wide}" if sequences else f" * {mask}{ones}"
    elif mask and states and not sequences:
        factor = f" * {mask}.any(dim=1).view(-1{', 1' * (_rank(given) + 1)})"
    output = f"{y if sequences else h}{factor}"
    return Statements((line,), (output, h, c) if given["return_state"] else (output,))


def _rank(given: Given) -> int:
    return int(given.layer.kind[-2])


WRITERS: Mapping[str, Writer] = MappingProxyType({f"ConvLSTM{rank}D": _write(rank) for rank in (1, 2, 3)})
