"""Whether a signal looks like speech by the statistics that people look at: level, dynamics, spectrum.

They say nothing about words, which is why they stand beside ESTOI in the report of garbled audio.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_audioparity.audio.intelligibility import FRAME, third_octaves

if TYPE_CHECKING:
    Array = np.ndarray[Any, Any]

# Within these, two recordings of one speaker differ too (other sentences of the same voice on our clips).
LEVEL_DB, CREST_DB, SPECTRUM_DB = 3.0, 3.0, 5.0
_RANGE_DB = 40.0


@dataclass(frozen=True, slots=True)
class Looks:
    """How the signals differ, estimate over reference.

    Attributes
    ----------
    level_db : ratio of the root mean squares
    crest_db : ratio of the crest factors, peak over root mean square
    spectrum_db : root mean square difference of long-term third-octave spectra, levels matched
    """

    level_db: float
    crest_db: float
    spectrum_db: float

    @property
    def alike(self) -> bool:
        """Whether nobody would suspect anything."""
        return abs(self.level_db) <= LEVEL_DB and abs(self.crest_db) <= CREST_DB and self.spectrum_db <= SPECTRUM_DB

    @property
    def text(self) -> str:
        """The numbers in words."""
        verb = "look like speech" if self.alike else "differ too"
        # Rounded before they are written, plus zero: what is no change is +0.0, not -0.0.
        level, crest = (round(value, 1) + 0.0 for value in (self.level_db, self.crest_db))
        numbers = f"level {level:+.1f} dB, crest factor {crest:+.1f} dB, spectrum {self.spectrum_db:.1f} dB"
        return f"the statistics {verb} ({numbers})"

    @property
    def detail(self) -> dict[str, Any]:
        """The numbers by name."""
        return {
            "level_db": self.level_db,
            "crest_db": self.crest_db,
            "spectrum_db": self.spectrum_db,
            "statistics_look_like_speech": self.alike,
        }


def looks_of(reference: Array, estimate: Array) -> Looks | None:
    """Compare the statistics of two signals, shape (time,), 10 kHz; None where one is constant or too short."""
    if min(reference.size, estimate.size) <= FRAME:
        return None
    sides = [side - side.mean() for side in (reference, estimate)]
    rms = [float(np.sqrt(np.mean(side**2))) for side in sides]
    if not all(rms):
        return None
    crest = [float(np.max(np.abs(side))) / level for side, level in zip(sides, rms, strict=True)]
    spectra = [np.mean(third_octaves(side / level) ** 2, axis=1) for side, level in zip(sides, rms, strict=True)]
    floor = max(float(spectrum.max(initial=0.0)) for spectrum in spectra) * 10 ** (-_RANGE_DB / 10)
    change = (
        np.subtract(*(10 * np.log10(np.maximum(spectrum, floor)) for spectrum in spectra)) if floor else np.zeros(1)
    )
    level_db, crest_db = (20 * np.log10(pair[1] / pair[0]) for pair in (rms, crest))
    return Looks(float(level_db), float(crest_db), float(np.sqrt(np.mean(change**2))))
