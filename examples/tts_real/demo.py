"""The demonstration behind `make demo`: write goldens, pass, plant a bug, read the report.

Runs pytest three times on test_tts.py beside it, with goldens in a folder of its own, and fails unless each run
ends as it should.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
GOLDENS = ROOT / "build" / "demo-golden"
FAULT = "encoder_gain"
FIRST = "encoder/output"
REVIEW = "review: audioparity golden show "


def run(title: str, *flags: str, fault: str | None = None) -> tuple[int, str]:
    """Run pytest, showing its output as it comes; return its exit status and output."""
    command = ["pytest", "examples/tts_real/test_tts.py", f"--golden-dir={GOLDENS.relative_to(ROOT)}", *flags]
    prefix = f"TTS_FAULT={fault} " if fault else ""
    print(f"\n=== {title}\n$ {prefix}{' '.join(command)}\n", flush=True)
    # A demonstration is a person at a desk, wherever it runs: in CI an update would be refused.
    environment = {key: value for key, value in os.environ.items() if key not in ("CI", "TTS_FAULT")}
    if fault:
        environment["TTS_FAULT"] = fault
    process = subprocess.Popen(
        [sys.executable, "-m", *command], cwd=ROOT, env=environment, text=True, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        print(line, end="", flush=True)
        lines.append(line)
    return process.wait(), "".join(lines)


def main() -> int:
    """Run the three acts and say whether each ended as it should."""
    shutil.rmtree(GOLDENS, ignore_errors=True)
    acts = [
        (("1. The reference writes its goldens, one file per test", "-q", "--update-golden"), None, 0),
        (("2. The same model again: every stage is compared and passes", "-q"), None, 0),
        ((f"3. A planted bug: the encoder's output times 1.5 ({FAULT})", "-q", "-k", "hello"), FAULT, 1),
    ]
    for (title, *flags), fault, wanted in acts:
        status, output = run(title, *flags, fault=fault)
        told = f"{FIRST} (first divergence)" in output and REVIEW in output
        if status != wanted or (fault and not told):
            print(f"\nThe demonstration went wrong: pytest ended with {status}, {wanted} was expected.")
            return 1
    command = os.path.relpath(Path(sys.executable).with_name("audioparity"), ROOT)
    print(
        f"\nThe bug sits in '{FIRST}', and that is the stage the report names first: everything before it agrees to the"
        f"\nlast bit, everything after it has inherited the deviation. The goldens: {GOLDENS.relative_to(ROOT)}"
        f"\nLook into one: {command} inspect {next(GOLDENS.rglob('*.safetensors')).relative_to(ROOT)}"
        f"\nThe failure, which waits for a review: {command} golden show {output.partition(REVIEW)[2].split()[0]}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
