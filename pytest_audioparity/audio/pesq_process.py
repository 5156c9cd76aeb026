"""The process in which PESQ's C code runs: it reads pairs of clips from its input and writes scores.

A message begins with four little-endian 32-bit numbers: rate, wide band (1) or narrow band (0), and the counts of
samples of reference and estimate, whose float32 samples follow. The answer is a status (0, or the negative error of the
C code) and the score, as two float64.
"""

from __future__ import annotations

import os
import struct
import sys

REQUEST = struct.Struct("<4i")
ANSWER = struct.Struct("<2d")


def main() -> None:
    """Answer requests until the input ends."""
    source, sink = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what the C code prints is no answer
    import numpy as np
    from pesq import PesqError, pesq

    while len(head := source.read(REQUEST.size)) == REQUEST.size:
        rate, wide, *counts = REQUEST.unpack(head)
        sides = [np.frombuffer(source.read(4 * count), "<f4") for count in counts]
        value = float(pesq(rate, *sides, "wb" if wide else "nb", on_error=PesqError.RETURN_VALUES))
        sink.write(ANSWER.pack(*((0.0, value) if value >= 0 else (value, 0.0))))
        sink.flush()
