"""The reference: silero-vad's streaming ONNX model, chunk by chunk, with its inner tensors.

A small trained recurrent model whose faults are those of streaming ports: the state that one chunk hands to the next is
lost, and every number still looks healthy. ``silero_vad`` itself is never imported, since its ``__init__`` imports
torch; its files are found through the metadata of the package.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from onnx import helper

Array = np.ndarray[Any, np.dtype[Any]]

SAMPLE_RATE = 16_000
CHUNK_SAMPLES = 512
#: Samples of the chunk before that each chunk repeats. With a hop of 128 they make the four STFT frames of a chunk
#: continue those of the chunk before, so that joined along T they are one STFT.
CONTEXT_SAMPLES = 64
STATE_SHAPE = (2, 1, 128)
CHUNK_RATE = SAMPLE_RATE / CHUNK_SAMPLES

REFERENCE = "silero_vad_16k_op15.onnx"
#: The same network for both rates, as the package itself uses it.
FULL = "silero_vad.onnx"
#: Files beside them that hold other weights under the names of these.
HALF, SAFETENSORS = "silero_vad_half.onnx", "silero_vad_16k.safetensors"

#: Stage -> tensor of the graph, [B, C, T], and how many frames of it a chunk has.
_TAPS = {
    "stft_magnitude": ("/model/stft/Sqrt_output_0", 4),
    "encoder/layer_0": ("/model/encoder/0/activation/Relu_output_0", 4),
    "encoder/layer_1": ("/model/encoder/1/activation/Relu_output_0", 2),
    "encoder/layer_2": ("/model/encoder/2/activation/Relu_output_0", 1),
    "encoder/output": ("/model/encoder/3/activation/Relu_output_0", 1),
    "speech_logit": ("/model/decoder/decoder/2/Conv_output_0", 1),
}


def declared(stage: str) -> dict[str, Any]:
    """Return what `stages.record` takes beside a stage's name and value."""
    if stage == "probability":
        return {"kind": "probabilities", "axes": "BT", "frame_rate": CHUNK_RATE}
    return {"kind": "tensor", "axes": "BCT", "frame_rate": CHUNK_RATE * _TAPS.get(stage, ("", 1))[1]}


def data(name: str) -> Path:
    """Return the path of a file in the package's data folder."""
    return Path(str(metadata.distribution("silero-vad").locate_file(f"silero_vad/data/{name}")))


def chunks(audio: Array) -> Array:
    """Cut audio [T] into [chunks, 64 + 512], each with the end of the one before; the last is filled with zeros."""
    padded = np.pad(audio, (CONTEXT_SAMPLES, -audio.size % CHUNK_SAMPLES))
    return np.lib.stride_tricks.sliding_window_view(padded, CONTEXT_SAMPLES + CHUNK_SAMPLES)[::CHUNK_SAMPLES]


def trace(audio: Array) -> dict[str, Array]:
    """Run the reference over float32 audio [T] at 16 kHz and return its stages in data-flow order."""
    results = _run(_session(REFERENCE, traced=True), audio)
    joined = {
        name: np.concatenate([result[tensor] for result in results], axis=2) for name, (tensor, _) in _TAPS.items()
    }
    logit = joined.pop("speech_logit")
    hidden, cell = np.stack([result["stateN"] for result in results], axis=-1)
    recurrent = {"lstm/hidden": hidden, "lstm/cell": cell}
    return {**joined, **recurrent, "speech_logit": logit, "probability": _probability(results)}


def probability(audio: Array, name: str) -> Array:
    """Run another ONNX file of the package and return the probability of speech: [B, T]."""
    return _probability(_run(_session(name), audio))


def _probability(results: list[dict[str, Array]]) -> Array:
    return np.concatenate([result["output"] for result in results], axis=1)


def _run(session: Any, audio: Array) -> list[dict[str, Array]]:
    """Run a model over the chunks, each with the state that the one before has left."""
    names = [output.name for output in session.get_outputs()]
    feeds: dict[str, Array] = {"state": np.zeros(STATE_SHAPE, np.float32)}
    if "sr" in {given.name for given in session.get_inputs()}:
        feeds["sr"] = np.array(SAMPLE_RATE, np.int64)
    results: list[dict[str, Array]] = []
    for chunk in chunks(audio):
        given: Mapping[str, Array] = {**feeds, "input": chunk[np.newaxis]}
        results.append(dict(zip(names, session.run(None, given), strict=True)))
        feeds["state"] = results[-1]["stateN"]
    return results


@functools.cache
def _session(name: str, traced: bool = False) -> Any:
    """Open a model, on one thread for a fixed order of sums; `traced` makes its inner tensors outputs."""
    model = onnx.load(data(name))
    if traced:
        model.graph.output.extend(helper.make_empty_tensor_value_info(tensor) for tensor, _ in _TAPS.values())
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3  # one file has weights that its graph does not use
    return ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
