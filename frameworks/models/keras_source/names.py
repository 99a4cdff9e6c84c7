"""Names in Keras: those that the generated source gives to nothing else, and those of classes in files."""

from __future__ import annotations

import builtins
import keyword
import re

RESERVED = (
    {"keras", "ops", "layers", "Path", "build", "load", "self", "PORT"} | set(keyword.kwlist) | set(dir(builtins)) - {"input"}
)
"""What no variable of a method may be called."""

LAYER_ATTRIBUTES = frozenset(
    (
        *("activity_regularizer", "add_loss", "add_metric", "add_weight", "autocast", "build", "build_from_config", "built"),
        *("call", "compute_dtype", "compute_mask", "compute_output_shape", "compute_output_spec", "count_params", "dtype"),
        *(
            "dtype_policy",
            "from_config",
            "get_build_config",
            "get_config",
            "get_weights",
            "input",
            "input_dtype",
            "input_shape",
        ),
        *(
            "input_spec",
            "inputs",
            "layers",
            "load_own_variables",
            "load_weights",
            "losses",
            "metrics",
            "metrics_names",
            "metrics_variables",
            "name",
        ),
        *(
            "non_trainable_variables",
            "non_trainable_weights",
            "output",
            "output_shape",
            "outputs",
            "path",
            "predict",
            "quantize",
        ),
        *("rematerialized_call", "save", "save_own_variables", "save_weights", "set_weights", "stateless_call", "summary"),
        *("supports_jit", "supports_masking", "symbolic_call", "to_json", "train_step", "trainable", "trainable_variables"),
        *("trainable_weights", "variable_dtype", "variables", "weights", "compile", "compiled", "evaluate", "export", "fit"),
        *("get_layer", "get_metrics_result", "jit_compile", "loss", "make_predict_function", "optimizer", "predict_step"),
        *("reset_metrics", "run_eagerly", "stop_training", "test_step", "compile_config", "compute_loss", "compute_metrics"),
        *(
            "distribute_strategy",
            "distribute_reduction_method",
            "steps_per_execution",
            "stateless_compute_loss",
            "state_updates",
        ),
    )
)
"""The public attributes of a Keras layer or model, which an attribute of the same name would replace."""


def snake(name: str) -> str:
    """Return the name that Keras gives to a class in a file: "LayerNormalization" gives "layer_normalization"."""
    name = re.sub(r"\W+", "", name)
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()
