"""The process in which PESQ's C code runs: it is asked with pairs of clips and answers with scores.

A question begins with four little-endian 32-bit numbers: rate, wide band (1) or narrow band (0), and the counts of
samples of reference and estimate, whose float32 samples follow. The answer is a status (0, or the negative error of the
C code) and the score, as two float64.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from pytest_audioparity.audio.worker_process import serve

if TYPE_CHECKING:
    from collections.abc import Callable

REQUEST = struct.Struct("<4i")
ANSWER = struct.Struct("<2d")


def main() -> None:
    """Answer requests until the input ends."""
    serve(_load)


def _load() -> Callable[[bytes], bytes]:
    import numpy as np
    from pesq import PesqError, pesq

    def answer(question: bytes) -> bytes:
        rate, wide, first, second = REQUEST.unpack_from(question)
        samples = np.frombuffer(question, "<f4", offset=REQUEST.size)
        sides = samples[:first], samples[first : first + second]
        value = float(pesq(rate, *sides, "wb" if wide else "nb", on_error=PesqError.RETURN_VALUES))
        return ANSWER.pack(*((0.0, value) if value >= 0 else (value, 0.0)))

    return answer
