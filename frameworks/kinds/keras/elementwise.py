"""Keras's activations as layers, dropout and noise, masking, and layers that change single numbers."""

from __future__ import annotations

from frameworks.kinds.keras.options import SEED, unused
from frameworks.kinds.records import Dated, Kind, Masks, Option

_KEEP_SINCE_3 = Dated(Masks.DROP, (((3,), Masks.KEEP),))
_RATE, _NOISE_SHAPE = Option("rate", required=True, formerly="p"), Option("noise_shape")

ACTIVATING = (
    Kind("Activation", options=(Option("activation", required=True),), arrays=(), masks=Masks.KEEP, shape="same"),
    Kind(
        "Softmax",
        options=(Option("axis", -1),),
        arrays=(),
        masks=Masks.KEEP,
        further=unused("robust_masking"),
        shape="same",
        operation=True,
    ),
    Kind(
        "ReLU",
        options=(Option("max_value"), Option("negative_slope", 0.0), Option("threshold", 0.0)),
        arrays=(),
        masks=Masks.KEEP,
        activation="relu",
        shape="same",
    ),
    *(
        Kind(
            name,
            options=(number,),
            arrays=(),
            masks=Masks.KEEP,
            activation=family,
            activation_number=number.name,
            shape="same",
        )
        for name, family, number in (
            ("ELU", "elu", Option("alpha", 1.0)),
            ("LeakyReLU", "leaky_relu", Option("negative_slope", 0.3, formerly="alpha")),
            ("ThresholdedReLU", "thresholded_relu", Option("theta", 1.0)),
        )
    ),
)

OF_TRAINING = (
    *(
        Kind(name, options=(_RATE, _NOISE_SHAPE), masks=Masks.KEEP, further=SEED, shape="same")
        for name in ("Dropout", "AlphaDropout")
    ),
    Kind("GaussianDropout", options=(_RATE,), masks=Masks.KEEP, further=SEED, shape="same"),
    Kind(
        "GaussianNoise",
        options=(Option("stddev", required=True, formerly="sigma"),),
        masks=Masks.KEEP,
        further=SEED,
        shape="same",
    ),
    *(
        Kind(
            f"SpatialDropout{rank}D",
            options=(_RATE, *((Option("data_format"),) if rank > 1 else ())),
            masks=Masks.KEEP,
            further=(*SEED, *unused("noise_shape")),
            shape="same",
        )
        for rank in (1, 2, 3)
    ),
    Kind(
        "ActivityRegularization",
        arrays=(),
        masks=Masks.KEEP,
        further=tuple(Option(name, 0.0, use="training") for name in ("l1", "l2")),
        shape="same",
    ),
)
"""Dropout and noise layers of Keras 3 store the state of a random generator, so that their arrays are not listed."""

OTHERS = (
    Kind("Identity", arrays=(), masks=_KEEP_SINCE_3, shape="same"),
    Kind(
        "Rescaling",
        options=(Option("scale", required=True), Option("offset", 0.0)),
        arrays=(),
        masks=_KEEP_SINCE_3,
        shape="same",
    ),
    Kind(
        "Masking",
        options=(Option("mask_value", 0.0),),
        arrays=(),
        masks=Masks.MAKE,
        mask_option="mask_value",
        shape="same",
    ),
)
