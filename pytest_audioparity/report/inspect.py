"""What a golden or tensor file holds, as text and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_audioparity.records import shape_text
from pytest_audioparity.report.json import SCHEMA, plain
from pytest_audioparity.report.json import side_document as _side
from pytest_audioparity.report.numbers import counted, short

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_audioparity.records import Side, StageMeta


def as_json(
    stages: Sequence[tuple[StageMeta, Side]], settings: Mapping[str, Any], provenance: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the content of a file as a JSON-ready dictionary."""
    rows = [
        {
            "name": meta.name,
            "kind": meta.kind,
            "axes": meta.axes,
            "unit": meta.unit,
            "sample_rate": meta.sample_rate,
            "frame_rate": meta.frame_rate,
            "role": meta.role,
            **(_side(side) or {}),
        }
        for meta, side in stages
    ]
    document: dict[str, Any] = plain({"schema": SCHEMA, "stages": rows, "settings": settings, "provenance": provenance})
    return document


def as_text(
    title: str,
    stages: Sequence[tuple[StageMeta, Side]],
    settings: Mapping[str, Any],
    provenance: Mapping[str, Any],
) -> str:
    """Write the content of a file as text of two lines per stage."""
    lines = [f"{title}: {counted(len(stages), 'stage')}"]
    for meta, side in stages:
        rates = ((meta.sample_rate, "Hz"), (meta.frame_rate, "frames/s"))
        declared = [text for text in (meta.role, meta.kind, meta.axes, meta.unit) if text]
        declared += [f"{rate:g} {word}" for rate, word in rates if rate]
        said = f"  ({', '.join(declared)})" if declared else ""
        bad = f", {side.nan} NaN, {side.inf} infinite" if side.nan or side.inf else ""
        lines.append(f"{meta.name}  {shape_text(side.shape)} {side.dtype}{said}")
        lines.append(
            f"  range {short(side.min)} .. {short(side.max)}, mean {short(side.mean)}, std {short(side.std)}{bad}"
        )
    origin = {key: _versions(value) if isinstance(value, dict) else value for key, value in provenance.items()}
    for heading, mapping in (("settings", settings), ("provenance", origin)):
        if mapping:
            lines.append(f"{heading}:")
            lines.extend(f"  {key}: {value}" for key, value in mapping.items())
    return "\n".join(lines)


def _versions(packages: Mapping[str, Any]) -> str:
    """Write versions of packages as one reads them: ``numpy 2.4.6, torch 2.13.0``."""
    return ", ".join(f"{name} {version}" for name, version in packages.items())
