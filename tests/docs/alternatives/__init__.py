"""The same stages and faults for pytest-audioparity and its alternatives."""
