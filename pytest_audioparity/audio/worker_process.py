"""The loop of a process in which C code runs: questions come from its input, answers go to its output.

Either is its length, a little-endian 64-bit number, and that many bytes.
"""

from __future__ import annotations

import os
import struct
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

HEAD = struct.Struct("<q")


def serve(load: Callable[[], Callable[[bytes], bytes]]) -> None:
    """Answer questions until the input ends.

    Parameters
    ----------
    load : imports what is heavy and returns the function that answers
    """
    source, sink = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what the C code prints is no answer
    answer = load()
    while len(head := source.read(HEAD.size)) == HEAD.size:
        (size,) = HEAD.unpack(head)
        told = answer(source.read(size))
        sink.write(HEAD.pack(len(told)) + told)
        sink.flush()
