"""The exception tree.

Misuse (a wrong argument, an unreadable file) is a ``ValueError``; ``AssertionError`` is raised for one thing only, a
parity failure. Every message is complete in itself: what is wrong, where, and what to do.
"""

from __future__ import annotations

# A name or a number of a damaged file is shown up to this length.
_SHOWN_CHARACTERS = 80


class AudioparityError(ValueError):
    """Something was used wrongly or cannot be read. The message says what to do."""


class StageError(AudioparityError):
    """A stage cannot be recorded: not a tensor, a name used twice, an impossible declaration."""


class TensorFileError(AudioparityError):
    """A tensor file (.safetensors, .npz, .npy) cannot be read. `cause` is missing, damaged or lfs_pointer."""

    def __init__(self, message: str, *, cause: str = "damaged") -> None:
        super().__init__(message)
        self.cause = cause


class GoldenError(AudioparityError):
    """A golden cannot be used.

    `cause` is one word: missing, damaged, altered, lfs_pointer, link (to a file that is not here), newer_format, name,
    unwritable, changed (by someone else meanwhile) or store (its tensors cannot be had from there).
    """

    def __init__(self, message: str, *, cause: str) -> None:
        super().__init__(message)
        self.cause = cause


class ParityError(AssertionError):
    """Actual stages differ from the expected ones by more than the tolerances allow."""


class AudioparityWarning(UserWarning):
    """Something that a test seems to compare is not compared. The message says what, and how to agree to it."""


def shown(value: object) -> str:
    """Write what a damaged file says on one line of bounded length."""
    try:
        text = repr(value)
    except RecursionError:  # what JSON could just be parsed into may be too deep to be written from further inside
        return f"a {type(value).__name__} that is nested too deeply"
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"
