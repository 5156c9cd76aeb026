"""Draw what the numbers mean: ``python docs/pictures/measures.py``. The package computes every number in a picture.

(A script of the name of the page, numbers.py, would stand before Python's module of that name.)
"""

from __future__ import annotations

import functools
import os
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from cards import card
from material import POINTS, RATE, ROOT, SHADES, codes, log_mel, speech, stage
from sounds import estoi, garbled, kept, lost

from pytest_audioparity.check import check_stage
from pytest_audioparity.comparison.tolerances import PRESET_DB, layered
from pytest_audioparity.faults import faults_of
from pytest_audioparity.golden.pending import read_pending
from pytest_audioparity.page.charts import deviations
from pytest_audioparity.page.pictures import Look, pictures
from pytest_audioparity.records import StageTensor
from pytest_audioparity.report.json import document
from pytest_audioparity.report.numbers import decibel, percent
from pytest_audioparity.results import ParityResult, StageResult

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pytest_audioparity.page.elements import Markup

Array = np.ndarray[Any, Any]

FOLDER = Path(__file__).resolve().parent / "numbers"
_GAINS_DB = (-6.0, -0.1, 0.005, 0.02, 1.0, 6.0)
# Below the signal by as much as the presets allow.
_PRESET_SNR_DB = (58.8, 38.7, 24.5, 18.3)
_SNR_DB = range(10, 101, 10)


def deviation() -> str:
    """Show that a gain of x dB scores x dB, whatever its sign, and noise by how far it is below the signal."""
    results = [compared(f"{db:+g} dB", _scaled(db)) for db in _GAINS_DB]
    results += [compared(f"noise -{db:g}", noisy(db)) for db in _PRESET_SNR_DB]
    said = "speech, louder and quieter by so many dB, and with noise so many dB below it"
    return card("deviation_db: a gain of x dB scores x dB", said, [_bars(results), _each(results)])


def ratio() -> str:
    """Show the deviation against the signal-to-noise ratio."""
    results = [compared(f"{db} dB", noisy(db)) for db in _SNR_DB]
    said = (
        "speech with noise that is 10 to 100 dB below it: from 30 dB on, 20 dB less noise is a tenth of the deviation"
    )
    return card("deviation_db against snr_db", said, [_bars(results), _each(results)])


