"""Make the reference of the Python names from their docstrings when the site is built."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mkdocs.structure.files import File, Files

import pytest_audioparity

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig

# What a reader looks for together, in this order; whatever else is public follows under the last heading.
GROUPS = {
    "In tests": ["parity", "Stages", "codec_roundtrip", "Roundtrip"],
    "Comparing": ["compare", "assert_parity", "Comparison", "ParityResult", "StageResult", "Finding"],
    "Audio": ["score", "Score", "Measure", "score_many", "check_output", "CheckResult", "Checks"],
    "Words": ["says", "compare_words", "NotRecognisedError"],
    "Codecs": ["check_roundtrip", "RoundtripResult"],
    "Samplers": ["assert_sampler"],
    "Weights": ["assert_weights_match", "compare_weights", "open_weights", "WeightsResult", "WeightMatch"],
    "Errors": ["AudioparityError", "ParityError", "StageError", "GoldenError", "TensorFileError"],
}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the page of the reference."""
    files.append(File.generated(config, "reference/python.md", content=python()))
    return files


def python() -> str:
    """Write the page of the public names; mkdocstrings fills in their docstrings."""
    named = {name for names in GROUPS.values() for name in names}
    left = sorted(set(pytest_audioparity.__all__) - named - {"__version__"})
    lines = ["# Python", "", "All names are imported from `pytest_audioparity`.", ""]
    for title, names in {**GROUPS, **({"More": left} if left else {})}.items():
        lines += [f"## {title}", ""]
        for name in names:
            lines += [f"::: pytest_audioparity.{_home(name)}", "    options:", "      heading_level: 3"]
            lines += ["      inherited_members: true", ""] if name == "Stages" else [""]
    return "\n".join(lines)


def _home(name: str) -> str:
    return f"{pytest_audioparity._HOME[name]}.{name}"
