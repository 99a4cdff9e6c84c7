"""What training scripts save beside a model: states of optimizers, callbacks and schedules, numbers, paths of the author."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

OPTIMIZER = "the state of an optimizer"
NUMBER = "a number of the training"

_KEYS: Mapping[str, str] = MappingProxyType(
    {
        "the state of callbacks": r"(?:[^.]*_)?callbacks?(?:_states?)?",
        "the state of training loops": r"(?:[^.]*_)?loops?(?:_states?)?",
        "hyper parameters": r"h(?:yper)?_?param(?:eter)?s|hp|args|arguments|config(?:uration)?|cfg|settings|options|opts?",
        OPTIMIZER: r"(?:[^.]*_)?optim(?:izer)?s?(?:_states?)?(?:_dicts?)?",
        "the state of a learning-rate schedule": r"(?:[^.]*_)?(?:lr_?)?sched(?:uler)?s?(?:_states?)?(?:_dicts?)?",
        "the state of a gradient scaler": r"(?:[^.]*_)?(?:grad_)?scaler(?:_states?)?(?:_dicts?)?|amp(?:_[^.]*)?",
        "the state of random generators": r"(?:[^.]*_)?(?:rng|random)(?:_[^.]*)?",
        "the state of data loaders": r"(?:[^.]*_)?(?:datamodules?|dataloaders?|samplers?)(?:_[^.]*)?",
        "metrics": r"(?:[^.]*_)?(?:metrics?|history)",
    }
)
"""What a training script saves beside a model, and the pattern of its keys. A key with a dot is a name of a state dict."""

_KEY = re.compile("|".join(f"({pattern})" for pattern in _KEYS.values()), re.IGNORECASE | re.DOTALL)

_SLOT = re.compile(
    r"step|(?:max_)?exp_(?:avg|avg_sq|inf)|momentum_buffer|(?:square|grad)_avg|acc_delta|sum|prev|step_size|mu|eta|ax"
)
"""What the optimizers of torch keep for a parameter."""

_FOLDER = re.compile(r"\A(?:/|~|[A-Za-z]:[\\/]|\\\\).*[\\/]", re.DOTALL)
"""The folders of an absolute path. Where the author kept files is nobody's business, and no part of a name."""


def bookkeeping(key: str) -> str:
    """Return what a key of a training script holds, if it is beside the model; "" for any other key."""
    match = _KEY.fullmatch(key)
    return list(_KEYS)[match.lastindex - 1] if match and match.lastindex else ""


def is_optimizer(contents: Any) -> bool:
    """Return whether the contents of an object are those of an optimizer's state dict or its state, whatever its key."""
    if not isinstance(contents, Mapping) or not contents:
        return False
    numbered = all(type(key) is int and isinstance(each, Mapping) for key, each in contents.items())
    slots = numbered and all(_SLOT.fullmatch(str(name)) for each in contents.values() for name in each)
    return slots or ("state" in contents and "param_groups" in contents)


def without_folder(key: str) -> str:
    """Return a key without the folders of an absolute path."""
    return _FOLDER.sub("", key)
