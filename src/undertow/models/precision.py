"""Which number format the matrix products of a training step run in, and why.

Weights, optimiser, norms and losses stay in float32 always. Measured in `docs/lab-notebook.md`: with the instructions
for it bf16 products are up to 2.5 times as fast, without them they are emulated at a sixth of the speed.
"""

from __future__ import annotations

import ctypes
import os
from typing import Literal, NamedTuple

import torch


class Precision(NamedTuple):
    """A choice with its reason."""

    dtype: Literal["float32", "bfloat16"]
    because: str

    @property
    def autocast(self) -> bool:
        """Whether products run in another format than the weights'."""
        return self.dtype == "bfloat16"


def choose_precision() -> Precision:
    """Choose by what the device's instructions are; the same machine gives the same answer."""
    if torch.cuda.is_available():
        if torch.cuda.is_bf16_supported():
            return Precision("bfloat16", "the GPU multiplies bf16 matrices")
        return Precision("float32", "the GPU does not multiply bf16 matrices")
    for name, has in (
        ("AMX", torch.cpu._is_amx_tile_supported),  # pyright: ignore[reportPrivateUsage]
        ("AVX-512 BF16", torch.cpu._is_avx512_bf16_supported),  # pyright: ignore[reportPrivateUsage]
    ):
        if has():
            return Precision("bfloat16", f"the processor has {name}")
    return Precision("float32", "the processor has neither AMX nor AVX-512 BF16")


def set_up_process() -> int:
    """Let torch use every core that this process may run on, and keep freed memory; return the number of threads.

    `OMP_NUM_THREADS` wins. A training step allocates and frees the same large blocks again and again; glibc gives
    each of them back to the system, and the page faults then cost a tenth of the time.
    """
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
