"""Bugs that ports of token models have had, each to be switched on by its name: TTS_FAULT=no_top_k."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from token_codec import Speech
from token_layout import END, SETTINGS
from token_port import Cache, Port

_DEFAULT_CODEBOOKS = 8  # what the port decodes unless somebody sets the number
_COOLER = 0.7
_SMALLER_CHUNK = 4


class NoTopK(Port):
    """The setting is read and stored, and the sampler does not look at it."""

    def kept(self, scaled: Any) -> Any:
        """Keep all tokens."""
        return self.weighed(scaled)


class Temperature(Port):
    """The port keeps the temperature of its first release."""

    def __init__(self) -> None:
        super().__init__(replace(SETTINGS, temperature=_COOLER))


class TemperatureConstant(Port):
    """The same, but as a constant in the sampler: the settings say 0.9."""

    def sample(self, logits: Any, uniforms: Any) -> Any:
        """Draw at 0.7, whatever is set."""
        return super().sample(logits * (self.settings.temperature / _COOLER), uniforms)


class CodebookCount(Port):
    """The number of codebooks was not set, and the default is lower."""

    def __init__(self) -> None:
        super().__init__(replace(SETTINGS, codebooks=_DEFAULT_CODEBOOKS))


class EosOneCodebook(Port):
    """Speech ends when codebook 0 says END, as it does in the pauses between words."""

    @staticmethod
    def ended(codes: list[int]) -> bool:
        """Look at the first codebook."""
        return codes[0] == END


class ChunkSize(Port):
    """Half the chunk."""

    def __init__(self) -> None:
        super().__init__(replace(SETTINGS, chunk_size=_SMALLER_CHUNK))


class StaleCache(Port):
    """The decoder's state is kept twice, and chunks take turns: each goes on from the chunk before the last."""

    def speech(self, codes: Any) -> Iterator[Any]:
        """Yield the audio in chunks."""
        streams, size = (Speech(), Speech()), self.settings.chunk_size
        for number, begin in enumerate(range(0, codes.shape[1], size)):
            yield streams[number % 2].push(np.array(codes[:, begin : begin + size]))


class StaleKvCache(Port):
    """The keys and values of the call before are still there: the model reads two texts."""

    def __init__(self) -> None:
        super().__init__()
        self._kept = super().caches()

    def caches(self) -> list[Cache]:
        """Return the caches that there are."""
        return self._kept


_FAULTS: dict[str, type[Port]] = {
    "no_top_k": NoTopK,
    "temperature": Temperature,
    "temperature_constant": TemperatureConstant,
    "codebook_count": CodebookCount,
    "eos_one_codebook": EosOneCodebook,
    "chunk_size": ChunkSize,
    "stale_cache": StaleCache,
    "stale_kv_cache": StaleKvCache,
}
NAMES = tuple(_FAULTS)


def make_port(fault: str | None) -> Port:
    """Return the port, with a fault where one is named.

    Raises
    ------
    ValueError : there is no fault of that name
    """
    if not fault:
        return Port()
    if fault not in _FAULTS:
        raise ValueError(f"no fault {fault!r}; there are {', '.join(NAMES)}")
    return _FAULTS[fault]()
