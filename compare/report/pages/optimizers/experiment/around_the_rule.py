"""The settings of every Keras optimizer around its rule, tried on SGD, whose rule is the same in both frameworks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from compare.report.pages.optimizers.experiment.distances import EXACTLY
from compare.report.pages.optimizers.experiment.training import (
    Path,
    apart,
    keras_variables,
    torch_parameters,
    train_keras,
    train_torch,
)
from compare.report.results import Results, control, exact, measured
from frameworks import optimizer_like

_COARSE = 1e-7
"""The limit on backends other than TensorFlow, where Keras computes in float32 whatever the dtype of the variables."""
_IN_FLOAT32 = ("clipnorm", "global_clipnorm", "use_ema")
_CHANGE = 100
_SGD = "optimizer = torch.optim.SGD(parameters, lr=lr{arguments})\n"
_STEP = "optimizer.step()\noptimizer.zero_grad()\n"
PRELUDE = "lr = 2**-7                     # exactly, in float32 too\n"


@dataclass(frozen=True)
class Setting:
    """A setting of any Keras optimizer, and its code for torch's.

    Args:
        name: name of the setting.
        keras: code of the Keras optimizer.
        says: the effect of the setting, and the closest counterpart in torch.
        step: code of a torch step as often written; it may read `step`, the number of the step from 0.
        right: code of a step that follows Keras.
        arguments: arguments of torch.optim.SGD, for `step`.
        right_arguments: arguments of torch.optim.SGD, for `right`.
        setup: code that `right` needs before its first step.
        end: code to run after the last step.
        matches: whether `right` is exact.
        changes: whether the learning rate drops to an eighth during the training.
    """

    name: str
    keras: str
    says: str
    step: str
    right: str
    arguments: str = ""
    right_arguments: str = ""
    setup: str = ""
    end: str = ""
    matches: bool = True
    changes: bool = False


SETTINGS = (
    Setting(
        "weight_decay",
        "keras.optimizers.SGD(lr, momentum=0.875, weight_decay=0.125)",
        "Keras subtracts $\\eta \\lambda \\theta$ from the parameter before the step, whatever the rule. torch adds $\\lambda "
        "\\theta$ to the gradient, so it goes through the moments (except in AdamW, Adafactor and Muon).",
        _STEP,
        f"with torch.no_grad():\n    for parameter in parameters:\n        parameter.mul_(1 - lr * 0.125)\n{_STEP}",
        arguments=", momentum=0.875, weight_decay=0.125",
        right_arguments=", momentum=0.875",
    ),
    Setting(
        "learning_rate",
        "keras.optimizers.SGD(lr, momentum=0.875)",
        "Keras's velocity includes the old rate, so a change takes effect slowly. torch's buffer does not, so a change takes effect "
        f"at once. Here the rate becomes an eighth after {_CHANGE} steps.",
        f"if step == {_CHANGE}:\n    optimizer.param_groups[0]['lr'] = lr / 8\n{_STEP}",
        f"if step == {_CHANGE}:\n    optimizer.param_groups[0]['lr'] = lr / 8\n    for state in optimizer.state.values():\n"
        f"        state['momentum_buffer'] *= 8                    # old rate / new rate\n{_STEP}",
        arguments=", momentum=0.875",
        right_arguments=", momentum=0.875",
        changes=True,
    ),
    Setting(
        "clipnorm",
        "keras.optimizers.SGD(lr, clipnorm=1.0)",
        "Keras clips each gradient by its own norm. torch's function computes the norm of all gradients together, and adds "
        "1e-6 to it.",
        f"torch.nn.utils.clip_grad_norm_(parameters, 1.0)\n{_STEP}",
        f"for parameter in parameters:\n    torch.nn.utils.clip_grad_norm_(parameter, 1.0)\n{_STEP}",
        matches=False,
    ),
    Setting(
        "global_clipnorm",
        "keras.optimizers.SGD(lr, global_clipnorm=1.0)",
        "Keras clips by the norm of all gradients together. torch's function does so too, but adds 1e-6 to the norm.",
        f"for parameter in parameters:\n    torch.nn.utils.clip_grad_norm_(parameter, 1.0)\n{_STEP}",
        f"torch.nn.utils.clip_grad_norm_(parameters, 1.0)\n{_STEP}",
        matches=False,
    ),
    Setting(
        "clipvalue",
        "keras.optimizers.SGD(lr, clipvalue=0.5)",
        "Keras clips each element. torch's function does the same.",
        _STEP,
        f"torch.nn.utils.clip_grad_value_(parameters, 0.5)\n{_STEP}",
    ),
    Setting(
        "gradient_accumulation_steps",
        "keras.optimizers.SGD(lr, gradient_accumulation_steps=4)",
        "Keras makes one update from the mean of four gradients. In torch `backward` sums them.",
        "if step % 4 == 3:\n    optimizer.step()\n    optimizer.zero_grad()\n",
        "if step % 4 == 3:\n    for parameter in parameters:\n        parameter.grad /= 4\n"
        "    optimizer.step()\n    optimizer.zero_grad()\n",
    ),
    Setting(
        "use_ema",
        "keras.optimizers.SGD(lr, use_ema=True, ema_momentum=0.875)",
        "Keras keeps a moving average of the parameters, which begins at their values after the first step. At the end `fit` "
        "replaces the parameters by it.",
        _STEP,
        f"{_STEP}averaged.update_parameters(model)\n",
        setup="from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn\n"
        "model = torch.nn.ParameterList(parameters)                     # yours\n"
        "averaged = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.875))\n",
        end="parameters = list(averaged.module)\n",
    ),
)


def run_setting(setting: Setting) -> Results:
    """Train in Keras, and on the same gradients in torch: as often written, correctly, and with `optimizer_like`."""
    import keras

    expected, ours = _train_keras(setting), _train_ours(setting)
    wrong_setup = _SGD.format(arguments=setting.arguments)
    right_setup = _SGD.format(arguments=setting.right_arguments) + setting.setup
    right = apart(expected, _train(right_setup, setting.right, setting.end))
    coarse = setting.name in _IN_FLOAT32 and keras.config.backend() != "tensorflow"
    return {
        "keras": exact(setting.keras),
        "says": exact(setting.says),
        "wrong code": exact(wrong_setup + _in_a_loop(setting.step)),
        "right code": exact(right_setup + _in_a_loop(setting.right) + setting.end),
        "wrong": control(apart(expected, _train(wrong_setup, setting.step))),
        "right": measured(right, EXACTLY) if setting.matches else control(right),
        "ours": measured(apart(expected, ours), _COARSE if coarse else EXACTLY),
    }


def _make_keras(setting: Setting) -> Any:
    import keras

    names: dict[str, Any] = {"keras": keras}
    exec(PRELUDE, names)  # noqa: S102  this project's own code
    return eval(setting.keras, names)  # noqa: S307  likewise


def _train_keras(setting: Setting) -> Path:
    import keras

    variables, optimizer = keras_variables(), _make_keras(setting)

    def change(step: int) -> None:
        if setting.changes and step == _CHANGE:
            optimizer.learning_rate = optimizer.learning_rate / 8

    path = train_keras(optimizer, variables, change)
    optimizer.finalize_variable_values(variables)
    return [*path, [keras.ops.convert_to_numpy(variable) for variable in variables]]


def _train_ours(setting: Setting) -> Path:
    parameters = torch_parameters()
    optimizer: Any = optimizer_like(_make_keras(setting), parameters)

    def step_with(step: int) -> None:
        if setting.changes and step == _CHANGE:
            optimizer.param_groups[0]["lr"] /= 8
        optimizer.step()
        optimizer.zero_grad()

    path = train_torch(optimizer, parameters, step_with)
    if optimizer.wrapping.use_ema:
        optimizer.finalize_variable_values()
    return [*path, [parameter.detach().numpy() for parameter in parameters]]


def _train(setup: str, step: str, end: str = "") -> Path:
    """Run the code exactly as printed."""
    import torch

    names: dict[str, Any] = {"torch": torch, "parameters": torch_parameters()}
    exec(PRELUDE + setup, names)  # noqa: S102  this project's own code
    code = compile(step, "<step>", "exec")

    def make(number: int) -> None:
        names["step"] = number
        exec(code, names)  # noqa: S102  likewise

    path = train_torch(names["optimizer"], names["parameters"], make)
    exec(end, names)  # noqa: S102  likewise
    return [*path, [parameter.detach().numpy() for parameter in names["parameters"]]]


def _in_a_loop(step: str) -> str:
    lines = "".join(f"    {line}\n" for line in step.splitlines())
    return f"for step, batch in enumerate(batches):\n    loss(batch).backward()\n{lines}"
