"""How predictions follow what training then did: fitted on the tuning half of `benchmarks/transfer`.

Made by `python -m benchmarks.transfer.evaluate`, which prints the values and holds them against the other half: there
90% intervals of virtual students covered 88% of the shifts (docs/results.md#scan). The first two were fitted to shifts
that are measured with twelve questions a trait, as in an audit; to those of 36 they would be a little narrower. They
hold for the embedded model and for students that make plain gradient steps; for other bases they are the best guess
there is, and the results say so.
"""

from __future__ import annotations

from undertow.attribution.prediction import Calibration

GRADIENT = Calibration(slope=0.517, spread=0.920, floor=0.0299)
"""Of predictions from gradients alone; 22 datasets."""
VIRTUAL = Calibration(slope=0.726, spread=0.406, floor=0.0307)
"""Of virtual students; 16 datasets."""
BESIDE = Calibration(slope=0.732, spread=0.207, floor=0.0138)
"""Of virtual students of lists less one of the base's own lists; 16 datasets, shifts of 36 questions a trait."""
MEASURED_ON = "embedded/smollm2-135m"
