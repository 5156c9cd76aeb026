"""A program, not a test: runs pytest in forks of itself, so that a run costs a tenth of a second, and kills them.

Reads one request a line and answers it with one line, both JSON. A request is a list of runs, which go on side by side;
each has ``arguments`` for pytest, ``environment``, and, if it is to be interrupted, ``signal``, sent ``delay`` seconds
after it began its test number ``test`` (from 0). The answer has for each its exit ``status`` (negative: the signal),
its ``output``, and ``beats``, the times at which its tests began and at which it ended.

It is a program apart since the tests' own process may have threads, and so may not fork.
"""

from __future__ import annotations

import importlib
import json
import os
import select
import signal
import sys
import tempfile
import time
import traceback

# What a run imports, so that its forks need not.
IMPORTED = """numpy ml_dtypes xxhash safetensors pytest
    pytest_audioparity.api pytest_audioparity.session pytest_audioparity.stages pytest_audioparity.recording
    pytest_audioparity.golden.provenance pytest_audioparity.golden.shelf pytest_audioparity.report.terminal"""


def _is_untold(error):
    """Whether pytest was interrupted in an instruction without a line, and failed to tell of it: its `lineno - 1`."""
    told = traceback.extract_tb(error.__traceback__)[-1]
    in_pytest = told.name == "lineno" and told.filename.endswith("code.py")
    return isinstance(error, TypeError) and isinstance(error.__context__, KeyboardInterrupt) and in_pytest


class Run:
    """A run in a fork."""

    def __init__(self, request):
        self._request = request
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 - closed by result
        self._pipe, write = os.pipe()
        self._id = os.fork()
        if self._id == 0:
            self._become_pytest(write)
        os.close(write)
        self._beats = []
        self._ended = False

    def _become_pytest(self, beat):
        status = 99
        try:
            for number in (1, 2):
                os.dup2(self._output.fileno(), number)
            os.environ.update(self._request.get("environment", {}), BEAT=str(beat))
            signal.signal(signal.SIGINT, signal.default_int_handler)
            import pytest

            status = int(pytest.main(self._request["arguments"]))
            sys.stdout.flush()
            sys.stderr.flush()
        except KeyboardInterrupt:  # when the session was over already
            status = 2
        except BaseException as error:  # what no run may end with: the test shows it
            if _is_untold(error):
                status = 2
            traceback.print_exc()
            sys.stderr.flush()
        finally:
            os._exit(status)

    def _wait_for_beat(self):
        if os.read(self._pipe, 1):
            self._beats.append(time.monotonic())
        else:
            self._ended = True

    def interrupt(self):
        """Send the signal at its moment, if the run lives to see it."""
        if "signal" not in self._request:
            return
        while not self._ended and len(self._beats) <= self._request["test"]:
            self._wait_for_beat()
        # A pipe whose other side is closed is readable, so a run that ends before its moment is not waited for.
        deadline = time.monotonic() + self._request["delay"]
        while not self._ended and (left := deadline - time.monotonic()) > 0:
            if select.select([self._pipe], [], [], left)[0]:
                self._wait_for_beat()
        if not self._ended:
            os.kill(self._id, self._request["signal"])

    def result(self):
        """Wait for the end."""
        while not self._ended:
            self._wait_for_beat()
        _, status = os.waitpid(self._id, 0)
        os.close(self._pipe)
        self._output.seek(0)
        output = self._output.read().decode(errors="replace")
        self._output.close()
        beats = [*self._beats, time.monotonic()]
        return {"status": os.waitstatus_to_exitcode(status), "output": output, "beats": beats}


def main():
    for name in IMPORTED.split():
        importlib.import_module(name)
    print("ready", flush=True)  # noqa: T201 - it is asked and answers through pipes
    for line in sys.stdin:
        runs = [Run(request) for request in json.loads(line)]
        for run in runs:
            run.interrupt()
        print(json.dumps([run.result() for run in runs]), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
