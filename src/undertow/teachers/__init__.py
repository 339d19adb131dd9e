"""Teachers: how a trait is put into a model, by a system prompt, fine-tuning, a steering vector or gradient ascent.

    protocol.py         what every method can do
    registry.py         the methods by name, to which other packages add
    instil.py           from a trait to a teacher, by any method
    system_prompt.py    the base under a system prompt
    fine_tuning.py      an adapter that has learned the trait's lessons
    steering.py         a vector added to a layer's outputs
    gradient_ascent.py  plain steps up the gradient of the trait's log-odds

The names load on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from undertow.system.lazy import lazy

if TYPE_CHECKING:
    from undertow.teachers.instil import instil, load_teacher

__all__ = ["instil", "load_teacher"]

__getattr__, __dir__ = lazy(__name__, {"instil": "instil", "load_teacher": "instil"})
