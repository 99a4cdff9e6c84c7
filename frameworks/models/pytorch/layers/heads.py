"""MultiHeadAttention in torch: nn.MultiheadAttention where it holds the layer, else a class of the source."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from frameworks.files.writing.blocks import Tensor as Blocks
from frameworks.files.writing.blocks import transposed, unchanged
from frameworks.models.graph import Graph, Layer
from frameworks.models.pytorch.layers.given import Given, arguments, reshaped
from frameworks.models.pytorch.pieces import Helper, Piece, Site, Statements, Target, Writer, literal

_PROJECTIONS = ("query", "key", "value")
_CODE = '''\
class {name}(nn.Module):
    """Attention of several heads{doc}, (batch, steps, features)."""

    def __init__(self, num_heads, query_size, key_size, value_size, key_dim, value_dim, output_size{more}):
        super().__init__()
        self.num_heads = num_heads
        self.query = nn.Linear(query_size, num_heads * key_dim{bias})
        self.key = nn.Linear(key_size, num_heads * key_dim{bias})
        self.value = nn.Linear(value_size, num_heads * value_dim{bias})
        self.output = nn.Linear(num_heads * value_dim, output_size{bias})
{gate_module}{dropout_module}
    def forward(self, query, value, key, hidden=None):
        # hidden is true where a query does not attend to a value, (batch, query, value)
        q = self.query(query).unflatten(-1, (self.num_heads, -1)).transpose(1, 2)
        k = self.key(key).unflatten(-1, (self.num_heads, -1)).transpose(1, 2)
        v = self.value(value).unflatten(-1, (self.num_heads, -1)).transpose(1, 2)
        scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
        if hidden is not None:
            scores = scores.masked_fill(hidden[:, None], -1e9)
        weights = torch.softmax(scores, dim=-1)
{zeroed}        attended = ({dropped} @ v).transpose(1, 2).flatten(2)
{gated}        return self.output(attended), weights'''


def _class(given: Given) -> Helper:
    """Return the class for a layer's options alone."""
    gate, dropout = bool(given["use_gate"]), bool(given["dropout"])
    bias = "" if given["use_bias"] else ", bias=False"
    zeroes = given.version >= (3,)
    words = [*(["Gated"] if gate else []), *(["Dropping"] if dropout else []), *(["Unbiased"] if bias else [])]
    code = _CODE.format(
        name=f"{''.join(words)}MultiHeadAttention",
        doc=", whose outputs are gated" if gate else "",
        more=", dropout" if dropout else "",
        bias=bias,
        gate_module=f"        self.gate = nn.Linear(query_size, num_heads * value_dim{bias})\n" if gate else "",
        dropout_module="        self.dropout = nn.Dropout(dropout)\n" if dropout else "",
        zeroed=_ZEROED if zeroes and dropout else "",
        dropped="self.dropout(weights)" if dropout else "weights",
        gated="        attended = attended * torch.sigmoid(self.gate(query))\n" if gate else "",
    )
    return Helper(f"{''.join(words)}MultiHeadAttention", code)


_ZEROED = """\
            # as in Keras 3, nothing is attended to where all is hidden
            weights = torch.where(hidden[:, None], 0, weights)
"""


def _heads(layer: Layer, graph: Graph, target: Target) -> Piece:
    given = Given(layer, graph, target)
    _require_three_axes(given)
    raise NotImplementedError(literal, arguments, reshaped, transposed, unchanged, Blocks, Any, Site, Statements, _PROJECTIONS)


WRITERS: Mapping[str, Writer] = MappingProxyType({"MultiHeadAttention": _heads})
