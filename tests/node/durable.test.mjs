// The public conformance suite for servers that speak Durable Streams, against the server in DURABLE_URL.
import { runConformanceTests } from "@durable-streams/server-conformance-tests";

runConformanceTests({ baseUrl: process.env.DURABLE_URL });
