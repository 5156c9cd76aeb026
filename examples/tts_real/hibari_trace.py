"""Trace a real text-to-speech model, hibari-tts (int8 ONNX, 24 kHz), stage by stage.

The package's own pipeline runs unchanged: its G2P, its graph, its spectral synthesis. Only the
session is replaced by one that also returns the inner tensors of the graph, so that the last stage
is bitwise what ``Hibari()(text, seed=seed)`` returns.

The graph holds two networks. The prosody network reads the phonemes and decides durations, F0 and
energy. The acoustic network encodes the phonemes a second time, repeats each encoding for its
duration, and decodes three spectra per 12.5 ms frame: harmonics that filter a pulse train, noise,
and a residual with a phase of its own. Prosody comes first in the trace: nothing in the acoustic
network flows back into it, so a fault there leaves every stage before ``encoder/…`` untouched.
"""

from __future__ import annotations

import difflib
import functools
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from hibari import Hibari
from hibari.dsp import HOP, SR
from hibari.g2p import G2P
from hibari.voices import DEFAULT, VOICES, voice_path
from onnx import helper, numpy_helper

Array = np.ndarray[Any, np.dtype[Any]]

FRAME_RATE = SR / HOP

#: Gain of ``encoder_gain``, as when a port folds a scale into a norm and applies it once more.
ENCODER_GAIN = 1.5

#: Undoes the 1/sqrt(d) of the acoustic encoder's attention: 128 channels in 2 heads.
MISSING_ATTENTION_SCALE = (128 / 2) ** 0.5


@dataclass(frozen=True)
class Stage:
    """One named tensor of the data flow.

    Attributes
    ----------
    name : str
        Units are part of the name where the kind does not define them (``f0_hz``).
    value : numpy.ndarray
        The tensor as the model made it.
    kind, axes, unit : str or None
        Vocabulary of pytest-audioparity: kind of numbers, one letter per axis, log unit.
    sample_rate : float or None
        Samples per second along T, for waveforms.
    frame_rate : float or None
        Frames per second along T, for framed stages; None where T counts phonemes.
    """

    name: str
    value: Array
    kind: str | None
    axes: str | None
    unit: str | None
    sample_rate: float | None
    frame_rate: float | None

    @property
    def declared(self) -> dict[str, Any]:
        """What `stages.record` takes beside name and value."""
        names = ("kind", "axes", "unit", "sample_rate", "frame_rate")
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True)
class _Tap:
    """Where a stage comes from in the graph, and what it is."""

    name: str
    tensor: str
    kind: str
    axes: str
    unit: str | None = None
    framed: bool = True


#: In data-flow order. Tensor names are those of hibari-tts 0.2.1's export. The four encoder layers
#: share one set of weights, so two of them are enough to see a divergence grow; the last one is
#: seen through the final normalisation, ``encoder/output``.
_TAPS = (
    _Tap("phoneme_ids", "ids", "codes", "BT", framed=False),
    _Tap("prosody/encoder", "/norm_1/LayerNormalization_output_0", "tensor", "BTC", framed=False),
    _Tap("prosody/durations_frames", "/Cast_32_output_0", "codes", "T", framed=False),
    _Tap("prosody/f0_hz", "f0", "tensor", "BT"),
    _Tap("prosody/energy", "/Mul_62_output_0", "tensor", "BT"),
    _Tap("encoder/layer_0", "/Add_4_output_0", "tensor", "BTC", framed=False),
    _Tap("encoder/layer_1", "/Add_9_output_0", "tensor", "BTC", framed=False),
    _Tap("encoder/output", "/norm/LayerNormalization_output_0", "tensor", "BTC", framed=False),
    _Tap("decoder/input", "/dec_in/Conv_output_0", "tensor", "BCT"),
    _Tap("decoder/output", "/dec_norm/LayerNormalization_output_0", "tensor", "BTC"),
    # Natural logarithms of STFT magnitudes; the synthesis takes exp(min(x, 7)) of each.
    _Tap("spectrum/harmonic_log_magnitude", "lh", "log_spectrum", "BCT", "ln"),
    # The phase added to the pulse train's own is pi * tanh(this).
    _Tap("spectrum/harmonic_phase_pre_tanh", "theta", "tensor", "BCT"),
    _Tap("spectrum/noise_log_magnitude", "ln", "log_spectrum", "BCT", "ln"),
    _Tap("spectrum/residual_log_magnitude", "lr", "log_spectrum", "BCT", "ln"),
    _Tap("spectrum/residual_phase_rad", "phi", "tensor", "BCT"),
)

