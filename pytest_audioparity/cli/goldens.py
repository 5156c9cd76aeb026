"""The arguments of the commands on goldens."""

from __future__ import annotations

import argparse

from pytest_audioparity.cli import exporting, pruning, review, store
from pytest_audioparity.cli.terminal import add_examples

_NAME = "a golden or test: its name, path or node id, or a glob of these"

_EXAMPLES = {
    "pending": ("golden pending", "golden pending --from artifact/"),
    "show": ("golden show", "golden show tests/test_tts/test_tts"),
    "accept": (
        "golden accept --reason 'new window'",
        "golden accept tests/test_tts/test_tts --stage 'mel*' --yes",
        "golden accept --from artifact/ --yes",
    ),
    "reject": ("golden reject", "golden reject tests/test_tts/test_tts"),
}


def add_golden(parser: argparse.ArgumentParser) -> None:
    """Declare `golden` and its actions."""
    parser.description = "Review what the last run obtained, and look after the goldens, without running a model."
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    add_examples(parser, "golden pending", "golden accept tests/test_tts/test_tts", "golden prune --dry-run")
    place = _place()
    _add_review(actions, place)
    prune = actions.add_parser("prune", parents=[place], help="delete goldens that no test owns")
    prune.description = (
        "Delete goldens that no collected test owns, after a run of all tests, and what kills left over."
    )
    prune.add_argument("--dry-run", action="store_true", help="list them only")
    _add_yes(prune)
    prune.add_argument("--json", action="store_true", help="print one JSON document; asks nothing")
    add_examples(
        prune,
        "golden prune --dry-run",
        "golden prune --yes",
    )
    prune.set_defaults(run=pruning.prune)
    inputs = actions.add_parser("export", parents=[place], help="write a golden's inputs for a port in any language")
    exporting.add_export(inputs)
    for action, text in (
        ("push", "upload tensors that the store does not have yet"),
        ("pull", "download the tensors of goldens from the store"),
    ):
        move = actions.add_parser(action, parents=[place], help=text)
        move.description = f"{text[0].upper()}{text[1:]}."
        move.add_argument(
            "names",
            metavar="NAME",
            nargs="*",
            help="a golden's name or path, a folder of them, or a glob; default all",
        )
        move.add_argument(
            "--store", metavar="URL", help="a folder or fsspec URL (default: ini audioparity_golden_store)"
        )
        move.add_argument("--json", action="store_true", help="print one JSON document instead of text")
        add_examples(move, f"golden {action}", f"golden {action} 'tests/test_tts/*' --store s3://bucket/goldens")
        move.set_defaults(run=store.push if action == "push" else store.pull)


def _place() -> argparse.ArgumentParser:
    place = argparse.ArgumentParser(add_help=False)
    place.add_argument("--root", metavar="DIR", help="the project's root directory (default: found from here upwards)")
    place.add_argument("--golden-dir", metavar="DIR", help="folder of the goldens (default: as in the run, or the ini)")
    return place


def _add_yes(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--yes", "-y", action="store_true", help="do not ask, as without a terminal")


def _add_review(actions: argparse._SubParsersAction[argparse.ArgumentParser], place: argparse.ArgumentParser) -> None:
    for action, text, run in (
        ("pending", "list what tests obtained where their goldens have something else", review.pending),
        ("show", "show the report of a test that waits, and what to do", review.show),
        ("accept", "make goldens what tests obtained", review.accept),
        ("reject", "drop what tests obtained; goldens stay as they are", review.reject),
    ):
        parser = actions.add_parser(action, parents=[place], help=text)
        parser.description = f"{text[0].upper()}{text[1:]}."
        parser.add_argument("names", metavar="NAME", nargs="*", help=f"{_NAME}; default all that wait")
        parser.add_argument("--from", dest="source", metavar="DIR", help="review a folder downloaded from a CI run")
        parser.add_argument("--json", action="store_true", help="print one JSON document instead of text; asks nothing")
        parser.set_defaults(run=run)
        add_examples(parser, *_EXAMPLES[action])
        if action in ("accept", "reject"):
            parser.description += (
                f" {action.capitalize()}s stages and settings; with --stage or --setting only what these name, "
                f"and all else goes on waiting."
            )
            for kind in ("stage", "setting"):
                text = f"only such {kind}s; repeatable"
                parser.add_argument(f"--{kind}", metavar="GLOB", action="append", default=[], help=text)
            _add_yes(parser)
        if action == "accept":
            parser.add_argument("--reason", metavar="TEXT", help="why the goldens change; stored in them")
            parser.add_argument(
                "--force", action="store_true", help="also where words are lost in the new audio; needs --reason"
            )
            parser.add_argument(
                "--store", metavar="URL", help="where tensors go (default: ini audioparity_golden_store)"
            )
