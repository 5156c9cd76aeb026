"""The port of hibari-tts to numpy against the package, stage by stage.

TTS_FAULT=attention_scale, for example, switches on a bug of the port: README.md has them all.
"""

import hibari_port
import hibari_trace
import pytest
import synthesis
from hibari import dsp
from tts_faults import switched_on

from pytest_audioparity import parity

TEXT, SEED = "Hello there.", 0
GOLDEN = "examples/tts_real/test_port/test_reference"
FAULTS = switched_on(hibari_port.FAULTS)
# Not ported: the package computes them, the golden marks them as inputs, and ports take them from there.
INPUTS = ("phoneme_ids", "prosody/durations_frames", "prosody/f0_hz", "prosody/energy")
SPECTRA = tuple(f"spectrum/{name}" for name in hibari_port.SPECTRA)

# Before the first product of rounded activations, and in constants, there is nothing that could differ.
EXACT = {name: {"tol_db": 0.001} for name in ("encoder/embedding", "encoder/conv_norm", "synthesis/window")}
# What the package's rounding of activations moves; twice what was measured: 0.12 dB inside the encoder, 0.16 in the
# decoder, 0.34 in the spectra, 0.27 in the waveform; single elements by 0.5, 1.1, 2.7 and 2.5 dB.
ROUNDING = {
    "encoder/*": {"tol_db": 0.25, "tol_peak_db": 1.0},
    "decoder/*": {"tol_db": 0.3, "tol_peak_db": 2.0},
    "spectrum/*": {"tol_db": 0.7, "tol_peak_db": 5.0},
    "waveform": {"tol_db": 0.6, "tol_peak_db": 5.0},
}
# With activations rounded as the package rounds them nothing is left, until in the decoder the last bit of a float32
# sum moves one of them by a step.
STEPS = {**ROUNDING, "encoder/*": {"tol_db": 0.001}, "decoder/input": {"tol_db": 0.001}}


@parity(tol_db=0.01)
def test_reference(stages):
    """The package itself, with stages from inside its encoder; it writes the golden."""
    stages.record("synthesis/window", dsp.WIN, axes="T")
    for stage in hibari_trace.trace(TEXT, seed=SEED, inner=True):
        if stage.name in INPUTS:
            stages.input(stage.name, stage.value, **stage.declared)
        elif not stage.name.startswith("prosody/"):
            stages.record(stage.name, stage.value, **stage.declared)
        if stage.name == "prosody/f0_hz":  # the package draws as much, from a generator of the same seed
            stages.input("synthesis/noise", synthesis.draw_noise(stage.value.shape[1], SEED), axes="CT")


@pytest.mark.parametrize(
    "activations",
    [
        pytest.param("float", marks=parity(precision="int8", stages={**ROUNDING, **EXACT})),
        pytest.param("int8", marks=parity(precision="int8", stages={**STEPS, **EXACT})),
    ],
)
@parity(golden=GOLDEN, port=True)
def test_port(stages, activations):
    """Everything after the prosody is the port's own."""
    port = hibari_port.make_port(FAULTS, activations)
    stages.record("synthesis/window", port.window())
    ids, durations, f0_hz, energy = (stages.input(name) for name in INPUTS)
    noise = stages.input("synthesis/noise")
    embedded = stages.step("encoder/embedding", port.embedding, ids)
    normed = stages.step("encoder/conv_norm", port.conv_norm, embedded)
    hidden = stages.step("encoder/conv_hidden", port.conv_hidden, normed)
    activated = stages.step("encoder/conv_gelu", port.gelu, hidden)
    x = stages.step("encoder/convolved", port.convolved, embedded, activated)
    scores = stages.step("encoder/attention_scores", port.attention_scores, x)
    heads = stages.step("encoder/attention_heads", port.attention_heads, x, scores)
    x = stages.step("encoder/attention_output", port.attention_output, x, heads)
    x = stages.step("encoder/layer_0", port.feed_forward, x)
    x = stages.step("encoder/layer_1", port.encoder_layer, x)
    encoded = stages.step("encoder/output", port.encoder_output, x)
    x = stages.step("decoder/input", port.decoder_input, encoded, durations, f0_hz, energy)
    decoded = stages.step("decoder/output", port.decoder_output, x)
    spectra = [stages.step(f"spectrum/{name}", port.spectrum, decoded, name) for name in hibari_port.SPECTRA]
    stages.step("waveform", port.synthesise, *spectra, f0_hz, noise=noise)


@parity(golden=GOLDEN, port=True, only=["synthesis/*", "prosody/f0_hz", *SPECTRA, "waveform"], tol_db=0.001)
def test_synthesis(stages):
    """The synthesis alone, on the package's own spectra: no rounding comes before it, so floats must agree."""
    port = hibari_port.make_port(FAULTS)
    stages.record("synthesis/window", port.window())
    f0_hz, noise, *spectra = (stages.input(name) for name in ("prosody/f0_hz", "synthesis/noise", *SPECTRA))
    stages.step("waveform", port.synthesise, *spectra, f0_hz, noise=noise)
