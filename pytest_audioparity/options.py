"""Command-line flags and ini options, each written once, and their reading into one frozen `Settings`.

pytest imports this module on every start, so it holds plain tables and imports nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pytest

    from pytest_audioparity.settings import Settings

# flag -> (kind, metavar, help)
FLAGS: dict[str, tuple[str, str | None, str]] = {
    "--update-golden": ("flag", None, "write missing goldens and those that no longer pass, leave the rest untouched"),
    "--update-golden-in-ci": ("flag", None, "allow --update-golden where the environment variable CI is set"),
    "--golden-reason": ("text", "TEXT", "why the goldens change; stored in them"),
    "--golden-dir": ("text", "DIR", "folder of the goldens (default: ini audioparity_golden_dir, else golden)"),
}

# Tolerance keywords that a project may set for all its tests, as ini options audioparity_<keyword>.
INI_NUMBERS = ("tol_db", "tol_peak_db", "min_snr_db", "atol", "rtol", "min_match")
INI_WORDS = ("precision", "dtype")
INI_TOLERANCES = tuple(f"audioparity_{keyword}" for keyword in (*INI_NUMBERS, *INI_WORDS, "stages"))
_CONSTANTS = {"none": None, "true": True, "false": False}

MARKERS = (
    "parity(tol_db=0.01, tol_peak_db=100*tol_db, min_snr_db=None, atol=None, rtol=None, min_match=1.0, "
    "precision='fp32', dtype='same', golden=None, port=False, only=[globs], stages={glob: overrides}): "
    "compare the stages this test records with its golden",
    "codec_roundtrip(...): judge a codec's encode and decode (not built yet)",
)


def add_options(parser: pytest.Parser) -> None:
    """Register every flag and ini option."""
    group = parser.getgroup("audioparity", "audioparity: stages of audio models against goldens")
    for flag, (kind, metavar, text) in FLAGS.items():
        if kind == "flag":
            group.addoption(flag, action="store_true", help=text)
        else:
            group.addoption(flag, metavar=metavar, help=text)
    parser.addini("audioparity_golden_dir", "folder of the goldens, relative to the root directory", default="golden")
    for keyword in (*INI_NUMBERS, *INI_WORDS):
        parser.addini(f"audioparity_{keyword}", f"default of parity({keyword}=...) for all tests")
    parser.addini(
        "audioparity_stages",
        "tolerances per stage glob, a line each: 'ode/*: tol_db=0.05, min_snr_db=40'",
        type="linelist",
    )


def is_configured(config: pytest.Config) -> bool:
    """Whether the project sets any tolerance as an ini option."""
    return any(config.getini(name) for name in INI_TOLERANCES)


def read_settings(config: pytest.Config) -> Settings:
    """Read flags and ini options.

    The ini option is relative to the root directory, the flag to the directory where pytest was started.

    Raises
    ------
    pytest.UsageError : an ini option has a value that its keyword does not take
    """
    from pytest_audioparity.settings import Settings

    project = _project(config)
    flag, ini = config.getoption("--golden-dir"), config.getini("audioparity_golden_dir")
    return Settings(
        root=config.rootpath,
        golden_dir=config.invocation_params.dir / flag if flag else config.rootpath / (ini or "golden"),
        update=bool(config.getoption("--update-golden")),
        reason=config.getoption("--golden-reason"),
        project=project,
    )


def _project(config: pytest.Config) -> Mapping[str, Any]:
    import pytest

    from pytest_audioparity.comparison.tolerances import problem_with

    texts = {keyword: config.getini(f"audioparity_{keyword}") for keyword in (*INI_NUMBERS, *INI_WORDS)}
    values = {keyword: _value(keyword, text) for keyword, text in texts.items() if text not in (None, "")}
    if (problem := problem_with(values)) is not None:
        raise pytest.UsageError(f"ini option audioparity_{problem}")
    stages: dict[str, dict[str, Any]] = {}
    for line in config.getini("audioparity_stages"):
        # A stage may have a colon in its name, a tolerance has none.
        glob, _, rest = line.rpartition(":")
        pairs = dict(_pair(part) for part in rest.split(",") if part.strip())
        problem = problem_with(pairs) if glob.strip() and pairs else "write it as 'glob: keyword=value, keyword=value'"
        if problem is not None:
            raise pytest.UsageError(f"ini option audioparity_stages, line {line!r}: {problem}")
        stages.setdefault(glob.strip(), {}).update(pairs)
    return {**values, "stages": stages}


def _pair(part: str) -> tuple[str, Any]:
    keyword, _, text = part.partition("=")
    return keyword.strip(), _value(keyword.strip(), text.strip())


def _value(keyword: str, text: Any) -> Any:
    """Read a number, None or a truth value; what is none of them is left for the check that names it."""
    if not isinstance(text, str):
        return text
    if text.lower() in _CONSTANTS:
        return _CONSTANTS[text.lower()]
    if keyword not in INI_NUMBERS:
        return text
    try:
        return float(text)
    except ValueError:
        return text
