"""Whether what was lost was replaced by other speech, or by something that no voice makes.

Three signs: pieces of the reference itself in another order, frames that are voiced as often as speech, and spectra
that change no faster than speech does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_audioparity.audio.envelopes import envelopes
from pytest_audioparity.audio.intelligibility import RATE
from pytest_audioparity.audio.signals import fast_length

if TYPE_CHECKING:
    Array = np.ndarray[Any, Any]

# A piece of 30 ms that correlates like this with some place of the reference was taken from there: other speech of the
# same voice reaches it in a tenth of the pieces. Noise and other words do not.
_PIECE, _EVERY = 300, 400
_TAKEN = 0.95
_TAKEN_SHARE = 0.4
_PIECES = 40
# Products are computed in blocks that stay in the cache of a core: many times faster than over the whole at once.
_BLOCK = 2048
# Voiced: autocorrelation of 40 ms above 0.6 at a lag of 70 to 400 Hz, of frames within 30 dB of the loudest.
_VOICED_FRAME, _VOICED_HOP, _VOICED, _VOICED_RANGE = 400, 100, 0.6, 1e-3
_PITCH_LAGS = slice(RATE // 400, RATE // 70)
# Against the reference: other words have 0.75 to 1.3 times its voiced frames, noise under its envelope below 0.4.
_VOICED_SHARE, _VOICED_AT_ALL = 0.6, 0.3
# Change of the spectrum between 12.8 ms before and after, against the reference's: other words 0.8 to 1.2, frames out
# of order above 1.15, noise below 0.75 but for noise under the envelope.
_FLUX_STEPS = 4
_SLOWEST, _FASTEST = 0.6, 1.4
# Frames of the reference out of order have both signs, none of them sure: together, in parts of their limits, 1.3 and
# more, other words 1.2 and less (46 and 64 clips; those that either limit finds are left out).
_OUT_OF_ORDER = 1.25
_SOUND_DB = 10.0
# Other words come when they come. What follows the reference's level like this is the reference, spoilt.
_SAME_ENVELOPE = 0.65
_LEAST_SHARE = 0.05


@dataclass(frozen=True, slots=True)
class Likeness:
    """How much like speech a piece of audio is, against a reference.

    Attributes
    ----------
    taken : share of its pieces that stand in the reference, forwards or backwards
    voiced : share of voiced frames, over the reference's
    flux : mean change of the spectrum, over the reference's
    envelope : correlation of the level over time with the reference's at that place
    """

    taken: float
    voiced: float
    flux: float
    envelope: float

    @property
    def is_speech(self) -> bool:
        """Whether it is other speech rather than a garbled reference."""
        natural = self.voiced >= _VOICED_SHARE and _SLOWEST <= self.flux <= _FASTEST
        disorder = self.taken / _TAKEN_SHARE + max(0.0, self.flux - 1) / (_FASTEST - 1)
        ordered = self.taken < _TAKEN_SHARE and disorder < _OUT_OF_ORDER
        return natural and ordered and self.envelope < _SAME_ENVELOPE

    @property
    def is_sound_of_speech(self) -> bool:
        """Whether a short sound may be speech: it is voiced. Half a syllable has no more to tell."""
        return self.voiced >= _VOICED_AT_ALL


def likeness(reference: Array, said: Array, heard: Array) -> Likeness:
    """Compare what is heard with speech.

    Parameters
    ----------
    reference : shape (time,), 10 kHz: the whole clip
    said, heard : shape (time,) each: what the two have where words were lost, or the whole
    """
    voiced = _voiced(heard) / max(_voiced(reference), _LEAST_SHARE)
    size = min(said.size, heard.size)
    whole, found = envelopes(reference), envelopes(heard)
    # Often they are what is there already: then they need not be computed.
    beside = whole if said is reference and said.size == size else envelopes(said[:size])
    flux = _flux(whole)
    return Likeness(
        _taken(reference, heard),
        voiced,
        _flux(found) / flux if flux else 0.0,
        _together(beside, found if heard.size == size else envelopes(heard[:size])),
    )


def _taken(reference: Array, estimate: Array) -> float:
    starts = np.arange(0, estimate.size - _PIECE, _EVERY)
    energy = np.array([np.sum(estimate[at : at + _PIECE] ** 2) for at in starts])
    if not energy.any() or reference.size < _PIECE:
        return 0.0
    starts = starts[energy > energy.max() * _VOICED_RANGE]
    starts = starts[np.linspace(0, starts.size - 1, min(_PIECES, starts.size)).astype(int)]
    count = reference.size - _PIECE + 1
    total = np.concatenate([[0.0], np.cumsum(reference**2)])
    norm = np.sqrt(np.maximum(total[_PIECE:] - total[:-_PIECE], 1e-9 * total[-1]))
    blocks = np.fft.rfft(_blocks(reference))
    taken = 0
    for at in starts:
        piece = estimate[at : at + _PIECE]
        least = _TAKEN * np.sqrt(np.sum(piece**2)) * norm
        taken += any(np.any(np.abs(_products(blocks, side, count)) >= least) for side in (piece, piece[::-1]))
    return taken / int(starts.size)


def _blocks(signal: Array) -> Array:
    """Cut a signal, shape (time,), into blocks that share what a piece covers beyond its first sample."""
    step = _BLOCK - _PIECE + 1
    count = -(-(signal.size - _PIECE + 1) // step)
    padded = np.concatenate([signal, np.zeros(count * step + _PIECE - 1 - signal.size)])
    return np.lib.stride_tricks.sliding_window_view(padded, _BLOCK)[::step]


def _products(blocks: Array, piece: Array, count: int) -> Array:
    """Return the products of a piece with what stands at each place of the signal in blocks: shape (count,)."""
    products = np.fft.irfft(blocks * np.conj(np.fft.rfft(piece, _BLOCK)), _BLOCK)
    return np.asarray(products[:, : _BLOCK - _PIECE + 1].reshape(-1)[:count])


def _together(said: Array, heard: Array) -> float:
    """Correlate the mean levels of two envelopes, shape (bands, steps) each."""
    levels = [side.mean(axis=0) for side in (said, heard)]
    if levels[0].size < 2 or not all(side.std() for side in levels):
        return 0.0
    return float(np.corrcoef(*levels)[0, 1])


def _voiced(signal: Array) -> float:
    if signal.size < _VOICED_FRAME:
        return 0.0
    frames = np.lib.stride_tricks.sliding_window_view(signal, _VOICED_FRAME)[::_VOICED_HOP]
    frames = frames - frames.mean(axis=1, keepdims=True)
    energy = np.sum(frames**2, axis=1)
    if not energy.any():
        return 0.0
    window = np.hanning(_VOICED_FRAME)
    correlation, own = (
        _autocorrelation(side) for side in (frames[energy > energy.max() * _VOICED_RANGE] * window, window)
    )
    own = own / own[:, :1]
    peak = np.max(correlation[:, _PITCH_LAGS] / correlation[:, :1] / own[:, _PITCH_LAGS], axis=1)
    return float(np.mean(peak > _VOICED))


def _autocorrelation(frames: Array) -> Array:
    size = fast_length(_VOICED_FRAME + _PITCH_LAGS.stop)  # no lag that is asked for meets the other end
    spectrum = np.fft.rfft(np.atleast_2d(frames), size)
    return np.asarray(np.fft.irfft(spectrum.real**2 + spectrum.imag**2, size)[:, : _PITCH_LAGS.stop])


def _flux(levels: Array) -> float:
    """Return how fast envelopes, shape (bands, steps), change where they sound."""
    if levels.shape[1] <= 2 * _FLUX_STEPS:
        return 0.0
    change = np.mean(np.abs(levels[:, 2 * _FLUX_STEPS :] - levels[:, : -2 * _FLUX_STEPS]), axis=0)
    sounding = levels.mean(axis=0)[_FLUX_STEPS:-_FLUX_STEPS] > _SOUND_DB
    return float(change[sounding].mean()) if sounding.any() else 0.0
