"""Why a stage differs: named causes with their evidence, searched for only when a stage fails.

`judge.diagnose` is the way in. Modules of explanations have a function ``find(problem)`` that yields what each cause
would make of expected; `search` decides between them. A new cause is one module and one line in `search`.
"""
