// Begin a prediction, do something else, and look at it now and then.
import { setTimeout } from "node:timers/promises";
import Replicate from "replicate";

const replicate = new Replicate({ baseUrl: process.env.REPLICATE_BASE_URL });

let prediction = await replicate.predictions.create({
  model: "hearth/campfire",
  input: { prompt: "Tell me a story about a bear." },
});
console.log(prediction.id);

while (!["succeeded", "failed", "canceled", "aborted"].includes(prediction.status)) {
  await setTimeout(500);
  prediction = await replicate.predictions.get(prediction.id);
}

console.log(prediction.status);
console.log(prediction.output.join(""));
console.log(`${prediction.metrics.predict_time.toFixed(2)} s`);
