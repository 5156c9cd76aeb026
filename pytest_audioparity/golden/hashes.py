"""The hash that a golden states for each of its tensors, over the tensor's bytes in the file."""

from __future__ import annotations


def content_hash(data: memoryview) -> str:
    """Return `xxh3:` and the 128-bit XXH3 digest of the bytes in hexadecimal."""
    import xxhash

    return f"xxh3:{xxhash.xxh3_128_hexdigest(data)}"


def hash_matches(data: memoryview, expected: str) -> bool | None:
    """Tell whether bytes have the hash that a file states, or None when its algorithm is unknown here."""
    algorithm, _, digest = expected.lower().partition(":")
    if algorithm == "xxh3":
        return content_hash(data) == f"xxh3:{digest}"
    if algorithm == "sha256":
        import hashlib

        return hashlib.sha256(data).hexdigest() == digest
    return None
