"""--parity-report and --parity-report-dir: the page of a run, as a user gets it."""

from __future__ import annotations

import json
import tracemalloc

import numpy as np
import pytest
from reading import Page
from specimens import SPEECH

from pytest_audioparity.cli import main
from pytest_audioparity.golden.atomic import replace_bytes

MODEL = """
def test_model(stages):
    x = np.random.default_rng(0).standard_normal((1, 8, 40))
    stages.record('h', x, axes='BCT')
    stages.record('mel', x * {gain}, axes='BCT')
def test_other(stages): stages['y'] = [1.0, 2.0]
"""
EVIL = "<script>alert(1)</script>\"'&"
DEFAULT = ".audioparity/report/index.html"


@pytest.fixture
def failing(project):
    """Give a project in which one test passes and one fails by 6 dB."""
    project.write(MODEL.format(gain=1.0))
    project.run("--update-golden")
    project.write(MODEL.format(gain=2.0))
    return project


def page_of(project, path=DEFAULT):
    return Page((project.path / path).read_text(encoding="utf-8"))


def states(page):
    return [test["data-verdict"] for test in page.all("details", class_="test")]


@pytest.mark.parametrize("flags", [(), ("-q",), ("-n2",), ("-n2", "--dist=loadfile")])
def test_the_page_tells_what_differs(failing, flags):
    """With and without workers: the failing test comes first, with its numbers, pictures, cause and commands."""
    result = failing.run("--parity-report", *flags)
    assert result.ret == 1
    result.stdout.fnmatch_lines([f"*{DEFAULT}"])
    page = page_of(failing)
    assert states(page) == ["fail", "pass"]
    assert len(page.maps) == 3
    for words in ("first divergence mel, 6.02 dB: gain", "actual = 2 * expected", "pytest test_model.py::test_model"):
        assert words in page.text
    assert "audioparity golden accept test_model/test_model --reason TEXT" in page.text
    assert not any(words in page.text for words in ("cannot be drawn", "cannot be shown"))


def test_a_deviation_without_end_is_a_number_too(failing):
    """Where nothing is left of a stage, the page says inf dB, as the terminal and the summary of GitHub do."""
    failing.write(MODEL.format(gain=0.0))
    failing.run("--parity-report")
    page = page_of(failing)
    assert "first divergence mel, inf dB: all_zero" in page.text
    assert "own inf dB" not in page.text


def test_nothing_is_loaded_from_elsewhere(failing):
    """Every address in the page is data of its own, and its policy forbids everything else."""
    failing.run("--parity-report")
    page = page_of(failing)
    addresses = [value for _, a in page.tags for key, value in a.items() if key in ("src", "href", "action")]
    assert addresses
    assert all(address.startswith(("data:", "#")) for address in addresses)
    (policy,) = page.all("meta", **{"http-equiv": "Content-Security-Policy"})
    assert policy["content"].startswith("default-src 'none'")


@pytest.mark.parametrize("strict", ["filterwarnings = error", ""])
def test_what_a_project_makes_of_warnings_does_not_end_the_run(project, strict):
    """Numbers too large to be summed are drawn also where warnings, or floating-point errors of numpy, are errors."""
    project.ini(strict)
    model = """
    def test_model(stages):
        x = np.random.default_rng(0).uniform(-1, 1, (40, 50)) * 1.7e308
        stages["h"] = {sign}x
        np.seterr(all={mode!r})
    """
    # What a project makes of numpy's errors holds for its process, which must not be this one.
    project.write(model.format(sign="", mode="warn"))
    project.run_apart("--update-golden")
    project.write(model.format(sign="-", mode="warn" if strict else "raise"))
    result = project.run_apart("--parity-report")
    result.assert_outcomes(failed=1)
    assert len(page_of(project).maps) == 3
    result.stdout.no_fnmatch_line("*RuntimeWarning*")


def test_without_the_option_there_is_no_page(failing):
    """Nothing is drawn that nobody asked for."""
    failing.run()
    assert not (failing.path / DEFAULT).exists()


