// Sessions with sliding expiry: node sessions.mjs
//
// A session is one key with a JSON object. Each request prolongs it. Without requests it expires.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { Cache } from "./cachefront.mjs";

const SESSION_SECS = 1800;
const PREFIX = `recipe-${randomBytes(8).toString("hex")}:session:`;

const cache = await Cache.open();

/** Starts a session and returns its id, which is what the cookie holds. */
async function logIn(user) {
  const id = randomBytes(32).toString("base64url");
  await cache.run({ command: "WRITE", key: PREFIX + id, value: user, expire: SESSION_SECS });
  return id;
}

/** Returns the user of a session and prolongs it, or returns undefined if there is no such session. */
async function userOf(id) {
  const reply = await cache.run({ command: "READ", key: PREFIX + id, touch: SESSION_SECS }, "NOT_FOUND");
  return reply.value;
}

async function logOut(id) {
  await cache.run({ command: "DELETE", key: PREFIX + id }, "NOT_FOUND");
}

const id = await logIn({ name: "ada", roles: ["admin"] });
console.log("login: ada has a session");

// Nearly all of the session's time is over, and then a request comes.
await cache.run({ command: "TOUCH", key: PREFIX + id, expire: 60 });
assert.deepEqual(await userOf(id), { name: "ada", roles: ["admin"] });
const { ttl } = await cache.run({ command: "TTL", key: PREFIX + id });
assert(SESSION_SECS - 30 < ttl && ttl <= SESSION_SECS, `${ttl}`);
console.log("request: ada is logged in, and the session has all of its time again");

await logOut(id);
assert.equal(await userOf(id), undefined);
console.log("logout: the session is gone");
