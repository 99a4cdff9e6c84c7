"""Which guess at the weights of a black box makes what it returns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import product

import numpy as np
import numpy.typing as npt

from compare.diagnosis.black_box import Changed, Guess, guesses
from compare.diagnosis.call.call_findings import Left, call_findings, confirm
from compare.diagnosis.call.call_search import Explanation, Results, Wanted, close, explain, right_expressions
from compare.diagnosis.call.expressions import expressions
from compare.diagnosis.call.simulation import Simulated, Situation
from compare.diagnosis.grouping import where_of
from compare.diagnosis.mistakes import fix_of
from compare.diagnosis.result import Finding
from compare.diagnosis.sides.right_side import Data
from compare.diagnosis.weights.origins import Place, Right
from compare.groundwork.progress import track
from frameworks.adapter import States
from frameworks.layouts import KERAS, PYTORCH
from frameworks.output import RecurrentOutput
from frameworks.reference.forward import run_direction
from frameworks.weights import DirectionWeights, RecurrentWeights

Array = npt.NDArray[np.floating]
_STEPS = (1, 2, 3, 5, 8)


class Simulator:
    """The right call with other weights in some places; what lies below them is computed once.

    Args:
        situation: the right call.
    """

    def __init__(self, situation: Situation) -> None:
        """Run the right call."""
        self.situation = situation
        back = situation.backwards
        shape = situation.inputs.shape[:2]
        valid = np.ones(shape, bool) if situation.mask is None else situation.mask
        self._inputs = situation.inputs.astype(np.float64)[:, :: -1 if back else 1]
        self._valid = valid[:, :: -1 if back else 1]
        self._ran: dict[Place, tuple[Array, States]] = {}
        self._entering: list[Array] = []
        self.run()

    def states(self, place: Place) -> States:
        """Return the final states of one direction of one layer."""
        return self._ran[place][1]

    def run(self, guess: Guess | None = None, agree: Callable[[Place, States], bool] | None = None) -> Simulated | None:
        """Return what the call returns according to a guess, or None.

        Args:
            guess: a guess at the weights; None for the right ones.
            agree: whether a place may end in some states; if it may not, nothing more is computed.
        """
        spec = self.situation.spec
        places = guess.places if guess is not None else ()
        first = min((layer for layer, _ in places), default=0)
        ran = {place: each for place, each in self._ran.items() if place[0] < first}
        sequence = self._entering[first] if self._entering else self._inputs
        entering = []
        with np.errstate(all="ignore"):
            for layer in range(first, spec.num_layers):
                entering.append(sequence)
                for side in range(spec.num_directions):
                    place = layer, side
                    own = (
                        guess.build(place)
                        if guess is not None and place in places
                        else self.situation.weights.layers[layer][side]
                    )
                    known = layer == first and place not in places and place in self._ran
                    ran[place] = self._ran[place] if known else self._direction(own, place, sequence)
                    if agree is not None and not agree(place, ran[place][1]):
                        return None
                sequence = np.concatenate([ran[layer, side][0] for side in range(spec.num_directions)], axis=-1)
        if not self._entering:
            self._ran, self._entering = ran, entering
        shown = self._valid
        if self.situation.turned_back:
            sequence, shown = sequence[:, ::-1], shown[:, ::-1]
        finals = zip(*(ran[place][1] for place in sorted(ran)), strict=True)
        return Simulated(RecurrentOutput(sequence, *(np.stack(each) for each in finals)), shown)

    def _direction(self, weights: DirectionWeights, place: Place, sequence: Array) -> tuple[Array, States]:
        spec, states = self.situation.spec, self.situation.states
        row = place[0] * spec.num_directions + place[1]
        zeros = np.zeros((len(sequence), spec.hidden_size))
        start = tuple(zeros if states is None else states[at][row].astype(np.float64) for at in range(len(spec.state_names)))
        outputs, history = run_direction(
            weights, spec, sequence, start, self._valid, backward=place[1] == 1, zero_masked=self.situation.zero_masked
        )
        return outputs, history[-1]


class Search:
    """Guesses that are simulated on a few rows and steps.

    Args:
        results: the results of both sides there.
        weights: the right weights.
        wanted: for each result, the expressions that are right.
    """

    def __init__(self, results: Results, weights: RecurrentWeights, wanted: Wanted) -> None:
        """Run the right call, and find the layers and directions whose final states the port returns."""
        self._results, self._wanted = results, wanted
        self._simulator = Simulator(replace(results.situation, weights=weights))
        self._shown: dict[Place, list[tuple[int, Array]]] = {}
        spec = results.situation.spec
        for row, place in enumerate(product(range(spec.num_layers), range(spec.num_directions))):
            for index, what in enumerate(spec.state_names):
                for texts, array in zip(wanted, results.port, strict=True):
                    if f"{what}_n" in texts:
                        self._shown.setdefault(place, []).append((index, array[row]))
                    elif f"{what}_n[{row}]" in texts:
                        self._shown.setdefault(place, []).append((index, array))
        self._differing = [place for place in self._shown if not self._agree(place, self._simulator.states(place))]

    def _agree(self, place: Place, states: States) -> bool:
        """Return whether the port ends in these states, as far as it shows them."""
        return all(close(states[index], array, self._results.tolerance) for index, array in self._shown.get(place, ()))

    def _may_explain(self, guess: Guess) -> bool:
        """Return whether a guess changes each place that differs, or one below it."""
        lowest = min(layer for layer, _ in guess.places)
        return all(place in guess.places or lowest < place[0] for place in self._differing)

    def makes(self, guess: Guess, *, anything: bool = False) -> bool:
        """Return whether a guess makes what the port returns; with `anything`, in any expression."""
        if not anything and not self._may_explain(guess):
            return False
        simulated = self._simulator.run(guess, None if anything else self._agree)
        if simulated is None:
            return False
        situation, tolerance = self._results.situation, self._results.tolerance
        every = expressions(simulated, situation.spec, zero_masked=situation.zero_masked)
        values = {each.text: each for each in reversed(every)}
        return all(
            any(text in values and close(values[text].value, array, tolerance) for text in (values if anything else texts))
            for texts, array in zip(self._wanted, self._results.port, strict=True)
        )


def shortest(data: Data, results_of: Callable[[Data], Results | None]) -> Results | None:
    """Return the results on the fewest first steps that show a difference; None if only all of them do.

    Each row has a valid step in them: the frameworks differ in what they return of a row without any.
    """
    for steps in _STEPS:
        part = data.part(range(len(data.inputs)), slice(0, steps))
        if steps < data.inputs.shape[1] and (part.mask is None or part.mask.any(1).all()):
            results = results_of(part)
            pairs = () if results is None else zip(results.port, results.right, strict=True)
            if results is not None and not all(close(*pair, results.tolerance) for pair in pairs):
                return results
    return None


def explain_black_box(right: Right, few: Results, results: Results, whole: Results, off: float) -> list[Finding]:
    """Return the findings that explain results by weights with one known mistake; () if none does.

    Args:
        right: the right weights.
        few: the results of both sides on a few steps, on which guesses are tried first.
        results: those on more steps.
        whole: those on all data.
        off: the largest difference from the right results.
    """
    target = right.target if right.target is not right.source else PYTORCH if right.source is KERAS else KERAS
    wide = replace(right, weights=_wide(right.weights), target=target)
    wanted = right_expressions(few)
    if not wanted:
        return []
    search = Search(few, wide.weights, wanted)
    every = list(guesses(wide))
    for anything, chosen in ((False, every), (True, [each for each in every if each.units == every[0].units])):
        found: list[tuple[Guess, list[Explanation]]] = []
        for guess in track(chosen, "weights"):
            if (not found or guess.units == found[0][0].units) and search.makes(guess, anything=anything):
                confirmed = _confirmed(guess, wide, results, whole)
                found += [(guess, confirmed)] if confirmed else []
        if found:
            return _findings(found, wide, whole, off)
    return []


def _confirmed(guess: Guess, right: Right, results: Results, whole: Results) -> list[Explanation]:
    weights = _with(right.weights, guess.changed())
    found = explain(results, wrong=replace(results.situation, weights=weights), most=0)
    return confirm(found, whole, replace(whole.situation, weights=weights)) if found else []


def _findings(found: Sequence[tuple[Guess, list[Explanation]]], right: Right, whole: Results, off: float) -> list[Finding]:
    guess, explanations = found[0]
    wrong = replace(whole.situation, weights=_with(right.weights, guess.changed()))
    left = Left.of(explanations[0], whole, wrong)
    after = left.off()
    twins = tuple(sorted({other.mistake for other, _ in found} - {guess.mistake}))
    where, fix = where_of(guess.mistake, guess.units, right.spec), fix_of(guess.mistake)
    named = Finding(guess.mistake, where, guess.found, guess.must_be, fix, off, after, twins)
    return [named, *call_findings(explanations, left, after)]


def _wide(weights: RecurrentWeights) -> RecurrentWeights:
    def widened(one: DirectionWeights) -> DirectionWeights:
        arrays = {part: array.astype(np.float64) for part, array in one.arrays()}
        return replace(one, **arrays)  # type: ignore[arg-type]

    return RecurrentWeights(tuple(tuple(widened(one) for one in row) for row in weights.layers))


def _with(weights: RecurrentWeights, changed: Changed) -> RecurrentWeights:
    return RecurrentWeights(
        tuple(
            tuple(changed.get((layer, side), one) for side, one in enumerate(row)) for layer, row in enumerate(weights.layers)
        )
    )
