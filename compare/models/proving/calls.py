"""The calls of a proof: the original and its port on the same inputs, drawn or given."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from compare.groundwork.restoring import as_before
from compare.models.comparing import compare_models
from compare.models.proving.inputs import Drawn, draw
from compare.models.proving.proof import ProvenCall
from compare.models.recording.kept_states import forget
from compare.models.recording.recorded import Recording
from compare.models.recording.recording import advance, record
from frameworks.errors import InvalidValueError
from frameworks.models.graph import Graph

Array = npt.NDArray[Any]
Filling = Callable[[Recording], AbstractContextManager[None]]
"""Makes a port callable that has gaps, given what its original recorded."""


@dataclass(frozen=True, eq=False)
class Both:
    """An original and its port.

    Args:
        expected: the original.
        actual: the port.
        graph: the graph from whose inputs inputs are drawn.
        fill: makes a port with gaps callable.
        tolerance: as in `compare_models`.
        seed: draws the inputs.
        left: the gaps that are not filled in; `fill` adds to them.
        assumed: what is assumed of the gaps, in sentences.
        refused: receives what the port refuses, in sentences.
        failures: receives the errors of the port on inputs that the original accepts.
    """

    expected: Any
    actual: Any
    graph: Graph
    fill: Filling
    tolerance: float | None = None
    seed: int = 0
    left: set[str] = field(default_factory=set)
    assumed: tuple[str, ...] = ()
    refused: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def calls(self, inputs: Any = None) -> Iterator[tuple[ProvenCall, Recording]]:
        """Compare both, on given inputs or on several that are drawn; with kept states also a call right after another.

        All others begin without states.

        Yields:
            Each call with the recording of the original.

        Raises:
            GatewiseError: for inputs that the models do not accept.
        """
        with ExitStack() as stack:
            if self.stateful:
                stack.enter_context(as_before([self.expected, self.actual]))
                forget(self.expected)
                forget(self.actual)
            yield from self._calls(inputs)

    def _calls(self, inputs: Any) -> Iterator[tuple[ProvenCall, Recording]]:
        if inputs is not None:
            arrays = in_order(inputs, self.graph)
            given = Drawn(arrays, ("given",) * len(arrays))
            yield from self._compared(given, record(self.expected, arrays, {}, "the original"), None)
            if self.stateful and not self.failures:
                yield from self._after(given, given, None)
            return
        for call, holes in enumerate((False, True)):
            drawn, recording = self._accepted(draw(self.graph, call, holes=holes, seed=self.seed))
            found = list(self._compared(drawn, recording, self.seed))
            if not found and drawn.padding == "holes" and self.refused:
                drawn, recording = self._accepted(draw(self.graph, call, holes=False, seed=self.seed))
                found = list(self._compared(drawn, recording, self.seed))
            yield from found
        if self.stateful and not self.failures:
            before, _ = self._accepted(draw(self.graph, 0, holes=False, seed=self.seed))
            drawn, _ = self._accepted(draw(self.graph, 0, holes=False, seed=self.seed + 1))
            yield from self._after(before, drawn, self.seed + 1)

    @property
    def stateful(self) -> bool:
        """Whether a layer keeps its states from one call to the next."""
        return any(layer.keeps_states for layer in self.graph.layers.values())

    def _after(self, before: Drawn, drawn: Drawn, seed: int | None) -> Iterator[tuple[ProvenCall, Recording]]:
        """Compare a call right after another one, with the states that that has left on both sides."""
        with as_before([self.expected, self.actual]):
            with self.fill(record(self.expected, before.arrays, {}, "the original")):
                for model in (self.expected, self.actual):
                    advance(model, before.arrays)
            kept = replace(drawn, how=tuple(f"{how}, right after a call" for how in drawn.how))
            yield from self._compared(kept, record(self.expected, drawn.arrays, {}, "the original"), seed)

    def _accepted(self, attempts: Iterator[Drawn]) -> tuple[Drawn, Recording]:
        """Return the first inputs on which the original returns finite numbers, or failing these the first that it accepts."""
        accepted: tuple[Drawn, Recording] | None = None
        refusal: InvalidValueError | None = None
        for drawn in attempts:
            try:
                recording = record(self.expected, drawn.arrays, {}, "the original")
            except InvalidValueError as error:
                refusal = refusal or error
                continue
            accepted = accepted or (drawn, recording)
            if all(each.dtype.kind != "f" or np.isfinite(each).all() for each in recording.outputs.values()):
                return drawn, recording
            if not drawn.padding:
                break
        if accepted is None:
            raise InvalidValueError.because(
                "the model",
                must="accept inputs that are drawn for it",
                but=f"does not: {str(refusal).removesuffix('.')}",
                remedy="Pass inputs that it accepts: inputs=..., or --inputs FILE.npz.",
            ) from refusal
        return accepted

    def _compared(self, drawn: Drawn, recording: Recording, seed: int | None) -> Iterator[tuple[ProvenCall, Recording]]:
        """Yield the comparison, or nothing if the port raises an error."""
        try:
            with self.fill(recording):
                comparison = compare_models(self.expected, self.actual, drawn.arrays, tolerance=self.tolerance, seed=self.seed)
        except InvalidValueError as error:
            if error.__cause__ is None:
                raise
            self._note(drawn, error.__cause__)
            return
        names = [tensor.layer for tensor in self.graph.inputs]
        shown = tuple(f"{name} {each.shape} {each.dtype}" for name, each in zip(names, drawn.arrays, strict=True))
        yield ProvenCall(shown, drawn.how, seed, comparison), recording

    def _note(self, drawn: Drawn, error: BaseException) -> None:
        """Note that the port refuses a mask with holes, or that it raises an error."""
        said = f"{type(error).__name__}: {(str(error).splitlines() or [''])[0].removesuffix('.')}"
        if drawn.padding == "holes" and isinstance(error, ValueError):
            self.refused.append(f"masks with holes: the port raises {said}")
        else:
            sizes = ", ".join(str(each.shape) for each in drawn.arrays)
            self.failures.append(f"on inputs of shape {sizes}, which the model accepts, the port raises {said}")


def in_order(inputs: Any, graph: Graph) -> tuple[Array, ...]:
    """Return given inputs in the order of a model's.

    Raises:
        InvalidValueError: for other names than the model's, or another number of arrays.
    """
    names = [tensor.layer for tensor in graph.inputs]
    if isinstance(inputs, Mapping):
        if set(inputs) != set(names):
            raise _unlike(names, ", ".join(map(str, inputs)))
        return tuple(np.asarray(inputs[name]) for name in names)
    arrays = tuple(map(np.asarray, inputs if isinstance(inputs, (tuple, list)) else (inputs,)))
    if len(arrays) != len(names):
        raise _unlike(names, f"{len(arrays)} array{'' if len(arrays) == 1 else 's'}")
    return arrays


def _unlike(names: Sequence[str], given: str) -> InvalidValueError:
    return InvalidValueError.because(
        "the given inputs",
        must=f"be the inputs of the model: {', '.join(names)}",
        but=f"are {given}",
        remedy="Pass them by these names, or in this order.",
    )
