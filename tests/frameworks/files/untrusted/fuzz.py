"""Mutate checkpoint files and read them: each must be read or refused with a GatewiseError, within a bounded time and memory.

    python tests/frameworks/files/untrusted/fuzz.py --seconds 3600 FILE ...

Half of them change bytes, half what the file says (`lies.py`). Of what opens, all weights are read and the tables and the
JSON of `gatewise inspect` made; of some, every layer is built in both frameworks and the file ported, to each format in turn.

Each mutation follows from the seed and its number, so that `--seed S --only N` repeats one. h5 is parsed in a fork of this
process rather than in a fresh interpreter, which is some thirty times faster; the code is the same.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import select
import signal
import sys
import tempfile
import time
import traceback
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[4]))

import numpy as np

from compare.checkpoints import port_summary as porting
from compare.checkpoints.inspection import describe, render
from frameworks.errors import GatewiseError
from frameworks.files import Checkpoint, open_checkpoint, save_checkpoint
from frameworks.files.untrusted import h5, h5_worker
from frameworks.files.untrusted.source import Source, damaged
from tests.frameworks.files.untrusted.lies import lie

SECONDS = 2
SELDOM = 8
ENDINGS = (".npz", ".safetensors", ".weights.h5", ".pt", ".keras")


class Server:
    """A fork of this process that answers requests as the worker does, and is replaced when it fails."""

    def __init__(self) -> None:
        self.child = 0

    def ask(self, source: Source, out: int | None = None, **request: Any) -> dict[str, Any]:
        """Answer as `h5._ask` does."""
        if not self.child:
            self.start()
        asked = {"file": source.descriptor, "start": source.start, "size": source.size, "ratio": 1040, **request}
        asked |= {} if out is None else {"out": out}
        os.write(self.requests, json.dumps(asked).encode() + b"\n")
        text, deadline = b"", time.monotonic() + SECONDS
        while not text.endswith(b"\n"):
            ready, _, _ = select.select([self.answers], [], [], max(deadline - time.monotonic(), 0))
            piece = os.read(self.answers, 1 << 20) if ready else b""
            if not piece:
                self.stop()
                raise damaged(source.name, "made the h5 library fail or hang")
            text += piece
        answer: dict[str, Any] = json.loads(text)
        if "refused" in answer or "damaged" in answer:
            raise damaged(source.name, answer.get("refused") or answer["damaged"])
        return answer

    def start(self) -> None:
        """Fork."""
        request, self.requests = os.pipe()
        self.answers, answer = os.pipe()
        parent = os.getpid()
        self.child = os.fork()
        if self.child == 0:
            os.close(self.requests)  # otherwise the end of this process would not be noticed here
            os.close(self.answers)
            h5_worker.limit = lambda memory, seconds: True  # the limits are for a process that answers once
            with os.fdopen(request) as lines, os.fdopen(answer, "w") as out:
                for line in lines:
                    out.write(json.dumps(serve(json.loads(line), parent)) + "\n")
                    out.flush()
            os._exit(0)
        os.close(request)
        os.close(answer)

    def stop(self) -> None:
        """End the fork."""
        os.kill(self.child, signal.SIGKILL)
        os.waitpid(self.child, 0)
        os.close(self.requests)
        os.close(self.answers)
        self.child = 0


def serve(request: dict[str, Any], parent: int) -> dict[str, Any]:
    """Answer one request, whose descriptors are the parent's."""
    opened: dict[str, Any] = {
        name: os.open(f"/proc/{parent}/fd/{request[name]}", os.O_RDWR) for name in ("file", "out") if name in request
    }
    try:
        return h5_worker.main({**request, **opened, "memory": 0, "seconds": 0})
    finally:
        for descriptor in opened.values():
            os.close(descriptor)


def mutate(content: bytes, dice: random.Random) -> bytes:
    """Change some bits, bytes, spans or the length of a file."""
    changed = bytearray(content)
    for _ in range(dice.choice((1, 1, 2, 8))):
        if not changed:
            break
        at = dice.randrange(len(changed))
        span = min(dice.choice((1, 2, 4, 8, 64, 512)), len(changed) - at)
        kind = dice.randrange(8)
        if kind < 3:
            changed[at] ^= 1 << dice.randrange(8)
        elif kind == 3:
            changed[at : at + span] = dice.choice((b"\x00", b"\xff", b"\x7f")) * span
        elif kind == 4:
            changed[at : at + span] = dice.randbytes(span)
        elif kind == 5:
            other = dice.randrange(len(changed))
            changed[at : at + span] = changed[other : other + span].ljust(span, b"\0")[:span]
        elif kind == 6:
            del changed[at : at + span]
        else:
            del changed[at:]
    return bytes(changed)


