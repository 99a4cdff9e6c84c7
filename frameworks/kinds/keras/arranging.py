"""Keras's layers that merge tensors or rearrange one, without arrays."""

from __future__ import annotations

from frameworks.kinds.records import Dated, Kind, Masks, Option

_ALL_SINCE_3 = Dated(Masks.ANY, (((3,), Masks.ALL),))

MERGING = (
    *(
        Kind(name, arrays=(), masks=_ALL_SINCE_3, shape="merging", operation=True)
        for name in ("Add", "Average", "Maximum", "Minimum", "Multiply", "Subtract")
    ),
    Kind("Concatenate", options=(Option("axis", -1),), arrays=(), masks=Masks.ANY, shape="concatenate", operation=True),
    Kind(
        "Dot",
        options=(Option("axes", required=True), Option("normalize", default=False)),
        arrays=(),
        shape="dot",
        operation=True,
    ),
)

REARRANGING = (
    Kind("Reshape", options=(Option("target_shape", required=True),), arrays=(), shape="reshape", operation=True),
    Kind("Flatten", options=(Option("data_format"),), arrays=(), shape="flatten"),
    Kind("Permute", options=(Option("dims", required=True),), arrays=(), shape="permute"),
    Kind("RepeatVector", options=(Option("n", required=True),), arrays=(), shape="repeat"),
)
