"""The sizes of the network and the settings it runs with: read by training, by the reference and by the port."""

from dataclasses import dataclass

SAMPLE_RATE = 16_000
HOP, WINDOW = 256, 1024  # samples
FRAME_RATE = SAMPLE_RATE / HOP
BINS = 64  # of the log-mel, and as many latent channels
TOKENS = 512

WIDTH, HEADS, HIDDEN, ENCODER_BLOCKS = 96, 4, 192, 2
HEAD = WIDTH // HEADS  # channels of a head: attention scores are divided by its square root
ROPE_BASE = 10_000.0
FLOW_WIDTH, FLOW_BLOCKS, TAPS = 112, 4, 3
TIME_CHANNELS, TIME_SCALE = 64, 1000.0
NORM_EPS = 1e-5


@dataclass(frozen=True)
class Settings:
    """What a decoder runs with beside its weights.

    Attributes
    ----------
    n_steps : steps of the solver
    solver : ``euler``, one evaluation a step, or ``midpoint``, two
    schedule : ``cosine``, short steps first: t = 1 - cos(pi/2 * i/n); or ``linear``
    guidance : w of classifier-free guidance, (1 + w) * v(x, tokens) - w * v(x, nothing)
    noise_scale : standard deviation of the noise that the solver starts from
    griffin_lim : iterations of the vocoder
    """

    n_steps: int = 10
    solver: str = "euler"
    schedule: str = "cosine"
    guidance: float = 0.7
    noise_scale: float = 1.0
    griffin_lim: int = 10
