"""The cache of scores: what comes back is equal, and nothing but a score that was kept comes back."""

from __future__ import annotations

import dataclasses
import json
import math
import threading

import numpy as np
import pytest
import soundfile

from pytest_audioparity import StageError, score, score_many
from pytest_audioparity.audio import cache as cache_module
from pytest_audioparity.audio import cached_score, jobs
from pytest_audioparity.audio.cache import ScoreCache
from pytest_audioparity.audio.files import score_files
from pytest_audioparity.audio.stored import read_stored, stored_text
from pytest_audioparity.golden.hashes import content_hash

RATE = 16_000
KEY = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "scores"


def cached(reference, estimate, folder, **options):
    return cached_score(reference, estimate, **{"sample_rate": RATE, "pesq": False, "cache": folder, **options})


def entries(folder):
    return sorted(folder.rglob("*.score"))


@pytest.fixture
def never(monkeypatch):
    """Return a switch after which nothing is scored any more."""

    def scores(*arguments, **options):
        raise AssertionError("scored again")

    return lambda: monkeypatch.setattr(jobs, "score", scores)


def changed(speech):
    """Return estimates of every verdict that findings and infinities come with."""
    rate = np.interp(np.arange(0, speech.size - 1, 16 / 24), np.arange(speech.size), speech)
    return {
        "equal": speech,
        "silent": np.zeros(speech.size),
        "empty": [],
        "not finite": [np.nan],
        "late": np.pad(speech, (1000, 0)),
        "short": speech[:20_000],
        "a longer pause": np.concatenate([speech[:24_000], np.zeros(4801), speech[24_000:]]),
        "clipped": np.clip(speech, -0.1, 0.1),
        "louder, DC": 3 * speech + 0.1,
        "backwards": speech[::-1],
        "another rate": rate,
        "lost": np.concatenate([speech[:16_000], np.zeros(16_000), speech[32_000:]]),
        "invented": np.concatenate([speech, speech]),
    }


def test_every_kind_of_score_comes_back_equal(speech, folder, never, needs):
    needs("pesq")
    first = {name: cached(speech, estimate, folder, pesq=True) for name, estimate in changed(speech).items()}
    assert math.isinf(first["equal"].snr)
    assert first["silent"].level_db == -math.inf
    never()
    for name, estimate in changed(speech).items():
        again = cached(speech, estimate, folder, pesq=True)
        assert again == first[name]
        assert list(again.measures) == list(first[name].measures)
    assert len(entries(folder)) == len(first)


