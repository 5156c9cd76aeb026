"""How far a variant of a golden is from the golden that all platforms share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pytest_audioparity.check import check_stage
from pytest_audioparity.errors import GoldenError
from pytest_audioparity.golden.shelf import open_golden

if TYPE_CHECKING:
    from pytest_audioparity.golden.file import Golden
    from pytest_audioparity.golden.shelf import Shelf
    from pytest_audioparity.records import StageResult
    from pytest_audioparity.spec import Spec


def distance(shared: Path, variant: Golden | Path, shelf: Shelf, spec: Spec) -> tuple[StageResult | None, str]:
    """Return the stage in which a variant is farthest from the shared golden, and that in words.

    Parameters
    ----------
    shared : path of the golden that is not a variant
    variant : the variant, or its path
    shelf : where tensors are kept
    spec : what the test allows
    """
    try:
        golden = open_golden(shared, shelf)
        other = open_golden(variant, shelf) if isinstance(variant, Path) else variant
        names = [stage.name for stage in other.stages if stage.name in golden]
        # Only how far counts here, not why; tests that pass come this way too.
        results = [
            check_stage(golden.read(name), other.read(name), spec.tolerance(name), causes=False) for name in names
        ]
    except GoldenError as error:
        return None, "which does not exist" if error.cause == "missing" else f"which cannot be read: {error}"
    measured = [result for result in results if result.deviation_db is not None]
    if not measured:
        return None, "no stage of which can be compared with it"
    farthest = max(measured, key=lambda result: result.deviation_db or 0.0)
    return farthest, f"up to {farthest.deviation_db:.3g} dB from it ({farthest.name!r})"
