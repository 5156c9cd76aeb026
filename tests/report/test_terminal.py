"""The text of a result: complete, in data-flow order, at most 80 columns."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pytest_audioparity.api import compare
from pytest_audioparity.comparison.hyperparameters import compare_settings
from pytest_audioparity.report.terminal import WIDTH, render
from pytest_audioparity.results import Own

rng = np.random.default_rng(0)
HEALTHY = {
    "ids": np.arange(12),
    "encoder": rng.standard_normal((1, 192, 37)).astype(np.float32),
    "decoder.layers.3.self_attn.out_proj": rng.standard_normal((1, 192, 37)).astype(np.float32),
    "mel": rng.standard_normal((1, 80, 120)).astype(np.float32),
}


def changed(**stages):
    return {name: stages.get(name, value) for name, value in HEALTHY.items()}


def rows(text):
    return {line.split()[0]: line for line in text.splitlines() if line.endswith(("ok", "FAIL", "FAIL<", "N/M"))}


def test_a_passing_result_is_told_in_its_first_line():
    text = render(compare(HEALTHY, HEALTHY))
    assert text.splitlines()[0] == "4 of 4 stages pass"
    assert "divergence" not in text
    assert all(line.endswith("ok") for line in rows(text).values())


def test_a_gain_is_told_with_stage_amount_place_fit_and_tolerance():
    text = render(compare(HEALTHY, changed(encoder=HEALTHY["encoder"] * np.float32(1.5)), axes=None))
    assert text.splitlines()[:2] == ["stage 'encoder' is off by 3.52 dB, allowed 0.01 dB", "1 of 4 stages fails"]
    assert "encoder (first divergence)" in text
    assert "actual = 1.5 * expected, correlation 1.000000" in text
    assert "actual is +3.52 dB from expected (rms)" in text
    assert "tol_db=3.53, the smallest that does" in text
    worst = np.unravel_index(np.abs(HEALTHY["encoder"]).argmax(), (1, 192, 37))
    assert f"worst at   : {list(map(int, worst))}: expected" in text


def test_the_smallest_tolerance_told_does_pass():
    actual = changed(mel=HEALTHY["mel"] + np.float32(0.07))
    text = render(compare(HEALTHY, actual))
    told = float(text.partition("tol_db=")[2].partition(",")[0])
    assert compare(HEALTHY, actual, tol_db=told).passed
    assert not compare(HEALTHY, actual, tol_db=told * 0.97).passed


def test_stages_stand_in_data_flow_order():
    text = render(compare(HEALTHY, dict(reversed(HEALTHY.items()))))
    places = [text.index(f"\n{name}") for name in HEALTHY]
    assert places == sorted(places)


@pytest.mark.parametrize(
    "actual",
    [
        changed(encoder=HEALTHY["encoder"] * np.float32(-7e-20)),
        changed(mel=np.full((1, 80, 120), np.nan, np.float32)),
        changed(mel=np.zeros((1, 80, 120), np.float32)),
        changed(ids=np.arange(12)[::-1]),
        changed(encoder=HEALTHY["encoder"][:, :, :30]),
        {"ids": HEALTHY["ids"], "surplus": np.ones(3)},
        {**HEALTHY, "a" * 90: np.ones((1, 2048, 100000, 1)[:2])},
    ],
)
def test_every_line_fits_the_width_or_is_a_name_alone(actual):
    expected = {**HEALTHY, **{name: actual[name] for name in actual if name.startswith("aa")}}
    for line in render(compare(expected, actual)).splitlines():
        assert len(line) <= WIDTH or line.strip().startswith("aa")
        assert line == line.rstrip()


def test_a_long_shape_does_not_push_its_row_out_of_the_table():
    big = {"waveform": np.zeros((1, 2, 1234567), np.float32)}
    line = next(line for line in render(compare(big, big)).splitlines() if line.endswith("ok"))
    assert len(line) <= WIDTH


def test_a_click_is_told_by_its_peak_and_marked_in_the_table():
    actual = HEALTHY["mel"].copy()
    actual[0, 3, 7] += 1.2
    result = compare({"mel": HEALTHY["mel"]}, {"mel": actual}, tol_db=0.2, tol_peak_db=1.0, axes="BCT")
    text = render(result)
    assert "(largest single element against the rms), allowed 1 dB" in text.splitlines()[0]
    assert "pk" in rows(text)["mel"]
    assert "B=0 C=3 T=7" in text


def test_missing_and_extra_stages_have_a_row_each():
    text = render(compare({"a": np.ones(3), "b": np.ones(3)}, {"b": np.ones(3), "c": np.ones(3)}))
    assert "missing" in rows(text)["a"]
    assert "extra" in rows(text)["c"]
    assert rows(text)["b"].endswith("ok")


def test_wrong_codes_are_counted_and_located():
    actual = HEALTHY["ids"].copy()
    actual[[4, 9]] = 0
    text = render(compare({"ids": HEALTHY["ids"]}, {"ids": actual}))
    assert "is off by 16.67 % of its codes, allowed 0 %" in text.splitlines()[0]
    assert "first at   : [4]: expected 4, actual 0" in text
    assert "min_match=0.833" in text


def test_a_tolerance_is_proposed_only_where_it_would_do():
    e = HEALTHY["encoder"]
    near = {"encoder": e * np.float32(1.01), "mel": HEALTHY["mel"] * np.float32(1.02)}
    expected = {"encoder": e, "mel": HEALTHY["mel"]}
    text = render(compare(expected, near))
    told = float(text.partition("all stages would pass with tol_db=")[2].partition(",")[0])
    assert compare(expected, near, tol_db=told).passed
    for keywords, actual in [
        ({}, {"encoder": near["encoder"].astype(np.float64), "mel": near["mel"].astype(np.float64)}),
        ({"min_snr_db": 200}, near),
        ({"atol": 0.0}, near),
    ]:
        assert "would pass" not in render(compare(expected, actual, **keywords))


def test_a_dtype_stands_in_the_table_and_says_what_would_allow_it():
    half = {"encoder": HEALTHY["encoder"].astype(np.float16)}
    text = render(compare({"encoder": HEALTHY["encoder"]}, half, tol_db=1.0))
    assert text.splitlines()[0] == "stage 'encoder' has another dtype"
    assert rows(text)["encoder"].split()[-2:] == ["dtype", "FAIL<"]
    assert "precision='fp16'" in text


def test_a_long_code_in_the_table_does_not_touch_the_number_before_it():
    """missing_channels is as long as the two columns that it takes."""
    random = np.random.default_rng(0).standard_normal((8, 40))
    row = next(line for line in render(compare({"mel": random}, {"mel": random[:5]})).splitlines() if "FAIL<" in line)
    assert " missing_channel FAIL<" in row
    assert len(row) <= WIDTH


def test_a_long_code_beside_a_long_one_of_its_own_does_not_touch_the_number_before_it():
    random = np.random.default_rng(0).standard_normal((13, 40))
    result = compare({"mel": random}, {"mel": random.T})
    stage = result.stages[0]
    both = replace(result, stages=(replace(stage, own=Own(stage, None, (), ("hidden",))),))
    row = next(line for line in render(both).splitlines() if "FAIL<" in line)
    assert " axes_permuted FAIL<" in row
    assert len(row) <= WIDTH


def test_a_silent_reference_is_met_with_the_way_to_judge_it():
    text = render(compare({"mask": np.zeros(9)}, {"mask": np.full(9, 1e-9)}))
    assert "expected is silent" in text
    assert compare(np.zeros(9), np.full(9, 1e-9), tol_db=None, atol=1e-6).passed


def owned(gain, own, sources=("a",), **keywords):
    """Return a result of three stages whose last two fail, the last with a part of its own that is off by a gain."""
    e = HEALTHY["encoder"]
    stages = dict.fromkeys("abc", e)
    result = compare(stages, {"a": e, "b": e * np.float32(1.5), "c": e * np.float32(gain)}, **keywords)
    part = replace(compare(e, e * np.float32(own), **keywords), meta=result.stages[2].meta)
    given = (
        replace(result.stages[1], own=Own(note="it has state")),
        replace(result.stages[2], own=Own(part, None, (), sources)),
    )
    return replace(result, stages=(result.stages[0], *given))


def test_the_own_part_takes_the_place_of_the_limit_and_what_is_inherited_says_from_where():
    result = owned(1.2, 1.0)
    text = render(result)
    assert result.first_divergence == "b"
    assert text.splitlines()[3].endswith("  dB off     own")
    assert rows(text)["a"].endswith("   0         ok")
    assert rows(text)["b"].endswith("3.52       - FAIL<")
    line = next(line for line in text.splitlines() if line.startswith("c "))
    assert line.endswith("1.58       0 inh.")
    assert "  own        : not measured: it has state" in text
    assert (
        "  c          : own 0 dB on the golden's inputs, the rest of 1.58 dB is inherited\n               from 'a'"
        in text
    )
    assert all(len(line) <= WIDTH for line in text.splitlines())


def test_a_part_of_its_own_that_fails_is_told_with_its_fit():
    result = owned(1.2, 0.5)
    text = render(result)
    assert rows(text)["c"].endswith("1.58    6.02 FAIL")
    assert "own        : 6.02 dB on the golden's inputs, 1.58 dB with what it inherited" in text
    assert "own fit    : actual = 0.5 * expected" in text


def test_one_reason_why_several_own_parts_are_not_known_is_told_once():
    e = HEALTHY["encoder"]
    half = e * np.float32(0.5) + rng.standard_normal(e.shape).astype(np.float32)
    result = compare(dict.fromkeys("abcd", e), dict.fromkeys("abcd", half))
    stages = (replace(stage, findings=(), own=Own(note="it has state")) for stage in result.stages)
    text = render(replace(result, stages=tuple(stages)))
    assert text.count("it has state") == 2
    assert "own part\n  b, c and d : not measured: it has state" in text


@pytest.mark.parametrize("value", [np.nan, 0.0])
def test_the_own_column_holds_whatever_stands_beside_it(value):
    e = HEALTHY["encoder"]
    bad = np.where(np.arange(37) == 3, np.float32(value), e) if np.isnan(value) else e[:, :, :30]
    result = compare({"a": e, "b": e}, {"a": bad, "b": bad})
    own = Own(compare(e, e), None, (), ("a",))
    result = replace(result, stages=(result.stages[0], replace(result.stages[1], own=own)))
    line = next(line for line in render(result).splitlines() if line.startswith("b "))
    assert line.endswith(" 0 inh.")
    assert len(line) <= WIDTH


def test_codes_have_a_share_of_their_own():
    ids = HEALTHY["ids"]
    result = compare({"ids": ids}, {"ids": ids[::-1]})
    stage = replace(result.stages[0], own=Own(compare(ids, ids), None, (), ("a",)))
    text = render(replace(result, stages=(stage,)))
    assert "100 %   exact inh.<" in text
    assert "own        : 0 % of the codes on the golden's inputs, the rest of 100 % of" in text


def test_settings_that_differ_stand_before_the_table():
    settings = compare_settings({"temperature": 0.9, "k": 1, "same": 1}, {"temperature": 0.7, "same": 1})
    result = replace(compare(HEALTHY, HEALTHY), settings=settings)
    assert (result.passed, result.verdict, result.first_divergence) == (False, "fail", None)
    assert render(result).splitlines()[:6] == [
        "setting 'k': expected 1, missing in actual",
        "",
        "2 of 3 settings differ",
        "  k           : expected 1, missing in actual",
        "  temperature : expected 0.9, actual 0.7",
        "",
    ]


def test_settings_that_agree_are_not_told():
    result = replace(compare(HEALTHY, HEALTHY), settings=compare_settings({"k": 1}, {"k": 1}))
    assert result.passed
    assert render(result) == render(compare(HEALTHY, HEALTHY))


def test_no_line_of_a_report_is_a_command_of_ci():
    names = ("::error file=a::b", "##[error]x", " ::stop-commands::y")
    result = compare({name: np.ones(9) for name in names}, {name: 2 * np.ones(9) for name in names})
    lines = render(result).splitlines()
    assert sum("::error" in line or "##[error" in line for line in lines) > 2
    assert not [line for line in lines if line.lstrip().startswith(("::", "##["))]