def test_without_a_folder_nothing_is_kept(speech, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert cached(speech, speech, None) == score(speech, speech, sample_rate=RATE, pesq=False)
    assert list(tmp_path.iterdir()) == []


def test_everything_that_changes_a_score_changes_the_key(speech, folder, monkeypatch):
    cached(speech, speech, folder)
    cached(speech[1:], speech, folder)
    cached(speech, speech[1:], folder)
    cached(speech.astype("float32"), speech, folder)
    cached(speech, speech, folder, sample_rate=8000)
    cached(speech, speech, folder, pesq=True)
    cached(speech[None], speech, folder)
    monkeypatch.setattr(cache_module, "fingerprint", lambda: "another version")
    cached(speech, speech, folder)
    assert len(entries(folder)) == 8


def test_the_fingerprint_has_the_code_and_the_packages(monkeypatch):
    before = cache_module.fingerprint.__wrapped__()
    assert cache_module.fingerprint.__wrapped__() == before
    monkeypatch.setattr(cache_module, "_version", "{} 9".format)
    assert cache_module.fingerprint.__wrapped__() != before
    monkeypatch.undo()
    monkeypatch.setattr(cache_module, "_CODE", ("pytest_audioparity.audio",))
    assert cache_module.fingerprint.__wrapped__() != before


def test_what_is_refused_without_a_cache_is_refused_with_one(speech, folder):
    cached(speech[:1], speech[:1], folder)
    with pytest.raises(StageError, match="one channel"):
        cached(np.float64(speech[0]), speech[:1], folder)
    cached(np.ones(200), np.ones(200), folder)
    with pytest.raises(StageError, match="one channel"):
        cached(np.ones((2, 100)), np.ones(200), folder)
    with pytest.raises(StageError, match="is not a folder"):
        cached(speech, speech, entries(folder)[0])


def test_files_are_found_by_their_bytes_without_decoding(speech, folder, tmp_path, never, monkeypatch):
    soundfile.write(tmp_path / "r.wav", speech, RATE)
    soundfile.write(tmp_path / "e.ogg", speech, RATE, format="OGG", subtype="OPUS")
    first = score_files(tmp_path / "r.wav", tmp_path / "e.ogg", pesq=False, cache=folder)
    never()
    monkeypatch.setattr(jobs, "decoded", None)
    (tmp_path / "r.wav").rename(tmp_path / "renamed.wav")
    assert score_files(tmp_path / "renamed.wav", tmp_path / "e.ogg", pesq=False, cache=folder) == first


def test_a_file_that_changes_while_it_waits_is_kept_as_what_it_was_scored(speech, folder, tmp_path, monkeypatch):
    path = tmp_path / "e.wav"
    soundfile.write(path, speech, RATE)
    key = jobs.Job.key

    def key_and_change(job):
        found = key(job)
        soundfile.write(path, speech / 4, RATE)
        return found

    monkeypatch.setattr(jobs.Job, "key", key_and_change)
    assert score_files(path, path, pesq=False, cache=folder).verdict == "ok"
    monkeypatch.undo()
    soundfile.write(path, speech, RATE)
    score_files(path, path, pesq=False, cache=folder)
    assert len(entries(folder)) == 2


def test_many_pairs_are_scored_once(speech, folder, never):
    pairs = [(speech, estimate) for estimate in changed(speech).values()]
    arguments = {"sample_rate": RATE, "pesq": False, "cache": folder}
    first = list(score_many(pairs[:4], **arguments))
    assert not any(item.from_cache for item in first)
    again = list(score_many(pairs[:6], **arguments))
    assert [item.from_cache for item in again] == [True] * 4 + [False] * 2
    assert [item.result for item in again[:4]] == [item.result for item in first]


def damages(entry):
    """Return damaged forms of an entry: each must be scored again, whether its hash was adapted or not."""
    text = entry.partition(b"\n")[2]
    yield b""
    yield entry[:-1]
    yield entry.replace(b'"ok"', b'"no"')
    yield b"\xff" + entry
    form, key, body = json.loads(text)

    def forged(*document):
        text = json.dumps(document).encode()
        return content_hash(memoryview(text)).encode() + b"\n" + text

    yield forged(form + 1, key, body)
    yield forged(form, "0" * 32, body)
    yield forged(form, key, [])
    yield forged(form)
    for name, value in {
        "verdict": "fine",
        "aligned_by": 1,
        "sample_rate": True,
        "lag_samples": 0.5,
        "findings": [["ok", "text", None]],
        "garbled_seconds": [[0]],
        "estoi_over_time": [[0.1, "low"]],
        "uncovered_seconds": [0, 0],
        "extra": 1,
    }.items():
        yield forged(form, key, {**body, name: value})
    wrong = ["text", "by", None], [None, "by", None], [1.0, "by", "why"], [math.nan, "by", None], [1.0, 2, None]
    for measure in wrong:
        yield forged(form, key, {**body, "measures": {**body["measures"], "estoi": measure}})
    yield forged(form, key, {**body, "measures": {"estoi": body["measures"]["estoi"]}})
    yield forged(form, key, {name: value for name, value in body.items() if name != "verdict"})


def test_a_damaged_entry_is_scored_again_and_written_anew(speech, folder):
    expected = cached(speech, speech, folder)
    (path,) = entries(folder)
    good = path.read_bytes()
    forms = list(damages(good))
    assert len(forms) > 20
    for damaged in forms:
        assert damaged != good
        assert read_stored(path.parent.name + path.stem, damaged) is None
    for damaged in forms[:3]:
        path.write_bytes(damaged)
        assert cached(speech, speech, folder) == expected
        assert path.read_bytes() == good
    path.unlink()
    path.mkdir()
    assert cached(speech, speech, folder) == expected


def test_what_would_not_come_back_equal_is_not_kept(speech, folder):
    result = score(speech, speech, sample_rate=RATE, pesq=False)
    assert stored_text(KEY, result) is not None
    assert stored_text(KEY, dataclasses.replace(result, measures={})) is None
    nan = dataclasses.replace(result.measures["estoi"], value=math.nan)
    assert stored_text(KEY, dataclasses.replace(result, measures={**result.measures, "estoi": nan})) is None


@pytest.mark.parametrize("reason", ["PESQ's C code ended its process (status -9)", "PESQ was interrupted"])
def test_an_accident_is_not_kept(speech, folder, reason):
    result = score(speech, speech, sample_rate=RATE, pesq=False)
    lost = dataclasses.replace(result.measures["pesq_wb"], not_measured=reason)
    cache = ScoreCache(folder)
    cache.put(KEY, dataclasses.replace(result, measures={**result.measures, "pesq_wb": lost}))
    assert cache.get(KEY) is None
    cache.put(KEY, result)
    assert cache.get(KEY) == result


def test_the_entries_that_were_not_used_for_longest_make_room(speech, folder):
    result = score(speech, speech, sample_rate=RATE, pesq=False)
    size = len(stored_text(KEY, result))
    cache = ScoreCache(folder, largest_bytes=256 * 4 * size)
    keys = [f"{KEY[:2]}{number:030x}" for number in range(10)]
    for number, key in enumerate(keys):
        cache.put(key, result)
        assert cache.get(keys[0]) == result
        assert len(entries(folder)) == min(4, number + 1)
    kept = [key for key in keys if cache.get(key) is not None]
    assert kept == [keys[0], *keys[-3:]]


def test_writers_at_the_same_time_leave_whole_entries(speech, folder):
    result = score(speech, speech, sample_rate=RATE, pesq=False)
    caches = [ScoreCache(folder, largest_bytes=256 * 5000) for _ in range(4)]
    keys = [f"{KEY[:2]}{number:030x}" for number in range(8)]
    seen = []

    def work(cache):
        for _ in range(20):
            for key in keys:
                cache.put(key, result)
                seen.append(cache.get(key))

    threads = [threading.Thread(target=work, args=(cache,)) for cache in caches]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 4 * 20 * 8
    assert all(found in (None, result) for found in seen)
    assert any(found == result for found in seen)
    assert [path for path in folder.rglob("*") if path.is_file() and path.suffix != ".score"] == []


def test_a_folder_that_cannot_be_written_keeps_nothing_and_stops_nothing(speech, tmp_path):
    (tmp_path / "file").write_text("")
    expected = score(speech, speech, sample_rate=RATE, pesq=False)
    assert cached(speech, speech, tmp_path / "file" / "scores") == expected
