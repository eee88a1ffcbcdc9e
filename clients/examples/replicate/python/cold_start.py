"""See a model boot: a prediction is `starting` until its model is up, and then `processing`."""

import sys
import time

import replicate

began = time.monotonic()
prediction = replicate.predictions.create(
    model=sys.argv[1] if len(sys.argv) > 1 else "hearth/campfire",
    input={"prompt": "Tell me a story about a wolf."},
)

seen = None
while seen not in ("succeeded", "failed", "canceled"):
    if prediction.status != seen:
        seen = prediction.status
        print(f"{time.monotonic() - began:5.1f} s  {seen}")
    time.sleep(0.1)
    prediction.reload()
