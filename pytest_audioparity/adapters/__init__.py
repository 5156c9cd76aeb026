"""From native objects and files to stage tensors: `arrays` for what a test holds in memory, `dumps` for files."""
