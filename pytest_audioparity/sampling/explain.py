"""What draws that fail look like: the best of all hypotheses, and whether it explains them."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_audioparity.records import Finding
from pytest_audioparity.sampling.dependence import periods
from pytest_audioparity.sampling.distribution import Expected, Ranked, Settings, rank
from pytest_audioparity.sampling.evalues import frequencies, sample_of
from pytest_audioparity.sampling.evidence import CHECKS, DEPENDENCE
from pytest_audioparity.sampling.hypotheses import (
    NUMBER_COST,
    PLAIN_COST,
    Cause,
    Fit,
    fit_settings,
    score_settings,
    tally,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_audioparity.sampling.draws import Draws
    from pytest_audioparity.sampling.evalues import Sample

    Array = np.ndarray[Any, Any]

# A hypothesis explains the draws when the test of fit under it finds less evidence than a false alarm in 10 000.
_UNEXPLAINED = math.log(1e4)
# Other causes are named too where their description is less than e^3 ≈ 20 times as unlikely, and at most this many.
_AMBIGUOUS = 3.0
_ALTERNATIVES = 2
_DEPENDENCE_TEXT = {
    "repeats": "draws that repeat earlier ones: a random state that does not always advance",
    "avoided repeats": "tokens drawn before come less often: a repetition penalty, or drawing without replacement",
    "order of draws": "draws that depend on the one before, or a distribution that changes on the way",
}


_UNMAPPED = Cause("unmapped", "places in the sorted logits, which are not mapped back to token ids")
_GREEDY = Cause("greedy", "the most probable token always: greedy, or a random state that does not advance")


def explain(expected: Expected, draws: Draws, sample: Sample | None, logits: Array) -> Finding:
    """Return what the draws look like.

    Parameters
    ----------
    sample : the draws, if all are possible; dependence is looked for only then
    logits : shape (vocabulary,), as given

    Returns
    -------
    Finding whose `code` joins the causes with "+"; "unexplained" with the token that is furthest off if nothing known
    fits; its `detail` has `temperature`, `top_k` and so on where these were fitted, the codes of `alternatives` that
    explain the draws nearly as well, and whether the best `fits` at all
    """
    tokens = draws.tokens
    fits = list(_fits(expected, tokens, logits))
    best = max(fits, key=lambda fit: fit.score, default=None)
    others = [*_single_token(expected, tokens), *_repetition(expected, tokens, sample)]
    if sample is not None:
        others += _dependence(expected, sample)
    ranking = sorted([*others, *((fit.score, fit.causes) for fit in fits)], key=lambda entry: -entry[0])
    if not ranking or not ranking[0][1] or math.isinf(ranking[0][0]):
        return _unexplained(expected, tokens)
    fits_well = best is None or best.causes != ranking[0][1] or _fits_well(best, tokens)
    return _finding(ranking, fits_well)


def _fits(expected: Expected, tokens: Array, logits: Array) -> Iterator[Fit]:
    """All hypotheses of independent draws."""
    ranked, settings = expected.ranked, expected.settings
    seen = tally(ranked, tokens)
    if seen is not None:
        if seen.covered == ranked.tie_end(1) and settings.temperature > 0:
            yield Fit(-PLAIN_COST, (_GREEDY,), ranked, 1.0, seen.covered)
        yield from fit_settings(ranked, settings, seen)
    for cause, changed, temperature in _transformed(settings, logits):
        yield from _fixed(changed, replace(settings, temperature=temperature), tokens, (cause,))
        if cause.code != "reversed_sign":
            # The cut may come before the fault: then it keeps what it should.
            yield from _fixed(changed, Settings(temperature, expected.most, None), tokens, (cause,))
        if settings.top_k is not None or settings.top_p is not None:
            causes = (cause, Cause("no_cut", "no top-k, no top-p"))
            yield from _fixed(changed, Settings(temperature, None, None), tokens, causes)
    yield from _fixed(_by_rank(ranked), settings, tokens, (_UNMAPPED,))
    for offset in (1, -1):
        cause = Cause("shifted", f"token ids shifted by {offset:+d}", offset)
        yield from _fixed(ranked, settings, tokens - offset, (cause,), offset)


def _by_rank(ranked: Ranked) -> Ranked:
    """Return the same logits with their ranks for token ids."""
    ranks = np.arange(ranked.tokens.size)
    return replace(ranked, tokens=ranks, rank_of=np.append(ranks, np.full(ranked.vocabulary - ranks.size, -1)))


def _transformed(settings: Settings, logits: Array) -> Iterator[tuple[Cause, Ranked, float]]:
    """Other numbers taken for the logits, with the temperature that is applied to them."""
    temperature = settings.temperature or 1.0
    finite = np.isfinite(logits)
    largest = logits[finite].max()
    with np.errstate(divide="ignore"):
        positive = np.log(np.where(finite & (logits > 0), logits, 0.0))
        above = np.log(np.where(finite, logits - logits[finite].min(), 0.0))
    softmax = np.exp(logits - largest) / np.exp(logits[finite] - largest).sum()
    yield Cause("reversed_sign", "logits with the sign reversed"), rank(np.where(finite, -logits, -np.inf)), temperature
    twice = Cause("probabilities_as_logits", "probabilities taken for logits")
    yield twice, rank(np.where(finite, softmax, -np.inf)), temperature
    missing = Cause("missing_exp", "logits taken for probabilities (no exp)")
    for changed in (positive, above):
        if np.isfinite(changed).any():
            yield missing, rank(changed), 1.0


def _fixed(
    ranked: Ranked, settings: Settings, tokens: Array, causes: tuple[Cause, ...], offset: int = 0
) -> Iterator[Fit]:
    """Score one distribution without anything to fit."""
    seen = tally(ranked, tokens)
    if seen is None:
        return
    if settings.temperature == 0:
        settings = replace(settings, temperature=1.0, top_k=1, top_p=None)
    score, beta, length = score_settings(ranked, settings, seen)
    yield Fit(score - PLAIN_COST * len(causes), causes, ranked, beta, length, offset)


def _single_token(expected: Expected, tokens: Array) -> Iterator[tuple[float, tuple[Cause, ...]]]:
    """One token comes with another frequency, the others keep their proportions.

    With q = n_t/n it gains n_t·ln(q/p_t) + (n − n_t)·ln((1 − q)/(1 − p_t)) over the declared distribution; a token that
    should never come, n_t·ln q + (n − n_t)·ln(1 − q) over the rest of the draws.
    """
    ranked, length, n = expected.ranked, expected.most, tokens.size
    inside = (tokens >= 0) & (tokens < ranked.vocabulary)
    ranks = np.where(inside, ranked.rank_of[np.where(inside, tokens, 0)], -1)
    possible = (ranks >= 0) & (ranks < length)
    strange = np.unique(tokens[~possible])
    log_p = expected.log_probabilities(length)
    base = float(log_p[ranks[possible]].sum())
    cost = math.log(ranked.vocabulary) + 0.5 * math.log(n) + PLAIN_COST
    if strange.size == 1 and 2 * np.count_nonzero(possible) > n:
        count = n - int(np.count_nonzero(possible))
        q = count / n
        text = f"token {strange[0]} comes {count} times, which should never come"
        yield base + count * math.log(q) + (n - count) * math.log1p(-q) - cost, (_token(int(strange[0]), text),)
    elif strange.size == 0 and length > 1:
        counts = np.bincount(ranks, minlength=length)
        p, share = np.minimum(np.exp(log_p), 1 - 2.0**-53), counts / n
        with np.errstate(divide="ignore", invalid="ignore"):
            gains = np.where(counts > 0, counts * (np.log(share) - log_p), 0.0)
            gains += np.where(counts < n, (n - counts) * (np.log1p(-share) - np.log1p(-p)), 0.0)
        worst = int(gains.argmax())
        token = int(ranked.tokens[worst])
        text = f"token {token} comes {counts[worst]} times where {n * p[worst]:.3g} are expected"
        yield base + float(gains[worst]) - cost, (_token(token, text),)


def _token(token: int, text: str) -> Cause:
    return Cause("one_token", text, token)


def _repetition(expected: Expected, tokens: Array, sample: Sample | None) -> Iterator[tuple[float, tuple[Cause, ...]]]:
    """Draws with a period d: d draws of the expected distribution, or one of V^d sequences."""
    found = periods(tokens)
    if found:
        d = found[0]
        text = "every draw the same: the random state does not advance" if d == 1 else f"draws repeat every {d}"
        score = -d * math.log(expected.ranked.vocabulary + 2)
        if sample is not None:
            ranks = expected.ranked.rank_of[tokens[:d]]
            score = max(score, float(expected.log_probabilities(expected.most)[ranks].sum()))
        yield score - PLAIN_COST - math.log(d), (Cause("stuck", text, d),)


def _dependence(expected: Expected, sample: Sample) -> Iterator[tuple[float, tuple[Cause, ...]]]:
    if sample.ranks.size < 2 or expected.core < 2:
        return
    everything = expected.log_probabilities(expected.most)
    outside = sample.undecided * float(everything[expected.core :].max()) if sample.undecided else 0.0
    base = float(everything[sample.ranks].sum()) + outside
    for name in DEPENDENCE:
        if name in _DEPENDENCE_TEXT:
            gain = CHECKS[name][1](sample)
            cause = Cause(name.replace(" ", "_"), _DEPENDENCE_TEXT[name])
            yield base + gain - NUMBER_COST / 2, (cause,)
    # Independent draws of an unknown distribution, which is no cause: it keeps a distribution that is merely wrong from
    # being taken for one that changes from draw to draw.
    yield base + frequencies(sample) - NUMBER_COST / 2, ()


def _fits_well(fit: Fit, tokens: Array) -> bool:
    """Whether the test of fit accepts the draws under a hypothesis."""
    ranks = fit.ranked.rank_of[tokens - fit.offset]
    settings = Settings(1.0, None, None)
    sample = sample_of(Expected(fit.ranked, settings, fit.beta, fit.length, fit.length, fit.length), ranks, 1)
    return fit.length < 2 or frequencies(sample) < _UNEXPLAINED


def _finding(ranking: list[tuple[float, tuple[Cause, ...]]], fits: bool) -> Finding:
    """Name the first of the ranking, and others that are nearly as good and do not merely add to it."""
    score, causes = ranking[0]
    named, settings_named = {_code(causes): _text(causes)}, [_touched(causes)]
    for other_score, other in ranking[1:]:
        if score - other_score >= _AMBIGUOUS or causes == (_GREEDY,) or len(named) > _ALTERNATIVES:
            break
        if other and not any(touched <= _touched(other) for touched in settings_named):
            named[_code(other)] = _text(other)
            settings_named.append(_touched(other))
    detail = {cause.code: cause.value for cause in causes if cause.value is not None}
    message = "draws look like " + "; or ".join(named.values())
    if not fits:
        message = f"draws are nearest to {_text(causes)}, which does not explain all of them"
    return Finding(_code(causes), message, detail={**detail, "alternatives": tuple(named)[1:], "fits": fits})


def _code(causes: tuple[Cause, ...]) -> str:
    return "+".join(cause.code for cause in causes)


def _touched(causes: tuple[Cause, ...]) -> set[str]:
    """Return what the causes are about: "top_k" for another top-k and for none."""
    return {cause.code.removeprefix("no_") for cause in causes}


def _text(causes: tuple[Cause, ...]) -> str:
    return ", ".join(cause.text for cause in causes)


def _unexplained(expected: Expected, tokens: Array) -> Finding:
    """Name the token that is furthest from what is expected."""
    ranked, n = expected.ranked, tokens.size
    inside = tokens[(tokens >= 0) & (tokens < ranked.vocabulary)]
    p = np.zeros(ranked.vocabulary)
    p[ranked.tokens[: expected.most]] = np.exp(expected.log_probabilities(expected.most))
    counts = np.bincount(inside, minlength=ranked.vocabulary)
    # Pearson's residual; half a draw keeps tokens that should never come finite.
    worst = int(np.argmax(np.abs(counts - n * p) / np.sqrt(n * p + 0.5)))
    text = f"no known cause; furthest off is token {worst}: {counts[worst]} draws, {n * p[worst]:.3g} expected"
    return Finding("unexplained", text, detail={"token": worst})
