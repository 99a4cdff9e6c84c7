"""Attention and AdditiveAttention in torch."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from frameworks.files.writing.blocks import unchanged
from frameworks.models.graph import Graph, Layer
from frameworks.models.pytorch.layers.activations import LOWERED
from frameworks.models.pytorch.layers.given import Given
from frameworks.models.pytorch.pieces import Piece, Site, Statements, Target, Writer


def _attention(layer: Layer, graph: Graph, target: Target) -> Piece:
    given = Given(layer, graph, target)
    arrays = {name: unchanged(stored) for name, stored in given.stored.items()}
    initial = {name: f"torch.ones({', '.join(map(str, each.shape)) or '()'})" for name, each in arrays.items()}
    module = f"nn.ParameterDict({{{', '.join(f'{name!r}: {value}' for name, value in initial.items())}}})".replace("'", '"')

    def call(site: Site) -> str | Statements:
        query, value, key = _inputs(site)
        weight = {name: f'{site.module}["{name}"]' for name in arrays}
        if _is_native(given, site):
            causal = ", is_causal=True" if _is_causal(given, site) else ""
            return f"F.scaled_dot_product_attention({query}, {key}, {value}, scale=1.0{causal})"
        return _in_steps(given, site, _scores(given, query, key, weight), value)

    return Piece(call, module if arrays else "", arrays, "as it is", (LOWERED,), results=("", "weights"))


def _inputs(site: Site) -> tuple[str, str, str]:
    """Return the names of query, value and key."""
    query, value, *key = map(str, site.args[0])
    return query, value, key[0] if key else value


def _is_native(given: Given, site: Site) -> bool:
    """Return whether torch's own function computes it: without masks, weights, dropout, or scores as a result."""
    plain = not given.stored and not given["dropout"] and given.layer.kind == "Attention"
    return plain and not any(site.call.masks) and not site.kwargs.get("return_attention_scores")


def _is_causal(given: Given, site: Site) -> bool:
    return bool(given["causal"] or site.kwargs.get("use_causal_mask"))


def _scores(given: Given, query: str, key: str, weight: Mapping[str, str]) -> str:
    if given.layer.kind == "Attention" and given["score_mode"] == "dot":
        product = f"{query} @ {key}.transpose(-2, -1)"
        return f"{weight['scale']} * ({product})" if "scale" in weight else product
    pairs = f"{query}[:, :, None] + {key}[:, None]"
    if given.layer.kind == "AdditiveAttention":
        pairs = f"torch.tanh({pairs})"
        return f"({weight['scale']} * {pairs}).sum(dim=-1)" if "scale" in weight else f"{pairs}.sum(dim=-1)"
    pairs = f"torch.tanh({weight['scale']} * ({pairs}))" if "scale" in weight else f"torch.tanh({pairs})"
    return f"{weight['concat_score_weight']} * {pairs}.sum(dim=-1)"


def _in_steps(given: Given, site: Site, scores: str, value: str) -> Statements:
    """Return the statements that make scores, weights and the weighted values; masked steps are far below all others."""
    name = site.free("scores")
    lines = [f"{name} = {scores}"]
    hidden = _hidden(given, site, name)
    weights = site.free("weights")
    lines.append(f"{weights} = torch.softmax({f'lowered({name}, {hidden})' if hidden else name}, dim=-1)")
    dropped = weights
    if given["dropout"]:
        training = "True" if site.training else "self.training"
        dropped = f"F.dropout({weights}, {given['dropout']}, {training})"
    if site.call.masks[:1] != (None,):
        result = f"torch.where({site.masks[0]}[..., None], {dropped} @ {value}, 0)"
    else:
        result = f"{dropped} @ {value}"
    wants = site.kwargs.get("return_attention_scores")
    return Statements(tuple(lines), (result, weights) if wants else (result,))


def _hidden(given: Given, site: Site, scores: str) -> str:
    """Return a boolean expression that is true where a score does not count; "" if all do."""
    masked = len(site.call.masks) > 1 and site.call.masks[1] is not None
    mask = f"{site.masks[1]}[:, None]" if masked else ""
    causal = f"torch.ones_like({scores}, dtype=torch.bool).tril()" if _is_causal(given, site) else ""
    if mask and causal:
        return f"~({mask} & {causal})"
    return f"~{mask or causal}" if mask or causal else ""


WRITERS: Mapping[str, Writer] = MappingProxyType({"Attention": _attention, "AdditiveAttention": _attention})