def read_all(path: Path, turn: int) -> None:
    """Read everything in a file, and sometimes do everything that can be done with it."""
    checkpoint = open_checkpoint(path)
    contents = describe(checkpoint)
    require_clean(render(contents))
    json.dumps(contents)
    for layer in checkpoint.values():
        for part in layer.parts:
            for _, _, weights in part.weights:
                for _, array in weights.arrays():
                    np.asarray(array).sum()
    for other in checkpoint.others.values():
        _ = other.arrays
    if turn % SELDOM == 0:
        use(checkpoint, path, turn // SELDOM)


def require_clean(text: str) -> None:
    """Require that a text can be printed and does not garble a terminal."""
    odd = [character for character in text if not character.isprintable() and character != "\n"]
    if odd:
        raise AssertionError(f"prints {odd[:5]}")


def use(checkpoint: Checkpoint, path: Path, turn: int) -> None:
    """Build every layer in each framework in every way, and port the file to one of the formats."""
    ending = ENDINGS[turn % len(ENDINGS)]
    for layer in checkpoint.values():
        for to in ("pytorch", "keras"):
            for build in (layer.convert, layer.emulate):
                with suppress(GatewiseError):
                    build(to)
    with suppress(GatewiseError):
        out = path.with_name(f"ported{ending}")
        require_clean(porting.render(out, save_checkpoint(out, checkpoint, force=True), checkpoint))
        open_checkpoint(out)


def try_one(content: bytes, ending: str, number: int, dice: random.Random, folder: Path) -> str:
    """Read one mutation: "read", "refused", or what went wrong."""
    path = folder / f"mutated{ending}"
    path.write_bytes(dice.choice((mutate, lie))(content, dice))
    began = time.process_time()  # h5 has a limit by the clock, see `Server`
    try:
        with np.errstate(all="ignore"):
            read_all(path, number)
        outcome = "read"
    except GatewiseError as error:
        outcome = f"prints {str(error)!r}"
        with suppress(AssertionError):
            require_clean(str(error))
            outcome = "refused"
    except Exception:  # noqa: BLE001  these are what the fuzzing looks for
        return traceback.format_exc()
    taken = time.process_time() - began
    return outcome if taken < 3 * SECONDS else f"took {taken:.0f} s"


def warm_up(contents: list[tuple[bytes, str]], folder: Path) -> None:
    """Do everything once, so that loading libraries does not count for a mutation."""
    for turn, (content, ending) in enumerate(contents):
        path = folder / f"whole{ending}"
        path.write_bytes(content)
        read_all(path, turn * SELDOM)


def main() -> int:
    """Run until the count or the time is used up; return 1 if anything went wrong."""
    os.environ.setdefault("KERAS_BACKEND", "torch")
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--count", type=int, default=1 << 40)
    parser.add_argument("--seconds", type=float, default=float("inf"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int)
    given = parser.parse_args()
    h5._ask = Server().ask
    warnings.simplefilter("ignore")  # libraries warn of mutations; only results count
    contents = [(file.read_bytes(), file.suffix) for file in given.files]
    counts, wrong = {"read": 0, "refused": 0}, 0
    with tempfile.TemporaryDirectory() as folder:
        warm_up(contents, Path(folder))
        before, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()
        for number in range(given.count) if given.only is None else [given.only]:
            if time.monotonic() - began > given.seconds:
                break
            content, ending = contents[number % len(contents)]
            outcome = try_one(content, ending, number // len(contents), random.Random(f"{given.seed} {number}"), Path(folder))
            if outcome in counts:
                counts[outcome] += 1
            else:
                wrong += 1
                print(
                    f"--seed {given.seed} --only {number} ({given.files[number % len(contents)].name}): {outcome}", flush=True
                )
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) >> 10
    print(f"{counts['read']} read, {counts['refused']} refused, {wrong} wrong; {grown} MiB more memory at most")
    return 1 if wrong or grown > 300 else 0


if __name__ == "__main__":
    sys.exit(main())
