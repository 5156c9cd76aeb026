"""Audio files, one pair or two folders of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_audioparity.audio.cache import ScoreCache
from pytest_audioparity.audio.jobs import job_of, score_once
from pytest_audioparity.audio.many import Item, score_many
from pytest_audioparity.errors import StageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pytest_audioparity.audio.records import Score

SUFFIXES = (".wav", ".flac", ".ogg", ".opus", ".mp3", ".aiff", ".aif", ".w64", ".rf64", ".caf", ".au")


def score_files(reference: Path, estimate: Path, *, pesq: bool = True, cache: Path | None = None) -> Score:
    """Score one file against another, unless a folder of scores has it already.

    Raises
    ------
    StageError : a file that cannot be read, several channels, two sample rates
    """
    folder = None if cache is None else ScoreCache(cache)
    return score_once(job_of(reference, estimate, sample_rate=None, pesq=pesq, keyed=folder is not None), folder)


def score_folders(
    reference: Path,
    estimate: Path,
    *,
    pesq: bool,
    done: Callable[[str, int, int | None], None],
    cache: Path | None = None,
) -> dict[str, Item]:
    """Score the files of two folders, paired by their path without the suffix; one that is alone is an item too.

    Parameters
    ----------
    done : told after each pair: its name, how many are done, how many there are
    cache : as in `score_many`

    Returns
    -------
    The items by their files, in the order of their names: paths in the folder, the reference's where both have one

    Raises
    ------
    StageError : no audio files, or two of one name
    """
    left, right = (dict(listed(folder)) for folder in (reference, estimate))
    if not left:
        raise StageError(f"{reference} holds no audio files ({' '.join(SUFFIXES)})")
    items = {name: Item(name, None, f"missing in {reference}") for name in right.keys() - left.keys()}
    items |= {name: Item(name, None, f"missing in {estimate}") for name in left.keys() - right.keys()}
    pairs = [(name, left[name], right[name]) for name in sorted(left.keys() & right.keys())]
    items |= {item.name: item for item in score_many(pairs, pesq=pesq, cache=cache, progress=done)}
    files = {name: path.relative_to(estimate) for name, path in right.items()}
    files |= {name: path.relative_to(reference) for name, path in left.items()}
    return {files[name].as_posix(): items[name] for name in sorted(items)}


def listed(folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield the audio files of a folder and those below it, by their paths without the suffix.

    Raises
    ------
    StageError : two have one name
    """
    seen: dict[str, Path] = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in SUFFIXES and path.is_file():
            name = path.relative_to(folder).with_suffix("").as_posix()
            if name in seen:
                raise StageError(f"{path} and {seen[name]} have one name; which is meant?")
            seen[name] = path
            yield name, path
