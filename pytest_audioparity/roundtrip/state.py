"""State that a codec must not keep: from call to call, from clip to clip, from instance to instance."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from pytest_audioparity.roundtrip.calls import decoded, instance_of, raised, travelled
from pytest_audioparity.roundtrip.codes import turned, was_changed
from pytest_audioparity.roundtrip.comparing import difference
from pytest_audioparity.roundtrip.records import Clip, result, unmeasured

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_audioparity.checks import CheckResult
    from pytest_audioparity.roundtrip.limits import Limits
    from pytest_audioparity.roundtrip.records import Codec, Trip

_STALE = "state of the call before is used, or random numbers: reset it, seed them, or let each call have its own"
_LEAKED = "state of another clip is used: reset it, or let each call have its own"

_ENCODERS = "decode uses what encode left behind: put it into the codes"


def passed_through(codec: Codec, clips: Sequence[Clip], limits: Limits) -> tuple[tuple[Trip, ...], list[CheckResult]]:
    """Send clips through a codec, in an order that shows what state it keeps.

    The first clip goes again right behind itself, and once more behind the others; then through a fresh instance.

    Returns
    -------
    each clip on its way, and the checks of state that are not switched off
    """
    checks = []
    first = travelled(codec, clips[0])
    repeats = None if "stale_state" in limits.skip else check_repeats(codec, first, limits)
    others = [travelled(codec, clip) for clip in clips[1:]]
    if repeats is not None:
        checks.append(repeats)
    if "leaked_state" not in limits.skip:
        checks.append(check_leaks(codec, first, others, repeats, limits))
    if codec.fresh is not None and "fresh_instance" not in limits.skip:
        checks.append(check_instance(codec, first, others, limits))
    return (first, *others), checks


def check_repeats(codec: Codec, first: Trip, limits: Limits) -> CheckResult:
    """Hold that the same input twice, one right after the other, gives the same output."""
    if was_changed(codec, first):
        return result("stale_state", "decode changes the codes that it is given; let it work on a copy")
    problem, findings = difference(codec, first, travelled(codec, first.clip), limits)
    if problem is None:
        again, findings = difference(codec, first, decoded(codec, first), limits)
        problem = None if again is None else f"{again}, decoded twice"
    said = None if problem is None else f"{first.clip.name} again: {problem}; {_STALE}"
    return result("stale_state", said, "repeated exactly, or within tol_db", findings=findings)


def check_leaks(
    codec: Codec, first: Trip, others: Sequence[Trip], repeats: CheckResult | None, limits: Limits
) -> CheckResult:
    """Hold that another clip in between changes nothing.

    Parameters
    ----------
    first : the clip that went through before the others
    others : those that went through since
    repeats : what `check_repeats` said, None where it was left out
    """
    name = first.clip.name
    if repeats is not None and not repeats.passed:
        return unmeasured("leaked_state", f"{name} differs right after itself already, see stale_state")
    if not others:  # any other input will do
        travelled(codec, Clip("backwards", first.clip.samples[::-1] / 2))
    between = ", ".join(trip.clip.name for trip in others) or "itself backwards"
    # Its codes first: they have to be enough, whatever the encoder has seen since.
    problem, findings = difference(codec, first, decoded(codec, first), limits)
    if problem is not None:
        told = f"{name} decoded after {between} was encoded: {problem}; {_ENCODERS}"
        return result("leaked_state", told, findings=findings)
    loud = _ending_loud(first.clip)
    try:
        travelled(codec, loud)
    except Exception as error:
        return result("leaked_state", raised(loud.name, error))
    if (codes := turned(codec, first)) is not None:
        with suppress(Exception):  # no codes that encode made: a decoder may refuse them
            codec.decode(codes)
    between = f"{between}, {loud.name}"
    problem, findings = difference(codec, first, travelled(codec, first.clip), limits)
    said = None if problem is None else f"{name} after {between}: {problem}; {_LEAKED}"
    return result("leaked_state", said, f"{name} after {between}: the same", findings=findings)


def _ending_loud(clip: Clip) -> Clip:
    """Return a clip turned until its loudest sample is its last, half as loud: silence at the end leaves no state."""
    loudest = int(np.argmax(np.abs(clip.samples)))
    return replace(clip, name=f"{clip.name} turned to end loud", samples=np.roll(clip.samples, -1 - loudest) / 2)


def check_instance(codec: Codec, first: Trip, others: Sequence[Trip], limits: Limits) -> CheckResult:
    """Hold that a fresh instance makes what the used one makes now, and what it has made of another clip."""
    found = _first_clip(codec, first, limits)
    if not found.passed or not others:
        return found
    # What is made from the first input of all and kept, such as a table or a gain, is right for that alone.
    used = others[-1]
    try:
        new = travelled(instance_of(codec), used.clip)
    except Exception as error:
        return result("fresh_instance", raised(f"a fresh instance, given {used.clip.name} first,", error))
    problem, findings = difference(codec, new, used, limits)
    if problem is None:
        return found
    said = f"{used.clip.name} comes out otherwise after {first.clip.name} than first of all: {problem}"
    return result("fresh_instance", said, findings=findings)


def _first_clip(codec: Codec, first: Trip, limits: Limits) -> CheckResult:
    made = instance_of(codec)
    try:
        alone = decoded(made, first)
    except Exception as error:  # what it may be is the codec's, and the other checks are still to be made
        said = raised("a fresh instance, decoding what it did not encode,", error)
        return result("fresh_instance", said)
    problem, findings = difference(codec, first, alone, limits)
    if problem is not None:
        said = f"a fresh instance that has encoded nothing decodes {first.clip.name} otherwise: {problem}"
        return result("fresh_instance", said, findings=findings)
    try:
        new = travelled(made, first.clip)
    except Exception as error:
        return result("fresh_instance", raised("a fresh instance", error))
    used = travelled(codec, first.clip)
    problem, findings = difference(codec, new, used, limits)
    if problem is None:
        return result("fresh_instance", None, "agrees with the used one")
    side = _side(made, codec, new, limits)
    return result("fresh_instance", f"the used instance differs from a fresh one: {problem}{side}", findings=findings)


def _side(made: Codec, codec: Codec, new: Trip, limits: Limits) -> str:
    """Say whether the decoder alone differs: both are given the codes of the fresh instance."""
    expected = decoded(made, new)
    actual = decoded(replace(made, decode=codec.decode), new)
    problem, _ = difference(codec, expected, actual, limits)
    return "" if problem is None else "; the decoder alone does so too: was it cloned or used before?"
