"""Names of factors that tell an engineer where to look: 1/√192, 1.5, 20/ln 10, 32768."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

LN10 = math.log(10.0)
# A factor is named when the data fix it this well; more loosely, some familiar number is always near.
_MOST = 2e-3
_LEAST = 2e-6

# factor -> (name, what usually leaves it)
_KNOWN: dict[float, tuple[str, str]] = {
    1.5: ("1.5", "an inverse STFT without overlap normalisation leaves it"),
    0.75: ("0.75", "an inverse STFT without overlap normalisation leaves it"),
    2 / 3: ("2/3", "an inverse STFT that normalises twice leaves it"),
    4 / 3: ("4/3", "an inverse STFT with another overlap normalisation leaves it"),
    2.0: ("2", "check one-sided against two-sided spectra, and summed against averaged channels"),
    0.5: ("1/2", "check one-sided against two-sided spectra, and averaged against summed channels"),
    math.sqrt(2): ("sqrt(2)", "check rms against peak, residual scaling, and a stereo downmix"),
    math.sqrt(0.5): ("1/sqrt(2)", "check residual scaling and a stereo downmix"),
    3.0: ("3", ""),
    1 / 3: ("1/3", ""),
    4.0: ("4", ""),
    0.25: ("1/4", ""),
    10.0: ("10", "check dB of a power against log10"),
    0.1: ("1/10", ""),
    20.0: ("20", "check dB of an amplitude against log10"),
    0.05: ("1/20", ""),
    LN10: ("ln 10", "check log10 against ln"),
    1 / LN10: ("1/ln 10", "check ln against log10"),
    20 / LN10: ("20/ln 10", "check dB of an amplitude against ln"),
    LN10 / 20: ("ln 10/20", "check ln against dB of an amplitude"),
    10 / LN10: ("10/ln 10", "check dB of a power against ln"),
    LN10 / 10: ("ln 10/10", "check ln against dB of a power"),
    math.log(2): ("ln 2", "check log2 against ln"),
    1 / math.log(2): ("1/ln 2", "check ln against log2"),
    math.pi: ("pi", ""),
    2 * math.pi: ("2*pi", "check angular frequency against frequency"),
    1 / (2 * math.pi): ("1/(2*pi)", "check frequency against angular frequency"),
    math.e: ("e", ""),
    127.0: ("127", "check the scale of 8-bit values"),
    1 / 127: ("1/127", "check the scale of 8-bit values"),
    255.0: ("255", "check the scale of 8-bit values"),
    1 / 255: ("1/255", "check the scale of 8-bit values"),
    32767.0: ("32767", "16-bit integers against -1 to 1"),
    1 / 32767: ("1/32767", "16-bit integers against -1 to 1"),
    32768.0: ("32768", "16-bit integers against -1 to 1"),
    1 / 32768: ("1/32768", "16-bit integers against -1 to 1"),
    2.0**31: ("2^31", "32-bit integers against -1 to 1"),
    2.0**-31: ("1/2^31", "32-bit integers against -1 to 1"),
    1.702: ("1.702", "the sigmoid approximation of GELU has it"),
}
# Widths of heads and layers that scale attention and embeddings, besides the stage's own sizes.
_WIDTHS = (16, 24, 32, 40, 48, 64, 80, 96, 128, 160, 192, 224, 256, 320, 384, 448, 512, 640, 768, 1024, 1280, 2048)
_SCALING = "check the scaling of attention or embeddings"


def familiar(factor: float, uncertainty: float, sizes: Iterable[int] = ()) -> tuple[str, str] | None:
    """Return name and hint of the familiar constant that a factor is, or None.

    Parameters
    ----------
    factor : not 0; its sign does not matter
    uncertainty : its relative standard error
    sizes : of the stage's axes, whose square roots are familiar too
    """
    value, within = abs(factor), max(3 * uncertainty, _LEAST)
    if within > _MOST or not value > 0:
        return None
    known = dict(_KNOWN)
    for size in (*_WIDTHS, *sizes):
        for factor_of, name in ((math.sqrt(size), f"sqrt({size})"), (1 / math.sqrt(size), f"1/sqrt({size})")):
            if (size > 1 and math.sqrt(size) % 1) or size > 16:
                known.setdefault(factor_of, (name, _SCALING))
    nearest = min(known, key=lambda constant: abs(math.log(value / constant)))
    return known[nearest] if abs(value / nearest - 1) <= within else None
