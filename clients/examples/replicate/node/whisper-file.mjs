// Transcribe a file of this machine: `node whisper-file.mjs speech.wav`. The client uploads it first.
import { readFile } from "node:fs/promises";
import Replicate from "replicate";

const replicate = new Replicate({ baseUrl: process.env.REPLICATE_BASE_URL });

const audio = await readFile(process.argv[2]);
const output = await replicate.run("openai/whisper", { input: { audio } });
console.log(output.transcription);
