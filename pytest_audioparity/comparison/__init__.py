"""The numbers of a comparison: what can be paired (`structure`), how far apart (`values`, `moments`, `codes`), and what
each kind of stage adds (`kinds`), judged against tolerances (`tolerances`). Nothing here prints, logs or raises on a
mismatch.

It is not called `compare`, since that is the public function: importing a subpackage of that name would replace it.
"""
