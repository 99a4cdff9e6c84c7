"""Running draws: what the diagnosis of each says, and whether that is what was expected."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context

from compare import Diagnosis, diagnose
from frameworks import GatewiseError
from tests.acceptance.diagnose.drawing import Draw, Task, draw
from tests.acceptance.diagnose.judging import by_first_name, names_all
from tests.acceptance.diagnose.ports import build_port
from tests.acceptance.diagnose.rights import build_right


@dataclass(frozen=True)
class Outcome:
    """What came of a draw.

    Args:
        number: the number of the draw.
        kind: its kind.
        about: the mistake or fault that it is about.
        expected: the mistakes that were made.
        kept: whether the diagnosis is what was expected.
        first: whether each mistake was named itself, and not a twin.
        undone: whether the port is right once the findings are undone; None where no numbers are given.
        seconds: how long the diagnosis took, of the processor's time.
        units: the hidden size.
        said: the diagnosis in a line.
        port: the setting in a line.
    """

    number: int
    kind: str
    about: str
    expected: tuple[str, ...]
    kept: bool
    first: bool
    undone: bool | None
    seconds: float
    units: int
    said: str
    port: str


def run_task(task: Task, seed: int) -> Outcome:
    """Draw a port, diagnose it and judge the diagnosis."""
    drawn = draw(task, seed)
    began = time.process_time()
    try:
        diagnosis, said = diagnose_drawn(drawn), ""
    except Exception as error:  # noqa: BLE001  # the outcome of the draw, whatever it is
        diagnosis, said = None, f"{type(error).__name__}: {error}"
        clear = isinstance(error, GatewiseError)
    seconds, setting = time.process_time() - began, drawn.plan.setting
    if diagnosis is None:
        kept, first, undone = clear and task.kind == "outside", False, None
    else:
        kept, first, undone = _judge(drawn, diagnosis), by_first_name(diagnosis, drawn.expected), _undone(drawn, diagnosis)
        said = describe_diagnosis(diagnosis)
    expected = tuple(sorted(drawn.expected))
    return Outcome(
        task.number, task.kind, task.about, expected, kept, first, undone, seconds, setting.units, said, describe(drawn)
    )


def diagnose_drawn(drawn: Draw) -> Diagnosis:
    """Return the diagnosis of a draw."""
    setting, data = drawn.plan.setting, drawn.data
    right = build_right(setting, drawn.plan.source, data.inputs.shape[0])
    port = build_port(drawn.plan)
    if not setting.given:
        return diagnose(right, port, seed=drawn.task.number)
    states = data.states if data.states is None or len(data.states) > 1 else data.states[0]
    return diagnose(right, port, data.inputs, initial_state=states, mask=data.mask)


def _judge(drawn: Draw, diagnosis: Diagnosis) -> bool:
    if drawn.task.kind == "right":
        return diagnosis.verdict == "right"
    if drawn.task.kind == "outside":
        return diagnosis.verdict == "not named"
    return names_all(diagnosis, drawn.expected, drawn.plan.setting)


def _undone(drawn: Draw, diagnosis: Diagnosis) -> bool | None:
    """Return whether what is left, once all findings are undone, is within the tolerance."""
    left = [each.error_after for each in diagnosis.findings if each.error_after is not None]
    largest = max(float(abs(each).max()) for each in drawn.right)
    return min(left) <= drawn.plan.setting.tolerance * max(1.0, 2 * largest) if left else None


def describe_diagnosis(diagnosis: Diagnosis) -> str:
    """Return a diagnosis in a line."""
    findings = [
        f"{each.mistake} {dict(each.where) or ''}{' = ' + ', '.join(each.twins) if each.twins else ''}".strip()
        for each in diagnosis.findings
    ]
    return "; ".join([diagnosis.verdict, *findings]) + ("" if findings else f" ({'; '.join(diagnosis.notes)[:200]})")


def describe(drawn: Draw) -> str:
    """Return how a draw's mistakes were made, and its setting, in a line."""
    setting = drawn.plan.setting
    usual = {"activation": "tanh", "recurrent_activation": "sigmoid", "merge": "concat", "mask": ""}
    said = [
        f"{name}={value}" for name, value in vars(setting).items() if value is not False and value != usual.get(name, False)
    ]
    return f"[{', '.join(drawn.ways)}] " + ", ".join(said)


def run_all(tasks: Iterable[Task], seed: int, jobs: int = 1) -> Iterator[Outcome]:
    """Yield the outcome of each task as it comes, in processes of their own where there are several."""
    if jobs == 1:
        for task in tasks:
            yield run_task(task, seed)
        return
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        chosen = list(tasks)
        yield from pool.map(run_task, chosen, [seed] * len(chosen), chunksize=4)
