// Live counters: node counters.mjs
//
// Views are added up here for a moment, and sent as one batch. No addition of another program is lost.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { Cache } from "./cachefront.mjs";

const DAY_SECS = 86_400;
const PREFIX = `recipe-${randomBytes(8).toString("hex")}:views:`;

const cache = await Cache.open();

/** Adds views to the counters of their pages, and returns the new numbers. A new counter lives for a day. */
async function add(views) {
  const replies = await cache.run(
    Object.entries(views).map(([page, by]) => ({ command: "INCREMENT", key: PREFIX + page, by, expire: DAY_SECS })),
  );
  return replies.map((reply) => reply.value);
}

/** Returns the number of each page; READ has it as a string. */
async function read(pages) {
  const replies = await cache.run(pages.map((page) => ({ command: "READ", key: PREFIX + page })), "NOT_FOUND");
  return replies.map((reply) => Number(reply.value ?? 0));
}

const views = {};
for (const page of ["home", "prices", "home", "home", "prices"]) {
  views[page] = (views[page] ?? 0) + 1;
}
assert.deepEqual(await add(views), [3, 2]);
console.log("counted: 5 views of 2 pages in one request");

assert.deepEqual(await add({ home: 1 }), [4]);
const [home, prices, about] = await read(["home", "prices", "about"]);
console.log(`read: home ${home}, prices ${prices}, about ${about}`);

const replies = await cache.run(Object.keys(views).map((page) => ({ command: "TTL", key: PREFIX + page })));
assert(replies.every(({ ttl }) => ttl > 0 && ttl <= DAY_SECS), JSON.stringify(replies));
console.log("each counter ends within a day");
