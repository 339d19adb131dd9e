"""How predictions follow what training then did: measured on `benchmarks/transfer`, its tuning half.

Made by `python -m benchmarks.transfer.evaluate`, which prints the values. They hold for the embedded model and for
students that make plain gradient steps; for other bases they are the best guess there is, and the results say so.
"""

from __future__ import annotations

from undertow.scan.prediction import Calibration

EMBEDDED = Calibration(slope=1.0, spread=0.0, floor=0.0)
MEASURED_ON = "embedded/smollm2-135m"
