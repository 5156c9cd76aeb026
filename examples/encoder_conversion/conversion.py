"""Convert the encoder for each runtime, with a bug where ENCODER_FAULT switches one on.

`python conversion.py FOLDER [--only RUNTIME]` writes the reference's weights and, beside them, what the ports run.
"""

import argparse
import os
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path

import numpy as np
import voice_weights
from mel_frontend import Array, mel_power
from safetensors.numpy import save_file
from voice_weights import Weights

SUFFIXES = {"onnx": ".onnx", "mlx": ".safetensors", "coreml": ".mlpackage"}

# fault -> the ports that have it
FAULTS: Mapping[str, tuple[str, ...]] = {
    "random_weights": ("coreml",),
    "scaled_200": ("coreml",),
    "gates_reordered": ("onnx", "mlx", "coreml"),
    "mel_floor": ("mlx",),
}
_QUIET = 1 / 200
_FLOOR = 1e-5  # as a front end with a logarithm has it: max(power, 1e-5)
_SEED = 0


def fault_of(runtime: str) -> str | None:
    """Return the fault that is switched on in one port.

    Raises
    ------
    ValueError : there is no fault of that name
    """
    fault = os.environ.get("ENCODER_FAULT")
    if not fault:
        return None
    if fault not in FAULTS:
        raise ValueError(f"ENCODER_FAULT={fault}: there are {', '.join(FAULTS)}")
    return fault if runtime in FAULTS[fault] else None


def reference(folder: Path) -> Path:
    """Write the published weights that encoding needs: without what training compared voices with."""
    path = folder / "reference.safetensors"
    save_file(voice_weights.trained(), path)
    return path


def convert(runtime: str, folder: Path) -> Path:
    """Write the encoder for a runtime and return the path."""
    fault = fault_of(runtime)
    weights = _converted(voice_weights.trained(), fault)
    path = folder / f"{runtime}_encoder{SUFFIXES[runtime]}"
    module = import_module(f"{runtime}_encoder")
    if fault == "gates_reordered":
        return module.save(weights, path, gates=_other_gates(runtime))
    return module.save(weights, path)


def _converted(weights: Weights, fault: str | None) -> Weights:
    if fault == "random_weights":
        # The converter's class calls its layers otherwise; load_state_dict(strict=False) finds none, and says nothing.
        return voice_weights.initial(_SEED)
    if fault == "scaled_200":
        return weights | {name: weights[name] * np.float32(_QUIET) for name in ("linear.weight", "linear.bias")}
    return weights


def _other_gates(runtime: str) -> str:
    """Return the order of the framework that the weights came from: torch's, or that of ONNX for MLX."""
    return "iofg" if runtime == "mlx" else "ifgo"


def mel_of(runtime: str, waveform: Array) -> Array:
    """Return the mel of a port's front end, (voices, frames, bands)."""
    mel = mel_power(waveform)
    return np.maximum(mel, np.float32(_FLOOR)) if fault_of(runtime) == "mel_floor" else mel


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", choices=SUFFIXES)
    chosen = parser.parse_args()
    chosen.folder.mkdir(parents=True, exist_ok=True)
    print(reference(chosen.folder))
    for one in [chosen.only] if chosen.only else SUFFIXES:
        print(convert(one, chosen.folder))
