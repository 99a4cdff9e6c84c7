"""Classes of layers that keep their states from call to call."""

from __future__ import annotations

from frameworks.models.pytorch.pieces import Helper


def keeps_own_states(version: tuple[int, ...]) -> bool:
    """Return whether a stateful layer starts from its own states even where it is given others, as in tf.keras."""
    return (2, 4) <= version < (3,)


def stateful(  # noqa: PLR0913  all but three by name
    base: Helper | None,
    name: str,
    states: tuple[str, ...],
    *,
    batch: int = 1,
    runs: Helper | None = None,
    masked: bool = False,
    continues: bool = False,
    told: bool = False,
    keeps_own: bool = False,
) -> Helper:
    """Return the stateful class of a module.

    Args:
        base: the generated class that it extends; None for torch's.
        name: the name of that class.
        states: the names of the states.
        batch: the batch axis of a state.
        runs: the function that runs torch's class over a mask; None if there is no mask or the class takes it itself.
        masked: whether it is called with a mask.
        continues: whether it is called with initial states.
        told: whether it is told if it is in training.
        keeps_own: whether its own states go before initial ones.
    """
    own = _name(name, runs, continues=continues)
    given = ["x", *["mask"] * masked, "state"]
    run = f"{runs.name}(super().forward, {', '.join(given)})" if runs else f"super().forward({', '.join(given)}"
    run += "" if runs else f"{', training=training' if told else ''})"
    after = f"({', '.join(states)})" if len(states) > 1 else states[0]
    signature = ["self", "x", *["mask"] * masked, *["state=None"] * continues, *["*", "training"] * told]
    first = "state = self.kept(x)"
    if continues:
        first = f"if {'self.state is not None' if keeps_own else 'state is None'}:\n            {first}"
    whatever = ", whatever it is given," if continues and keeps_own else ""
    code = f'''\
class {own}({name}):
    """{name} that starts from the states of its last call{whatever} until reset_states()."""

    state = None

    def reset_states(self):
        self.state = None

    def forward({", ".join(signature)}):
        {first}
        y, {after} = {run}
        self.state = {", ".join(f"{each}.detach()" for each in states)}
        return y, {after}

{_kept(states, batch)}'''
    return Helper(own, code, tuple(each for each in (base, runs) if each))


def _name(base: str, runs: Helper | None, *, continues: bool) -> str:
    words = ["Stateful", *["Continuing"] * continues, *["Masked"] * bool(runs)]
    words += [base.removeprefix("nn.").replace("Continuing", ""), *["Padded"] * bool(runs and "padding" in runs.name)]
    return "".join(words)


def _kept(states: tuple[str, ...], batch: int) -> str:
    """Return the method that gives the kept states, which `.double()` and `.to()` of the module do not reach."""
    return f'''\
    def kept(self, x):
        """Return the states of the last call, on the device and in the dtype of x; None after reset_states()."""
        if self.state is None:
            return None
        {", ".join(states)} = self.state
        if {states[0]}.shape[{batch}] != len(x):
            raise ValueError(f"{{len(x)}} rows follow a call of {{{states[0]}.shape[{batch}]}}: call reset_states() before")
        return {", ".join(f"{each}.to(x)" for each in states)}'''
