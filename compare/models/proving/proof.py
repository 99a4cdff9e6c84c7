"""`Proof`: what of a port was compared with what, on which inputs, with which errors, and what was compared with nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

from compare.models.comparison import ModelComparison
from compare.models.judged import RowVerdict
from frameworks.escaping import printable

_WAY_ON = "{0} is missing for the whole proof: install it with `pip install {0}`, and run `gatewise verify` on the two"
How = Literal["alone", "in the whole", "nothing"]
"""How a layer was compared: by itself on the original's inputs, only by what follows from it, or not at all."""


@dataclass(frozen=True)
class ProvenCall:
    """One call of both models.

    Args:
        inputs: the name, shape and dtype of each input: "words (3, 12) int32".
        how: how each input was made.
        seed: the seed of drawn inputs; None for given ones.
        comparison: what `compare_models` says.
    """

    inputs: tuple[str, ...]
    how: tuple[str, ...]
    seed: int | None
    comparison: ModelComparison

    def __str__(self) -> str:
        """Return the inputs in words."""
        return "; ".join(f"{shape}: {how}" for shape, how in zip(self.inputs, self.how, strict=True))


@dataclass(frozen=True)
class ProvenLayer:
    """One layer of the model.

    Args:
        layer: its name, those of nested models before it, joined by slashes.
        kind: its class.
        here: the name of the port's module; "" if it is none.
        against: what it was compared with: "tf_keras 2.21.0", "Keras 3.15.1", "the reference"; "" for nothing.
        how: how it was compared.
        input_error: the largest difference of what both get; None if not compared.
        output_error: that of what both return.
        alone_error: that of what both return on the original's inputs.
        reference_error: the largest difference of the original's layer from the reference, if that was computed.
        verdict: the verdict of `compare_models`, or None.
        has_arrays: whether the file has arrays of it.
    """

    layer: str
    kind: str
    here: str = ""
    against: str = ""
    how: How = "nothing"
    input_error: float | None = None
    output_error: float | None = None
    alone_error: float | None = None
    reference_error: float | None = None
    verdict: RowVerdict | None = None
    has_arrays: bool = False


@dataclass(frozen=True)
class Proof:
    """The proof of a port.

    Args:
        model: the model, as it was named.
        port: the port, as it was named.
        against: what computed the expected results; "" if nothing could.
        whole: whether that is the model itself, as opened by its own framework, rather than its layers one by one.
        calls: the calls of both.
        layers: each layer of the model.
        open: what was compared with nothing, in sentences.
        gaps: the names of the layers that are left to the reader.
        missing: the package without which the proof is not complete, or "".
        wrong: what is wrong apart from the calls, in sentences: a layer that differs from the reference.
        tolerance: the given tolerance; None for that of `compare_models`.
        versions: of everything that computed something.
    """

    model: str
    port: str
    against: str = ""
    whole: bool = False
    calls: tuple[ProvenCall, ...] = ()
    layers: tuple[ProvenLayer, ...] = ()
    open: tuple[str, ...] = ()
    gaps: tuple[str, ...] = ()
    missing: str = ""
    wrong: tuple[str, ...] = ()
    tolerance: float | None = None
    versions: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def failed(self) -> ProvenCall | None:
        """The last call whose results differ, or None: masks have holes there, which show how a port handles them."""
        return next((call for call in reversed(self.calls) if not call.comparison.passed), None)

    @property
    def shown(self) -> ProvenCall | None:
        """The call that shows what is wrong: whose results differ, or failing that whose layers differ inside; or None."""
        return self.failed or next((call for call in reversed(self.calls) if call.comparison.inside), None)

    @property
    def status(self) -> int:
        """The exit status: 0 if proven, 1 if wrong, 3 if nothing is wrong and something is not proven."""
        if self.wrong or self.shown is not None:
            return 1
        return 3 if self.gaps or self.missing or self.untouched or not self.calls else 0

    @property
    def verdict(self) -> str:
        """The verdict: "proven", "wrong", "proven in part" or "not proven"."""
        return {0: "proven", 1: "wrong"}.get(self.status, "proven in part" if self.calls else "not proven")

    def __str__(self) -> str:
        """Return the proof as text."""
        return "\n\n".join("\n".join(lines) for lines in self._parts() if lines)

    def _parts(self) -> Iterator[list[str]]:
        yield [printable(self._head()), *(f"  {call}" for call in self.calls)]
        if self.shown is not None:
            number = self.calls.index(self.shown) + 1
            yield [f"call {number}: {self.shown.comparison}"]
        yield [f"wrong: {printable(each)}" for each in self.wrong]
        yield list(self._held())
        yield [_WAY_ON.format(self.missing)] if self.missing else []
        yield ["compared with nothing:", *(f"- {printable(each)}" for each in self.open)] if self.open else []

    def _head(self) -> str:
        what = f"{self.port} against {self._original()}"
        if not self.calls:
            return f"{self.verdict}: {what}"
        errors = [call.comparison.error for call in self.calls]
        known = [each for each in errors if each is not None]
        off = f"at most {max(known):.2g} off" if len(known) == len(errors) else "with results of other shapes"
        allowed = min(call.comparison.allowed for call in self.calls)
        count = f"{len(self.calls)} call{'' if len(self.calls) == 1 else 's'}"
        return f"{self.verdict}: {what}: {off} in {count}, {allowed:.2g} allowed, on"

    def _original(self) -> str:
        if not self.against:
            return f"{self.model}, which nothing here computes"
        return f"{self.model} in {self.against}" if self.whole else f"the layers of {self.model} in {self.against}"

    def _held(self) -> Iterator[str]:
        by: dict[str, int] = {}
        for each in self.layers:
            if each.how == "alone" and each.verdict == "agrees":
                by[each.against] = by.get(each.against, 0) + 1
        for against, count in by.items():
            yield f"{count} of {len(self.layers)} layers agree one by one with {against}"
        for words, names in (
            ("differ inside, although the results agree", self.inside),
            ("compared as a part of the whole", [each.layer for each in self.layers if each.how == "in the whole"]),
        ):
            if names:
                yield f"{words}: {printable(', '.join(names))}"

    @property
    def inside(self) -> list[str]:
        """The layers that differ although the results of the models agree."""
        differ = ("wrong here", "input differs")
        return [each.layer for each in self.layers if each.verdict in differ and self.failed is None]

    @property
    def untouched(self) -> list[str]:
        """The layers with arrays that were compared with nothing, apart from the gaps."""
        return [each.layer for each in self.layers if each.has_arrays and each.how == "nothing" and each.layer not in self.gaps]

    def to_dict(self) -> dict[str, Any]:
        """Return the proof as plain data, as OUT.parity.json holds it."""
        calls = [
            {
                "inputs": [{"is": shape, "how": how} for shape, how in zip(call.inputs, call.how, strict=True)],
                "seed": call.seed,
                "passed": call.comparison.passed,
                "error": call.comparison.error,
                "allowed": call.comparison.allowed,
                "first": None if call.comparison.first is None else str(call.comparison.first),
                "notes": call.comparison.notes,
            }
            for call in self.calls
        ]
        return {
            "verdict": self.verdict,
            "status": self.status,
            "model": self.model,
            "port": self.port,
            "compared_with": {"what": self.against or None, "whole_model": self.whole},
            "compared_with_nothing": list(self.open),
            "wrong": list(self.wrong),
            "gaps": list(self.gaps),
            "missing": self.missing or None,
            "tolerance": self.tolerance,
            "calls": calls,
            "layers": [dict(vars(each)) for each in self.layers],
            "versions": dict(self.versions),
        }
