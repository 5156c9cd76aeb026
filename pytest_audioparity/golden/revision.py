"""What a golden becomes: some stages replaced, added or removed, the rest as it was."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pytest_audioparity.golden.hashes import content_hash
from pytest_audioparity.records import DECLARED
from pytest_audioparity.tensorfile import raw_bytes

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping

    from pytest_audioparity.golden.file import Golden
    from pytest_audioparity.records import StageTensor


def revised(
    golden: Golden | None, *, order: Iterable[str], new: Mapping[str, StageTensor], removed: Container[str]
) -> list[StageTensor]:
    """Return the stages of a golden after a change, in data-flow order.

    Parameters
    ----------
    golden : what is there, or None
    order : the data-flow order of the run that the new stages come from
    new : stages that replace the golden's, or that it lacks
    removed : stages of the golden that go

    Raises
    ------
    GoldenError : a stage that stays was altered
    """
    stages = []
    held = () if golden is None else (stage.name for stage in golden.stages)
    for name in merge_order(order, held):
        if name in new:
            stages.append(new[name])
        elif golden is not None and name in golden and name not in removed:
            stages.append(golden.read(name))
    return stages


def merge_order(leading: Iterable[str], following: Iterable[str]) -> list[str]:
    """Return the leading names in their order, with what only the other side has put behind its predecessor there."""
    order = list(leading)
    known = set(order)
    previous: str | None = None
    for name in following:
        if name not in known:
            order.insert(0 if previous is None else order.index(previous) + 1, name)
            known.add(name)
        previous = name
    return order


def fingerprint(stage: StageTensor | None) -> str | None:
    """Return what tells a stage from another: its content, type, shape and declarations. None for no stage."""
    if stage is None:
        return None
    array, meta = stage.array, stage.meta
    declared = [getattr(meta, key) for key in DECLARED]
    # One spelling of a rate, whether it was declared as 24000 or 24000.0.
    spelt = [float(value) if isinstance(value, int) else value for value in declared]
    role = () if meta.role is None else (meta.role,)
    said = json.dumps([content_hash(raw_bytes(array)), array.dtype.name, list(array.shape), [*spelt, *role]])
    return content_hash(memoryview(said.encode()))


def setting_fingerprint(settings: Mapping[str, Any], name: str) -> str | None:
    """Return what tells a hyper-parameter from another: its value as JSON. None where there is none of that name."""
    return json.dumps(_spelt(settings[name]), sort_keys=True) if name in settings else None


def _spelt(value: Any) -> Any:
    """Return a plain value in one spelling of its numbers, 50 for 50.0, since they are equal."""
    if isinstance(value, dict):
        return {key: _spelt(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_spelt(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
