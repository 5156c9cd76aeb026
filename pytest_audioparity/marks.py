"""The two marks a test author writes. Both are ordinary pytest marks; importing them from here helps editors."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar, overload

    from typing_extensions import Unpack

    from pytest_audioparity.keywords import ParityKeywords, RoundtripLimits

    Marked = TypeVar("Marked", bound=Callable[..., object] | type)

    class ParityMark(pytest.MarkDecorator):
        """``pytest.mark.parity`` with its keywords."""

        @overload  # type: ignore[override,no-overload-impl]
        def __call__(self, test: Marked, /) -> Marked: ...
        @overload
        def __call__(self, **keywords: Unpack[ParityKeywords]) -> ParityMark:  # noqa: D418 - editors show it
            """Compare the stages that a test records with its golden.

            Parameters
            ----------
            tol_db : largest deviation in dB; None to judge by the other conditions alone. Default by `precision`
            tol_peak_db : largest deviation of one element in dB, default 100*tol_db
            min_snr_db : smallest signal-to-error ratio in dB
            atol, rtol : every element must satisfy |actual - expected| <= atol + rtol*|expected|
            min_match : smallest share of equal codes, default 1.0
            min_stoi, min_estoi, min_pesq_wb, min_pesq_nb : smallest scores of waveforms
            words : "any" accepts a waveform whose words are lost, default "kept"
            precision : fp32, fp16, bf16 or int8: 0.01, 0.1, 0.5 or 1.0 dB; fp16 and bf16 also accept that float type
            dtype : "any" accepts another dtype, default "same"
            allow_empty : a stage without elements passes
            stages : from globs of stages to these keywords: ``{"ode/*": {"tol_db": 0.05}}``
            golden : path of the golden below the golden directory, without suffix; default by the test's name
            port : the golden is another test's, and never written
            only : globs of the stages to compare; default all
            """

    class RoundtripMark(pytest.MarkDecorator):
        """``pytest.mark.codec_roundtrip`` with its keywords."""

        @overload  # type: ignore[override,no-overload-impl]
        def __call__(self, test: Marked, /) -> Marked: ...
        @overload
        def __call__(self, **keywords: Unpack[RoundtripLimits]) -> RoundtripMark:  # noqa: D418 - as above
            """Send speech through a codec and judge what comes back.

            Parameters
            ----------
            min_stoi, min_estoi, min_pesq_wb, min_pesq_nb, min_si_sdr, min_snr : smallest scores of every clip
            max_log_spectral_distance, max_mel_cepstral_distortion : largest distances in dB
            max_f0_error, max_f0_frame_error : largest error of the pitch in cents, and share of frames that are wrong
            max_drop_stoi, max_drop_estoi, max_drop_pesq_wb, max_drop_pesq_nb, max_drop_si_sdr, max_drop_snr : how much
                less than in the golden a score may be
            max_wer, max_wer_rise : errors of a recogniser per word, and how many more than in the clip itself
            max_level_db : how much louder or softer the output may be, default 1.5 dB
            max_dc : the largest constant that may be added, of full scale, default 0.02
            max_peak : the largest sample; None for full scale
            tol_db : how far outputs that should be one may be apart, default 0.01 dB
            min_match : the share of codes that has to be equal where they should be, default 1.0
            skip : names of checks to switch off
            """


parity = cast("ParityMark", pytest.mark.parity)
"""Compare the stages that a test records with its golden: bare, called with keywords, on functions and classes, and as
`pytestmark`. The closest mark wins per keyword.
"""

codec_roundtrip = cast("RoundtripMark", pytest.mark.codec_roundtrip)
"""Send speech through a codec and judge what comes back: bare, called with keywords, on functions and classes, and as
`pytestmark`. The closest mark wins per keyword.
"""
