"""What reference, port and training share: the sizes, the alphabet, the settings. No code of a model."""

from dataclasses import dataclass

from layout import CODEBOOK_SIZE, CODEBOOKS, HOP, LATENT, SAMPLE_RATE

__all__ = [
    "ALPHABET",
    "CODEBOOKS",
    "END",
    "FRAME_RATE",
    "HEADS",
    "HIDDEN",
    "HOP",
    "LATENT",
    "LAYERS",
    "MAX_CHARACTERS",
    "MAX_FRAMES",
    "NORM_FLOOR",
    "SAMPLE_RATE",
    "SETTINGS",
    "VOCABULARY",
    "WIDTH",
    "Settings",
    "characters",
]

ALPHABET = " abcdefghijklmnopqrstuvwxyz"
WIDTH, HEADS, LAYERS, HIDDEN = 96, 4, 2, 384  # of the backbone
MAX_CHARACTERS, MAX_FRAMES = 32, 200
NORM_FLOOR = 1e-6  # added to the mean square that RMSNorm divides by

# One entry more than the codec has: this codebook adds nothing to the frame. Speech ends where all codebooks say so.
END = CODEBOOK_SIZE
VOCABULARY = CODEBOOK_SIZE + 1
FRAME_RATE = SAMPLE_RATE / HOP


@dataclass(frozen=True)
class Settings:
    """How codes are drawn and decoded."""

    temperature: float = 0.9
    top_k: int = 50
    codebooks: int = CODEBOOKS
    chunk_size: int = 8  # frames that are decoded at a time, 80 ms


SETTINGS = Settings()


def characters(text: str) -> list[int]:
    """Return the ids of the letters.

    Raises
    ------
    ValueError : a character that the model does not know, or too many of them
    """
    if unknown := sorted(set(text) - set(ALPHABET)):
        raise ValueError(f"{text!r} has {', '.join(map(repr, unknown))}; the model reads small letters and spaces")
    if not 0 < len(text) <= MAX_CHARACTERS:
        raise ValueError(f"{text!r} has {len(text)} characters; the model reads 1 to {MAX_CHARACTERS}")
    return [ALPHABET.index(letter) for letter in text]
