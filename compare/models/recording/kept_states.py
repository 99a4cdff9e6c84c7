"""The states that layers keep from one call to the next."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from compare.groundwork.restoring import stored_states
from compare.models.recording.recorded import Recording, arrays_in, innermost, to_array


def forget(model: Any) -> None:
    """Let the next call of a model begin without states that its layers have kept."""
    if hasattr(model, "get_weights"):
        for variable in stored_states(model):
            variable.assign(np.zeros_like(to_array(variable)))
        return
    for module in model.modules():
        if hasattr(module, "reset_states"):
            module.reset_states()


def remarks_on_states(side: str, recording: Recording) -> Iterator[str]:
    """Yield which layers of a recorded model keep states, and whether the call began with those of an earlier one.

    Args:
        side: "expected" or "actual".
        recording: a recording whose model is again as before it.
    """
    natives = {call.name: innermost(call.native) for call in recording.calls}
    keeping = {name: _is_set(native) for name, native in natives.items() if _keeps_states(native)}
    for words, begun in (("began with those of an earlier one", True), ("began without any", False)):
        names = [name for name, each in keeping.items() if each is begun]
        if names:
            yield f"the {side} model keeps states from call to call, and this one {words}: {', '.join(names)}"


def _keeps_states(native: Any) -> bool:
    stateful = getattr(native, "stateful", None)
    return stateful if isinstance(stateful, bool) else hasattr(native, "reset_states") and hasattr(native, "state")


def _is_set(native: Any) -> bool:
    return any(each.any() for each in arrays_in(getattr(native, "states", getattr(native, "state", None))))
