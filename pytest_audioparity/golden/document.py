"""What a golden says of itself, format 1: the JSON document in a golden file's metadata, and of a manifest.

Problems are `TensorFileError`, which whoever opened the file turns into an error that names it and the way out.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_audioparity.errors import StageError, TensorFileError, shown
from pytest_audioparity.golden.declarations import is_stage_name
from pytest_audioparity.golden.hashes import content_hash
from pytest_audioparity.records import DECLARED
from pytest_audioparity.tensorfile import parse_json, raw_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_audioparity.records import StageTensor

    Array = np.ndarray[Any, Any]

FORMAT = 1
# safetensors has no complex128 and few readers know its complex64, so complex stages are stored as pairs
# (real, imaginary) in a last dimension of two, and the stage's metadata says so.
PAIRS = {"complex64": "float32", "complex128": "float64"}
# Far deeper than anything that a run writes, far from what Python can recurse into.
_MAX_DEPTH = 40
_DEPTH = 4  # settings may nest as they like; what lies deeper stands on one line


def parse_document(text: str, *, what: str) -> dict[str, Any]:
    """Parse a document and check its format number.

    Parameters
    ----------
    text : JSON
    what : what the text is, for messages, such as ``audioparity metadata``

    Raises
    ------
    TensorFileError : `cause` damaged or newer_format
    """
    try:
        document = parse_json(text)
    except (ValueError, RecursionError) as error:
        raise TensorFileError(f"has unreadable {what}: {error}") from None
    version = document.get("format") if isinstance(document, dict) else None
    if type(version) is not int or version < 1:
        raise TensorFileError(f"has {what} without a format number")
    if version > FORMAT:
        raise TensorFileError(f"has format {shown(version)}, this version reads {FORMAT}", cause="newer_format")
    return dict(document)


def mapping_in(document: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """Return the settings or the provenance of a document, empty where absent.

    Raises
    ------
    TensorFileError : it is something else than a JSON object, or could not be written as JSON again
    """
    value = document.get(key)
    if value is not None and not isinstance(value, dict):
        raise TensorFileError(f"has {key} that are not a JSON object")
    if not is_plain(value):
        raise TensorFileError(f"has {key} that hold an infinite number, or are nested too deeply")
    return value or {}


def is_plain(value: object, depth: int = _MAX_DEPTH) -> bool:
    """Whether a value that was read from JSON can be written as JSON again: it is finite and not nested too deeply."""
    if isinstance(value, dict | list):
        items = value.values() if isinstance(value, dict) else value
        return depth > 0 and all(is_plain(item, depth - 1) for item in items)
    return not isinstance(value, float) or math.isfinite(value)


def stages_in(listed: object) -> dict[str, dict[str, Any]]:
    """Return the entries of a stage list by name, in its order.

    Raises
    ------
    TensorFileError : a name is missing, comes twice or cannot be shown
    """
    described: dict[str, dict[str, Any]] = {}
    entries: list[Any] = listed if isinstance(listed, list) else [None]
    for entry in entries:
        name = entry.get("name") if isinstance(entry, dict) else None
        if not isinstance(name, str) or name in described:
            raise TensorFileError("has a stage list with a missing or repeated name")
        if not is_stage_name(name):
            raise TensorFileError(f"holds {shown(name)}, which is no stage name: it must be printable text")
        described[name] = entry
    return described


def stored(stage: StageTensor) -> tuple[Array, dict[str, Any]]:
    """Return the tensor of a stage as it is stored, and the stage's entry."""
    array, meta = stage.array, stage.meta
    entry: dict[str, Any] = {"name": meta.name}
    for key in DECLARED:
        value = getattr(meta, key)
        if value is not None:
            # One spelling of a rate, 24000, whether it was declared as 24000 or 24000.0.
            entry[key] = int(value) if isinstance(value, float) and value.is_integer() else value
    if meta.role is not None:
        entry["role"] = meta.role
    pair = PAIRS.get(array.dtype.name)
    if pair is not None:
        entry["dtype"] = array.dtype.name
        little = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
        array = little.ravel().view(f"<f{array.dtype.itemsize // 2}").reshape(*array.shape, 2)
    entry["hash"] = content_hash(raw_bytes(array))
    return array, entry


def compose(
    described: list[dict[str, Any]], settings: Mapping[str, Any], provenance: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the document of these stages.

    Raises
    ------
    StageError : the settings are no JSON
    """
    document: dict[str, Any] = {"format": FORMAT, "stages": described}
    if settings:
        document["settings"] = sorted_json(settings)
    document["provenance"] = dict(provenance)
    return document


def sorted_json(settings: Mapping[str, Any]) -> Any:
    """Return settings with sorted keys, so that the order in which a test names them does not show in the bytes.

    Raises
    ------
    StageError : they are no JSON
    """
    try:
        plain = json.loads(json.dumps(settings, sort_keys=True, allow_nan=False))
    except (TypeError, ValueError, RecursionError) as error:
        raise StageError(f"settings must be finite numbers, texts, lists and mappings of them: {error}") from None
    if not is_plain(plain):
        raise StageError("settings are nested too deeply to be read again")
    return plain


def encodable(text: str) -> str:
    """Replace what UTF-8 cannot hold: file names on disk, and so node ids, need not be text."""
    return text.encode("utf-8", "replace").decode("utf-8")


def laid_out(value: Any, depth: int = 0) -> str:
    """Write JSON with one line for each thing that changes on its own: what holds no further container is one line."""
    inner: Any = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    if depth == _DEPTH or not any(isinstance(item, dict | list) for item in inner):
        return json.dumps(value, ensure_ascii=False, allow_nan=False)
    indent = "  " * depth
    if isinstance(value, dict):
        items = [f"{json.dumps(key, ensure_ascii=False)}: {laid_out(item, depth + 1)}" for key, item in value.items()]
    else:
        items = [laid_out(item, depth + 1) for item in value]
    opening, closing = "{}" if isinstance(value, dict) else "[]"
    lines = ",\n".join(f"{indent}  {item}" for item in items)
    return f"{opening}\n{lines}\n{indent}{closing}" + ("\n" if depth == 0 else "")
