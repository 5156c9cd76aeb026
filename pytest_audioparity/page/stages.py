"""The part of the page that tells of one stage: its findings, how it looks, how it sounds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_audioparity.audio.channels import paired
from pytest_audioparity.errors import AudioparityError, GoldenError, StageError
from pytest_audioparity.golden.revision import fingerprint
from pytest_audioparity.page.elements import Markup, element
from pytest_audioparity.page.pictures import Look, pictures
from pytest_audioparity.page.scores import heard
from pytest_audioparity.page.sound import Clip, samples, sound
from pytest_audioparity.page.tables import is_inherited, number
from pytest_audioparity.report.meanings import MEANINGS
from pytest_audioparity.report.numbers import share_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_audioparity.page.records import Shown
    from pytest_audioparity.records import StageTensor

Array = np.ndarray[Any, Any]

_CHANGED = "its golden is another one by now, so that what was expected cannot be shown: run the test again"


def part(shown: Shown, stage: Mapping[str, Any], *, tag: str, illustrated: bool) -> Markup:
    """Return what is to be said of a stage.

    Parameters
    ----------
    shown : its test
    stage : as in the JSON document of a result
    tag : why it comes before others, empty where it does not
    illustrated : whether it is drawn and played
    """
    title = element("h2", element("code", stage["name"]), element("span", tag, class_="tag") if tag else None)
    told = stage.get("own_findings") or () if stage.get("own_verdict") == "fail" else stage.get("findings") or ()
    told = () if is_inherited(stage) else told
    findings = [_finding(finding) for finding in told]
    reason = element("p", stage["reason"], class_="problem") if stage.get("reason") else None
    return element(
        "section",
        title,
        reason,
        element("ul", findings, class_="findings") if findings else None,
        _own(stage),
        _worst(stage),
        heard(stage["audio"]) if stage.get("audio") else None,
        _drawn(shown, stage) if illustrated else None,
    )


def _finding(finding: Mapping[str, Any]) -> Markup:
    meaning = MEANINGS.get(finding["code"])
    explained = None if meaning is None else element("p", meaning, class_="note")
    said = element("b", finding["code"]), share_text(finding.get("explains")), f": {finding['message']}"
    return element("li", said, explained)


def _own(stage: Mapping[str, Any]) -> Markup | None:
    """Say what part of a stage's deviation is its own, and where the rest is from."""
    own, from_where = number({**stage, **_measured(stage)}), ", ".join(stage.get("inherited_from") or ())
    if is_inherited(stage):
        said = f"inherited only{f' from {from_where}' if from_where else ''}: with the golden's inputs its step passes"
        said += f" (own {own})" if own else ""
    elif stage.get("own_verdict") == "fail":
        said = f"own part, with the golden's inputs: {own or 'it fails'}"
        said += f"; the rest is inherited from {from_where}" if from_where else ""
    else:
        said = f"inherited from {from_where}" if from_where else ""
    return element("p", said, class_="note") if said else None


def _measured(stage: Mapping[str, Any]) -> dict[str, Any]:
    return {"deviation_db": stage.get("own_deviation_db"), "match": stage.get("own_match"), "failed": ()}


def _worst(stage: Mapping[str, Any]) -> Markup | None:
    worst = stage.get("worst")
    if not worst:
        return None
    numbers = ["not finite" if worst.get(side) is None else f"{worst[side]:.6g}" for side in ("expected", "actual")]
    at = worst.get("label") or "its only element"
    return element("p", f"worst at {at}: expected {numbers[0]}, actual {numbers[1]}", class_="note")


def _drawn(shown: Shown, stage: Mapping[str, Any]) -> Markup:
    """Draw a stage; what cannot be read or drawn says so in its place, and costs the page nothing else."""
    try:
        expected, actual, notes = _sides(shown, stage["name"])
        if expected is None and actual is None:
            notes.append("its values were not kept, so it cannot be drawn")
        return element(
            "div",
            [element("p", note, class_="problem") for note in notes],
            None if expected is None and actual is None else _seen(expected, actual, stage),
        )
    except (AudioparityError, OSError, MemoryError, ValueError, TypeError, KeyError) as error:
        return element("p", f"this stage cannot be drawn: {error or type(error).__name__}", class_="problem")


def _sides(shown: Shown, name: str) -> tuple[StageTensor | None, StageTensor | None, list[str]]:
    """Read both sides of a stage, the golden's only where it is what the test was compared with."""
    notes = [] if shown.problem is None else [shown.problem]
    obtained = None if shown.obtained is None or name not in shown.obtained else shown.obtained.read(name)
    try:
        expected = None if shown.expected is None or name not in shown.expected else shown.expected.read(name)
    except GoldenError as error:
        return None, obtained, [*notes, str(error)]
    # What is not known to be the same is not drawn as if it were.
    if expected is not None and fingerprint(expected) != shown.compared.get(name):
        return None, obtained, [*notes, _CHANGED]
    if expected is None and shown.compared.get(name) is not None and shown.problem is None:
        notes.append(_CHANGED)
    return expected, obtained, notes


def _seen(expected: StageTensor | None, actual: StageTensor | None, stage: Mapping[str, Any]) -> Markup:
    array: Array | None = None if actual is None else actual.array
    axes = None if actual is None else actual.meta.axes
    if expected is not None and actual is not None:
        array, axes = _aligned(expected, actual)
    look = Look(
        None if expected is None else expected.array,
        array,
        (None if expected is None else expected.meta.axes, axes),
        (stage.get("worst") or {}).get("index"),
        codes=all(side is None or side.array.dtype.kind in "iub" for side in (expected, actual)),
    )
    clip = _clip(look, stage)
    return pictures(look) if clip is None else sound(clip)


def _aligned(expected: StageTensor, actual: StageTensor) -> tuple[Array, str | None]:
    """Return actual in the order of axes of expected, where both are declared and one is the other rearranged."""
    own, axes = actual.meta.axes, expected.meta.axes
    if own is None or axes is None or own == axes or sorted(own) != sorted(axes):
        return actual.array, own or (axes if actual.array.ndim == expected.array.ndim else None)
    return actual.array.transpose([own.index(letter) for letter in axes]), axes


def _clip(look: Look, stage: Mapping[str, Any]) -> Clip | None:
    """Return the channel that is worst, or None where this is no audio, or nothing tells its channels."""
    rate = stage.get("sample_rate")
    if stage.get("kind") != "waveform" or not rate or not all(array.size for _, array, _ in look.sides):
        return None
    axes = look.axes[0] or look.axes[1]
    arrays = [array for _, array, _ in look.sides]
    try:
        pairs = paired(arrays[0], arrays[-1], axes)
    except StageError:
        return None
    audio = stage.get("audio") or {}
    label = audio.get("channel") or _label(look, axes)
    label = label if label in pairs else next(iter(pairs))
    one, other = (samples(side) for side in pairs[label])
    return Clip(
        None if look.expected is None else one,
        None if look.actual is None else other,
        rate,
        label and f"{label} of {len(pairs)} channels",
        audio.get("garbled_seconds") or (),
        audio.get("invented_seconds") or (),
        audio.get("estoi_over_time") or (),
    )


def _label(look: Look, axes: str | None) -> str:
    """Return the name that the channel of the worst element has."""
    array = look.sides[0][1]
    if look.worst is None or axes is None or len(look.worst) != array.ndim:
        return ""
    named = zip(axes, look.worst, array.shape, strict=True)
    return " ".join(f"{letter}={place}" for letter, place, size in named if size > 1 and letter != "T")
