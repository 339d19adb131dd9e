"""Memory that runs out, told from other errors. Needs no torch.

out_of_memory(error)
"""

from __future__ import annotations

import errno
from typing import Final

_SAID: Final = ("can't allocate memory", "cannot allocate memory", "out of memory", "CUBLAS_STATUS_ALLOC_FAILED")
"""What torch's processor allocator, the system, CUDA and cuBLAS say in plain runtime errors, in lower case or not."""


def out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory is full: Python's, the system's, or torch's for a GPU or the processor."""
    if isinstance(error, MemoryError) or any(kind.__name__ == "OutOfMemoryError" for kind in type(error).__mro__):
        return True
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    return isinstance(error, RuntimeError) and any(each.lower() in str(error).lower() for each in _SAID)
