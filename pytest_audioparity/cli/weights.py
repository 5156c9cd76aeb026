"""The command `weights`: two weight files of any framework, matched by content."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pytest_audioparity.cli.terminal import FAILED, PASSED, Progress, add_examples, say_json, say_wrapped
from pytest_audioparity.weights.precision import PRECISIONS

if TYPE_CHECKING:
    import argparse


def add_weights(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `weights`."""
    parser.description = (
        "Say whether a candidate holds the weights of a reference, and which are random, scaled, swapped or missing. "
        "Tensors are matched by content: renamed, transposed, fused, reordered and rounded ones are recognised. "
        "Reads .safetensors, .npz, .onnx, torch checkpoints, TorchScript, .mlpackage, .gguf; nothing is unpickled."
    )
    parser.add_argument("reference", metavar="REFERENCE", type=Path, help="the weights as they should be")
    parser.add_argument("candidate", metavar="CANDIDATE", type=Path, help="the file to judge")
    parser.add_argument("--only", metavar="GLOB", action="append", help="only such tensors of REFERENCE; repeatable")
    parser.add_argument(
        "--precision",
        metavar="P",
        choices=PRECISIONS,
        help="what rounding is accepted: fp32 (none), fp16, bf16 or int8; without it any cast or quantisation is, "
        "as long as every value is the nearest of its type or grid",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document instead of text")
    add_examples(
        parser,
        "weights model.pt model.onnx",
        "weights model.safetensors Encoder.mlpackage --only 'encoder.*'",
        "weights model.pt model-fp16.safetensors --precision fp16",
    )
    parser.set_defaults(run=_weights)


def _weights(parsed: argparse.Namespace) -> int:
    from pytest_audioparity.report.weights import render_weights, weights_document
    from pytest_audioparity.weights.files import chosen, open_weights
    from pytest_audioparity.weights.matching import compare_files

    progress = Progress()
    try:
        result = compare_files(
            chosen(open_weights(parsed.reference), parsed.only),
            open_weights(parsed.candidate),
            precision=parsed.precision,
            progress=progress,
        )
    finally:
        progress.end()
    if parsed.json:
        say_json(weights_document(result))
    else:
        say_wrapped(render_weights(result))
    return PASSED if result.passed else FAILED
