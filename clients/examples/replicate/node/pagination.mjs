// Go through all predictions, a page at a time, the newest first.
import Replicate from "replicate";

const replicate = new Replicate({ baseUrl: process.env.REPLICATE_BASE_URL });

for await (const page of replicate.paginate(replicate.predictions.list)) {
  for (const prediction of page) console.log(prediction.id, prediction.status, prediction.model);
}
