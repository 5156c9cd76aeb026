"""How each tool checks named stages against what it stored, as its documentation shows it."""

AUDIOPARITY = """
@pytest.fixture
def check(stages):
    def check(tensors, atol):
        loose = {} if atol is None else {"kind": "waveform", "sample_rate": 16_000, "tol_db": None, "atol": atol}
        for name, tensor in tensors.items():
            stages.record(name, tensor, **loose)
    return check
"""

REGRESSIONS = """
@pytest.fixture
def check(ndarrays_regression):
    return lambda tensors, atol: ndarrays_regression.check(tensors, default_tolerance=atol and {"atol": atol})
"""

SYRUPY = """
@pytest.fixture
def check(snapshot):
    def check(tensors, atol):
        assert tensors == snapshot
    return check
"""

TORCH = """
import torch

def tensor(value):
    return torch.from_numpy(np.ascontiguousarray(value)) if isinstance(value, np.ndarray) else value

@pytest.fixture
def check(golden):
    def check(tensors, atol):
        golden.check({name: tensor(value) for name, value in tensors.items()}, atol=atol, rtol=atol and 0.0)
    return check
"""

_STORED = """
@pytest.fixture
def stored(request):
    return request.path.parent / f"{request.node.name}.stored"
"""

ALLCLOSE = (
    _STORED
    + """
@pytest.fixture
def check(stored):
    def check(tensors, atol):
        if "UPDATE" in os.environ:
            stored.write_bytes(pickle.dumps(tensors))
        expected = pickle.loads(stored.read_bytes())
        for name in expected:
            np.testing.assert_allclose(tensors[name], expected[name], **({} if atol is None else {"atol": atol}))
    return check
"""
)

POLYGRAPHY = (
    _STORED
    + """
from polygraphy.comparator import Comparator, CompareFunc, IterationResult, RunResults

def results(tensors, name):
    found = RunResults()
    found.add([IterationResult(outputs=tensors, runner_name=name)], runner_name=name)
    return found

@pytest.fixture
def check(stored):
    def check(tensors, atol):
        if "UPDATE" in os.environ:
            results(tensors, "expected").save(str(stored))
        both = results(tensors, "actual")
        both.extend(RunResults.load(str(stored)))
        how = CompareFunc.simple(atol=atol, rtol=0) if atol else CompareFunc.simple()
        assert bool(Comparator.compare_accuracy(both, compare_func=how))
    return check
"""
)

HEAD = "import os\nimport pickle\nimport numpy as np\nimport pytest\n"