#: Inside the encoder's first block and first layer, where a cause has its plainest form: a lost 1/sqrt(d) is a gain of
#: the scores, another GELU a function of each value. What follows them mixes both into something that has no name.
_INNER_TAPS = (
    _Tap("encoder/embedding", "/emb/Gather_output_0", "tensor", "BTC", framed=False),
    _Tap("encoder/conv_norm", "/convs.0/norm/LayerNormalization_output_0", "tensor", "BTC", framed=False),
    _Tap("encoder/conv_hidden", "/convs.0/pw1/Add_output_0", "tensor", "BTC", framed=False),
    _Tap("encoder/conv_gelu", "/convs.0/Mul_1_output_0", "tensor", "BTC", framed=False),
    _Tap("encoder/convolved", "/Transpose_1_output_0", "tensor", "BTC", framed=False),
    _Tap("encoder/attention_scores", "/Div_2_output_0", "tensor", "BHQK", framed=False),
    _Tap("encoder/attention_heads", "/Reshape_3_output_0", "tensor", "BTC", framed=False),
    _Tap("encoder/attention_output", "/Add_2_output_0", "tensor", "BTC", framed=False),
)
_FIRST_OF_ENCODER = next(i for i, tap in enumerate(_TAPS) if tap.name.startswith("encoder/"))
_ALL_TAPS = (*_TAPS[:_FIRST_OF_ENCODER], *_INNER_TAPS, *_TAPS[_FIRST_OF_ENCODER:])

_ATTENTION_SCORES = ("/Div_2_output_0", "/Div_6_output_0", "/Div_10_output_0", "/Div_14_output_0")

#: Planted faults: the graph tensors to scale, and the factor. The gain sits on the last norm
#: because every layer before it is pre-norm: a residual stream scaled by 1.5 loses its scale in
#: the next norm, and 3.5 dB there would leave 0.1 dB after it. Both faults are in the acoustic
#: network, which has no say in durations, so that every stage keeps its shape.
_FAULTS: Mapping[str, tuple[tuple[str, ...], float]] = {
    "encoder_gain": (("/norm/LayerNormalization_output_0",), ENCODER_GAIN),
    "attention_scale": (_ATTENTION_SCORES, MISSING_ATTENTION_SCALE),
}
FAULTS = tuple(_FAULTS)


class _RecordingSession:
    """Stands in for the package's session: keeps all outputs, returns those the package expects."""

    def __init__(self, session: Any, own_outputs: int) -> None:
        self._session = session
        self._own_outputs = own_outputs
        self.calls: list[dict[str, Array]] = []

    def run(self, output_names: Sequence[str] | None, feeds: Mapping[str, Array]) -> list[Array]:
        """Run the graph once and remember every named tensor of the call."""
        if output_names is not None:
            raise ValueError(f"hibari-tts asks for all outputs, not for {output_names!r}")
        outputs = self._session.run(None, feeds)
        names = (output.name for output in self._session.get_outputs())
        self.calls.append({**feeds, **dict(zip(names, outputs, strict=True))})
        return list(outputs[: self._own_outputs])


