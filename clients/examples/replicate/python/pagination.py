"""Go through all predictions, a page at a time, the newest first."""

import replicate

for page in replicate.paginate(replicate.predictions.list):
    for prediction in page.results:
        print(prediction.id, prediction.status, prediction.model)
