"""Two audits of a test's tolerances: which faults they would let pass, and where between noise and faults they lie."""
