"""Stages of a golden that a failing one may come from."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_audioparity.golden.file import Golden
    from pytest_audioparity.records import StageTensor

# Stages around a failing one that are looked at.
_MOST = 16


def alike(golden: Golden, actual: StageTensor) -> Iterator[StageTensor]:
    """Yield the golden's stages of one shape, the nearest first: a buffer that is used again holds one of these."""
    shapes = {stage.meta.name: stage.array.shape for stage in golden.outlines}
    for name in [name for name in _nearest(golden, actual) if shapes[name] == actual.array.shape][:_MOST]:
        yield golden.read(name)


def sources(golden: Golden, actual: StageTensor) -> Iterator[StageTensor]:
    """Yield what a failing stage may be instead, and for codes the logits that they may be drawn from."""
    yield from alike(golden, actual)
    kinds = {stage.name: stage.kind for stage in golden.stages}
    kind = kinds.get(actual.meta.name) or actual.meta.kind
    if kind == "codes" or (kind is None and actual.array.dtype.kind in "iu"):
        for name in [name for name in _nearest(golden, actual) if kinds[name] == "logits"][:_MOST]:
            yield golden.read(name)


def _nearest(golden: Golden, actual: StageTensor) -> list[str]:
    """Return the other stages by their distance in the data flow."""
    held, name = [stage.name for stage in golden.stages], actual.meta.name
    at = held.index(name) if name in held else len(held)
    return [other for _, other in sorted((abs(i - at), other) for i, other in enumerate(held) if other != name)]
