"""Goldens: where they lie (`names`), what a file holds (`file`), and where its content came from (`provenance`)."""