def test_a_run_that_passes_has_a_page_too(failing):
    """All tests that pass are listed, closed; so are goldens that were just written, which have not failed."""
    failing.write(MODEL.format(gain=1.0))
    assert failing.run("--parity-report").ret == 0
    page = page_of(failing)
    assert states(page) == ["pass", "pass"]
    assert not any("open" in test for test in page.all("details", class_="test"))
    failing.write(MODEL.format(gain=2.0))
    failing.run("--parity-report", "--update-golden")
    assert states(page_of(failing)) == ["updated", "pass"]


def test_a_missing_golden_shows_what_was_obtained(project):
    """Without a golden the stages are drawn alone."""
    project.write(MODEL.format(gain=1.0))
    project.run("--parity-report")
    page = page_of(project)
    assert "actual, shape 1x8x40" in page.text
    assert len(page.maps) == 2


def test_a_run_without_parity_tests_says_so(project):
    """No page of nothing is left, and no error either."""
    project.write("def test_plain(): pass")
    result = project.run("--parity-report", "-k", "plain")
    assert result.ret == 0
    assert not (project.path / DEFAULT).exists() or "no parity test ran" in page_of(project).text


def test_a_test_that_records_nothing_is_listed(project):
    """A fixture that is not used is a failure, which the page lists."""
    project.write("def test_model(stages): pass")
    project.run("--parity-report")
    page = page_of(project)
    assert states(page) == ["fail"]
    assert "nothing was recorded" in page.text


def test_a_folder_that_cannot_be_written_costs_a_line(failing):
    """One warning, and the exit status of the run as it was."""
    (failing.path / "taken").write_text("a file")
    result = failing.run("--parity-report-dir", "taken")
    assert result.ret == 1
    (line,) = (line for line in result.outlines if "the page of the run could not be written" in line)
    assert line.startswith("warning: the page of the run could not be written to taken: ")
    assert "Errno" not in line
    failing.write(MODEL.format(gain=1.0))
    assert failing.run("--parity-report-dir", "taken").ret == 0


def test_the_folder_is_relative_to_where_pytest_was_started(failing, monkeypatch):
    """From a folder below the root directory, the page lies below that folder."""
    below = failing.path / "below"
    below.mkdir()
    failing.ini()
    monkeypatch.chdir(below)
    failing.run(f"--rootdir={failing.path}", "--parity-report-dir", "out/page", failing.path / "test_model.py")
    assert (below / "out" / "page" / "index.html").is_file()


def test_an_empty_folder_is_refused(failing):
    """A variable of CI that is not set does not write a page somewhere."""
    assert failing.run("--parity-report-dir=").ret == pytest.ExitCode.USAGE_ERROR


def report(project, *arguments):
    status = main(["run", "report", f"--root={project.path}", *map(str, arguments)])
    return status, page_of(project, arguments[1] / "index.html" if arguments else DEFAULT)


def test_the_page_of_the_last_run_can_be_written_later(failing, capsys):
    """`audioparity run report` draws the same, where it is told to, and prints where that is."""
    failing.run()
    status, page = report(failing, "--dir", failing.path / "elsewhere")
    assert status == 0
    assert capsys.readouterr().out.endswith("elsewhere/index.html\n")
    assert len(page.maps) == 3
    assert report(failing)[1].text == page.text


def test_without_a_run_there_is_one_line(project, capsys):
    """A command before any run says what to do."""
    assert main(["run", "report", f"--root={project.path}"]) == 2
    assert "run pytest first" in capsys.readouterr().err


def test_a_golden_that_was_changed_since_is_not_drawn_as_expected(failing):
    """After another update, what the run was compared with is gone: only what was obtained is shown, and why."""
    failing.run()
    kept = failing.pending().read_bytes()
    record = (failing.path / ".audioparity" / "run.json").read_bytes()
    failing.write(MODEL.format(gain=3.0))
    failing.run("--update-golden")
    replace_bytes(failing.pending(), kept)
    replace_bytes(failing.path / ".audioparity" / "run.json", record)
    page = report(failing)[1]
    assert "its golden is another one by now" in page.text
    assert len(page.maps) == 1


