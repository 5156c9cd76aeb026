"""--parity-report of goldens in stores and variants, of several jobs, and of what audits found."""

from __future__ import annotations

import pytest
from reading import Page

from pytest_audioparity.cli import main

MODEL = """
def test_model(stages):
    x = np.random.default_rng(0).standard_normal((1, 8, 40)).cumsum(-1)
    stages.record('mel', x * {gain}, axes='BCT')
"""
REPORT = ".audioparity/report/index.html"


def page_of(project):
    page = Page((project.path / REPORT).read_text(encoding="utf-8"))
    assert not any(words in page.text for words in ("cannot be drawn", "cannot be shown"))
    return page


@pytest.fixture
def stored(project):
    """Give a project whose golden was pushed to a store, with a fault of 6 dB."""
    project.ini(f"audioparity_golden_store = {project.path / 'store'}")
    project.write(MODEL.format(gain=1.0))
    project.run("--update-golden")
    assert main(["golden", "push", f"--root={project.path}"]) == 0
    project.write(MODEL.format(gain=2.0))
    return project


def test_a_golden_in_a_store_is_drawn(stored):
    """Only a manifest lies in the golden directory; expected is drawn from the store all the same."""
    assert stored.goldens() == []
    stored.run("--parity-report")
    assert len(page_of(stored).maps) == 3


def test_a_store_that_is_gone_costs_the_expected_side_only(stored):
    """Without store and cache the page says so where the picture would be, and draws what was obtained."""
    stored.run()
    for tensor in [*(stored.path / "store").rglob("*"), *(stored.path / ".audioparity" / "cache").rglob("*")]:
        if tensor.is_file():
            tensor.chmod(0o644)
            tensor.unlink()
    assert main(["run", "report", f"--root={stored.path}"]) == 0
    page = page_of(stored)
    assert len(page.maps) == 1
    assert "store" in page.text
    assert "first divergence mel, 6.02 dB: gain" in page.text


def test_the_variant_is_what_is_drawn(project):
    """A test that is compared with a variant shows the variant's values, by name; the shared golden has others."""
    for gain, flags in ((1.0, ()), (2.0, ("--golden-variant", "cuda"))):
        project.write(MODEL.format(gain=gain))
        project.run("--update-golden", *flags)
    project.write(MODEL.format(gain=6.0))
    project.run("--parity-report", "--golden-variant", "cuda")
    page = page_of(project)
    assert "variant of the golden: cuda" in page.text
    assert "actual = 3 * expected" in page.text
    assert len(page.maps) == 3
    project.run("--parity-report")
    assert "actual = 6 * expected" in page_of(project).text


def test_several_jobs_make_one_page(project, tmp_path):
    """Of a test that two jobs ran, the failing one is drawn and says whose it is; both jobs are named."""
    project.write(MODEL.format(gain=1.0))
    project.run("--update-golden")
    jobs = []
    for name, gain in (("linux", 1.0), ("macos", 2.0)):
        project.write(MODEL.format(gain=gain))
        project.run()
        jobs.append(tmp_path / name / ".audioparity")
        jobs[-1].parent.mkdir()
        (project.path / ".audioparity").rename(jobs[-1])
    assert main(["run", "merge", *map(str, jobs), f"--root={project.path}"]) == 1
    assert main(["run", "report", f"--root={project.path}"]) == 0
    page = page_of(project)
    assert len(page.all("details", class_="test")) == 1
    assert len(page.maps) == 3
    assert "merged from 2 jobs: linux, macos (exit status 1)" in page.text
    assert "as job macos ran it" in page.text


@pytest.mark.parametrize("order", [1, -1])
def test_of_jobs_that_differ_the_one_is_drawn_that_the_record_tells_of(project, tmp_path, order):
    project.write(MODEL.format(gain=1.0))
    project.run("--update-golden")
    jobs = []
    for name, gain in (("linux", 3.0), ("macos", 2.0)):
        project.write(MODEL.format(gain=gain))
        project.run()
        jobs.append(tmp_path / name / ".audioparity")
        jobs[-1].parent.mkdir()
        (project.path / ".audioparity").rename(jobs[-1])
    main(["run", "merge", *map(str, jobs[::order]), f"--root={project.path}"])
    main(["run", "report", f"--root={project.path}"])
    page = page_of(project)
    assert "as job linux ran it" in page.text
    assert "actual = 3 * expected" in page.text
    assert "actual = 2 * expected" not in page.text


def test_faults_that_go_unnoticed_stand_with_their_test(project):
    """A loose test that passes lists what it would let pass, with the number; a tight one says that it would not."""
    loose, tight = MODEL.replace("axes", "tol_db=3.0, axes"), MODEL.replace("axes", "tol_db=1e-5, axes")
    for model in (loose, tight):
        project.write(model.format(gain=1.0))
        project.run("--update-golden")
        project.run("--parity-mutants", "--parity-report")
        page = page_of(project)
        assert ("planted faults would go unnoticed" in page.text) == (model is loose)
        assert ("planted faults would be noticed" in page.text) == (model is tight)
    assert page.all("details", class_="test")[0]["data-verdict"] == "pass"


def test_proposed_tolerances_stand_at_the_top(project):
    """What --parity-calibrate measured and proposes is on the page, with the mark to paste."""
    project.write(
        "RANDOM = np.random.default_rng(1)\n"
        + MODEL.format(gain=1.0).replace("'mel', x * 1.0", "'mel', x + 1e-2 * RANDOM.standard_normal(x.shape)")
    )
    project.run("--update-golden")
    project.run("--parity-calibrate", "3", "--parity-report")
    page = page_of(project)
    assert "tolerances, measured and proposed" in page.text
    assert "@parity(stages={'mel': {'tol_db':" in page.text
