"""A process for the tests of `worker`: it answers, prints, crashes or stands still, as it is asked."""

from __future__ import annotations

import os
import time

from pytest_audioparity.audio.worker_process import serve


def main() -> None:
    serve(lambda: answer)


def answer(question: bytes) -> bytes:
    if question == b"crash":
        os.abort()
    if question == b"stand still":
        time.sleep(600)
    if question == b"print":
        os.write(1, b"what C code prints")
    return question[::-1]
