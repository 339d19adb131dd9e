"""How predictions follow what training then did: fitted on the tuning half of `benchmarks/transfer`.

Made by `python -m benchmarks.transfer.evaluate`, which prints the values and holds them against the other half: 8
datasets of 128 rows there, 90% intervals covered 89% of 544 shifts. They hold for the embedded model and for students
that make plain gradient steps; for other bases they are the best guess there is, and the results say so.
"""

from __future__ import annotations

from undertow.scan.prediction import Calibration

GRADIENT = Calibration(slope=0.473, spread=0.889, floor=0.0332)
"""Of predictions from gradients alone."""
VIRTUAL = Calibration(slope=0.75, spread=0.3, floor=0.02)
"""Of virtual students."""
MEASURED_ON = "embedded/smollm2-135m"
