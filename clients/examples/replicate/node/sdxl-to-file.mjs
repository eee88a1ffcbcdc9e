// Draw an image and keep it: astronaut.png.
import { writeFile } from "node:fs/promises";
import Replicate from "replicate";

const replicate = new Replicate({ baseUrl: process.env.REPLICATE_BASE_URL });

const [image] = await replicate.run("stability-ai/sdxl", {
  input: { prompt: "an astronaut riding a rainbow unicorn", width: 1024, height: 1024 },
});
await writeFile("astronaut.png", image);
console.log("astronaut.png");