def trace(text: str, *, seed: int = 0, faults: Collection[str] = (), inner: bool = False) -> list[Stage]:
    """Synthesise one sentence and return its stages in data-flow order.

    Parameters
    ----------
    text : str
        One sentence; the model sees sentences one at a time, so a second one would be a second
        pass with stages of its own.
    seed : int
        Seed of the noise branch.
    faults : collection of str
        Planted bugs, from `FAULTS`, made inside the graph. ``encoder_gain`` multiplies the
        encoder's output by `ENCODER_GAIN`; ``attention_scale`` leaves out the encoder's 1/sqrt(d).
    inner : bool
        Whether to return stages from inside the encoder's first layer as well.

    Returns
    -------
    list of Stage
        From ``phoneme_ids`` to ``waveform`` (float32, shape ``[T]``, 24 kHz).

    Raises
    ------
    ValueError
        If a fault is unknown, or `text` is not exactly one sentence.
    """
    model, own_outputs = _instrumented_model(checked_faults(faults, FAULTS))
    # The package documents a path here; onnxruntime takes the serialised graph just as well.
    tts = Hibari(model=model, g2p=_g2p())
    session = tts.sess = _RecordingSession(tts.sess, own_outputs)
    waveform = tts(text, seed=seed)
    if len(session.calls) != 1:
        raise ValueError(f"text must be exactly one sentence, got {len(session.calls)}: {text!r}")
    tensors = session.calls[0]
    taps = _ALL_TAPS if inner else _TAPS
    stages = [Stage(t.name, tensors[t.tensor], t.kind, t.axes, t.unit, None, _frame_rate(t)) for t in taps]
    return [*stages, Stage("waveform", waveform, "waveform", "T", None, float(SR), None)]


def _frame_rate(tap: _Tap) -> float | None:
    return FRAME_RATE if tap.framed else None


def checked_faults(faults: Collection[str], known: Collection[str]) -> frozenset[str]:
    """Refuse a misspelt fault: it would otherwise make a test of the fault pass for no reason."""
    if isinstance(faults, str):
        raise ValueError(f"faults must be a collection of names, got the string {faults!r}")
    for fault in faults:
        if fault not in known:
            nearest = difflib.get_close_matches(fault, known, n=1, cutoff=0.0)[0]
            raise ValueError(f"unknown fault {fault!r}; the nearest is {nearest!r}")
    return frozenset(faults)


@functools.cache
def _g2p() -> Any:
    """Share one G2P: its lexicons take longer to load than a trace takes to run."""
    return G2P(british=VOICES[DEFAULT]["british"])


@functools.cache
def _instrumented_model(faults: frozenset[str]) -> tuple[bytes, int]:
    """Return the serialised graph with faults and taps, and how many outputs it had without."""
    graph_model = onnx.load(voice_path(DEFAULT))
    graph = graph_model.graph
    for fault in sorted(faults):
        tensors, gain = _FAULTS[fault]
        for tensor in tensors:
            _insert_gain(graph, tensor, gain)
    known = {value.name for value in (*graph.input, *graph.output)}
    own_outputs = len(graph.output)
    for tap in _ALL_TAPS:
        if tap.tensor not in known:
            # Type and shape are left to onnxruntime, which infers them.
            graph.output.append(helper.make_empty_tensor_value_info(tap.tensor))
    return graph_model.SerializeToString(), own_outputs


def _insert_gain(graph: onnx.GraphProto, tensor: str, gain: float) -> None:
    """Scale `tensor` where it is produced, so that every consumer and the tap see the fault."""
    index, producer = next((i, n) for i, n in enumerate(graph.node) if tensor in n.output)
    healthy, factor = f"{tensor}/healthy", f"{tensor}/gain"
    producer.output[list(producer.output).index(tensor)] = healthy
    graph.initializer.append(numpy_helper.from_array(np.array(gain, np.float32), factor))
    graph.node.insert(index + 1, helper.make_node("Mul", [healthy, factor], [tensor]))
