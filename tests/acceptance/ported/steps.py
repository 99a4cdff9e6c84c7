"""The layers that a model is drawn of: a step each, with options drawn too, in Keras 3 and in tf_keras."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib import import_module
from random import Random
from typing import Any

Tensor = Any
Step = Callable[["Pen", Tensor], Tensor]

STEPS: dict[str, tuple[int, Step]] = {}
"""By name: the rank of the tensor that a step reads, batch included, and the step."""

ACTIVATIONS = (
    None,
    "tanh",
    "sigmoid",
    "relu",
    "elu",
    "selu",
    "softplus",
    "softsign",
    "hard_sigmoid",
    "swish",
    "gelu",
    "exponential",
)
STATEFUL = "stateful"
POINTWISE = ("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum")


@dataclass
class Pen:
    """What draws the layers of one model.

    Args:
        random: the source of every choice.
        keras: the library, keras or tf_keras.
    """

    random: Random
    keras: Any
    names: Iterator[int] = field(default_factory=lambda: iter(range(1000)))

    @property
    def layers(self) -> Any:
        """The library's layers."""
        return self.keras.layers

    @property
    def is_new(self) -> bool:
        """Whether it is Keras 3."""
        return not self.keras.__name__.startswith("tf_keras")

    def pick(self, *choices: Any) -> Any:
        """Return one of the choices."""
        return self.random.choice(choices)

    def chance(self, share: float = 0.5) -> bool:
        """Return True in a share of the cases."""
        return self.random.random() < share

    def size(self) -> int:
        """Return the number of units of a layer."""
        return self.random.randint(2, 6)

    def name(self, kind: str) -> str:
        """Return a new layer's name, sometimes an awkward one."""
        number = next(self.names)
        usual = f"{kind.lower()}_{number}"
        return self.random.choice((usual, usual, f"the-{kind}.{number}", f"class{number}"))

    def make(self, kind: str, **options: Any) -> Any:
        """Return a new layer."""
        return getattr(self.layers, kind)(name=self.name(kind), **options)


def shape(tensor: Tensor) -> tuple[int | None, ...]:
    """Return the shape of a symbolic tensor."""
    return tuple(tensor.shape)


def step(name: str, rank: int) -> Callable[[Step], Step]:
    """Register a step under a name."""

    def register(function: Step) -> Step:
        STEPS[name] = (rank, function)
        return function

    return register


def _plain(rank: int, kind: str, options: Callable[[Pen, Tensor], dict[str, Any]], name: str = "") -> None:
    STEPS[name or f"{kind} {rank}"] = (rank, lambda pen, x: pen.make(kind, **options(pen, x))(x))


def _convolution(pen: Pen, *, strides: bool = True, causal: bool = False) -> dict[str, Any]:
    dilated = pen.chance(0.3)
    paddings = ("valid", "same", "causal") if causal else ("valid", "same")
    return {
        "kernel_size": pen.pick(1, 2, 3),
        "strides": 1 if dilated or not strides else pen.pick(1, 2),
        "dilation_rate": 2 if dilated else 1,
        "padding": pen.pick(*paddings),
        "activation": pen.pick(*ACTIVATIONS),
        "use_bias": pen.chance(0.8),
    }


