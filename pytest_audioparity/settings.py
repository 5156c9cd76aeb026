"""The settings of one run, read from flags and ini options into one frozen record."""

from __future__ import annotations

import math
import os
import platform
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_audioparity.comparison.tolerances import problem_with
from pytest_audioparity.golden.names import VARIANT
from pytest_audioparity.options import INI_NUMBERS, INI_WORDS
from pytest_audioparity.project import Project
from pytest_audioparity.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Mapping

_CONSTANTS = {"none": None, "true": True, "false": False}


# What may lie in .audioparity for review: as much as some hundred failing tests of a model leave, and no more than a
# machine of CI can spare.
PENDING_BYTES = 2_000_000_000


@dataclass(frozen=True, slots=True)
class Settings:
    """Flags and ini options of one run.

    Attributes
    ----------
    root : pytest's root directory; what is shown is relative to it
    golden_dir : where goldens lie
    update : whether goldens that no longer pass are to be rewritten
    create : whether missing goldens are to be written
    plan : whether to list that only, and write nothing
    reason : what the user gave as one
    force : whether goldens are written although words are lost in their audio
    variant : the variant that an update makes of a golden that does not pass, if any
    variants : the variants that count where a golden has them, the closest first
    store, cache, offline : where tensors too large for git are kept, where downloads go, whether to download at all
    mutants : whether faults are put into the stages of tests that pass
    calibrate : how often each test is run to measure its noise, 0 for not at all
    report : the folder that gets a page of the run, None for none
    pending_bytes : how much of what tests obtained is kept for review
    project : tolerance keywords of the ini options
    """

    root: Path
    golden_dir: Path
    update: bool = False
    create: bool = False
    plan: bool = False
    reason: str | None = None
    force: bool = False
    variant: str | None = None
    variants: tuple[str, ...] = ()
    store: str | None = None
    cache: Path = Path(".audioparity/cache")
    offline: bool = False
    mutants: bool = False
    calibrate: int = 0
    report: Path | None = None
    pending_bytes: int = PENDING_BYTES
    project: Mapping[str, Any] = field(default_factory=dict)


def project_of(settings: Settings) -> Project:
    """Return the project that a run is of, as the command line finds it."""
    return Project(settings.root, settings.golden_dir, is_chosen=True, store=settings.store, cache=settings.cache)


def read_settings(config: pytest.Config) -> Settings:
    """Read flags and ini options.

    The ini option is relative to the root directory, the flag to the directory where pytest was started.

    Raises
    ------
    pytest.UsageError : an ini option has a value that its keyword does not take
    """
    project = _project(config)
    flag, ini = config.getoption("--golden-dir"), config.getini("audioparity_golden_dir") or "golden"
    if flag == "":
        raise pytest.UsageError("--golden-dir needs a folder")
    root, plan = config.rootpath, bool(config.getoption("--golden-plan"))
    missing_only = bool(config.getoption("--update-golden-missing"))
    update = bool(config.getoption("--update-golden")) or (plan and not missing_only)
    variant, system = _variant(config), platform.system().lower()
    cache = config.getini("audioparity_golden_cache")
    return Settings(
        root=root,
        golden_dir=Path(os.path.normpath(config.invocation_params.dir / flag if flag else root / ini)),
        update=update,
        create=update or missing_only,
        plan=plan,
        reason=config.getoption("--golden-reason"),
        force=bool(config.getoption("--force-golden")),
        variant=variant,
        variants=(*filter(None, [variant]), f"{system}-{platform.machine().lower()}", system),
        store=config.getini("audioparity_golden_store") or None,
        cache=root / (Path(cache).expanduser() if cache else Path(".audioparity", "cache")),
        offline=bool(config.getoption("--golden-offline")),
        mutants=bool(config.getoption("--parity-mutants")),
        calibrate=_repetitions(config, creates=update or missing_only),
        report=_report(config),
        pending_bytes=_pending_bytes(config),
        project=project,
    )


def _pending_bytes(config: pytest.Config) -> int:
    text = config.getini("audioparity_pending_mb")
    if not text:
        return PENDING_BYTES
    with suppress(ValueError):
        if 0 <= (megabytes := float(text)) < math.inf:
            return round(megabytes * 1e6)
    raise pytest.UsageError(f"ini option audioparity_pending_mb: {text!r} is no number of megabytes")


def _report(config: pytest.Config) -> Path | None:
    folder: str | None = config.getoption("--parity-report-dir")
    if folder == "":
        raise pytest.UsageError("--parity-report-dir needs a folder")
    if folder is not None:
        return Path(os.path.normpath(config.invocation_params.dir / folder))
    return Workspace(config.rootpath).report if config.getoption("--parity-report") else None


def _repetitions(config: pytest.Config, *, creates: bool) -> int:
    count: int | None = config.getoption("--parity-calibrate")
    if count is None:
        return 0
    if count < 1:
        raise pytest.UsageError("--parity-calibrate needs a number of runs, 1 or more")
    if creates:
        raise pytest.UsageError("--parity-calibrate measures against goldens as they are; update them before")
    return count


def _variant(config: pytest.Config) -> str | None:
    flag, ini = config.getoption("--golden-variant"), config.getini("audioparity_golden_variant")
    name, said = (flag, "--golden-variant") if flag else (ini, "ini option audioparity_golden_variant")
    if name and not VARIANT.fullmatch(name):
        raise pytest.UsageError(f"{said} {name!r}: use small letters, digits, '.', '_' and '-', as in 'cuda'")
    return name or None


def _project(config: pytest.Config) -> Mapping[str, Any]:
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
