// Stop a prediction that nobody wants any more; what it said until then stays.
import { setTimeout } from "node:timers/promises";
import Replicate from "replicate";

const replicate = new Replicate({ baseUrl: process.env.REPLICATE_BASE_URL });

let prediction = await replicate.predictions.create({
  model: process.argv[2] ?? "hearth/campfire",
  input: { prompt: "Tell me a story about a dog.", max_tokens: 1000 },
});
while (prediction.status === "starting" || (prediction.status === "processing" && !prediction.output?.length)) {
  await setTimeout(100);
  prediction = await replicate.predictions.get(prediction.id);
}

await replicate.predictions.cancel(prediction.id);
prediction = await replicate.predictions.get(prediction.id);
console.log(prediction.status);
console.log((prediction.output ?? []).join(""));
