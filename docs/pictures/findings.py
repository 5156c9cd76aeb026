"""Draw every finding, from real stages with a fault put in: ``python docs/pictures/findings.py``.

Each stage is really compared and diagnosed: a fault that is not found to be what its picture is for raises an error.
What the tool says of it goes into docs/findings.md, below its picture.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from cards import card
from material import POINTS, SHADES, codes, drawn, excerpt, log_mel, mel_spectrum

from pytest_audioparity.check import check_stage
from pytest_audioparity.comparison.structure import kind_of
from pytest_audioparity.comparison.tolerances import layered
from pytest_audioparity.faults import faults_of
from pytest_audioparity.page.curves import Curve, curves
from pytest_audioparity.page.pictures import Look, pictures
from pytest_audioparity.records import StageTensor
from pytest_audioparity.report.numbers import decibel, percent
from pytest_audioparity.report.terminal import render
from pytest_audioparity.results import ParityResult, StageResult

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_audioparity.page.elements import Markup

HERE = Path(__file__).resolve().parent
FOLDER, PAGE = HERE / "findings", HERE.parent / "findings.md"
_RANKS = 20


@dataclass(frozen=True, slots=True)
class Example:
    """A fault that is drawn.

    Attributes
    ----------
    code : the finding that must come first
    expected : makes the healthy stage
    fault : what the name of a fault of `pytest_audioparity.faults` has in it, or a function from expected to actual
    others : makes further stages of the golden
    tol_db : what is allowed, the preset where it is None
    said : what was done, where `fault` does not say it
    more : draws what else there is to see, of expected and actual
    """

    code: str
    expected: Callable[[], StageTensor]
    fault: str | Callable[[StageTensor], StageTensor]
    others: Callable[[], tuple[StageTensor, ...]] = tuple
    tol_db: float | None = None
    said: str = ""
    more: Callable[[StageTensor, StageTensor], Markup] | None = None


@dataclass(frozen=True, slots=True)
class Drawn:
    """An example with what the tool found, and its picture."""

    example: Example
    result: StageResult
    svg: str

    @property
    def told(self) -> str:
        """What the report in the terminal says: by how much it is over, and the findings."""
        text = render(ParityResult("", (self.result,)))
        blocks = re.findall(r"^  (?:over|finding) +: .*(?:\n {15}.*)*", text, re.MULTILINE)
        over = [block for block in blocks if block.startswith("  over")]
        return "\n".join(over[:1] + blocks[len(over) :]) or text.splitlines()[0]


def _before() -> tuple[StageTensor, ...]:
    other = log_mel("arctic_a0007")
    return (replace(other, meta=replace(other.meta, name="mel_before")),)


def _htk(expected: StageTensor) -> StageTensor:
    return StageTensor(expected.meta, log_mel(scale="htk").array)


def _ranks(expected: StageTensor, actual: StageTensor) -> Markup:
    """Draw how often the most likely token, the second and so on were drawn: what a temperature changes."""
    rows = drawn()[0].array
    curve = []
    for kind, side in (("expected", expected), ("actual", actual)):
        taken = np.take_along_axis(rows, side.array[..., None], -1)
        ranks = np.count_nonzero(rows > taken, axis=-1).ravel()
        curve.append(Curve(kind, np.bincount(ranks, minlength=_RANKS)[:_RANKS] / ranks.size))
    title = f"share of the draws that took the most likely token (left) to the {_RANKS}th"
    return curves(curve, title, height=80)


EXAMPLES = (
    Example("missing_stage", log_mel, "not recorded"),
    Example("extra_stage", log_mel, "recorded under another name"),
    Example("dtype", log_mel, "float16 for float32"),
    Example("shape", log_mel, "batch added"),
    Example("axes_permuted", log_mel, "axes in the order [1, 0]"),
    Example("reshaped", log_mel, "reshape where transpose was meant"),
    Example("length", log_mel, "last 8 frames dropped"),
    Example("missing_channels", log_mel, "half of the channels"),
    Example("nonfinite", log_mel, "logarithm of zero"),
    Example("all_zero", excerpt, "buffer never filled"),
    Example("constant", log_mel, "only the mean is left"),
    Example("gain", excerpt, "inverse STFT without overlap normalisation"),
    Example("offset", log_mel, "log-mel -1.46 dB"),
    Example("affine", log_mel, "normalised with another mean and deviation"),
    Example("log_base", log_mel, "log10 where ln is meant"),
    Example("sign_flip", excerpt, "inverted"),
    Example("pointwise", excerpt, "mu-law not expanded"),
    Example("clipped", excerpt, "its 90th percentile"),
    Example("floor", log_mel, "clamped 60 dB below the peak"),
    Example("quantised", log_mel, "int4 per tensor"),
    Example("rounding", log_mel, "rounding noise of 0.0004"),
    Example("filtered", lambda: excerpt(4000), "low-pass of a resampler at 0.25"),
    Example("uncorrelated", log_mel, "random weights: noise"),
    Example("stale", log_mel, "equals 'mel_before'", _before),
    Example("time_shift", log_mel, "3 frames late"),
    Example("sample_rate", log_mel, "24000 Hz where 22050"),
    Example("reversed", log_mel, "time backwards"),
    Example("channel_permutation", log_mel, "the two halves swapped"),
    Example("interleaved", log_mel, "pairs where halves are meant"),
    Example("delay_pattern", codes, "delay pattern not undone, zero"),
    Example("channel_gain", mel_spectrum, "weight norm not folded, spread 0.4"),
    Example("channel_offset", log_mel, "bias vector missing, 0.2"),
    Example("channels", log_mel, "1 channels of random weights"),
    Example("edges", log_mel, "first and last 4 frames padded otherwise"),
    Example("diverges_from", log_mel, "wrong from frame 32 by 1"),
    Example("seams", log_mel, "1 frames wrong after every 8"),
    Example("drift", log_mel, "error grows to 0.5"),
    Example("repeated_frames", log_mel, "over 4 more"),
    Example("dropped_frames", log_mel, "4 frames lost"),
    Example("spikes", excerpt, "3 elements off by 10 rms"),
    Example(
        "sampler",
        lambda: drawn()[1],
        lambda _: drawn()[2],
        lambda: drawn()[:1],
        said="drawn at 1.5 times the temperature",
        more=_ranks,
    ),
    Example("unexplained", log_mel, _htk, said="mel filters on HTK's scale where Slaney's are meant"),
)


def draw(example: Example) -> Drawn:
    """Put the fault in, compare, diagnose and draw.

    Raises
    ------
    ValueError : there is no such fault, or it is diagnosed as something else
    """
    expected, others = example.expected(), example.others()
    said, actual = _faulty(example, expected, others)
    tolerance = layered([{"tol_db": example.tol_db}] if example.tol_db else [], expected.meta.name)
    only = example.code == "extra_stage"
    result = check_stage(None if only else expected, actual, tolerance, others=others)
    found = [finding.code for finding in result.findings]
    if found[:1] != [example.code]:
        raise ValueError(f"{example.code}: {said!r} is found to be {found or 'nothing'}")
    look = Look(
        None if only else expected.array,
        None if actual is None else actual.array,
        (expected.meta.axes, expected.meta.axes),
        None if result.comparison is None or result.comparison.worst is None else result.comparison.worst.index,
        codes=kind_of(expected.meta, expected.array) == "codes",
        points=POINTS,
        shades=SHADES,
    )
    shown = [pictures(look)]
    if example.more is not None and actual is not None:
        shown.append(example.more(expected, actual))
    return Drawn(example, result, card(_title(result), f"{_stage(expected)}: {said}", shown))


def _faulty(example: Example, expected: StageTensor, others: tuple[StageTensor, ...]) -> tuple[str, StageTensor | None]:
    if callable(example.fault):
        return example.said, example.fault(expected)
    rng = np.random.default_rng(1)
    for fault in faults_of(expected, rng=rng, codes=[example.code], others=others, rounding=False):
        if example.fault in fault.name:
            return example.said or fault.name, fault.stage
    raise ValueError(f"{example.code}: no fault of this stage is called {example.fault!r}")


def _title(result: StageResult) -> str:
    finding = result.findings[0]
    share = [] if finding.explains is None else [f"explains {percent(finding.explains)} of the error"]
    match = None if result.comparison is None else result.comparison.match
    off = [f"{percent(match)} equal"] if match is not None else []
    off = [f"{decibel(result.deviation_db)} dB off"] if result.deviation_db is not None else off
    return " · ".join([finding.code, *off, *share])


def _stage(expected: StageTensor) -> str:
    return {"waveform": "speech", "log_spectrum": "a log-mel of speech", "codes": "codes"}.get(
        expected.meta.kind or "", "a mel spectrum"
    )


def written(page: str, told: dict[str, str]) -> str:
    """Return docs/findings.md with what the tool says below each picture brought up to date."""
    for code, text in told.items():
        block = re.compile(rf"(\(pictures/findings/{code}\.svg\)\n\n```text\n).*?(\n```)", re.DOTALL)
        page = block.sub(lambda match, text=text: f"{match[1]}{text}{match[2]}", page)
    return page


def main() -> None:
    """Write all pictures, and what is said of them into the page."""
    FOLDER.mkdir(exist_ok=True)
    told = {}
    for example in EXAMPLES:
        one = draw(example)
        (FOLDER / f"{example.code}.svg").write_text(one.svg, encoding="utf-8")
        told[example.code] = one.told
        sys.stdout.write(f"{len(one.svg.encode()):6d} bytes  {example.code}\n")
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8"), told), encoding="utf-8")


if __name__ == "__main__":
    main()
