"""Names of tensors: which of two files' names mean the same, and what a name says about a recurrent layer."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_audioparity.weights.records import Weight

# What frameworks call the same thing.
_SAME = {
    "kernel": "weight",
    "gamma": "weight",
    "scale": "weight",
    "embeddings": "weight",
    "embedding_table": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
    "moving_var": "running_var",
}
# Wrappers that put their name in front of every tensor, or behind.
_WRAPPERS = re.compile(r"^(module|_orig_mod|_model|model|state_dict|params|net)$")
_SUFFIXES = re.compile(r"(_to_fp16|_to_fp32|_quantized|_palettized|_dequantized|:0)+$")
_RECURRENT = re.compile(
    r"(^|[._/])(weight_[ih]h|bias_[ih]h|lstm|gru|rnn|recurrent_kernel|wx|wh|bhn)", flags=re.IGNORECASE
)
_TORCH_RECURRENT = re.compile(r"(weight|bias)_[ih]h")
_MLX_RECURRENT = re.compile(r"(^|\.)(Wx|Wh|bhn)$")
_KERAS_RECURRENT = re.compile(r"recurrent_kernel|(lstm|gru).*/(kernel|bias)")


def keys(names: Sequence[str]) -> list[str]:
    """Return names without wrappers, with one word per thing, joined by underscores as Core ML joins them."""
    split = [_words(name) for name in names]
    while len(split) > 1 and all(len(words) > 1 and words[0] == split[0][0] for words in split):
        split = [words[1:] for words in split]
    return ["_".join(words) for words in split]


def own_partners(references: Sequence[str], candidates: Sequence[str]) -> dict[int, int]:
    """Return for each reference tensor the candidate's of the same name, exactly or by what the names mean."""
    exact = {name: place for place, name in enumerate(candidates)}
    partners = {place: exact[name] for place, name in enumerate(references) if name in exact}
    keys_r, keys_c = keys(references), keys(candidates)
    counts_r, counts_c = Counter(keys_r), Counter(keys_c)
    by_key = {key: place for place, key in enumerate(keys_c) if counts_c[key] == 1}
    taken = set(partners.values())
    for place, key in enumerate(keys_r):
        other = by_key.get(key)
        if place not in partners and other is not None and counts_r[key] == 1 and other not in taken:
            partners[place] = other
    return partners


def is_same_tensor(one: str, other: str, *, are_partners: bool) -> bool:
    """Whether two names are one and the same name, which promises one layout: wrappers and weight norm aside.

    Parameters
    ----------
    one, other : the names
    are_partners : whether `own_partners` says that they mean the same. Words of two frameworks, ``kernel`` and
        ``weight``, mean the same and promise nothing
    """
    if are_partners:
        return ("kernel" in one.lower()) == ("kernel" in other.lower())
    return _unparametrised(one) == _unparametrised(other)


def kind_of(name: str) -> str:
    """Return the last word of a name, which layers of one kind share."""
    return re.split(r"[./]", _unparametrised(name))[-1]


def series_of(name: str) -> str:
    """Return a name without its numbers, which the layers of one list share."""
    return re.sub(r"\d+", "#", _unparametrised(name))


def _unparametrised(name: str) -> str:
    """Return the name that the tensor behind a weight norm has without it."""
    return re.sub(r"(weight)_[gv]$", r"\1", re.sub(r"parametrizations\.(\w+)\.original[01]$", r"\1", name))


def module_of(name: str) -> str:
    """Return the name of the module that a tensor is part of."""
    plain = re.sub(r"\.?parametrizations\.(\w+)\.original\d?$", r".\1", name.replace("/", "."))
    return plain.rpartition(".")[0]


def shared_words(one: str, other: str) -> int:
    """Return how many words two names have in common, for want of equal names."""
    split = (Counter(re.findall(r"[a-z]+|\d+", name.lower())) for name in (one, other))
    first, second = split
    return sum((first & second).values())


def is_recurrent(name: str) -> bool:
    """Whether a name is one that recurrent layers have."""
    return _RECURRENT.search(name) is not None


def recurrent_family(weight: Weight, file_format: str) -> str | None:
    """Return whose order the gates of a recurrent layer must have, as far as format, operator, shape and name tell."""
    name, shape = weight.name, weight.shape
    if file_format == "onnx" and len(shape) == 3:
        return "onnx"
    if file_format == "onnx" and len(shape) == 2 and shape[0] in (1, 2):
        return "onnx"
    if file_format == "mlpackage":
        return "coreml" if weight.operator is not None else None
    if _TORCH_RECURRENT.search(name):
        return "torch"
    if _MLX_RECURRENT.search(name):
        return "mlx"
    return "keras" if _KERAS_RECURRENT.search(name) else None


def _words(name: str) -> list[str]:
    plain = _SUFFIXES.sub("", name.strip("/").replace("/", ".").replace(":", "."))
    words = [word for word in plain.split(".") if word]
    while len(words) > 1 and _WRAPPERS.match(words[0]):
        words = words[1:]
    return [_SAME.get(word.lower(), word.lower()) for word in words] or [name]