for rank in (2, 3, 4):
    _plain(
        rank,
        "Dense",
        lambda pen, _: {"units": pen.size(), "activation": pen.pick(*ACTIVATIONS), "use_bias": pen.chance(0.8)},
    )
    _plain(rank, "Activation", lambda pen, _: {"activation": pen.pick(*ACTIVATIONS[1:], "softmax", "linear")})
    _plain(rank, "Dropout", lambda pen, _: {"rate": pen.pick(0.0, 0.3)})
    _plain(rank, "GaussianNoise", lambda _pen, _: {"stddev": 0.3})
    _plain(rank, "GaussianDropout", lambda _pen, _: {"rate": 0.3})
    _plain(rank, "AlphaDropout", lambda _pen, _: {"rate": 0.3})
    _plain(
        rank,
        "ReLU",
        lambda pen, _: {"max_value": pen.pick(None, 0.7), "negative_slope": pen.pick(0, 0.1), "threshold": pen.pick(0, 0.2)},
    )
    _plain(rank, "LeakyReLU", lambda pen, _: {} if pen.chance() else {"negative_slope" if pen.is_new else "alpha": 0.15})
    _plain(rank, "ELU", lambda pen, _: {"alpha": pen.pick(1.0, 0.6)})
    _plain(rank, "Softmax", lambda pen, _: {"axis": pen.pick(-1, -1, 1)})
    _plain(rank, "Rescaling", lambda pen, _: {"scale": pen.pick(0.5, 2.0), "offset": pen.pick(0.0, -0.25)})
    _plain(
        rank,
        "BatchNormalization",
        lambda pen, _: {"center": pen.chance(), "scale": pen.chance(), "epsilon": pen.pick(1e-3, 1e-2)},
    )
    _plain(
        rank,
        "LayerNormalization",
        lambda pen, _: {"center": pen.chance(), "scale": pen.chance(), "epsilon": pen.pick(1e-3, 1e-2)},
    )
    _plain(rank, "UnitNormalization", lambda _pen, _: {"axis": -1})
    _plain(rank, "ActivityRegularization", lambda _pen, _: {"l2": 0.1})
    _plain(rank, "PReLU", lambda _pen, x: {"shared_axes": list(range(1, len(shape(x)) - 1)) or None})

_plain(2, "RepeatVector", lambda pen, _: {"n": pen.pick(2, 3)})
_plain(3, "SpatialDropout1D", lambda _pen, _: {"rate": 0.3})
_plain(3, "Conv1D", lambda pen, _: {"filters": pen.size(), **_convolution(pen, causal=True)})
_plain(3, "SeparableConv1D", lambda pen, _: {"filters": pen.size(), "depth_multiplier": pen.pick(1, 2), **_convolution(pen)})
_plain(3, "DepthwiseConv1D", lambda pen, _: {"depth_multiplier": pen.pick(1, 2), **_convolution(pen)})
_plain(
    3,
    "Conv1DTranspose",
    lambda pen, _: {
        "filters": pen.size(),
        "kernel_size": pen.pick(2, 3),
        "strides": pen.pick(1, 2),
        "padding": pen.pick("valid", "same"),
        "use_bias": pen.chance(),
    },
)
for kind in ("MaxPooling1D", "AveragePooling1D"):
    _plain(
        3,
        kind,
        lambda pen, _: {"pool_size": pen.pick(1, 2), "strides": pen.pick(None, 1), "padding": pen.pick("valid", "same")},
    )
for kind in ("GlobalMaxPooling1D", "GlobalAveragePooling1D"):
    _plain(3, kind, lambda pen, _: {"keepdims": pen.chance(0.3)})
_plain(3, "ZeroPadding1D", lambda pen, _: {"padding": pen.pick(1, (2, 0))})
_plain(3, "Cropping1D", lambda pen, _: {"cropping": pen.pick((1, 0), (0, 1))})
_plain(3, "UpSampling1D", lambda _pen, _: {"size": 2})
for kind in ("SimpleRNN", "LSTM", "GRU"):

    def recurrent(pen: Pen, x: Tensor, kind: str = kind) -> Tensor:
        """Return the result of a recurrent layer, or one of its results."""
        layer = pen.make(kind, **recurrent_options(pen, kind), return_sequences=pen.chance(0.6), return_state=pen.chance(0.3))
        made = layer(x)
        return pen.pick(*made[:2]) if isinstance(made, (list, tuple)) else made

    STEPS[kind] = (3, recurrent)


def recurrent_options(pen: Pen, kind: str) -> dict[str, Any]:
    """Return drawn options of a recurrent layer or cell."""
    options: dict[str, Any] = {
        "units": pen.size(),
        "use_bias": pen.chance(0.8),
        "activation": pen.pick("tanh", "tanh", "relu", "softsign", "linear"),
        "dropout": pen.pick(0.0, 0.2),
    }
    if kind != "SimpleRNN":
        options["recurrent_activation"] = pen.pick("sigmoid", "sigmoid", "hard_sigmoid", "relu")
        options["activation"] = pen.pick("tanh", "tanh", "tanh", "softsign")
    if kind == "GRU":
        options["reset_after"] = pen.chance()
    return options


