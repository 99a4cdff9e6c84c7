"""Locks on open files, which keep other processes away until the file is closed."""

from __future__ import annotations

try:
    import fcntl
except ImportError:  # Windows
    CAN_LOCK = False
else:
    CAN_LOCK = True


def lock(descriptor: int, *, wait: bool = True) -> None:
    """Lock an open file; do nothing where the system has no such locks (`CAN_LOCK` is False).

    Args:
        descriptor: the file descriptor.
        wait: whether to wait until no other process holds the lock.

    Raises:
        BlockingIOError: if another process holds the lock and `wait` is False.
    """
    if CAN_LOCK:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
