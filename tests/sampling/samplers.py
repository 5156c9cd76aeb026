"""A sampler written without the package, in the plainest way, and its faults."""

from __future__ import annotations

import numpy as np


def long_tailed(vocabulary: int, seed: int = 0) -> np.ndarray:
    """Logits like those of a speech model: a few candidates above a normal bulk."""
    random = np.random.default_rng(seed)
    logits = random.normal(0.0, 2.0, vocabulary)
    logits[random.choice(vocabulary, 20, replace=False)] += np.linspace(6.0, 3.0, 20) + np.log(vocabulary / 1024)
    return logits.astype(np.float32)


def zipf(vocabulary: int, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    return -np.log(random.permutation(vocabulary) + 2.7).astype(np.float32)


def probabilities(
    logits, temperature=1.0, top_k=None, top_p=None, order=("temperature", "top_k", "top_p")
) -> np.ndarray:
    """Softmax of what the warpers leave, each as transformers writes it."""
    scores = np.array(logits, dtype=np.float64)
    if temperature == 0:
        return (np.arange(scores.size) == scores.argmax()).astype(np.float64)
    for step in order:
        if step == "temperature":
            scores = scores / temperature
        elif step == "top_k" and top_k is not None:
            scores = np.where(scores < np.sort(scores)[-top_k], -np.inf, scores)
        elif step == "top_p" and top_p is not None:
            order_ = np.argsort(-scores, kind="stable")
            p = softmax(scores)[order_]
            removed = np.cumsum(p) - p >= top_p
            scores[order_[removed]] = -np.inf
    return softmax(scores)


def softmax(scores: np.ndarray) -> np.ndarray:
    e = np.exp(scores - scores.max())
    return e / e.sum()


def draw_many(p: np.ndarray, n: int, seed: int) -> np.ndarray:
    """Return n draws by inversion of the cumulative sum."""
    c = np.cumsum(p)
    return np.searchsorted(c, np.random.default_rng(seed).random(n) * c[-1], side="right")


def cut_last(p: np.ndarray) -> np.ndarray:
    """Return p without its least probable token."""
    return without(p, int(np.where(p > 0, p, np.inf).argmin()))


def without(p: np.ndarray, token: int) -> np.ndarray:
    rest = np.where(np.arange(p.size) == token, 0.0, p)
    return rest / rest.sum()


def linear(logits: np.ndarray, p: np.ndarray) -> np.ndarray:
    """Forget the exp: what is left of the logits is taken for probabilities."""
    weights = np.where(p > 0, np.maximum(logits, 0.0), 0.0)
    return weights / weights.sum()


def sticky(draws: np.ndarray, share: float, seed: int) -> np.ndarray:
    """Each draw repeats the one before with a probability."""
    fresh = np.random.default_rng(seed + 1).random(draws.size) >= share
    fresh[0] = True
    return draws[np.maximum.accumulate(np.where(fresh, np.arange(draws.size), 0))]


def wandering(p: np.ndarray, n: int, seed: int) -> np.ndarray:
    """Inversion with uniform numbers that move by less than a half each time."""
    c = np.cumsum(p)
    return np.searchsorted(c, np.cumsum(np.random.default_rng(seed).random(n) / 2) % 1 * c[-1], side="right")


def penalised(p: np.ndarray, n: int, seed: int) -> np.ndarray:
    """Three of four immediate repeats are drawn anew."""
    draws = draw_many(p, 3 * n, seed)
    keep = np.random.default_rng(seed + 1).random(draws.size) < 0.25
    result = [draws[0]]
    for token, kept in zip(draws[1:], keep[1:], strict=True):
        if kept or token != result[-1]:
            result.append(token)
    return np.array(result[:n])
