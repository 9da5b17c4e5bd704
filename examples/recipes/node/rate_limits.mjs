// Rate limits, smooth (GCRA) and by fixed windows: node rate_limits.mjs [NAME]
//
// All programs that use the same name share its limits. Without a name, a random one is made.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { Cache } from "./cachefront.mjs";

const LIMIT = 5;
const WINDOW_SECS = 3600;
const TRIES = 8;

const cache = await Cache.open();
const name = process.argv[2] ?? `recipe-${randomBytes(8).toString("hex")}`;

/** Takes one use. Returns 0 if it is allowed, or else the seconds to wait, as for `Retry-After`. */
async function take(key, limit = LIMIT, per = WINDOW_SECS) {
  const reply = await cache.run({ command: "RATE_LIMIT", key, limit, per });
  return reply.allowed ? 0 : reply.retry_after_ms / 1000;
}

/** Takes one use of a window that starts with its first use. Returns 0, or the seconds until the window ends. */
async function takeInWindow(key) {
  const reply = await cache.run({ command: "INCREMENT", key, max: LIMIT, expire: WINDOW_SECS }, "LIMITED");
  return reply.status === "SUCCESS" ? 0 : reply.ttl || 1;
}

/** Waits until a use is allowed, for programs that call others and should not be refused. */
async function waitForTurn(key, limit, per) {
  for (let wait; (wait = await take(key, limit, per)) > 0; ) {
    await sleep(wait * 1000);
  }
}

/** Tries TRIES times, and returns how many uses were allowed. */
async function tried(takeOne, longest) {
  let allowed = 0;
  for (let count = 0; count < TRIES; count++) {
    const wait = await takeOne();
    assert(wait <= longest, `${wait}`);
    allowed += wait === 0;
  }
  return allowed;
}

const smooth = await tried(() => take(`${name}:gcra`), WINDOW_SECS / LIMIT);
console.log(`GCRA: ${smooth} of ${TRIES} uses allowed`);
const inWindow = await tried(() => takeInWindow(`${name}:window`), WINDOW_SECS);
console.log(`fixed window: ${inWindow} of ${TRIES} uses allowed`);

const start = performance.now();
for (let turn = 0; turn < 3; turn++) {
  await waitForTurn(`${name}:turns`, 2, 1);
}
assert(performance.now() - start >= 500);
console.log("GCRA: the third of two uses per second came half a second later");
