"""What the results of an experiment hold of hidden states: the share of the teacher's shift, layer by layer."""

from __future__ import annotations

from undertow.results.records import Interval, Record


class HiddenLayer(Record):
    """One layer of one arm's students."""

    layer: int
    """From 0, the first."""
    value: float
    """Arm minus control: shares of the teacher's shift, means over the replicates."""
    interval: Interval | None
    """Of `value`; None with one replicate."""
    arm_share: float
    control_share: float
    arm_cosine: float
    """Of the arm's shift and the teacher's, over all questions together."""
    control_cosine: float


class HiddenShift(Record):
    """How much of the teacher's shift of hidden states an arm's students took over, beyond the control's."""

    arm: str
    contrast: str
    replicates: int
    unit: str
    """What the replicates are: seeds or teachers."""
    value: float
    """Mean over the layers."""
    interval: Interval | None
    layers: list[HiddenLayer]
