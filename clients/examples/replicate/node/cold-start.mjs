// See a model boot: a prediction is `starting` until its model is up, and then `processing`.
import { setTimeout } from "node:timers/promises";
import Replicate from "replicate";

const replicate = new Replicate({ baseUrl: process.env.REPLICATE_BASE_URL });

const began = performance.now();
let prediction = await replicate.predictions.create({
  model: process.argv[2] ?? "hearth/campfire",
  input: { prompt: "Tell me a story about a wolf." },
});

let seen;
while (!["succeeded", "failed", "canceled", "aborted"].includes(seen)) {
  if (prediction.status !== seen) {
    seen = prediction.status;
    console.log(`${((performance.now() - began) / 1000).toFixed(1).padStart(5)} s  ${seen}`);
  }
  await setTimeout(100);
  prediction = await replicate.predictions.get(prediction.id);
}
