"""Classes of layers that keep their states from call to call."""

from __future__ import annotations

from frameworks.models.pytorch.pieces import Helper


def stateful(
    base: Helper | None, name: str, states: tuple[str, ...], *, runs: Helper | None, masked: bool, told: bool = False
) -> Helper:
    """Return the stateful class of a module.

    Args:
        base: the generated class that it extends; None for torch's.
        name: the name of that class.
        states: the names of the states.
        runs: the function that runs torch's class over a mask; None if there is no mask or the class takes it itself.
        masked: whether it is called with a mask.
        told: whether it is told if it is in training.
    """
    own = f"Stateful{'Masked' if runs else ''}{name.removeprefix('nn.').replace('Continuing', '')}"
    if runs:
        run = f"{runs.name}(super().forward, x, mask, state)"
        own += "Padded" if "padding" in runs.name else ""
    else:
        run = f"super().forward(x, {'mask, ' if masked else ''}state{', training=training' if told else ''})"
    several = len(states) > 1
    after, kept = (f"({', '.join(states)})", ", ".join(f"self.{each}" for each in states)) if several else ("h", "self.h")
    registered = "\n".join(f'        self.register_buffer("{each}", None, persistent=False)' for each in states)
    code = f'''\
class {own}({name}):
    """{name} that starts from the states of its last call, or from zeros after reset_states()."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.reset_states()

    def reset_states(self):
{registered}

    def forward(self, x, {"mask, " if masked else ""}state=None{", *, training" if told else ""}):
        if state is None and self.h is not None:
            state = {f"({kept})" if several else kept}
        y, {after} = {run}
        {kept} = {", ".join(f"{each}.detach()" for each in states)}
        return y, {after}'''
    return Helper(own, code, tuple(each for each in (base, runs) if each))
