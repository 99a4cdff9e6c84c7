"""The refusals of what cannot be followed in a module's code, with the line."""

from __future__ import annotations

from frameworks.errors import NoCounterpartError
from frameworks.models.tracing.steps import Line


def branching(line: Line) -> NoCounterpartError:
    """Return the refusal of a branch on data."""
    return NoCounterpartError.because(
        f"the code at {line}",
        must="do the same whatever the numbers in its tensors are",
        but="branches on a tensor",
        remedy="Choose between the two results with torch.where, which computes both.",
    )


def reading_data(name: str, line: Line) -> NoCounterpartError:
    """Return the refusal of a number taken out of a tensor."""
    return NoCounterpartError.because(
        f"the code at {line}",
        must="keep its numbers in tensors",
        but=f"takes them out with {name}",
        remedy="Compute with the tensor itself.",
    )


def drawing(name: str, line: Line) -> NoCounterpartError:
    """Return the refusal of a random number."""
    return NoCounterpartError.because(
        f"the code at {line}",
        must="compute the same in each call",
        but=f"draws random numbers ({name})",
        remedy="Pass them to the module as an argument.",
    )


def modified(what: str, line: Line) -> NoCounterpartError:
    """Return the refusal of a tensor that changes under another name."""
    return NoCounterpartError.because(
        f"the code at {line}",
        must="change no tensor that has another name",
        but=f"uses one that shares its memory with what {what} changes",
        remedy="Compute a new tensor instead of changing one in place.",
    )


def depending(what: str, line: Line) -> NoCounterpartError:
    """Return the refusal of what differs from one size to another in a way that cannot be followed."""
    return NoCounterpartError.because(
        f"the code at {line}",
        must="do the same for every batch size and length",
        but=what,
        remedy="Take sizes from x.shape where they are used, and let loops over time do the same in every turn.",
    )
