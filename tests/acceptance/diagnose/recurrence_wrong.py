"""Mistakes in what a step computes."""

from __future__ import annotations

from tests.acceptance.diagnose.arrays_wrong import Generator
from tests.acceptance.diagnose.plans import Plan
from tests.acceptance.diagnose.ways import Expected, pick, way


@way("activation", "activation", "cell activation")
def activation_of_the_other_framework(rng: Generator, plan: Plan) -> Expected:
    """The default in place of what the layer was built with, or the other way round."""
    right = plan.recurrence.activation
    plan.recurrence.activation = pick(rng, ("relu", "linear", "sigmoid")) if right == "tanh" else "tanh"
    return Expected()


@way(
    "activation", "activation", "cell activation", right=("keras",), activation=("relu", "softsign", "sigmoid", "hard_sigmoid")
)
def activation_not_read(rng: Generator, plan: Plan) -> Expected:
    plan.recurrence.activation = "tanh"
    return Expected()


@way("recurrent-activation", "recurrent activation", cell=("lstm", "gru", "gru-before"), recurrent_activation=("sigmoid",))
def gates_of_an_old_file(rng: Generator, plan: Plan) -> Expected:
    plan.recurrence.recurrent_activation = pick(rng, ("hard_sigmoid", "tanh"))
    return Expected()


@way(
    "recurrent-activation",
    "recurrent activation",
    cell=("lstm", "gru", "gru-before"),
    right=("keras",),
    recurrent_activation=("hard_sigmoid",),
)
def activation_of_the_gates_not_read(rng: Generator, plan: Plan) -> Expected:
    plan.recurrence.recurrent_activation = "sigmoid"
    return Expected()


@way("cell-activation", "cell activation", "activation", cell=("lstm",))
def cell_state_shown_otherwise(rng: Generator, plan: Plan) -> Expected:
    right = plan.recurrence.activation
    plan.recurrence.cell_activation = pick(rng, sorted({"linear", "sigmoid", "tanh", "relu"} - {right}))
    return Expected()


@way("reset-after", "reset", "bias", cell=("gru",))
def reset_before_the_product(rng: Generator, plan: Plan) -> Expected:
    plan.recurrence.cell = "gru-before"
    if plan.setting.port == "pytorch":
        return Expected()
    for native in (native for directions in plan.arrays for native in directions):
        native["bias"] = native["bias"].sum(0)
    return Expected(brings=frozenset({"biases-summed"}))


@way("reset-after", "reset", "bias", cell=("gru-before",))
def reset_after_the_product(rng: Generator, plan: Plan) -> Expected:
    plan.recurrence.cell = "gru"
    return Expected()


@way("update-gate-inverted", "update", cell=("gru", "gru-before"))
def candidate_weighed_by_the_update_gate(rng: Generator, plan: Plan) -> Expected:
    plan.recurrence.inverted = True
    return Expected()
