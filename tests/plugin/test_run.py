"""`stages.run` and `stages.input`: programs in other languages, and the numbers that they are given.

The programs are of the shell: they copy files that were prepared, so that what they write is known to the bit.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

from pytest_audioparity.golden.file import Golden

MEL = np.linspace(-1, 1, 24, dtype=np.float32).reshape(2, 3, 4)
OWNER = """
def test_owner(stages):
    stages.input("noise", np.load("noise.npy"), axes="BCT")
    stages.record("mel", np.load("mel.npy"), axes="BCT")
"""
PORT = """
@parity(golden="test_model/test_owner", port=True)
def test_port(stages):
    stages.run(["sh", "-c", '{script}'], rename={{"dump": "mel"}})
"""


@pytest.fixture
def files(project):
    """Lay out what programs copy."""
    np.save(project.path / "mel.npy", MEL)
    np.save(project.path / "loud.npy", MEL * 2)
    np.save(project.path / "noise.npy", np.random.default_rng(0).standard_normal((2, 3, 4)).astype(np.float32))
    return project


@pytest.fixture
def golden(files):
    """Write a golden with an input."""
    files.write(OWNER)
    assert files.run("--update-golden").ret == 0
    return files


def is_alive(pid):
    """Whether a process runs; one that has ended and that nobody has asked for is dead."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def ends(pid, seconds=20.0):
    deadline = time.monotonic() + seconds
    while is_alive(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not is_alive(pid)


class TestStages:
    @pytest.mark.parametrize(("file", "passes"), [("mel.npy", True), ("loud.npy", False)])
    def test_what_a_program_writes_is_compared(self, golden, file, passes):
        """A port in another language passes or fails by its tensors as one in Python does."""
        golden.write(OWNER + PORT.format(script=f'cp {file} "$AUDIOPARITY_DUMP"'))
        result = golden.run("-k", "port")
        result.assert_outcomes(passed=int(passes), failed=int(not passes), deselected=1)
        if not passes:
            result.stdout.fnmatch_lines("stage 'mel' is off by 6.02 dB*")

    def test_a_folder_and_files_beside_it_are_stages_too(self, files):
        """Every file becomes a stage, named after its path, in the order of their names."""
        script = 'mkdir -p "$AUDIOPARITY_DUMP/ode"; for i in 10 2; do cp mel.npy "$AUDIOPARITY_DUMP/ode/$i.npy"; done;'
        script += 'cp loud.npy "$(dirname "$AUDIOPARITY_DUMP")/beside.npy"'
        files.write(f"def test_model(stages): stages.run(['sh', '-c', {script!r}])")
        assert files.run("--update-golden").ret == 0
        assert list(files.tensors()) == ["ode/2", "ode/10", "beside"]

    def test_the_test_gets_what_was_printed(self, files):
        """The result has stdout and stderr, undecodable bytes included, and tolerances and environment count."""
        files.write(
            r"""
            def test_model(stages):
                script = 'printf "$WHO\\377"; echo err >&2; cp mel.npy "$AUDIOPARITY_DUMP"'
                done = stages.run(['sh', '-c', script], env={'WHO': 'me'}, atol=1.0)
                assert (done.stdout, done.stderr, done.returncode) == ('me\ufffd', 'err\n', 0)
            """
        )
        assert files.run("--update-golden").ret == 0

    def test_the_folder_is_private_and_removed_afterwards(self, files):
        """The path does not exist before, its folder is the user's alone, and nothing of it is left."""
        script = (
            'ls -A "$(dirname "$AUDIOPARITY_DUMP")" | wc -l; stat -c %a "$(dirname $(dirname "$AUDIOPARITY_DUMP"))";'
        )
        script += 'echo "$AUDIOPARITY_DUMP" > path; cp mel.npy "$AUDIOPARITY_DUMP"'
        files.write(
            f"""
            def test_model(stages):
                assert stages.run(['sh', '-c', {script!r}]).stdout.split() == ['0', '700']
            """
        )
        assert files.run("--update-golden").ret == 0
        path = (files.path / "path").read_text().strip()
        assert path.endswith("/dump.safetensors")
        assert not Path(path).parent.parent.exists()

    def test_workers_run_programs_side_by_side(self, golden):
        """Under pytest-xdist each test has a folder of its own."""
        port = PORT.format(script='cp mel.npy "$AUDIOPARITY_DUMP"')
        golden.write(OWNER + "".join(port.replace("test_port", f"test_port_{i}") for i in range(4)))
        golden.run_apart("-n2").assert_outcomes(passed=5)


FAILURES = {
    "exit status": (["sh", "-c", "echo why >&2; exit 3"], "failed with exit status 3; its stderr:\n  why"),
    "stdout": (["sh", "-c", "echo why; exit 3"], "failed with exit status 3; its stdout:\n  why"),
    "silence": (["sh", "-c", "exit 3"], "failed with exit status 3; it printed nothing"),
    "signal": (["sh", "-c", "kill -SEGV $$"], "failed with signal SIGSEGV; it printed nothing"),
    "colours": (["sh", "-c", r"printf '\033[31mred\007\n' >&2; exit 1"], "its stderr:\n  red"),
    "long": (["sh", "-c", "seq 30 >&2; exit 1"], "its stderr (last 20 of 30 lines):\n  11\n  12\n"),
    "nothing written": (["true"], "true wrote no stage; it should write a file to the path in AUDIOPARITY_DUMP"),
    "not found": (["./absent", "x"], "run: there is no program './absent'; build it, or give its path"),
    "not a program": (["./mel.npy"], "run: './mel.npy' cannot be run: Permission denied"),
    "text": ("./trace --text hello", "the command is a list of words, as in ['./trace', '--text', 'hello']"),
    "empty": ([], "the command is a list of one or more texts and paths, not []"),
    "number": (["sleep", 1], "the command is a list of one or more texts and paths, not ['sleep', 1]"),
    "NUL": (["sh", "-c", "\0"], "'sh' cannot be run: embedded null byte"),
    "damaged": (["sh", "-c", 'head -c 100 mel.npy > "$AUDIOPARITY_DUMP"'], "dump.safetensors has an unreadable header"),
    "log": (["sh", "-c", 'echo x > "$AUDIOPARITY_DUMP.log"'], "is none of the files that can be read"),
}


class TestFailures:
    @pytest.mark.parametrize(("command", "said"), FAILURES.values(), ids=FAILURES)
    def test_a_program_that_fails_says_why_in_place_of_a_traceback(self, files, command, said):
        """The failure has the place in the test, the command, what became of it, and the end of what it printed."""
        files.write(f"def test_model(stages): stages.run({command!r})")
        result = files.run("--update-golden")
        result.assert_outcomes(failed=1)
        text = result.stdout.str()
        assert said in text
        assert "test_model.py:5: " in text
        assert files.goldens() == []

    @pytest.mark.parametrize(
        ("keywords", "said"),
        [
            ("timeout=0", "timeout=0 is not a number of seconds"),
            ("timeout=None", "timeout=None is not a number of seconds"),
            ("timeout=float('inf')", "timeout=inf is not a number of seconds"),
            ("cwd='absent'", "cwd='absent' is no folder"),
            ("env={'A': 1}", "env={'A': 1} is not a mapping of texts"),
            ("time_out=1", "unknown keyword 'time_out', did you mean 'timeout'?"),
            ("rename={'a': 'b'}", "sh has no tensor 'a' to rename; it has 'dump'"),
            ("axes={'*': 'BT'}", "must name each of its 3 dimensions"),
        ],
    )
    def test_wrong_keywords_are_one_line(self, files, keywords, said):
        """A mistake is told as such."""
        files.write(f"def test_model(stages): stages.run(['sh', '-c', 'cp mel.npy $AUDIOPARITY_DUMP'], {keywords})")
        result = files.run()
        result.assert_outcomes(failed=1)
        assert said in result.stdout.str()

    @pytest.mark.parametrize(
        ("end", "timeout", "said"),
        [("sleep 100", 2, "was killed: it ran longer than timeout=2 s"), ("", 60, "wrote no stage")],
    )
    def test_all_that_a_program_started_ends_with_it(self, files, end, timeout, said):
        """When the time is up, and when it has left something running, its whole process group is killed."""
        script = f"sleep 100 & echo $! > pid; {end}"
        files.write(f"def test_model(stages): stages.run(['sh', '-c', {script!r}], timeout={timeout})")
        result = files.run()
        result.assert_outcomes(failed=1)
        assert said in result.stdout.str()
        assert ends(int((files.path / "pid").read_text()))

    def test_ctrl_c_ends_the_program(self, files):
        """An interrupted run leaves no program behind."""
        script = "sleep 100 & echo $! > started; mv started pid; sleep 100"
        files.write(f"def test_model(stages): stages.run(['sh', '-c', {script!r}])")
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
        with subprocess.Popen(command, cwd=files.path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as run:
            try:
                while not (files.path / "pid").exists() and run.poll() is None:
                    time.sleep(0.02)
                pid = int((files.path / "pid").read_text())
                assert is_alive(pid)
                run.send_signal(signal.SIGINT)
                assert run.wait(60) == pytest.ExitCode.INTERRUPTED
            finally:
                run.kill()
        assert ends(pid)

    def test_a_failure_that_the_test_swallows_still_fails_it(self, files):
        """Whoever catches the error does not get a golden out of what is left."""
        files.write(
            """
            def test_model(stages):
                stages["mel"] = np.ones(3)
                try:
                    stages.run(["false"])
                except ValueError:
                    pass
            """
        )
        files.run("--update-golden").assert_outcomes(failed=1)


class TestInputs:
    def test_an_input_is_marked_in_the_golden_and_returned(self, project):
        """The value comes back as it was given; the golden says which stages are inputs, and only of these."""
        project.write(
            """
            def test_model(stages):
                noise = [1.0, 2.0]
                assert stages.input("noise", noise, kind="tensor", axes="T") is noise
                stages["mel"] = np.array(noise) * 2
            """
        )
        assert project.run("--update-golden").ret == 0
        assert {meta.name: meta.role for meta in Golden(project.golden()).stages} == {"noise": "input", "mel": None}
        before = project.state()
        project.run("--update-golden").assert_outcomes(passed=1)
        assert project.state() == before

    def test_an_input_that_moved_fails_as_any_stage_does(self, golden):
        """A reference that draws other noise is told so."""
        np.save(golden.path / "noise.npy", np.ones((2, 3, 4), np.float32))
        result = golden.run()
        result.assert_outcomes(failed=1)
        result.stdout.fnmatch_lines("noise (first divergence)")

    def test_a_port_takes_the_numbers_of_the_golden_in_its_own_layout(self, golden):
        """Without a value the golden's comes, read-only, to the bit, its axes in the order that the port declares."""
        golden.write(
            OWNER
            + """
@parity(golden="test_model/test_owner", port=True)
@pytest.mark.parametrize("axes", ["BCT", "BTC", None])
def test_port(stages, axes):
    noise = stages.input("noise", axes=axes)
    expected = np.load("noise.npy")
    assert not noise.flags.writeable and isinstance(noise, np.ndarray)
    assert np.array_equal(noise, expected.transpose(0, 2, 1) if axes == "BTC" else expected)
    mel = np.load("mel.npy")
    stages.record("mel", mel.transpose(0, 2, 1) if axes == "BTC" else mel, axes=axes)
"""
        )
        golden.run().assert_outcomes(passed=4)

    @pytest.mark.parametrize(
        ("call", "said"),
        [
            ("'noise', None", "stage 'noise': NoneType is not array-like"),
            ("'nose'", "input 'nose': the golden has no such stage to take its value from; the test that owns the"),
            ("'noise', axes='BXT'", "input 'noise': declared axes='BXT', but the golden has axes='BCT'"),
            ("'noise', kind='codes'", "kind='codes' needs integers"),
        ],
    )
    def test_what_cannot_be_taken_is_one_line(self, golden, call, said):
        """A value that somebody forgot to make is not replaced by the golden's."""
        golden.write(OWNER + PORT.replace("stages.run", f"stages.input({call}); stages.run").format(script="true"))
        result = golden.run("-k", "port")
        result.assert_outcomes(failed=1, deselected=1)
        assert said in result.stdout.str()

    def test_without_a_golden_there_is_nothing_to_take(self, project):
        """The message says which test has to give it."""
        project.write("def test_model(stages): stages.input('noise')")
        result = project.run()
        result.stdout.fnmatch_lines("*test_model.py:5: input 'noise': there is no golden yet to take its value from; *")
        project.golden().parent.mkdir(parents=True)
        project.golden().write_bytes(b"xxx")
        project.run().stdout.fnmatch_lines("*test_model.py:5: golden *test_model.safetensors is truncated: 3 bytes*")

    def test_a_program_is_given_the_inputs_and_they_count_as_recorded(self, golden):
        """Whether it writes them back or not, to the bit; what fails is what it makes of them."""
        scripts = {
            "back": 'cp "$AUDIOPARITY_INPUTS" "$AUDIOPARITY_DUMP"; cp mel.npy "$(dirname "$AUDIOPARITY_DUMP")"',
            "kept": 'test -s "$AUDIOPARITY_INPUTS" && cp mel.npy "$(dirname "$AUDIOPARITY_DUMP")"',
            "loud": 'cp loud.npy "$(dirname "$AUDIOPARITY_DUMP")/mel.npy"',
        }
        run = "stages.run(['sh', '-c', '{script}'], atol=0.0, rtol=0.0)"
        head = '@parity(golden="test_model/test_owner", port=True)\ndef test_{name}(stages): '
        ports = [head.format(name=name) + run.format(script=script) for name, script in scripts.items()]
        golden.write(OWNER + "\n".join(ports))
        result = golden.run()
        result.assert_outcomes(passed=3, failed=1)
        result.stdout.fnmatch_lines("1 of 2 stages fails")
        shown = golden._pytester.run(sys.executable, "-m", "pytest_audioparity.cli", "golden", "pending")
        assert "removed" not in result.stdout.str() + shown.stdout.str()
        assert golden.all_pending() == ["test_model/test_loud"]
        assert [stage.meta.name for stage in Golden(golden.pending("test_model/test_loud"))] == ["mel"]

    def test_a_program_gets_the_input_that_the_test_has_rather_than_the_old_one(self, files):
        """A reference whose program makes its stages out of the inputs writes a golden whose parts belong together."""
        source = """
        import sys
        PROGRAM = '''
        import numpy, os, safetensors.numpy
        with open(os.environ["AUDIOPARITY_DUMP"], "wb") as file:
            numpy.save(file, safetensors.numpy.load_file(os.environ["AUDIOPARITY_INPUTS"])["noise"])
        '''
        def test_model(stages):
            stages.input("noise", np.full(3, {value}))
            stages.run([sys.executable, "-c", PROGRAM], rename={{"dump": "echo"}})
        """
        for value in (1.0, 2.0):
            files.write(source.format(value=value))
            assert files.run("--update-golden").ret == 0
            assert {name: set(array.tolist()) for name, array in files.tensors().items()} == {
                "noise": {value},
                "echo": {value},
            }

    def test_a_reference_that_no_longer_records_an_input_lacks_it(self, golden):
        """Only to a port do the golden's inputs count as recorded."""
        golden.write("def test_owner(stages): stages.run(['sh', '-c', 'cp mel.npy \"$AUDIOPARITY_DUMP\"'], "
                     "rename={'dump': 'mel'}, axes={'mel': 'BCT'})")  # fmt: skip
        result = golden.run()
        result.assert_outcomes(failed=1)
        result.stdout.fnmatch_lines("stage 'noise' is missing in actual")

    def test_without_inputs_the_variable_is_not_there(self, files, monkeypatch):
        """One that was set around the tests is not passed on."""
        monkeypatch.setenv("AUDIOPARITY_INPUTS", "/elsewhere")
        script = 'test -z "${AUDIOPARITY_INPUTS+set}" && cp mel.npy "$AUDIOPARITY_DUMP"'
        files.write(f"def test_model(stages): stages.run(['sh', '-c', {script!r}])")
        assert files.run("--update-golden").ret == 0

    def test_a_dump_may_mark_its_own_inputs(self, files):
        """A program that draws the noise itself says so in the metadata of its file."""
        document = '{"format": 1, "stages": [{"name": "noise", "role": "input"}]}'
        safetensors.numpy.save_file({"noise": MEL}, files.path / "d.safetensors", {"audioparity": document})
        files.write("def test_model(stages): stages.run(['sh', '-c', 'cp d.safetensors $AUDIOPARITY_DUMP'])")
        assert files.run("--update-golden").ret == 0
        assert Golden(files.golden()).stages[0].role == "input"


def test_an_input_of_the_reference_comes_before_the_program_that_takes_it(files):
    """The program would be given the golden's, and an update would write its output beside another input."""
    files.write("""
def test_owner(stages):
    stages.run(["sh", "-c", 'cp mel.npy "$AUDIOPARITY_DUMP"'])
    stages.input("noise", np.load("noise.npy"))
""")
    assert files.run("--update-golden").ret == 0
    result = files.run("--update-golden")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*input 'noise' comes after stages.run, which gave the program the golden's; record*"])
