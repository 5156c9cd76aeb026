"""What audio was heard to be: the verdict with its evidence side by side, the scores, and ESTOI over time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_audioparity.audio.records import LOST
from pytest_audioparity.audio.words import LOST_BELOW, LOST_BESIDE
from pytest_audioparity.page.curves import shaded
from pytest_audioparity.page.elements import Markup, element
from pytest_audioparity.page.tables import table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

# title -> (name of the measure, digits, what it is)
_MEASURES = {
    "STOI": ("stoi", 2, "intelligibility, 0 to 1"),
    "ESTOI": ("estoi", 2, "intelligibility, 0 to 1, strict with what is garbled"),
    "PESQ wb": ("pesq_wb", 2, "quality of wideband speech, 1 to 4.6"),
    "PESQ nb": ("pesq_nb", 2, "quality of narrowband speech, 1 to 4.5"),
    "SI-SDR": ("si_sdr", 1, "signal to distortion in dB, whatever the level"),
    "level": ("level_db", 1, "of the estimate against the reference, in dB"),
}
_WIDTH, _HEIGHT, _MARGIN = 720, 60, 3
# Values come ten a second where there is speech; what is farther apart has a pause between.
_PAUSE_SECONDS = 0.35


def heard(audio: Mapping[str, Any]) -> Markup:
    """Say what audio was heard to be, and why.

    Parameters
    ----------
    audio : as in the JSON document of a stage
    """
    verdict, findings = str(audio["verdict"]), audio.get("findings") or ()
    said = element("p", "it sounds ", pill(verdict), class_="sounds")
    pair = next((f for f in findings if f["code"] == verdict and "spectrum_db" in (f.get("detail") or {})), None)
    # What stands in the two boxes is not said twice.
    rest = [f for f in findings if f is not pair]
    told = [element("li", element("b", f["code"].replace("_", " ")), f": {f['message']}") for f in rest]
    return element(
        "div",
        said,
        None if pair is None else _side_by_side(pair["detail"], audio),
        element("ul", told, class_="findings") if told else None,
        clips("scores", [{"scores": audio.get("scores")}]) if audio.get("scores") else None,
    )


def pill(verdict: str) -> Markup:
    """Return an audio verdict as a word that stands out."""
    return element("span", verdict.replace("_", " "), class_=f"heard {verdict}")


def _side_by_side(detail: Mapping[str, Any], audio: Mapping[str, Any]) -> Markup:
    """Set what a meter shows beside what is understood: that the two disagree is what fools people."""
    looks = "looks like speech" if detail.get("statistics_look_like_speech") else "differs too"
    meter = [
        ("level", f"{detail['level_db']:+.1f} dB"),
        ("crest factor", f"{detail['crest_db']:+.1f} dB"),
        ("spectrum", f"{detail['spectrum_db']:.1f} dB"),
    ]
    scores = audio.get("scores") or {}
    ear = [(name, f"{scores[key]:.2f}") for name, key in (("ESTOI", "estoi"), ("STOI", "stoi")) if key in scores]
    lost = audio.get("garbled_seconds") or ()
    ear += [("words lost", f"{sum(b - a for a, b in lost):.1f} s")] if lost else []
    gone = element("span", "words are lost", class_="verdict fail")
    kind = "pass" if detail.get("statistics_look_like_speech") else "not_measured"
    return element(
        "div",
        _box("what a meter shows", element("span", looks, class_=f"verdict {kind}"), meter),
        _box("what is understood", gone, ear),
        class_="versus",
    )


def _box(title: str, verdict: Markup, rows: Sequence[tuple[str, str]]) -> Markup:
    listed = [element("div", element("dt", name), element("dd", value)) for name, value in rows]
    return element("div", element("p", title, " ", verdict), element("dl", listed))


def clips(label: str, scored: Sequence[Mapping[str, Any]]) -> Markup:
    """Return the table of the scores of clips, measures that no clip has left out."""
    rows = [list(_scores(clip)) for clip in scored]
    heads = {"clip": "", **{title: meaning for title, (_, _, meaning) in _MEASURES.items()}}
    return table(label, {**heads, "verdict": "", "words lost": ""}, rows, [""] * len(rows))


def _scores(clip: Mapping[str, Any]) -> Iterator[object]:
    yield element("code", clip["name"]) if clip.get("name") else ""
    values = clip.get("scores") or {}
    for measure, digits, _ in _MEASURES.values():
        value = values.get(measure)
        yield "" if value is None else f"{value:.{digits}f}"
    yield pill(str(clip["verdict"])) if clip.get("verdict") else "" if values else "not scored"
    yield ", ".join(f"{a:.2f}–{b:.2f} s" for a, b in clip.get("garbled_seconds") or ())


def curves_of(scored: Sequence[Mapping[str, Any]], most: int) -> list[Markup]:
    """Draw ESTOI over time of the first clips that lost words, as many as `most`."""
    gone = [clip for clip in scored if clip.get("verdict") in LOST and clip.get("estoi_over_time")]
    drawn = [(clip, clip["estoi_over_time"]) for clip in gone[:most]]
    return [timeline(points, points[-1][0], clip.get("garbled_seconds") or (), clip["name"]) for clip, points in drawn]


def timeline(
    points: Sequence[Sequence[float]], seconds: float, lost: Sequence[Sequence[float]] = (), name: str = ""
) -> Markup:
    """Draw ESTOI over time, 0 to 1 upwards, with what is lost shaded.

    Parameters
    ----------
    points : pairs of second and ESTOI
    seconds : the right end
    lost : spans of seconds
    name : of the clip
    """
    marks = [(max(0.0, a / seconds), min(b / seconds, 1.0)) for a, b in lost if a < seconds]
    limit = element("path", d=f"M0 {_y(LOST_BELOW):.1f}H{_WIDTH}", class_="limit")
    line = element("path", d=_path(points, seconds), class_="line estoi")
    words = f"ESTOI over time{f' of {name}' if name else ''}, 0 to 1, averaged over half a second; "
    words += f"below the dashes ({LOST_BELOW:g}), or {LOST_BESIDE:g} under the rest, words may be lost"
    drawn = element(
        "svg",
        shaded(marks, _WIDTH, _HEIGHT),
        limit,
        line,
        class_="curve",
        viewBox=f"0 0 {_WIDTH} {_HEIGHT}",
        role="img",
        aria_label=words,
        preserveAspectRatio="none",
    )
    return element("figure", element("figcaption", words), drawn)


def _path(points: Sequence[Sequence[float]], seconds: float) -> str:
    parts, before = [], -_PAUSE_SECONDS - 1
    for at, value in points:
        parts.append(f"{'M' if at - before > _PAUSE_SECONDS else 'L'}{at / seconds * _WIDTH:.1f} {_y(value):.1f}")
        parts.append("h.1" if parts[-1].startswith("M") else "")  # a value between two pauses is a dot
        before = at
    return "".join(parts)


def _y(value: float) -> float:
    return _HEIGHT - _MARGIN - min(max(value, 0.0), 1.0) * (_HEIGHT - 2 * _MARGIN)
