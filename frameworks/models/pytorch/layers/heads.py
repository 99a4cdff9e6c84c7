"""MultiHeadAttention in torch: nn.MultiheadAttention where it holds the layer, else a class of the source."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain
from types import MappingProxyType

from frameworks.files.writing.blocks import Tensor as Blocks
from frameworks.files.writing.blocks import transposed, unchanged
from frameworks.models.graph import Call, Graph, Layer
from frameworks.models.pytorch.layers.given import Given, arguments, reshaped
from frameworks.models.pytorch.pieces import Helper, Piece, Site, Statements, Target, Writer

_INPUTS = ("query", "key", "value")


def _heads(layer: Layer, graph: Graph, target: Target) -> Piece:
    given = Given(layer, graph, target)
    _require_three_axes(given)
    calls = graph.calls_of(layer.name)
    if _is_native(given, calls):
        return _native(given)
    helper, features = _class(given, calls)
    sizes = [given.stored[f"{name}_kernel"].shape[0] for name in _INPUTS]
    key, value, output = (given.stored[f"{name}_kernel"].shape for name in ("key", "value", "attention_output"))
    numbers = [
        given["num_heads"],
        *sizes,
        key[-1],
        value[-1],
        output[-1],
        *([given["dropout"]] if "Dropping" in features else []),
    ]

    def call(site: Site) -> str | Statements:
        query, value, key = _inputs(site)
        visible = _visible(given, site)
        if "Masked" in features and not visible:
            visible = f"torch.ones(1, 1, dtype=torch.bool, device={query}.device)"
        made = f"{site.module}({', '.join([query, value, key, *([visible] if visible else [])])})"
        return made if _wants_scores(site.call) or "Scored" not in features else f"{made}[0]"

    how = "a class, since nn.MultiheadAttention has no such heads, masks or outputs"
    return Piece(call, f"{helper.name}({arguments(*numbers)})", dict(_arrays(given)), how, (helper,), results=("", "weights"))


def _require_three_axes(given: Given) -> None:
    axes = given["attention_axes"]
    axes = (axes,) if isinstance(axes, int) else tuple(axes or (1,))
    if given.rank() != 3 or axes not in ((1,), (-2,)):
        raise given.refused(
            "attention_axes",
            "be the only axis between batch and features, or None, of a tensor with three axes",
            "If it attends along all axes, put a Reshape to three axes before it and one back after it; else port it by hand.",
            value=f"{given['attention_axes']} of a tensor with {given.rank()} axes",
        )
    if len(given.stored["attention_output_kernel"].shape) != 3:
        raise given.refused("output_shape", "be one number, or None", "Use one number, and a Reshape after the layer.")


def _inputs(site: Site) -> tuple[str, str, str]:
    query, value, *key = map(str, site.args)
    return query, value, key[0] if key else value


def _wants_scores(call: Call) -> bool:
    return call.kwargs.get("return_attention_scores") is True


def _is_masked(call: Call) -> bool:
    return any(call.masks) or any(
        call.kwargs.get(f"{name}mask") is not None for name in ("attention_", "query_", "value_", "key_")
    )


def _is_native(given: Given, calls: list[Call]) -> bool:
    """Return whether nn.MultiheadAttention holds the layer, and its calls need no mask, scores or dropout at inference."""
    query, key, value, output = (given.stored[f"{name}_kernel"].shape for name in (*_INPUTS, "attention_output"))
    fits = query[0] == key[1] * key[2] == output[2] and key[2] == value[2]
    plain = not (given["use_gate"] or given["sliding_window"])
    plain = plain and not any(_is_masked(call) or _wants_scores(call) or call.kwargs.get("training") for call in calls)
    return fits and plain


def _native(given: Given) -> Piece:
    size = given.stored["query_kernel"].shape[0]
    sizes = {f"{name[0]}dim": (given.stored[f"{name}_kernel"].shape[0], size) for name in ("key", "value")}
    kernels = [_rows(given, name) for name in _INPUTS]
    if all(one == other for one, other in sizes.values()):
        arrays = {"in_proj_weight": _joined(kernels, (3 * size, size))}
    else:
        arrays = {f"{name[0]}_proj_weight": kernel for name, kernel in zip(_INPUTS, kernels, strict=True)}
    if given["use_bias"]:
        biases = [unchanged(given.stored[f"{name}_bias"]) for name in _INPUTS]
        arrays |= {
            "in_proj_bias": _joined(biases, (3 * size,)),
            "out_proj.bias": unchanged(given.stored["attention_output_bias"]),
        }
    arrays["out_proj.weight"] = _output(given)
    named: dict[str, tuple[object, object]] = {
        "dropout": (given["dropout"], 0.0),
        "bias": (bool(given["use_bias"]), True),
        **sizes,
        "batch_first": (True, False),
    }

    def call(site: Site) -> str:
        query, value, key = _inputs(site)
        causal = ""
        if site.kwargs.get("use_causal_mask"):
            hidden = f"torch.ones({query}.shape[1], {value}.shape[1], dtype=torch.bool, device={query}.device).triu(1)"
            causal = f", attn_mask={hidden}"
        return f"{site.module}({query}, {key}, {value}, need_weights=False{causal})[0]"

    return Piece(call, f"nn.MultiheadAttention({arguments(size, given['num_heads'], **named)})", arrays)


def _rows(given: Given, name: str) -> Blocks:
    """Return the kernel (features, head, size) of an input as the weight of a linear module."""
    stored = given.stored[f"{name}_kernel"]
    size, heads, each = stored.shape
    return reshaped(transposed(stored, (1, 2, 0)), (heads * each, size))


def _output(given: Given) -> Blocks:
    stored = given.stored["attention_output_kernel"]
    heads, each, size = stored.shape
    return reshaped(transposed(stored, (2, 0, 1)), (size, heads * each))


def _joined(parts: list[Blocks], shape: tuple[int, ...]) -> Blocks:
    return Blocks(shape, parts[0].dtype, lambda: chain.from_iterable(part.blocks() for part in parts))


def _arrays(given: Given) -> Iterator[tuple[str, Blocks]]:
    for name in (*_INPUTS, *(["gate"] if given["use_gate"] else [])):
        yield f"{name}.weight", _rows(given, name)
        if given["use_bias"]:
            stored = given.stored[f"{name}_bias"]
            yield f"{name}.bias", reshaped(unchanged(stored), (stored.shape[0] * stored.shape[1],))
    yield "output.weight", _output(given)
    if given["use_bias"]:
        yield "output.bias", unchanged(given.stored["attention_output_bias"])


def _visible(given: Given, site: Site) -> str:
    """Return the expression of which value each query attends to; "" if to all."""
    query, value, _ = _inputs(site)
    ones = f"torch.ones({query}.shape[1], {value}.shape[1], dtype=torch.bool, device={query}.device)"
    terms = []
    for at, (name, where) in enumerate(zip(("query", "value", "key"), ("[:, :, None]", "[:, None]", "[:, None]"), strict=True)):
        if site.kwargs.get(f"{name}_mask") is not None:
            terms.append(f"{site.kwargs[f'{name}_mask']}{where}")
        elif at < len(site.call.masks) and site.call.masks[at] is not None:
            terms.append(f"{site.masks[at]}{where}")
    if site.kwargs.get("attention_mask") is not None:
        terms.append(f"{site.kwargs['attention_mask']}.bool()")
    if site.kwargs.get("use_causal_mask"):
        terms.append(f"{ones}.tril()")
    if given["sliding_window"]:
        reach = given["sliding_window"] - 1
        terms.append(f"{ones}.tril({reach}).triu({-reach})")
    return " & ".join(dict.fromkeys(terms))


def _class(given: Given, calls: list[Call]) -> tuple[Helper, frozenset[str]]:
    """Return the class for a layer's options and calls alone, and the words for what it has."""
    masked = any(_is_masked(call) or call.kwargs.get("use_causal_mask") for call in calls) or bool(given["sliding_window"])
    always = bool(calls) and all(call.kwargs.get("training") is True for call in calls)
    has = {
        "Gated": bool(given["use_gate"]),
        "Dropping": bool(given["dropout"]),
        "Always": always and bool(given["dropout"]),
        "Unbiased": not given["use_bias"],
        "Masked": masked,
        "Scored": any(_wants_scores(call) for call in calls),
    }
    features = frozenset(word for word, one in has.items() if one)
    zeroes = masked and given.version >= (3,) and bool(features & {"Dropping", "Scored"})
    name = "".join([word for word in has if word in features and word != "Always"]) + "MultiHeadAttention"
    name = f"Always{name}" if "Always" in features else name
    return Helper(name, "\n".join(_lines(name, features, zeroes=zeroes))), features


