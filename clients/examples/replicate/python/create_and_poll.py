"""Begin a prediction, do something else, and look at it now and then."""

import time

import replicate

prediction = replicate.predictions.create(
    model="hearth/campfire",
    input={"prompt": "Tell me a story about a bear."},
)
print(prediction.id)

while prediction.status not in ("succeeded", "failed", "canceled"):
    time.sleep(0.5)
    prediction.reload()

print(prediction.status)
print("".join(prediction.output))
print(f"{prediction.metrics['predict_time']:.2f} s")
