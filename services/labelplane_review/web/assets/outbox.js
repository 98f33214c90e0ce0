// What a person has done and the server has not yet confirmed. It lies in the browser's storage, one entry a key, so that
// a closed tab, a dead server and a second tab lose nothing. Every entry has an id made here: sent twice, it counts once.

const RETRY_MS = [500, 1000, 2000, 4000, 8000];
const MOST_AT_ONCE = 100;

export class Outbox {
  // api: the address of the job's calls. name: what tells jobs and people apart in the storage.
  // told: called with ("sent", answer, entries), ("away"), ("aside", message, entry) and ("count", number).
  constructor({ api, name, told }) {
    this.api = api;
    this.prefix = `labelplane:out:${name}:`;
    this.told = told;
    this.isSending = false;
    this.failures = 0;
    this.memory = new Map(); // where storage is refused, as in some private windows
    addEventListener("online", () => this.kick());
    addEventListener("storage", (event) => { if (event.key?.startsWith(this.prefix)) this.tell(); });
  }

  add(kind, body) {
    const sequence = `${Date.now().toString().padStart(15, "0")}-${(Outbox.counter++).toString().padStart(6, "0")}`;
    this.write(`${this.prefix}${sequence}-${Math.random().toString(36).slice(2, 8)}`, JSON.stringify({ kind, body, at: Date.now() }));
    this.tell();
    this.kick();
  }

  get size() { return this.keys().length; }

  kick() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.send(), 0);
  }

  async send() {
    if (this.isSending) return;
    this.isSending = true;
    try {
      for (let batch = this.batch(); batch.length; batch = this.batch()) {
        const answer = await this.post(batch);
        for (const entry of batch) this.remove(entry.key);
        this.failures = 0;
        this.told("sent", answer, batch);
        this.tell();
      }
    } catch (error) {
      if (error.isRefused) this.setAside(error);
      else this.failures += 1;
      this.told("away", error);
      this.timer = setTimeout(() => this.send(), error.isRefused ? 0 : RETRY_MS[Math.min(this.failures, RETRY_MS.length) - 1]);
    } finally {
      this.isSending = false;
    }
  }

  // The oldest entries of one kind, in their order: votes go together, everything else alone.
  batch() {
    const batch = [];
    for (const key of this.keys()) {
      const entry = this.read(key);
      if (!entry) continue;
      if (batch.length && (entry.kind !== "votes" || batch[0].kind !== "votes" || batch.length === MOST_AT_ONCE)) break;
      batch.push({ ...entry, key });
    }
    return batch;
  }

  async post(batch) {
    const now = Date.now();
    const age = (entry) => Math.max(0, (now - entry.at) / 1000);
    const body = batch[0].kind === "votes"
      ? { votes: batch.map((entry) => ({ ...entry.body, age_seconds: age(entry) })) }
      : batch[0].body;
    this.current = batch;
    return call(`${this.api}/${batch[0].kind}`, body);
  }

  // The server will never take this one: it is kept aside, so that the others behind it are sent.
  setAside(error) {
    const [first] = this.current;
    this.write(first.key.replace("labelplane:out:", "labelplane:aside:"), JSON.stringify(first));
    this.remove(first.key);
    this.told("aside", error.message, first);
    this.tell();
  }

  tell() { this.told("count", this.size); }

  keys() {
    const keys = [...this.memory.keys()];
    try {
      for (let i = 0; i < localStorage.length; i += 1) keys.push(localStorage.key(i));
    } catch { /* refused */ }
    return keys.filter((key) => key.startsWith(this.prefix)).sort();
  }

  read(key) {
    try {
      return JSON.parse(this.memory.get(key) ?? localStorage.getItem(key));
    } catch {
      return null;
    }
  }

  write(key, text) {
    try {
      localStorage.setItem(key, text);
    } catch {
      this.memory.set(key, text);
    }
  }

  remove(key) {
    this.memory.delete(key);
    try { localStorage.removeItem(key); } catch { /* refused */ }
  }
}
Outbox.counter = 0;

// One call. An error that goes by itself (no connection, server away) is not marked; one that will not is `isRefused`.
export async function call(url, body) {
  const response = await fetch(url, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout?.(20000),
  });
  const answer = await response.json().catch(() => ({}));
  if (response.ok) return answer;
  const error = new Error(answer.error?.message ?? `the server answered ${response.status}`);
  error.reason = answer.error?.reason ?? "";
  error.isRefused = [400, 404, 409, 413].includes(response.status);
  error.status = response.status;
  throw error;
}
