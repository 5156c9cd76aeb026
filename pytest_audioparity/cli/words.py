"""The options `--asr` of the command `score`: the words that are recognised in both sides."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_audioparity.cli.terminal import Progress
from pytest_audioparity.errors import StageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Mapping

    from pytest_audioparity.audio.spoken import WordsResult


def add_words(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    group = parser.add_argument_group("words recognised (needs the extra asr)")
    group.add_argument("--asr", action="store_true", help="compare the words that pocketsphinx hears, English")
    group.add_argument("--transcript", metavar="TEXT", help="what the reference file says")
    group.add_argument(
        "--transcripts",
        metavar="FILE",
        type=Path,
        help="of folders: lines of a clip's name without suffix, a tab, its text",
    )
    group.add_argument("--max-wer", metavar="X", type=float, help="the most word errors per word that pass")


def refuse_words(parsed: argparse.Namespace) -> None:
    """Raise StageError where the arguments do not fit together or a package is missing, before anything is scored."""
    given = [name for name in ("transcript", "transcripts", "max_wer") if getattr(parsed, name) is not None]
    if given and not parsed.asr:
        raise StageError(f"--{given[0].replace('_', '-')} needs --asr")
    if parsed.transcript is not None and parsed.reference.is_dir():
        raise StageError("--transcript is for two files; give --transcripts FILE for folders")
    if parsed.transcripts is not None and not parsed.reference.is_dir():
        raise StageError("--transcripts is for two folders; give --transcript TEXT for files")
    if parsed.max_wer is not None and not parsed.max_wer >= 0:
        raise StageError(f"--max-wer {parsed.max_wer} is not 0 or more")
    if parsed.asr:
        from pytest_audioparity.audio.transcripts import require

        for package in ("pocketsphinx", "jiwer"):
            require(package)


def words_of_files(parsed: argparse.Namespace) -> WordsResult | None:
    """Compare the words of two files, None where nobody asked."""
    if not parsed.asr:
        return None
    from pytest_audioparity.audio.spoken_files import compare_files

    return compare_files(parsed.reference, parsed.estimate, transcript=parsed.transcript)


def words_of_folders(parsed: argparse.Namespace, names: Iterable[str]) -> dict[str, WordsResult]:
    """Compare the words of those clips; of none where nobody asked."""
    if not parsed.asr:
        return {}
    from pytest_audioparity.audio.spoken_files import compare_folders

    transcripts = {} if parsed.transcripts is None else read_transcripts(parsed.transcripts)
    progress = Progress()
    try:
        return compare_folders(parsed.reference, parsed.estimate, names, transcripts=transcripts, done=progress.counted)
    finally:
        progress.end()


def read_transcripts(path: Path) -> dict[str, str]:
    """Read lines of a name, a tab, and a text; empty lines are left out.

    Raises
    ------
    StageError : it cannot be read, a line has no tab, a name stands there twice
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise StageError(f"{path} cannot be read as text: {error}") from None
    texts: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        name, tab, text = line.partition("\t")
        if not line.strip():
            continue
        if not tab:
            raise StageError(f"{path}, line {number}: a name, a tab and the text are needed, and there is no tab")
        if name in texts:
            raise StageError(f"{path}, line {number}: '{name}' stands there twice")
        texts[name] = text
    return texts


def words_pass(words: Iterable[WordsResult | None], limit: float | None) -> bool:
    """Whether all have at most that many errors per word; what was not measured has not."""
    return limit is None or all(one is not None and one.wer is not None and one.wer <= limit for one in words)


def words_lines(words: Mapping[str, WordsResult]) -> list[str]:
    """Write a line per clip."""
    return [f"  {name:<24}: {one.text}" for name, one in words.items()]


def words_line(words: WordsResult | None) -> str:
    """Write the line below a score, or nothing."""
    return "" if words is None else "\n" + "".join(words_lines({"word errors": words}))


def words_document(words: WordsResult | None) -> dict[str, Any]:
    """Return what JSON has below "asr", or nothing."""
    if words is None:
        return {}
    errors = words.errors
    counts = ("hits", "substitutions", "deletions", "insertions")
    told = {
        "truth": words.truth,
        "wer": words.wer,
        "reference_wer": words.reference_wer,
        "wer_rise": words.wer_rise,
        "errors": None if errors is None else {name: getattr(errors, name) for name in counts},
        "expected": None if errors is None else errors.reference,
        "reference_heard": None if words.reference is None else words.reference.text,
        "estimate_heard": None if words.estimate is None else words.estimate.text,
        "implementation": None if words.estimate is None else words.estimate.implementation,
        "not_measured": {
            name: reason
            for name, reason in (
                ("wer", words.not_measured),
                ("wer_rise", words.not_measured or words.rise_not_measured),
            )
            if reason
        },
    }
    return {"asr": told}
