"""Command-line flags, ini options and marks, each written once. `settings` reads them.

pytest imports this module on every start, so it holds plain tables and imports nothing that is not there already.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

# What commands that review take where the run was a job: what that left is somewhere else when they are typed.
FROM_JOB = " --from DIR  # DIR: the downloaded artifact of this job"
# flag -> (kind, metavar, help)
FLAGS: dict[str, tuple[str, str | None, str]] = {
    "--update-golden": ("flag", None, "write missing goldens and those that no longer pass, leave the rest untouched"),
    "--update-golden-missing": ("flag", None, "write missing goldens only; those that no longer pass fail as ever"),
    "--golden-plan": ("flag", None, "list what --update-golden would write, write nothing, and fail if it is anything"),
    "--update-golden-in-ci": ("flag", None, "allow updates where the environment variable CI is set"),
    "--golden-reason": ("text", "TEXT", "why the goldens change; stored in them"),
    "--force-golden": ("flag", None, "update although words are lost in the new audio; needs --golden-reason"),
    "--golden-dir": ("text", "DIR", "folder of the goldens (default: ini audioparity_golden_dir, else golden)"),
    "--golden-variant": ("text", "NAME", "compare with, and update, variants such as test_x@NAME.safetensors, if any"),
    "--parity-mutants": ("flag", None, "put known faults into the stages of tests that pass, list what goes unnoticed"),
    "--parity-calibrate": ("count", "N", "run each parity test N times, measure its noise, and propose tolerances"),
    "--parity-report": (
        "flag",
        None,
        "write a page with pictures and sound of what differs: .audioparity/report/index.html",
    ),
    "--parity-report-dir": ("text", "DIR", "the same, as DIR/index.html"),
    "--golden-offline": ("flag", None, "download nothing from the golden store; use what its cache has"),
}

# Tolerance keywords that a project may set for all its tests, as ini options audioparity_<keyword>.
INI_SCORES = ("min_stoi", "min_estoi", "min_pesq_wb", "min_pesq_nb")
INI_NUMBERS = ("tol_db", "tol_peak_db", "min_snr_db", "atol", "rtol", "min_match", *INI_SCORES)
INI_WORDS = ("precision", "dtype", "words")
INI_TOLERANCES = tuple(f"audioparity_{keyword}" for keyword in (*INI_NUMBERS, *INI_WORDS, "stages"))

MARKERS = (
    "parity(tol_db=0.01, tol_peak_db=100*tol_db, min_snr_db=None, atol=None, rtol=None, min_match=1.0, "
    "min_stoi=None, min_estoi=None, min_pesq_wb=None, min_pesq_nb=None, words='kept', precision='fp32', "
    "dtype='same', allow_empty=False, golden=None, port=False, only=[globs], stages={glob: overrides}): "
    "compare the stages this test records with its golden; bare, on functions and classes, and as pytestmark; "
    "the closest mark wins per keyword",
    "codec_roundtrip(min_stoi=None, min_estoi=None, min_pesq_wb=None, min_pesq_nb=None, min_si_sdr=None, min_snr=None, "
    "max_log_spectral_distance=None, max_mel_cepstral_distortion=None, max_f0_error=None, max_f0_frame_error=None, "
    "max_drop_stoi=None, max_drop_estoi=None, "
    "max_drop_pesq_wb=None, max_drop_pesq_nb=None, max_drop_si_sdr=None, max_drop_snr=None, max_wer=None, "
    "max_wer_rise=None, max_level_db=1.5, max_dc=0.02, max_peak=None, tol_db=0.01, min_match=1.0, skip=[checks]): "
    "send speech through a codec and judge what comes back; used as parity is",
)


def add_options(parser: pytest.Parser) -> None:
    """Register every flag and ini option."""
    group = parser.getgroup("audioparity", "audioparity: stages of audio models against goldens")
    for flag, (kind, metavar, text) in FLAGS.items():
        if kind == "flag":
            group.addoption(flag, action="store_true", help=text)
        else:
            group.addoption(flag, metavar=metavar, help=text, type=int if kind == "count" else str)
    parser.addini("audioparity_golden_dir", "folder of the goldens, relative to the root directory", default="golden")
    parser.addini("audioparity_golden_variant", "default of --golden-variant")
    parser.addini("audioparity_golden_store", "fsspec URL where tensors are kept instead of in the golden directory")
    parser.addini("audioparity_golden_cache", "folder of what was downloaded (default: .audioparity/cache)")
    parser.addini("audioparity_pending_mb", "most megabytes kept for review in .audioparity (default: 2000)")
    for keyword in (*INI_NUMBERS, *INI_WORDS):
        parser.addini(f"audioparity_{keyword}", f"default of parity({keyword}=...) for all tests")
    parser.addini(
        "audioparity_stages",
        "tolerances per stage glob, a line each: 'ode/*: tol_db=0.05, min_snr_db=40'",
        type="linelist",
    )


def refuses_updates() -> bool:
    """Whether the environment says that this is CI, where --update-golden is refused: CI is anything but a no."""
    return os.environ.get("CI", "").lower() not in ("", "0", "false", "no")


def is_job() -> bool:
    """Whether this is a job of CI, so that what it advises is read elsewhere, when its folder is gone."""
    return refuses_updates() or os.environ.get("GITHUB_ACTIONS") == "true"


def is_configured(config: pytest.Config) -> bool:
    """Whether the project sets any tolerance as an ini option."""
    return any(config.getini(name) for name in INI_TOLERANCES)
