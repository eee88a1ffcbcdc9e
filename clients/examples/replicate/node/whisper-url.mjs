// Transcribe what is at an address: `node whisper-url.mjs https://example.com/speech.wav`.
import Replicate from "replicate";

const replicate = new Replicate({ baseUrl: process.env.REPLICATE_BASE_URL });

const output = await replicate.run("openai/whisper", { input: { audio: process.argv[2] } });
console.log(output.transcription);
