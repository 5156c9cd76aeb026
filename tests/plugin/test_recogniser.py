"""The fixture `recogniser`: pocketsphinx by default, or what a project's conftest returns."""

from __future__ import annotations

import importlib.util

import pytest

from tests.audio.verdicts import SPEECH

# Of another kind than the default: it knows the names of playing cards and no other words.
CARDS = """
    import numpy as np
    import pytest

    @pytest.fixture(scope="session")
    def recogniser():
        from pocketsphinx import Decoder

        decoder = Decoder(samprate=16000, loglevel="FATAL", lm=None)
        suits, values = "clubs | hearts | spades | diamonds", "two | three | four | five | ten"
        rule = f"({values}) [queen | king] of ({suits})"
        decoder.add_jsgf_string("card", f"#JSGF V1.0;\\ngrammar card;\\npublic <card> = {rule};\\n")
        decoder.activate_search("card")

        def hears(samples, sample_rate):
            assert sample_rate == 16000
            decoder.reinit_feat()
            decoder.start_utt()
            decoder.process_raw((samples * 32767).astype("<i2").tobytes(), full_utt=True)
            decoder.end_utt()
            return decoder.hyp().hypstr if decoder.hyp() else ""

        return hears
"""
TESTS = f"""
    import soundfile
    from pytest_audioparity import compare_words

    SAMPLES, RATE = soundfile.read({str(SPEECH / "pocketsphinx_cards_002.wav")!r})

    def heard(recogniser):
        return compare_words(
            SAMPLES, SAMPLES, sample_rate=RATE, transcript="four queen of clubs", recogniser=recogniser
        )
"""
DEFAULT = (
    TESTS
    + """
    def test_the_default_does_not_know_that_it_is_a_card(recogniser):
        assert heard(recogniser).estimate.text == "for queen of clubs"
        assert heard(recogniser).wer == 0.25
"""
)
OWN = (
    TESTS
    + """
    def test_the_projects_own_one_is_used(recogniser):
        assert heard(recogniser).wer == 0
        assert "hears" in heard(recogniser).estimate.implementation

    def test_it_is_made_once(recogniser, request):
        assert request.getfixturevalue("recogniser") is recogniser
"""
)


def test_the_default_is_pocketsphinx(project, needs):
    needs("pocketsphinx")
    needs("jiwer")
    project.write(DEFAULT)
    project.run_apart().assert_outcomes(passed=1)


def test_a_project_overrides_it_in_its_conftest(project, needs):
    needs("pocketsphinx")
    needs("jiwer")
    project.write(CARDS, "conftest.py")
    project.write(OWN)
    project.run_apart().assert_outcomes(passed=2)


def test_without_the_package_the_test_says_in_one_line_what_to_install(project, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *more: None if name == "pocketsphinx" else find(name, *more)
    )
    monkeypatch.setattr("pytest_audioparity.audio.recognition._DEFAULT", [])
    project.write("def test_words(recogniser):\n    pass\n")
    result = project.run()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*the package pocketsphinx is not installed: pip install 'pytest-audioparity?asr?'*"])


@pytest.mark.parametrize("asked", ["", "recogniser"])
def test_it_is_there_for_who_asks_and_costs_others_nothing(project, needs, asked):
    needs("pocketsphinx")
    project.write(
        f"""
        import sys

        def test_loaded({asked}):
            assert ("pytest_audioparity.audio.recognition" in sys.modules) == {bool(asked)}
            assert "pocketsphinx" not in sys.modules
        """
    )
    project.run_apart().assert_outcomes(passed=1)
