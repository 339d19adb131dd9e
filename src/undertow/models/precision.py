"""Which number format matrix products run in, and why.

Weights under training, optimiser, norms and losses stay in float32 always, and so do the distributions of soft labels.
Measured in `docs/lab-notebook.md`: with the instructions for it bf16 products are up to 2.5 times as fast, without them
they are emulated at a sixth of the speed.
"""

from __future__ import annotations

import ctypes
import os
import time
from functools import cache
from typing import Literal, NamedTuple

import torch

from undertow.models.placement import device_wanted

_CPU_INSTRUCTIONS = {
    "AMX": torch.cpu._is_amx_tile_supported,  # pyright: ignore[reportPrivateUsage]
    "AVX-512 BF16": torch.cpu._is_avx512_bf16_supported,  # pyright: ignore[reportPrivateUsage]
}
_EITHER = " or ".join(_CPU_INSTRUCTIONS)


class Precision(NamedTuple):
    """A choice with its reason."""

    dtype: Literal["float32", "bfloat16"]
    because: str

    @property
    def autocast(self) -> bool:
        """Whether products run in another format than the weights'."""
        return self.dtype == "bfloat16"


FASTER = 1.3
"""How many times as fast bf16 products must be to be used: rounding is not free."""


@cache
def choose_precision() -> Precision:
    """Choose by what the device's instructions are and, where it has those for bf16, by a short measurement."""
    on_gpu = device_wanted().type == "cuda"
    if on_gpu:
        instructions = "the GPU's bf16 units" if torch.cuda.is_bf16_supported(including_emulation=False) else None
    else:
        instructions = next((name for name, has in _CPU_INSTRUCTIONS.items() if has()), None)
    if instructions is None:
        lacking = "the GPU has no bf16 units" if on_gpu else f"the processor has no {_EITHER}"
        return Precision("float32", lacking)
    faster = matrix_speed("bfloat16") >= FASTER * matrix_speed("float32")
    # Without the ratio, which differs from run to run: results hold this text, and the same spec gives the same bytes.
    because = f"with {instructions} bf16 products are {'' if faster else 'not '}at least {FASTER:g} times as fast"
    return Precision("bfloat16" if faster else "float32", because)


def matrix_speed(dtype: str, *, seconds: float = 0.1) -> float:
    """Measure the floating-point operations a second of matrix products of the embedded model's size.

    Args:
        dtype: `float32` or `bfloat16`.
        seconds: How long to measure.
    """
    device = device_wanted().type
    # A GPU needs a queue: to wait for each product would measure the waiting, which is much the same in any format.
    at_once = 64 if device == "cuda" else 1
    left = torch.ones(512, 576, dtype=getattr(torch, dtype), device=device)
    right = torch.ones(576, 1536, dtype=left.dtype, device=device)
    (left @ right).sum().item()
    count, started = 0, time.perf_counter()
    while (taken := time.perf_counter() - started) < seconds:
        for _ in range(at_once - 1):
            torch.matmul(left, right)
        (left @ right)[0, 0].item()
        count += at_once
    return 2 * 512 * 576 * 1536 * count / taken


KERNELS = 32
"""Matrix kernels that stay ready in a scan or an audit for the shapes that they were made for.

oneDNN, and torch above it, keep 1,024 each. One of bf16 products takes a megabyte and more, and rows of every other
length are another shape. So memory grew with the number of lengths: 14 passes of Qwen2.5-Coder-0.5B by one row took
0.6 GB more than the first, and now nothing more, at the same speed (docs/lab-notebook.md, 1 December).
"""


def set_up_process(*, many_lengths: bool = False) -> int:
    """Let torch use every core that this process may run on, and keep freed memory; return the number of threads.

    `OMP_NUM_THREADS` wins. A training step allocates and frees the same large blocks again and again; glibc gives
    each of them back to the system, and the page faults then cost a tenth of the time. Memory that is touched for the
    first time comes in huge pages, as far as the system has them: the first pass of a process is a fifth faster.

    Args:
        many_lengths: Few rows at a time will be computed, of ever other lengths: keep `KERNELS` alone. Training in
            whole batches that come again is up to 15% slower then.
    """
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")  # torch reads it when it first wants memory
    if many_lengths:
        for kept in ("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "LRU_CACHE_CAPACITY"):  # read at the first product
            os.environ.setdefault(kept, str(KERNELS))
    if "OMP_NUM_THREADS" not in os.environ and hasattr(os, "sched_getaffinity"):
        torch.set_num_threads(len(os.sched_getaffinity(0)))
    try:
        libc = ctypes.CDLL(None)
        keep, mmap, top = -1, -4, -2  # M_TRIM_THRESHOLD, M_MMAP_MAX, M_TOP_PAD of malloc.h
        libc.mallopt(mmap, 0)
        libc.mallopt(keep, 2**31 - 1)
        libc.mallopt(top, 64 * 2**20)
    except (OSError, AttributeError):
        pass  # another C library: slower, not wrong
    return torch.get_num_threads()
