// A small client for the recipes. It logs in once, and again when its token has expired. `fetch` keeps connections open.

import { readFileSync } from "node:fs";
import tls from "node:tls";

const { CACHEFRONT_URL, CACHEFRONT_API_KEY, CACHEFRONT_CA } = process.env;
const TIMEOUT_MS = 10_000;

// Node before 22.19 lacks this function: there, set NODE_EXTRA_CA_CERTS to the file before Node starts.
if (CACHEFRONT_CA && tls.setDefaultCACertificates) {
  tls.setDefaultCACertificates([...tls.getCACertificates(), readFileSync(CACHEFRONT_CA, "utf8")]);
}

export class Cache {
  #token;

  /** Logs in and returns a client. */
  static async open() {
    const cache = new Cache();
    await cache.#logIn();
    return cache;
  }

  /** Sends a command, or an array of them as a batch. Throws if a status is neither SUCCESS nor one of `also`. */
  async run(command, ...also) {
    let answer = await this.#post("/cache", command);
    if (answer.status === 401) {
      // The command did not run, because the token has expired.
      await answer.body.cancel();
      await this.#logIn();
      answer = await this.#post("/cache", command);
    }
    const reply = await answer.json();
    for (const each of [reply].flat()) {
      if (!["SUCCESS", ...also].includes(each.status)) {
        throw new Error(`unexpected reply: ${JSON.stringify(each)}`);
      }
    }
    return reply;
  }

  async #logIn() {
    this.#token = undefined;
    const answer = await this.#post("/login", { api_key: CACHEFRONT_API_KEY });
    if (!answer.ok) {
      throw new Error(`the login failed: ${await answer.text()}`);
    }
    this.#token = (await answer.json()).access_token;
  }

  #post(path, body) {
    const headers = { "Content-Type": "application/json" };
    if (this.#token) {
      headers.Authorization = `Bearer ${this.#token}`;
    }
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    return fetch(new URL(path, CACHEFRONT_URL), { method: "POST", headers, body: JSON.stringify(body), signal });
  }
}