def test_what_another_run_left_is_not_shown_as_of_this_one(failing):
    """A pending file of an older run has other numbers than the record."""
    failing.run()
    path = failing.path / ".audioparity" / "run.json"
    said = json.loads(path.read_text())
    path.write_text(json.dumps({**said, "id": "another"}))
    page = report(failing)[1]
    assert "is not there any more" in page.text
    assert page.maps == []
    assert "6.02 dB" in page.text


@pytest.mark.parametrize("damage", [b"", b"nothing", None])
def test_a_damaged_golden_or_pending_file_costs_its_pictures_only(failing, damage):
    """The page says what cannot be read, and shows the rest."""
    failing.run()
    content = bytearray(failing.golden().read_bytes())
    content[-1] ^= 1
    failing.golden().write_bytes(bytes(content) if damage is None else damage)
    page = report(failing)[1]
    assert "restore it from version control" in page.text
    assert "first divergence mel" in page.text
    failing.pending().write_bytes(damage or b"x")
    page = report(failing)[1]
    assert states(page) == ["fail", "pass"]
    assert str(failing.pending().name) in page.text


def test_a_record_of_another_version_loses_its_test_only(failing):
    """A test whose entry is not as this version writes it says so in its place."""
    failing.run()
    path = failing.path / ".audioparity" / "run.json"
    said = json.loads(path.read_text())
    said["tests"][1] |= {"stages": [{"odd": 1}], "outcome": []}
    path.write_text(json.dumps(said))
    page = report(failing)[1]
    assert "what was kept of this test cannot be shown" in page.text
    assert len(page.maps) == 3


def test_names_and_messages_are_escaped_wherever_they_stand(project, capsys):
    """Markup planted in a test id, a stage, a setting, a value and a message makes no element of the page."""
    source = """
    EVIL = {evil!r}
    @pytest.mark.parametrize('name', [EVIL])
    def test_model(stages, name):
        stages.settings(**{{EVIL: {value!r} + EVIL}})
        stages.record(EVIL, np.arange(20.0) * {gain})
    """
    project.write(source.format(evil=EVIL, value="a", gain=1))
    project.run("--update-golden")
    project.write(source.format(evil=EVIL, value="b", gain=2))
    project.run("--parity-report")
    path = project.path / ".audioparity" / "run.json"
    said = json.loads(path.read_text())
    said["tests"][0] |= {"reason": f"{EVIL}\x1b[31m", "refused": EVIL, "variant": {"name": EVIL}}
    trip = {"name": EVIL, "verdict": "fail", "about": EVIL, "clips": [{"name": EVIL, "verdict": EVIL}]}
    trip["checks"] = [
        {"name": EVIL, "verdict": "fail", "message": EVIL, "findings": [{"code": EVIL, "message": EVIL * 2}]}
    ]
    said["tests"].append({"test": EVIL, "outcome": "failed", "stages": [], "roundtrips": [trip]})
    said |= {"commit": EVIL, "partial": [EVIL], "complete": False}
    path.write_text(json.dumps(said))
    for page in (page_of(project), report(project)[1]):
        assert len(page.all("script")) == 1
        assert EVIL in page.text
        assert "\x1b" not in page.text
    assert page.text.count("alert(1)") > 15


def test_a_round_trip_shows_its_checks_and_clips(project):
    """What was found and the scores of every clip come from the record: there is no file of them."""
    project.write(
        """
        @codec_roundtrip()
        def test_codec(roundtrip):
            tone = np.sin(np.arange(32_000) * 0.1) * np.linspace(0, 1, 32_000)
            roundtrip(encode=lambda a: a, decode=lambda a: a * 0.1, sample_rate=16_000, clips={'tone one': tone})
        """
    )
    result = project.run("--parity-report")
    assert result.ret == 1
    page = page_of(project)
    for words in ("round trip: ", "level", "tone one", "STOI", "what was found"):
        assert words in page.text


