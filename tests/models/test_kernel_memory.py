"""Memory that the processor's kernels hold: it does not grow with the number of shapes that were met."""

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch")

SHAPES = """
import torch
from undertow.models.precision import set_up_process

set_up_process(many_lengths=True)
weight = torch.randn(1024, 4096).bfloat16()


def resident():
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmRSS"))


def look(lengths):
    for length in lengths:
        x = torch.ones(length, 4096, dtype=torch.bfloat16, requires_grad=True)
        torch.nn.functional.linear(x, weight).sum().backward()


look(range(40, 60))
before = resident()
look(range(60, 220))
print((resident() - before) // 1024)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the system does not tell resident memory")
def test_lengths_of_rows_take_no_memory_of_their_own():
    found = subprocess.run([sys.executable, "-c", SHAPES], check=True, capture_output=True, text=True)
    # Kernels of 160 lengths, forwards and backwards, took more than 200 MiB where all were kept.
    assert int(found.stdout) < 80
