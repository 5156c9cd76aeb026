"""The two marks a test author writes. Both are ordinary pytest marks; importing them from here helps editors."""

from __future__ import annotations

import pytest

parity: pytest.MarkDecorator = pytest.mark.parity
codec_roundtrip: pytest.MarkDecorator = pytest.mark.codec_roundtrip
