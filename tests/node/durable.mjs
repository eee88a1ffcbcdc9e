// The official client of Durable Streams: reads a generation in each live mode, then writes a stream and reads that.
import { DurableStream, IdempotentProducer, stream } from "@durable-streams/client";

const [generation, remote] = process.argv.slice(2);
const MESSAGES = 300;

async function read(url, live) {
  const records = [];
  const answer = await stream({ url, live, offset: "-1" });
  for await (const record of answer.jsonStream()) records.push(record);
  return records;
}

const read_as = {};
for (const live of [false, "long-poll", "sse", true]) read_as[live] = await read(generation, live);

const handle = await DurableStream.create({ url: remote, contentType: "application/json" });
const following = read(remote, "sse");
const errors = [];
const options = { autoClaim: true, maxBatchBytes: 200, lingerMs: 1, onError: (error) => errors.push(String(error)) };
const producer = new IdempotentProducer(handle, "writer", options);
for (let n = 0; n < MESSAGES; n += 1) producer.append(JSON.stringify({ n }));
await producer.flush();
await producer.close();
console.log(JSON.stringify({ read: read_as, followed: await following, caught_up: await read(remote, false), errors }));
