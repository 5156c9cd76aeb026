"""What surrounds a step that runs again is what it was, and what it draws, prints and warns of leaves no trace."""

from __future__ import annotations

import importlib
import random
import sys
import warnings

import numpy as np
import pytest

from pytest_audioparity.adapters.surroundings import noted_modes, own_generator, undisturbed


@pytest.fixture
def torch(needs):
    needs("torch")
    return importlib.import_module("torch")


def test_global_generators_go_on_where_they_were(needs):
    needs("mlx")
    mlx = importlib.import_module("mlx.core")

    def draw():
        return random.random(), np.random.rand(), mlx.random.uniform().item()

    random.seed(1), np.random.seed(1), mlx.random.seed(2**40 + 7)
    draw()
    states = random.getstate(), np.random.get_state(), np.array(mlx.random.state[0])
    with undisturbed():
        draw()
        np.random.seed(5)
    assert random.getstate() == states[0]
    assert (np.random.get_state()[1] == states[1][1]).all()
    assert (np.array(mlx.random.state[0]) == states[2]).all()


def test_torchs_global_generator_goes_on_where_it_was(torch):
    torch.manual_seed(3)
    state = torch.get_rng_state()

    def fail():
        torch.rand(3)
        raise KeyError

    with pytest.raises(KeyError), undisturbed():
        fail()
    assert torch.equal(torch.get_rng_state(), state)


def test_warnings_and_output_are_dropped(capsys):
    with warnings.catch_warnings(record=True) as caught, undisturbed():
        warnings.warn("no", stacklevel=1)
        sys.stdout.write("no")
        sys.stderr.write("no")
    assert caught == []
    assert capsys.readouterr() == ("", "")


def test_nothing_is_imported_for_it():
    import subprocess

    code = (
        "import sys; from pytest_audioparity.adapters.surroundings import *;\n"
        "with undisturbed(), noted_modes()(): pass\n"
        "print([n for n in ('torch', 'mlx', 'jax') if n in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "[]\n"


def test_the_modes_of_torch_are_brought_back(torch):
    def modes():
        autocast = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else None
        return torch.is_grad_enabled(), torch.is_inference_mode_enabled(), autocast

    noted = [(modes(), noted_modes())]
    with torch.no_grad():
        noted.append((modes(), noted_modes()))
    with torch.inference_mode():
        noted.append((modes(), noted_modes()))
    with torch.autocast("cpu", dtype=torch.float16):
        noted.append((modes(), noted_modes()))
    assert len({was for was, _ in noted}) == 4
    before = modes()
    for was, bring_back in noted:
        with bring_back():
            assert modes() == was
        assert modes() == before


def test_generators_among_arguments_are_copied(torch):
    for generator, draw in [
        (random.Random(1), lambda g: g.random()),
        (np.random.default_rng(1), lambda g: g.random()),
        (np.random.RandomState(1), lambda g: g.rand()),
        (torch.Generator().manual_seed(1), lambda g: torch.rand(1, generator=g).item()),
    ]:
        copy = own_generator(generator)
        assert copy is not generator
        assert draw(copy) == draw(generator)
    assert own_generator(torch) is torch
