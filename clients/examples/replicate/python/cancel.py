"""Stop a prediction that nobody wants any more; what it said until then stays."""

import sys
import time

import replicate

prediction = replicate.predictions.create(
    model=sys.argv[1] if len(sys.argv) > 1 else "hearth/campfire",
    input={"prompt": "Tell me a story about a dog.", "max_tokens": 1000},
)
while prediction.status == "starting" or (prediction.status == "processing" and not prediction.output):
    time.sleep(0.1)
    prediction.reload()

prediction.cancel()
prediction.reload()
print(prediction.status)
print("".join(prediction.output or []))
