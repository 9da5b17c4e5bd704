// A claim that one worker gets: node claims.mjs
//
// The claim ends by itself, so that a worker that died does not keep its job. It is no fencing: a worker that was stopped for
// longer than CLAIM_SECS does not notice that another one has the job.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { Cache } from "./cachefront.mjs";

const CLAIM_SECS = 60;
const PREFIX = `recipe-${randomBytes(8).toString("hex")}:claim:`;

const cache = await Cache.open();

/** Returns the time until which the worker has the job, or undefined if another one has it. */
async function claim(job, worker) {
  const start = performance.now();
  const reply = await cache.run(
    { command: "WRITE", key: PREFIX + job, value: worker, if_absent: true, expire: CLAIM_SECS },
    "CONFLICT",
  );
  return reply.status === "SUCCESS" ? start + CLAIM_SECS * 1000 : undefined;
}

/** Ends a claim early. In its last half it is left to expire, because the DELETE could meet the claim of another worker. */
async function giveBack(job, until) {
  if (performance.now() < until - CLAIM_SECS * 500) {
    await cache.run({ command: "DELETE", key: PREFIX + job }, "NOT_FOUND");
  }
}

const until = await claim("report", "worker 1");
assert(until);
console.log("worker 1 has the job");

assert.equal(await claim("report", "worker 2"), undefined);
console.log("worker 2 does not get it");

await giveBack("report", until);
assert(await claim("report", "worker 2"));
console.log("worker 1 gave it back, and worker 2 has it");
