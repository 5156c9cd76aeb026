"""Weights of a Core ML model, an .mlpackage folder or an .mlmodel file, on any system and without coremltools."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_audioparity.errors import TensorFileError, shown
from pytest_audioparity.tensorfile import open_file, parse_json
from pytest_audioparity.weights.coreml_network import network_weights
from pytest_audioparity.weights.coreml_program import Program
from pytest_audioparity.weights.coreml_values import Values
from pytest_audioparity.weights.folders import path_inside
from pytest_audioparity.weights.mapped import Mapped
from pytest_audioparity.weights.protobuf import Document
from pytest_audioparity.weights.records import WeightFile

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_audioparity.weights.protobuf import Message
    from pytest_audioparity.weights.records import Weight

_MANIFEST = "Manifest.json"
_MOST_MANIFEST_BYTES = 10_000_000
# Fields of Model, of Pipeline and of what wraps one.
_PIPELINE, _PROGRAM = 202, 502
_WRAPPED_PIPELINES = (200, 201)
_NETWORKS = (303, 403, 500)
_MODELS, _NAMES = 1, 2
_MOST_DEPTH = 20


def read(path: Path) -> WeightFile:
    """Read a model.

    Raises
    ------
    TensorFileError : missing or damaged, or of a kind that holds no weights
    """
    model = _model_path(path) if path.is_dir() else path
    root = Document(Mapped(model)).root
    program = Program(Values(model.parent))
    networks: list[Weight] = []
    notes: list[str] = []
    if not _collect(root, program, networks, notes, "", 0):
        raise TensorFileError("is not a Core ML program or neural network, or damaged")
    notes += program.notes
    if program.small:
        notes.append(f"{program.small} constants that are shapes, indices or single numbers are left out")
    return WeightFile(path, "mlpackage", (*program.weights, *networks), tuple(notes))


def _model_path(package: Path) -> Path:
    with open_file(package / _MANIFEST) as file:
        text = file.read(_MOST_MANIFEST_BYTES)
    try:
        manifest: Any = parse_json(text.decode("utf-8"))
        location = manifest["itemInfoEntries"][manifest["rootModelIdentifier"]]["path"]
    except (ValueError, RecursionError, TypeError, KeyError):
        raise TensorFileError(f"has a {_MANIFEST} that names no model") from None
    if not isinstance(location, str):
        raise TensorFileError(f"has a {_MANIFEST} that names no model: {shown(location)}")
    return path_inside(package / "Data", location)


def _collect(
    model: Message, program: Program, networks: list[Weight], notes: list[str], prefix: str, depth: int
) -> bool:
    """Gather the weights of a model and of those in its pipeline; tell whether it has any form that is known."""
    if depth > _MOST_DEPTH:
        raise TensorFileError(f"nests models more than {_MOST_DEPTH} deep")
    if _PROGRAM in model:
        program.read(model.message(_PROGRAM), prefix)
        return True
    for number in _NETWORKS:
        if number in model:
            networks += network_weights(model.message(number), notes, prefix)
            return True
    pipelines = [model.message(_PIPELINE)] if _PIPELINE in model else []
    pipelines += [model.message(number).message(1) for number in _WRAPPED_PIPELINES if number in model]
    for pipeline in pipelines:
        names = pipeline.texts(_NAMES)
        for index, inner in enumerate(pipeline.messages(_MODELS)):
            name = names[index] if index < len(names) else str(index)
            if not _collect(inner, program, networks, notes, f"{prefix}{name}.", depth + 1):
                notes.append(f"model {shown(prefix + name)} of the pipeline holds no weights that are read")
    return bool(pipelines)
