"""Which generators make which cause: one line each, in the order of the vocabulary."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_audioparity.faults import channels, content, places, pointwise, structure, timing, whole

if TYPE_CHECKING:
    from pytest_audioparity.faults.subject import Generator, Subject

FLOATS, CODES, ANY = "floats", "codes", "any"


@dataclass(frozen=True, slots=True)
class Source:
    """A generator, the code of everything it yields, and the values it can be applied to."""

    code: str
    values: str
    generate: Generator
    needs_signal: bool = True

    def applies_to(self, subject: Subject) -> bool:
        """Whether the stage has the kind of values that the generator works on, and enough of them."""
        if subject.x.size == 0:
            return False
        if self.needs_signal and not _has_signal(subject):
            return False
        return self.values == ANY or (self.values == FLOATS) == subject.is_float


def _has_signal(subject: Subject) -> bool:
    # Complex numbers and booleans have structure only; a constant shows no fault but another constant.
    if subject.x.dtype.kind not in "fiu" or subject.x.size < 2:
        return False
    return bool(subject.x.max() > subject.x.min())


SOURCES = (
    Source("missing_stage", ANY, structure.missing_stage, needs_signal=False),
    Source("extra_stage", ANY, structure.extra_stage, needs_signal=False),
    Source("dtype", ANY, structure.dtype),
    Source("shape", ANY, structure.shape, needs_signal=False),
    Source("axes_permuted", ANY, structure.axes_permuted),
    Source("reshaped", ANY, structure.reshaped),
    Source("length", ANY, structure.length),
    Source("missing_channels", ANY, structure.missing_channels),
    Source("nonfinite", FLOATS, structure.nonfinite),
    Source("all_zero", ANY, structure.all_zero),
    Source("constant", ANY, structure.constant),
    Source("gain", FLOATS, whole.gain),
    Source("offset", FLOATS, whole.offset),
    Source("offset", CODES, whole.codes_offset),
    Source("affine", FLOATS, whole.affine),
    Source("log_base", FLOATS, whole.log_base),
    Source("sign_flip", FLOATS, whole.sign_flip),
    Source("pointwise", FLOATS, pointwise.pointwise),
    Source("clipped", FLOATS, pointwise.clipped),
    Source("clipped", CODES, pointwise.codes_clipped),
    Source("floor", FLOATS, pointwise.floor),
    Source("quantised", FLOATS, pointwise.quantised),
    Source("rounding", FLOATS, pointwise.rounding),
    Source("filtered", FLOATS, content.filtered),
    Source("uncorrelated", FLOATS, content.uncorrelated),
    Source("uncorrelated", CODES, content.codes_uncorrelated),
    Source("stale", ANY, content.stale),
    Source("time_shift", ANY, timing.time_shift),
    Source("time_shift", FLOATS, timing.part_of_a_sample),
    Source("sample_rate", FLOATS, timing.sample_rate),
    Source("reversed", ANY, timing.reversed_axis),
    Source("channel_permutation", ANY, channels.channel_permutation),
    Source("interleaved", ANY, channels.interleaved),
    Source("delay_pattern", CODES, channels.delay_pattern),
    Source("channel_gain", FLOATS, channels.channel_gain),
    Source("channel_offset", FLOATS, channels.channel_offset),
    Source("channel_offset", CODES, channels.codes_channel_offset),
    Source("channels", ANY, channels.channels),
    Source("edges", ANY, places.edges),
    Source("diverges_from", FLOATS, places.diverges_from),
    Source("diverges_from", CODES, places.codes_diverge),
    Source("seams", ANY, places.seams),
    Source("drift", FLOATS, places.drift),
    Source("repeated_frames", ANY, timing.repeated_frames),
    Source("dropped_frames", ANY, timing.dropped_frames),
    Source("spikes", FLOATS, places.spikes),
    Source("spikes", CODES, places.codes_spikes),
)

VOCABULARY = tuple(dict.fromkeys(source.code for source in SOURCES))