@step("backwards", 3)
def _backwards(pen: Pen, x: Tensor) -> Tensor:
    kind = pen.pick("SimpleRNN", "LSTM", "GRU")
    return pen.make(kind, **recurrent_options(pen, kind), go_backwards=True, return_sequences=pen.chance())(x)


@step("Bidirectional", 3)
def _bidirectional(pen: Pen, x: Tensor) -> Tensor:
    kind, merge = pen.pick("SimpleRNN", "LSTM", "GRU"), pen.pick("concat", "sum", "mul", "ave", None)
    inner = getattr(pen.layers, kind)(**recurrent_options(pen, kind), return_sequences=pen.chance(0.6))
    made = pen.layers.Bidirectional(inner, merge_mode=merge, name=pen.name("bidirectional"))(x)
    return pen.pick(*made) if isinstance(made, (list, tuple)) else made


@step("RNN", 3)
def _over_cells(pen: Pen, x: Tensor) -> Tensor:
    kinds = [pen.pick("SimpleRNN", "LSTM", "GRU") for _ in range(pen.pick(1, 2))]
    cells = [getattr(pen.layers, f"{kind}Cell")(**recurrent_options(pen, kind)) for kind in kinds]
    return pen.layers.RNN(cells if len(cells) > 1 else cells[0], return_sequences=pen.chance(), name=pen.name("rnn"))(x)


@step("encoder and decoder", 3)
def _states(pen: Pen, x: Tensor) -> Tensor:
    kind, units = pen.pick("SimpleRNN", "LSTM", "GRU"), pen.size()
    _, *states = pen.make(kind, units=units, return_state=True)(x)
    return pen.make(kind, units=units, return_sequences=pen.chance())(x, initial_state=states)


@step("given states", 3)
def _given_states(pen: Pen, x: Tensor) -> Tensor:
    kind, units = pen.pick("SimpleRNN", "LSTM", "GRU"), pen.size()
    states = [pen.make("Dense", units=units, activation="tanh")(x[:, 0]) for _ in range(2 if kind == "LSTM" else 1)]
    return pen.make(kind, units=units, return_sequences=pen.chance())(x, initial_state=states)


@step(STATEFUL, 3)
def _stateful(pen: Pen, x: Tensor) -> Tensor:
    kind = pen.pick("SimpleRNN", "LSTM", "GRU")
    return pen.make(kind, **recurrent_options(pen, kind), stateful=True, return_sequences=pen.chance())(x)


@step("TimeDistributed", 3)
def _time_distributed(pen: Pen, x: Tensor) -> Tensor:
    inner = pen.layers.Dense(pen.size(), activation=pen.pick(*ACTIVATIONS))
    if pen.chance():
        features = shape(x)[-1]
        inner = pen.keras.Sequential([pen.layers.Input((features,)), inner, pen.layers.LayerNormalization()])
    return pen.layers.TimeDistributed(inner, name=pen.name("each"))(x)


@step("nested model", 3)
def _nested(pen: Pen, x: Tensor) -> Tensor:
    read = pen.keras.Input(shape(x)[1:])
    y = pen.make("GRU", units=3, return_sequences=True)(read)
    inner = pen.keras.Model(read, pen.make("Dense", units=shape(x)[-1], activation="tanh")(y), name=pen.name("inner"))
    y = inner(x)
    return inner(y) if pen.chance() else y


@step("nested model of two", 3)
def _nested_of_two(pen: Pen, x: Tensor) -> Tensor:
    one, other = pen.keras.Input(shape(x)[1:]), pen.keras.Input(shape(x)[1:])
    y = pen.make("LSTM", units=3, return_sequences=True)(one)
    z = pen.make("Concatenate")([y, pen.make("Dense", units=2)(other)])
    inner = pen.keras.Model([one, other], [y, z], name=pen.name("inner"))
    return pen.pick(*inner([x, pen.make("Dense", units=shape(x)[-1])(x)]))


