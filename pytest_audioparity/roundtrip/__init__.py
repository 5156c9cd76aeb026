"""The codec round trip: encode, decode, and everything that may be wrong with either; `docs/roundtrip.md` says what.

Nothing is imported here: marks are checked at collection, when no runtime may be loaded yet.
"""
