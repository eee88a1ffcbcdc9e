// Draw an image and keep it: astronaut.png.
import { writeFile } from "node:fs/promises";
import Replicate from "replicate";

const replicate = new Replicate({ baseUrl: process.env.REPLICATE_BASE_URL });

const [image] = await replicate.run("stability-ai/sdxl", {
  input: { prompt: "an astronaut riding a rainbow unicorn", width: 512, height: 512, num_inference_steps: 20 },
});
await writeFile("astronaut.png", image);
console.log("astronaut.png");