@step("shared layer", 3)
def _shared(pen: Pen, x: Tensor) -> Tensor:
    layer = pen.make("LSTM", units=shape(x)[-1], return_sequences=True)
    return pen.layers.Concatenate(name=pen.name("both"))([layer(x), layer(layer(x))])


def _merging_branches(pen: Pen, x: Tensor) -> Tensor:
    units = pen.size()
    many = [pen.make("Dense", units=units)(x) for _ in range(2)]
    return pen.make(pen.pick(*POINTWISE, "Concatenate"))(many)


STEPS |= {"merging 2": (2, _merging_branches), "merging 4": (4, _merging_branches)}


@step("merging", 3)
def _merging(pen: Pen, x: Tensor) -> Tensor:
    units = pen.size()
    many = [pen.make("Dense", units=units)(x), pen.make("GRU", units=units, return_sequences=True)(x)]
    kind = pen.pick(*POINTWISE)
    if pen.chance(0.3):
        return pen.make("Concatenate", axis=pen.pick(1, 2, -1))(many)
    return pen.make(kind)(many)


@step("Dot", 3)
def _dot(pen: Pen, x: Tensor) -> Tensor:
    return pen.make("Dot", axes=pen.pick(2, (2, 2)), normalize=pen.chance())(
        [pen.make("Dense", units=3)(x), pen.make("Dense", units=3)(x)]
    )


@step("Dot 2", 2)
def _dot_of_vectors(pen: Pen, x: Tensor) -> Tensor:
    return pen.make("Dot", axes=1, normalize=pen.chance())([pen.make("Dense", units=3)(x), pen.make("Dense", units=3)(x)])


@step("Attention", 3)
def _attention(pen: Pen, x: Tensor) -> Tensor:
    kind = pen.pick("Attention", "AdditiveAttention")
    options = {"use_scale": pen.chance()}
    if kind == "Attention":
        options["score_mode"] = pen.pick("dot", "concat")
    query, value = pen.make("Dense", units=4)(x), pen.make("Dense", units=4)(x)
    arrays = [query, value, pen.make("Dense", units=4)(x)] if pen.chance(0.3) else [query, value]
    return pen.make(kind, **options)(arrays, **({"use_causal_mask": True} if pen.chance(0.3) else {}))


@step("MultiHeadAttention", 3)
def _heads(pen: Pen, x: Tensor) -> Tensor:
    layer = pen.make("MultiHeadAttention", num_heads=2, key_dim=pen.size(), use_bias=pen.chance(0.8))
    return layer(x, x, **({"use_causal_mask": True} if pen.chance(0.3) else {}))


@step("operations", 3)
def _operations(pen: Pen, x: Tensor) -> Tensor:
    return pen.pick(
        lambda: x * 2.0,
        lambda: 1.0 - x,
        lambda: x + x / 2.0,
        lambda: x[:, -1],
        lambda: x[:, ::-1],
        lambda: x[..., :1],
        lambda: -x,
    )()


@step("functions", 3)
def _functions(pen: Pen, x: Tensor) -> Tensor:
    """Return what a function of the library's makes of a tensor: of keras.ops, or of TensorFlow in Keras 2."""
    if pen.is_new:
        ops = pen.keras.ops
        means, most, joined, turned = ops.mean, ops.max, ops.concatenate, ops.transpose
    else:
        ops = import_module("tensorflow")
        means, most, joined, turned = ops.reduce_mean, ops.reduce_max, ops.concat, ops.transpose
    return pen.pick(
        lambda: means(x, axis=1),
        lambda: most(x, axis=-1, keepdims=True),
        lambda: joined([x, ops.abs(x)], axis=-1),
        lambda: turned(turned(x, [0, 2, 1]), [0, 2, 1]),
        lambda: ops.square(x) - ops.tanh(x),
        lambda: ops.expand_dims(x, -1),
    )()