def log_scale() -> str:
    """Show that the deviation of a log-scale stage is a mean of decibels."""
    mel = log_mel()
    offset = np.zeros((len(mel.array), 1), np.float32)
    offset[len(offset) // 2 :] = 2.92 / 8.685889638
    result = _judged(mel, mel.array + offset)
    said = "a log-mel whose upper half is 2.92 dB up: the mean of |actual − expected| over all elements, in dB"
    return card("deviation_db of a log_spectrum", said, [_looked(mel, mel.array + offset), _numbers(result)])


def peak() -> str:
    """Show a click that the mean hides."""
    clip = stage("waveform", speech(), kind="waveform", axes="T", sample_rate=float(RATE))
    wrong = clip.array.copy()
    wrong[clip.array.size // 3] += 0.3 * float(np.sqrt(np.mean(np.square(clip.array))))
    result = _judged(clip, wrong)
    said = f"{clip.array.size / RATE:.1f} s of speech with one wrong sample: peak_db finds what deviation_db does not"
    return card("peak_db: a click that the mean hides", said, [_looked(clip, wrong), _numbers(result)])


def bias() -> str:
    """Show a slope over the bins that has no level as a whole."""
    mel = log_mel()
    faults = faults_of(mel, rng=np.random.default_rng(0), codes=["channel_offset"], rounding=False)
    wrong = next(fault.stage for fault in faults if "slope" in fault.name)
    assert wrong is not None
    result = _judged(mel, wrong.array)
    each = np.asarray((result.comparison or _none()).details["bias_per_channel"])
    told = (
        f"bias_per_channel from {each[0]:+.2f} to {each[-1]:+.2f}, bias {(result.comparison or _none()).bias:+.2f} ln"
    )
    return card("bias_per_channel", "a log-mel that is dark below and bright above", [_looked(mel, wrong.array), told])


def margin() -> str:
    """Show margins and the smallest tolerance that passes."""
    names = (("fp32", 0.004), ("fp32", 0.04), ("fp16", 0.04), ("bf16", 0.3), ("int8", 1.5))
    results = [compared(f"{name}, {db:g}", _scaled(db), PRESET_DB[name]) for name, db in names]
    told = [
        f"{one.name}: off by {decibel(one.deviation_db)}, allowed {decibel(one.tolerance.tol_db)}, "
        f"margin_db {one.margin_db:+.3f}, smallest_tol_db {decibel(one.smallest_tol_db)} dB: {one.verdict.upper()}"
        for one in results
    ]
    said = "gains of so many dB in four precisions; dashes are what is allowed"
    return card("margin_db and smallest_tol_db", said, [_bars(results), *told])


def match() -> str:
    """Show codes, which have a share of equal ones in place of a deviation."""
    expected = codes()
    wrong = expected.array.copy()
    wrong[5] = np.roll(wrong[5], 7)
    wrong[2, 20] += 1
    result = _judged(expected, wrong)
    comparison = result.comparison or _none()
    each = ", ".join(percent(share) for share in (row["match"] for row in comparison.details["codebooks"]))
    worst = "" if comparison.worst is None else f"; the first wrong code is at {comparison.worst.label}"
    told = f"match {percent(comparison.match or 0)}{worst}", f"per codebook: {each}"
    said = "8 codebooks of a codec: one wrong code in the third, the sixth at other times"
    return card("match: codes are equal or not", said, [_looked(expected, wrong), *told])


def own() -> str:
    """Show what a step does wrong itself and what others inherit, from a real run with one wrong step."""
    result = chain()
    chart = deviations(result["stages"], result["first_divergence"])
    said = "the decoder of a codec, step by step: one activation is 2 % off, and every step after it inherits that"
    told = f"first divergence: {result['first_divergence']}"
    return card("own and inherited deviation", said, [chart, told])


PICTURES: dict[str, Callable[[], str]] = {
    drawn.__name__: drawn
    for drawn in (deviation, ratio, log_scale, peak, bias, margin, match, own, estoi, garbled, lost, kept)
}


def _speech() -> StageTensor:
    return stage("waveform", speech()[:RATE], axes="T", sample_rate=float(RATE))


def _scaled(db: float) -> Array:
    return _speech().array.astype(np.float64) * 10 ** (db / 20)


def noisy(db: float) -> Array:
    """Return a second of speech with noise so many dB below it."""
    clean = _speech().array.astype(np.float64)
    noise = np.random.default_rng(0).standard_normal(clean.size)
    return clean + noise * np.linalg.norm(clean) / np.linalg.norm(noise) * 10 ** (-db / 20)


def compared(name: str, actual: Array, tol_db: float | None = None) -> StageResult:
    """Compare a changed clip with the clip, both in float64: float32 would be the larger part of 0.0001 dB."""
    clip = _speech()
    sides = [StageTensor(replace(clip.meta, name=name), side.astype(np.float64)) for side in (clip.array, actual)]
    return check_stage(*sides, layered([{"tol_db": tol_db}] if tol_db else [], name), causes=False)


def _judged(expected: StageTensor, actual: Array) -> StageResult:
    actual = actual.astype(expected.array.dtype)
    return check_stage(expected, StageTensor(expected.meta, actual), layered([], expected.meta.name), causes=False)


def _looked(expected: StageTensor, actual: Array) -> Markup:
    axes, is_codes = expected.meta.axes, expected.meta.kind == "codes"
    look = Look(expected.array, actual, (axes, axes), codes=is_codes, points=POINTS, shades=SHADES)
    return pictures(look)


def _bars(results: Sequence[StageResult]) -> Markup:
    return deviations(document(ParityResult("", tuple(results)))["stages"], None)


def _each(results: Sequence[StageResult]) -> str:
    return "deviation_db: " + ", ".join(f"{one.name} {decibel(one.deviation_db)}" for one in results)


def _numbers(result: StageResult) -> str:
    numbers = result.comparison or _none()
    failed = ", ".join(criterion.name for criterion in result.criteria if not criterion.passed)
    return (
        f"deviation_db {decibel(numbers.deviation_db)}, peak_db {decibel(numbers.peak_db)}, bias {numbers.bias:+.3g}; "
        f"allowed {decibel(result.tolerance.tol_db)} and {decibel(result.tolerance.tol_peak_db)}, fails by {failed}"
    )


def _none() -> Any:
    raise ValueError("this stage was not compared")


_CHAIN = """
import os
import numpy as np
from codec import Codec, Stack
from layout import DECODER
from pytest_audioparity import parity

WEIGHTS = Codec()._weights
OFF = 1.02 if os.environ.get("WRONG") else 1.0


def layer(place):
    def run(x):
        made = Stack(DECODER, WEIGHTS, "decoder")._layers[place]  # a new one each time: it keeps state
        if place == 3:
            made._alpha = made._alpha * OFF
        return made.push(x)

    return run


@parity
def test_decoder(stages):
    x = stages.record("latent", np.random.default_rng(0).standard_normal((72, 40)))
    for place, one in enumerate(DECODER):
        x = stages.step(f"{place} {one.kind}", layer(place), x)
"""


@functools.cache
def chain() -> dict[str, Any]:
    """Run a test twice, with `--update-golden` and with one wrong step, and return its result as JSON."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "test_codec.py").write_text(_CHAIN, encoding="utf-8")
        (folder / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
        path = str(ROOT / "examples" / "streaming_codec")
        plain = {key: value for key, value in os.environ.items() if key not in ("CI", "GITHUB_ACTIONS")}
        for more, wrong in ((["--update-golden"], ""), ([], "1")):
            command = [sys.executable, "-m", "pytest", "-q", "-p", "pytest_audioparity.plugin", *more]
            # Without other plugins, which take longer to start than the test.
            environment = {**plain, "PYTHONPATH": path, "WRONG": wrong, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
            subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=False)
        kept = next((folder / ".audioparity" / "pending").rglob("*.safetensors"))
        return dict(read_pending(kept)[0].result or {})


def main() -> None:
    """Write all pictures."""
    FOLDER.mkdir(exist_ok=True)
    for name, draw in PICTURES.items():
        svg = draw()
        (FOLDER / f"{name}.svg").write_text(svg, encoding="utf-8")
        sys.stdout.write(f"{len(svg.encode()):6d} bytes  {name}\n")


if __name__ == "__main__":
    main()
