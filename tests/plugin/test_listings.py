"""What pytest's own listings say of the plugin: `--fixtures` and `--markers`."""

from __future__ import annotations

import re

import pytest

from pytest_audioparity import keywords


@pytest.mark.parametrize(
    ("mark", "typed"), [("parity", keywords.ParityKeywords), ("codec_roundtrip", keywords.RoundtripLimits)]
)
def test_every_keyword_of_a_mark_is_listed(project, mark, typed):
    """`pytest --markers` names each keyword that an editor offers, and no other."""
    output, names = project.run("--markers").stdout.str(), set(typed.__annotations__)
    assert to_mend(output, mark, names) == []
    assert to_mend(output, mark, names - {"min_estoi"} | {"max_x"}) == [
        f"add max_x to {mark} of MARKERS in options.py, then python website/listings.py",
        f"take min_estoi out of {mark} of MARKERS in options.py, then python website/listings.py",
    ]


def to_mend(output, mark, names):
    """Say where the keywords that `pytest --markers` prints of a mark differ from these."""
    listed = set(re.findall(r"(\w+)=", output.partition(f"@pytest.mark.{mark}(")[2].partition("): ")[0]))
    changes = [f"add {name} to" for name in sorted(names - listed)]
    changes += [f"take {name} out of" for name in sorted(listed - names)]
    return [f"{change} {mark} of MARKERS in options.py, then python website/listings.py" for change in changes]


@pytest.mark.parametrize(
    ("fixture", "words"),
    [
        ("stages", ("stages.step(", "stages.record(", "pytest_audioparity.Stages", "pytest --update-golden")),
        ("roundtrip", ("encode=", "sample_rate=", "pytest_audioparity.Roundtrip", "codec_roundtrip")),
        ("recogniser", ("recogniser(samples, sample_rate)", "conftest.py", "pytest_audioparity.Recogniser")),
    ],
)
def test_each_fixture_is_described(pytester, fixture, words):
    """`pytest --fixtures` says how each fixture is called, with what it belongs and its type."""
    own = (
        pytester.runpytest_inprocess("--fixtures")
        .stdout.str()
        .partition("fixtures defined from pytest_audioparity.plugin")[2]
    )
    described = re.split(rf"^{fixture} ", own, maxsplit=1, flags=re.MULTILINE)[1].partition("\n\n\n")[0]
    assert not [word for word in words if word not in described]
