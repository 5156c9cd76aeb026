"""The numbers of a comparison: what can be paired (`structure`), how far apart (`values`, `codes`), and what each
kind of stage adds (`kinds`), judged against tolerances (`tolerances`). Nothing here prints, logs or raises on a
mismatch.
"""
