"""Trace silero-vad's streaming ONNX model: STFT, encoder, LSTM, probability per 32 ms chunk.

A small trained recurrent model whose faults are those of streaming ports: the state that one chunk
hands to the next is lost, and every number still looks healthy. Only numpy, onnx and onnxruntime
are needed; ``silero_vad`` itself is never imported, since its ``__init__`` imports torch.
"""

from __future__ import annotations

import functools
from collections.abc import Collection, Mapping
from importlib import metadata
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from hibari_trace import Stage, checked_faults
from onnx import helper

Array = np.ndarray[Any, np.dtype[Any]]

SAMPLE_RATE = 16_000
CHUNK_SAMPLES = 512
#: Samples of the chunk before that each chunk repeats. With a hop of 128 they make the four STFT
#: frames of a chunk continue those of the chunk before, so that joined along T they are one STFT.
CONTEXT_SAMPLES = 64
STATE_SHAPE = (2, 1, 128)

FAULTS = ("state_reset",)

_MODEL_FILE = "silero_vad/data/silero_vad_16k_op15.onnx"


#: Stage -> tensor of the graph, for those that are not already outputs. All are [B, C, T].
_TAPS = {
    "stft_magnitude": "/model/stft/Sqrt_output_0",
    "encoder/layer_1": "/model/encoder/1/activation/Relu_output_0",
    "encoder/output": "/model/encoder/3/activation/Relu_output_0",
    "speech_logit": "/model/decoder/decoder/2/Conv_output_0",
}


def trace(audio: Array, *, faults: Collection[str] = ()) -> list[Stage]:
    """Run the model over `audio` chunk by chunk and return its stages in data-flow order.

    Parameters
    ----------
    audio : numpy.ndarray
        float32 samples in [-1, 1], shape ``[T]``, 16 kHz. The last chunk is filled with zeros, as
        the package's own ``audio_forward`` does.
    faults : collection of str
        Planted bugs, from `FAULTS`. ``state_reset`` starts every chunk from a zero LSTM state; the
        64-sample context is kept, so only the stages after the encoder change.

    Returns
    -------
    list of Stage
        ``stft_magnitude`` at 125 frames per second, ``encoder/layer_1`` at 62.5, the others at
        31.25, one frame per chunk; ``probability`` is ``[B, T]``.

    Raises
    ------
    ValueError
        If a fault is unknown, or `audio` is not a non-empty float32 vector.
    """
    if audio.dtype != np.float32 or audio.ndim != 1 or not audio.size:
        raise ValueError(f"audio must be float32 [T], got {audio.dtype} {list(audio.shape)}")
    chunks = _run_chunks(audio, reset="state_reset" in checked_faults(faults, FAULTS))
    joined = {name: np.concatenate([chunk[tensor] for chunk in chunks], axis=2) for name, tensor in _TAPS.items()}
    hidden, cell = np.stack([chunk["stateN"] for chunk in chunks], axis=-1)
    probability = np.concatenate([chunk["output"] for chunk in chunks], axis=1)
    logit = joined.pop("speech_logit")
    framed = {**joined, "lstm/hidden": hidden, "lstm/cell": cell, "speech_logit": logit}
    rate = SAMPLE_RATE / CHUNK_SAMPLES
    stages = [
        Stage(name, x, "tensor", "BCT", None, None, rate * (x.shape[-1] // len(chunks))) for name, x in framed.items()
    ]
    return [*stages, Stage("probability", probability, "probabilities", "BT", None, None, rate)]


def _run_chunks(audio: Array, *, reset: bool) -> list[dict[str, Array]]:
    """Run the model over the zero-filled chunks; `reset` loses the state between them."""
    session = _session()
    names = [output.name for output in session.get_outputs()]
    padded = np.pad(audio, (CONTEXT_SAMPLES, -audio.size % CHUNK_SAMPLES))
    state = np.zeros(STATE_SHAPE, np.float32)
    results = []
    for start in range(0, padded.size - CONTEXT_SAMPLES, CHUNK_SAMPLES):
        window = padded[start : start + CONTEXT_SAMPLES + CHUNK_SAMPLES]
        feeds: Mapping[str, Array] = {
            "input": window[np.newaxis],
            "state": np.zeros_like(state) if reset else state,
            "sr": np.array(SAMPLE_RATE, np.int64),
        }
        tensors = dict(zip(names, session.run(None, feeds), strict=True))
        state = tensors["stateN"]
        results.append(tensors)
    return results


@functools.cache
def _session() -> Any:
    """Open the model with its inner tensors as outputs, on one thread for a fixed order of sums."""
    # importlib.resources would import the package to find its files; the metadata does not.
    path = metadata.distribution("silero-vad").locate_file(_MODEL_FILE)
    model = onnx.load(str(path))
    model.graph.output.extend(helper.make_empty_tensor_value_info(t) for t in _TAPS.values())
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    providers = ["CPUExecutionProvider"]
    return ort.InferenceSession(model.SerializeToString(), options, providers=providers)
