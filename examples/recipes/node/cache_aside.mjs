// Values of a database, kept for a while: node cache_aside.mjs
//
// All keys are read in one request, and what is missing is loaded and written in another one. Lifetimes differ by a tenth, so
// that values that were written together do not expire together.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { Cache } from "./cachefront.mjs";

const LIFETIME_SECS = 300;
const PREFIX = `recipe-${randomBytes(8).toString("hex")}:product:`;

// Stands for a database.
const database = new Map([
  [1, { name: "pen", price: 2 }],
  [2, { name: "ink", price: 5 }],
  [3, { name: "nib", price: 1 }],
]);

const cache = await Cache.open();

/** Returns the products with these ids, and the ids of those that had to be loaded. */
async function products(ids) {
  const replies = await cache.run(ids.map((id) => ({ command: "READ", key: PREFIX + id })), "NOT_FOUND");
  const loaded = ids.filter((_, at) => replies[at].status === "NOT_FOUND");
  const found = ids.map((id, at) => (replies[at].status === "SUCCESS" ? replies[at].value : database.get(id)));
  if (loaded.length > 0) {
    await cache.run(loaded.map((id) => write(id, database.get(id))));
  }
  return { found, loaded };
}

function write(id, product) {
  const jittered = Math.round(LIFETIME_SECS * (0.9 + 0.2 * Math.random()));
  return { command: "WRITE", key: PREFIX + id, value: product, expire: jittered };
}

/** Changes the database first, and then deletes the old value from the cache. */
async function changePrice(id, price) {
  database.set(id, { ...database.get(id), price });
  await cache.run({ command: "DELETE", key: PREFIX + id }, "NOT_FOUND");
}

const first = await products([1, 2, 3]);
console.log(`first request: ${first.loaded.length} of 3 products loaded`);
const second = await products([1, 2, 3]);
console.log(`second request: ${second.loaded.length} of 3 products loaded`);

await changePrice(2, 6);
const third = await products([1, 2, 3]);
assert.deepEqual(third, { found: [...database.values()], loaded: [2] });
console.log("after a change: product 2 loaded, with its new price");