@step("Flatten", 3)
def _flatten(pen: Pen, x: Tensor) -> Tensor:
    return pen.make("Flatten")(x) if None not in shape(x)[1:] else pen.make("GlobalMaxPooling1D")(x)


@step("Permute", 3)
def _permute(pen: Pen, x: Tensor) -> Tensor:
    return pen.make("Permute", dims=(2, 1))(x) if None not in shape(x)[1:] else x


@step("Reshape", 2)
def _reshape(pen: Pen, x: Tensor) -> Tensor:
    return pen.make("Reshape", target_shape=pen.pick((-1, 1), (1, shape(x)[-1])))(x)


def _in_2d(pen: Pen) -> dict[str, Any]:
    format_ = {} if pen.chance(0.8) else {"data_format": "channels_last"}
    return {**_convolution(pen), **format_}


_plain(4, "Conv2D", lambda pen, _: {"filters": pen.size(), **_in_2d(pen)})
_plain(4, "DepthwiseConv2D", lambda pen, _: {"depth_multiplier": pen.pick(1, 2), **_in_2d(pen)})
_plain(4, "SeparableConv2D", lambda pen, _: {"filters": pen.size(), **_in_2d(pen)})
_plain(
    4,
    "Conv2DTranspose",
    lambda pen, _: {"filters": pen.size(), "kernel_size": 2, "strides": pen.pick(1, 2), "padding": pen.pick("valid", "same")},
)
for kind in ("MaxPooling2D", "AveragePooling2D"):
    _plain(
        4,
        kind,
        lambda pen, _: {"pool_size": pen.pick(1, 2), "strides": pen.pick(None, 1), "padding": pen.pick("valid", "same")},
    )
for kind in ("GlobalMaxPooling2D", "GlobalAveragePooling2D"):
    _plain(4, kind, lambda pen, _: {"keepdims": pen.chance(0.3)})
_plain(4, "ZeroPadding2D", lambda pen, _: {"padding": pen.pick(1, (0, 1), ((1, 0), (0, 2)))})
_plain(4, "Cropping2D", lambda pen, _: {"cropping": pen.pick(((1, 0), (0, 0)), ((0, 1), (0, 0)))})
_plain(4, "UpSampling2D", lambda _pen, _: {"size": 2})
_plain(4, "SpatialDropout2D", lambda _pen, _: {"rate": 0.3})


@step("each line of an image", 4)
def _lines(pen: Pen, x: Tensor) -> Tensor:
    inner = pen.pick(
        lambda: pen.layers.LSTM(3),
        lambda: pen.layers.Conv1D(3, 2, padding="same"),
        pen.layers.GlobalMaxPooling1D,
        pen.layers.Flatten,
    )()
    return pen.layers.TimeDistributed(inner, name=pen.name("lines"))(x)


@step("model on each line of an image", 4)
def _model_of_lines(pen: Pen, x: Tensor) -> Tensor:
    read = pen.keras.Input(shape(x)[2:])
    y = pen.layers.Bidirectional(pen.layers.GRU(2))(read)
    inner = pen.keras.Model(read, pen.make("Dense", units=3)(y), name=pen.name("inner"))
    return pen.layers.TimeDistributed(inner, name=pen.name("lines"))(x)


@step("ConvLSTM1D", 4)
def _conv_lstm(pen: Pen, x: Tensor) -> Tensor:
    return pen.make(
        "ConvLSTM1D",
        filters=pen.size(),
        kernel_size=pen.pick(1, 2, 3),
        padding=pen.pick("valid", "same"),
        recurrent_activation=pen.pick("sigmoid", "hard_sigmoid"),
        return_sequences=pen.chance(),
    )(x)


@step("ConvLSTM2D", 4)
def _conv_lstm_2d(pen: Pen, x: Tensor) -> Tensor:
    images = pen.layers.Reshape((*shape(x)[1:], 1), name=pen.name("images"))(x)
    return pen.make("ConvLSTM2D", filters=2, kernel_size=2, padding="same", return_sequences=pen.chance(0.3))(images)