def _lines(name: str, features: frozenset[str], *, zeroes: bool) -> Iterator[str]:
    bias = ", bias=False" if "Unbiased" in features else ""
    yield f"class {name}(nn.Module):"
    yield '    """Attention of several heads between a query and values, (batch, steps, features)."""'
    yield ""
    yield "    def __init__("
    sizes = "query_size, key_size, value_size, key_dim, value_dim, output_size"
    yield f"        self, num_heads, {sizes}{', dropout' if 'Dropping' in features else ''}"
    yield "    ):"
    yield "        super().__init__()"
    yield "        self.num_heads = num_heads"
    for part, dim in (("query", "key_dim"), ("key", "key_dim"), ("value", "value_dim")):
        yield f"        self.{part} = nn.Linear({part}_size, num_heads * {dim}{bias})"
    if "Gated" in features:
        yield f"        self.gate = nn.Linear(query_size, num_heads * value_dim{bias})"
    yield f"        self.output = nn.Linear(num_heads * value_dim, output_size{bias})"
    if "Dropping" in features:
        yield "        self.dropout = dropout"
    yield ""
    yield from _forward(features, zeroes=zeroes)


def _forward(features: frozenset[str], *, zeroes: bool) -> Iterator[str]:
    masked = "Masked" in features
    yield f"    def forward(self, query, value, key{', visible' if masked else ''}):"
    for short, part in (("q", "query"), ("k", "key"), ("v", "value")):
        yield f"        {short} = self.{part}({part}).unflatten(-1, (self.num_heads, -1)).transpose(1, 2)"
    yield "        scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])"
    if masked:
        yield "        visible = visible.unsqueeze(-3)  # for all heads"
        yield "        scores = scores.masked_fill(~visible, torch.finfo(scores.dtype).min)"
    yield "        weights = torch.softmax(scores, dim=-1)"
    if zeroes:
        yield "        weights = weights.masked_fill(~visible, 0)  # also where nothing is visible"
    kept = "weights"
    if "Dropping" in features:
        kept = f"F.dropout(weights, self.dropout, {'True' if 'Always' in features else 'self.training'})"
    yield f"        attended = ({kept} @ v).transpose(1, 2).flatten(2)"
    if "Gated" in features:
        yield "        attended = attended * torch.sigmoid(self.gate(query))"
    yield f"        return self.output(attended){', weights' if 'Scored' in features else ''}"


WRITERS: Mapping[str, Writer] = MappingProxyType({"MultiHeadAttention": _heads})