def test_a_round_trip_that_passes_says_what_went_through_it(project):
    """It has no stages: its line tells of clips, sound and the worst score instead."""
    project.write(
        """
        @codec_roundtrip(skip=['codes_integer', 'codes_in_range', 'codebooks', 'codes_shape'])
        def test_codec(roundtrip):
            import soundfile
            speech, rate = soundfile.read({str(SPEECH)!r}, dtype='float32')
            roundtrip(encode=lambda a: a, decode=lambda a: a, sample_rate=rate, clips={'one': speech, 'two': speech})
        """.replace("{str(SPEECH)!r}", repr(str(SPEECH)))
    )
    assert project.run("--parity-report").ret == 0
    page = page_of(project)
    assert "round trip: 2 clips, ok, worst ESTOI 1.00" in page.text
    assert "0 stages" not in page.text


def test_the_line_of_a_test_is_the_same_once_its_change_was_accepted(failing, monkeypatch):
    """The sentence of its cause is read from the record, so that it does not need what waited for review."""
    said = "first divergence mel, 6.02 dB: gain: actual = 2 * expected"
    failing.run("--parity-report")
    assert said in page_of(failing).text
    monkeypatch.chdir(failing.path)
    assert main(["golden", "accept", "test_model/test_model", "--reason", "louder"]) == 0
    page = report(failing)[1]
    assert page.maps == []
    assert said in page.text


def test_a_bar_says_whether_its_own_part_was_measured(project):
    """Beside a step whose own part is drawn solid, a stage without one is drawn and told otherwise."""
    source = """
    def test_model(stages):
        x = stages.step('a', lambda: np.arange(1.0, 9) * {gain})
        y = stages.step('b', lambda x: x + 1, x)
        stages.record('c', y * 2)
    """
    project.write(source.format(gain=1.0))
    project.run("--update-golden")
    project.write(source.format(gain=2.0))
    project.run("--parity-report")
    page = page_of(project)
    assert "pale with a frame: its own part was not measured" in page.text
    assert [bar["class"] for bar in page.all("rect") if bar["class"].startswith("bar")] == [
        "bar first whole",
        "bar fail inherited",
        "bar fail",
        "bar fail whole",
    ]


def test_the_own_part_of_codes_is_how_many_are_equal(project):
    source = """
    def test_model(stages):
        x = stages.step('logits', lambda: np.arange(12.0).reshape(3, 4) * {sign})
        stages.step('ids', lambda x: x.argmax(1), x)
    """
    project.write(source.format(sign=1))
    project.run("--update-golden")
    project.write(source.format(sign=-1))
    project.run("--parity-report")
    html = (project.path / ".audioparity/report/index.html").read_text()
    assert "<td><b>0 % equal</b></td><td>100 % equal</td>" in html


def test_a_failing_test_stays_small_without_audio(project):
    """Noise, which no compression makes smaller, in large stages takes less than 300 kB."""
    source = """
    def test_model(stages):
        for place in range(6):
            x = np.random.default_rng(place).standard_normal((1, 128, 400)).astype(np.float32)
            stages.record(f's{{place}}', x + {more} * np.random.default_rng(99).standard_normal(x.shape), axes='BCT')
    """
    project.write(source.format(more=0.0))
    project.run("--update-golden")
    project.write(source.format(more=0.5))
    project.run("--parity-report")
    assert len(page_of(project).maps) == 12
    assert (project.path / DEFAULT).stat().st_size < 300_000


def test_a_thousand_tests_stay_legible(failing):
    """Of a thousand tests the page is about a megabyte, and lists each once."""
    failing.run()
    path = failing.path / ".audioparity" / "run.json"
    said = json.loads(path.read_text())
    stages = [{**said["tests"][1]["stages"][0], "name": f"layer/{place}"} for place in range(16)]
    said["tests"] += [{**said["tests"][1], "test": f"t.py::test_{n}", "stages": stages} for n in range(998)]
    path.write_text(json.dumps(said))
    page = report(failing)[1]
    assert len(states(page)) == 1000
    assert (failing.path / DEFAULT).stat().st_size < 1_500_000


