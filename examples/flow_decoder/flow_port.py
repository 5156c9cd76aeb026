"""The port, healthy or with a fault that ports of such decoders have had: in MLX, or in numpy where MLX is absent."""

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from flow_layout import BINS, Settings
from flow_reference import load_weights

RUNTIME = "mlx" if importlib.util.find_spec("mlx") else "numpy"
_SUPPRESSED = 0.01
_SEED = 0


@dataclass(frozen=True)
class Fault:
    """What a port does otherwise than its configuration file says.

    Attributes
    ----------
    settings : settings that it really runs with
    options : keywords of `Decoder`
    scaled : factors of weights, by the beginning of their names
    draws_noise : whether it draws noise of its own and leaves the golden's
    """

    settings: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    scaled: Mapping[str, float] = field(default_factory=dict)
    draws_noise: bool = False


FAULTS = {
    "projection_bias": Fault(scaled={"projection.bias": 0.0}),
    "no_guidance": Fault(settings={"guidance": 0.0}),
    "midpoint": Fault(settings={"solver": "midpoint"}),
    "time_steps": Fault(settings={"schedule": "linear"}),
    "encoder_suppressed": Fault(scaled={"encoder.norm.": _SUPPRESSED}),
    "attention_scale": Fault(options={"attention_scale": 1.0}),
    "own_noise": Fault(draws_noise=True),
    "reused_buffer": Fault(options={"reuses_buffer": True}),
}
HEALTHY = Fault()


def known(names: str) -> Fault:
    """Return the fault of that name, of several joined by a comma, none for an empty text.

    Raises
    ------
    ValueError : there is no fault of that name
    """
    fault = HEALTHY
    for name in filter(None, names.split(",")):
        if name not in FAULTS:
            raise ValueError(f"no fault {name!r}; there are {', '.join(FAULTS)}")
        fault = _both(fault, FAULTS[name])
    return fault


def _both(one: Fault, other: Fault) -> Fault:
    return Fault(
        {**one.settings, **other.settings},
        {**one.options, **other.options},
        {**one.scaled, **other.scaled},
        one.draws_noise or other.draws_noise,
    )


def make_port(fault: Fault = HEALTHY) -> Any:
    """Return the port's decoder."""
    if RUNTIME == "mlx":
        from flow_mlx import Decoder
    else:
        from flow_reference import Decoder
    weights = load_weights()
    for beginning, factor in fault.scaled.items():
        weights |= {name: w * np.float32(factor) for name, w in weights.items() if name.startswith(beginning)}
    return Decoder(weights, replace(Settings(), **fault.settings), **fault.options)


def own_noise(frames: int) -> Any:
    """Return the noise (1, frames, BINS) that a port draws itself, of the very seed of the reference."""
    if RUNTIME == "mlx":
        import mlx.core as mx

        return mx.random.normal((1, frames, BINS), key=mx.random.key(_SEED))
    return np.random.RandomState(_SEED).standard_normal((1, frames, BINS)).astype(np.float32)