def test_after_a_merge_the_page_shows_what_a_job_left(failing, tmp_path):
    """A job of CI is merged into the project's record; what it obtained is drawn, though its run had another id."""
    failing.run()
    job = tmp_path / "job" / ".audioparity"
    job.parent.mkdir()
    (failing.path / ".audioparity").rename(job)
    assert main(["run", "merge", str(job), f"--root={failing.path}"]) == 1
    page = report(failing)[1]
    assert states(page) == ["fail", "pass"]
    assert len(page.maps) == 3
    assert "merged from" in page.text


def test_pictures_of_a_port_in_another_layout_lie_on_each_other(failing):
    """A port that has time first is transposed as the comparison does it: the difference is that of the values."""
    failing.write(
        """
        @parity(golden='test_model/test_model', port=True, only=['h'])
        def test_port(stages):
            x = np.random.default_rng(0).standard_normal((1, 8, 40))
            x[0, 3, 5] += 1
            stages.record('h', x.transpose(0, 2, 1), axes='BTC')
        """,
        name="test_port.py",
    )
    failing.run("--parity-report", "test_port.py")
    page = page_of(failing)
    levels, _ = page.maps[2]
    assert np.argwhere(levels == 254).tolist() == [[8 - 1 - 3, 5]]


def test_a_page_of_somebody_else_is_not_replaced(failing):
    """A folder such as docs may have a page; ours goes elsewhere, and the run says so in one line."""
    page = failing.path / "docs" / "index.html"
    page.parent.mkdir()
    page.write_text("<!doctype html><title>our product</title>")
    result = failing.run("--parity-report-dir", "docs")
    result.stdout.fnmatch_lines(["warning: the page of the run could not be written to docs: *is no page of a run*"])
    assert page.read_text().endswith("our product</title>")
    assert list(page.parent.iterdir()) == [page]
    page.unlink()
    for _ in range(2):  # one of ours is replaced
        assert "warning" not in failing.run("--parity-report-dir", "docs").stdout.str()


def test_a_fault_of_the_page_costs_no_summary(failing):
    """Whatever goes wrong while the page is drawn is one line, and the failures are told as ever."""
    fault = "from pytest_audioparity.page import document\ndocument.render = lambda *_: 1 / 0\n"
    (failing.path / "conftest.py").write_text(fault)
    result = failing.run_apart("--parity-report")
    result.stdout.fnmatch_lines(["warning: the page of the run could not be written*ZeroDivisionError*", "FAILED *"])


# Below 1 MB goldens are read into memory as a whole.
_EACH_MB, _TESTS = 0.96, 16


def test_the_page_holds_the_tensors_of_one_test_at_a_time(project, monkeypatch):
    """All of them may be larger than the memory: what waits for review takes up to 2 GB, and the goldens as much."""
    source = f"""
    @pytest.mark.parametrize('number', range({_TESTS}))
    def test_model(stages, number):
        stages['mel'] = np.full((80, {int(_EACH_MB * 1e6 / 4 / 80)}), {{value}}, np.float32)
    """
    project.write(source.format(value=1.0))
    assert project.run("--update-golden").ret == 0
    project.write(source.format(value=2.0))
    assert project.run().parseoutcomes() == {"failed": _TESTS}
    monkeypatch.chdir(project.path)
    assert main(["run", "report"]) == 0  # its imports are not measured
    tracemalloc.start()
    try:
        main(["run", "report"])
        peak_mb = tracemalloc.get_traced_memory()[1] / 1e6
    finally:
        tracemalloc.stop()
    assert len(page_of(project).maps) == 3 * _TESTS
    assert peak_mb < _TESTS * _EACH_MB
