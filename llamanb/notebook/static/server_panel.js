// @ts-check
/**
 * The panel of a llamanb server: address, configurations to copy, the log of requests, Stop.
 *
 * Everything comes as numbered messages; `server_talk.py` is the other side and says which there
 * are. Texts of clients go into the page with `textContent` alone.
 *
 * @typedef {{number: number, time: number, method: string, path: string, client: string,
 *   address: string, agent: string, model: string, prompt: number, cached: number,
 *   generated: number, first_ms: number | null, total_ms: number | null,
 *   status: number | null, state: string, note: string}} Row
 * @typedef {{url: string, port: number, apis: string[], models: string[], has_key: boolean,
 *   status: string, running: number, waiting: number, requests: number,
 *   tokens_per_s: number}} Facts
 * @typedef {{v: number, k: string, seq: number, view?: string, twin: string,
 *   d: {facts: Facts, rows: Row[], snippets?: Record<string, string>}}} Message
 * @typedef {{on: (name: string, heard: (message: any) => void) => void,
 *   off: (name: string, heard: (message: any) => void) => void,
 *   send: (message: object) => void}} Model
 */

const VERSION = 1;
const MOST_ROWS = 200;
const PATIENCE_MS = 1500;
const SHOWN_MS = 1500;
const TWIN = /^llamanb-twin-[0-9a-f]+$/;
const TITLES = {
  curl: "curl", openai: "OpenAI SDK", anthropic: "Anthropic SDK", opencode: "OpenCode",
  "claude-code": "Claude Code", codex: "Codex", chatlas: "chatlas", langchain: "LangChain",
};
// JupyterLab takes keys for its own ("x" cuts the cell) unless the focused element says no.
const OWN_KEYS = { "data-lm-suppress-shortcuts": "true" };
const HINTS = {
  Prompt: "tokens of the prompt", Cached: "of these, tokens that were in memory already",
  Output: "tokens of the answer", "First ms": "from the request to the first token",
  "Total ms": "from the request to the end",
};
const BUSY = "The kernel does not answer: a cell is running, or it was restarted.";
const STOP_WAITS = "The kernel is busy: the server stops when the running cell ends.";

/** @type {[string, boolean, (row: Row) => string][]} title, whether it is a number, its text */
const COLUMNS = [
  ["Time", false, (row) => new Date(row.time * 1000).toLocaleTimeString([], { hour12: false })],
  ["Status", false, statusOf],
  ["Request", false, (row) => `${row.method} ${row.path}`],
  ["Client", false, (row) => row.client],
  ["Model", false, (row) => row.model],
  ["Prompt", true, (row) => count(row.prompt)],
  ["Cached", true, (row) => count(row.cached)],
  ["Output", true, (row) => count(row.generated)],
  ["First ms", true, (row) => milliseconds(row.first_ms)],
  ["Total ms", true, (row) => milliseconds(row.total_ms)],
];

const CLIENT = COLUMNS.findIndex(([title]) => title === "Client");
const STATUS = COLUMNS.findIndex(([title]) => title === "Status");

/** @param {number} number */
function count(number) {
  return number ? number.toLocaleString("en") : "";
}

/** @param {number | null} number */
function milliseconds(number) {
  return number === null ? "" : number.toLocaleString("en");
}

/** @param {number} number */
function speed(number) {
  return number.toLocaleString("en", { maximumFractionDigits: number < 100 ? 1 : 0 });
}

/** @param {Row} row */
function statusOf(row) {
  const isEnded = row.state === "done" || row.state === "error";
  return isEnded && row.status !== null ? String(row.status) : row.state;
}

/**
 * Make an element; `text` becomes its text, everything else an attribute.
 * @param {string} tag
 * @param {Record<string, string>} [attributes]
 * @param {...(Node)} children
 */
function make(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "text") made.textContent = value;
    else made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

/**
 * Put a text on the clipboard; without permission (http, an old browser) by selecting it.
 * @param {string} text
 * @param {Element} near where the helping text field may stand
 */
async function copy(text, near) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const field = document.createElement("textarea");
    field.value = text;
    field.style.position = "fixed";
    near.append(field);
    field.select();
    const isCopied = document.execCommand("copy");
    field.remove();
    return isCopied;
  }
}

/** One view of the panel: drawn, filled by messages, closed. */
class Panel {
  /** @param {Model} model */
  constructor(model) {
    this.model = model;
    this.view = Math.random().toString(36).slice(2);
    this.sequence = -1;
    this.url = "";
    /** @type {Map<number, HTMLElement>} */
    this.rows = new Map();
    /** @type {Set<number>} */
    this.timers = new Set();
    /** @type {Record<string, string>} */
    this.snippets = {};
    this.chosen = "";
    this.isStopAsked = false;
    this.isAnswered = false;
    this.hiding = document.createElement("style");
    this.state = make("span", { class: "llamanb-state" });
    this.address = make("code", { class: "llamanb-url" });
    this.copyAddress = this.button("Copy", "Copy the address", () => this.copied(this.url));
    this.note = make("div", { class: "llamanb-note", role: "status" });
    this.stop = this.button("Stop", "Stop the server", () => this.askToStop());
    this.summary = make("div", { class: "llamanb-summary" });
    this.tabs = make("div", { class: "llamanb-tabs", role: "tablist", "aria-label": "Clients" });
    this.snippet = make("pre", { class: "llamanb-snippet", role: "tabpanel", tabindex: "0",
      ...OWN_KEYS });
    this.copySnippet = this.button("Copy", "Copy the configuration", () =>
      this.copied(this.snippets[this.chosen] ?? ""),
    );
    this.connect = make("details", { class: "llamanb-connect", open: "" });
    this.body = make("tbody");
    this.empty = make("div", { class: "llamanb-empty", text: "No requests yet." });
    this.root = make("section", { class: "llamanb-server", "aria-label": "Server" });
    this.assemble();
    this.heard = (/** @type {Message} */ message) => this.hear(message);
    this.lost = () => this.hello();
    model.on("msg:custom", this.heard);
    model.on("comm_live_update", this.lost);
    this.hello();
  }

  assemble() {
    const dot = make("span", { class: "llamanb-dot", "aria-hidden": "true" });
    const head = make("div", { class: "llamanb-head" }, dot, this.state, this.address,
      this.copyAddress, this.note, this.stop);
    const code = make("div", { class: "llamanb-code" }, this.snippet, this.copySnippet);
    this.stop.classList.add("llamanb-stop");
    this.tabs.addEventListener("keydown", (event) => this.moveTab(event));
    this.connect.append(make("summary", { text: "Connect a client", ...OWN_KEYS }), this.tabs, code);
    this.root.append(this.hiding, head, this.summary, this.connect, this.log());
    this.root.hidden = true; // until the kernel answers, the saved table says more
    this.enable(false);
  }

  /** Draw the table of requests, which is empty. */
  log() {
    const heads = COLUMNS.map(([title, isNumber]) => make("th", {
      scope: "col", text: title, title: HINTS[/** @type {keyof HINTS} */ (title)] ?? "",
      ...(isNumber ? { class: "llamanb-number" } : {}),
    }));
    const table = make("table", {}, make("thead", {}, make("tr", {}, ...heads)), this.body);
    return make("div", {
      class: "llamanb-log", role: "region", tabindex: "0", "aria-label": "Requests, newest first",
      ...OWN_KEYS,
    }, table, this.empty);
  }

  /**
   * @param {string} text
   * @param {string} name
   * @param {() => void} pressed
   */
  button(text, name, pressed) {
    const made = make("button", { type: "button", text, "aria-label": name, title: name, ...OWN_KEYS });
    made.addEventListener("click", pressed);
    return /** @type {HTMLButtonElement} */ (made);
  }

  /** @param {object} message */
  send(message) {
    try {
      this.model.send({ v: VERSION, ...message });
    } catch {
      this.say(BUSY); // the channel to the kernel is closed
    }
  }

  /** Ask for everything; a busy kernel answers later. */
  hello() {
    this.send({ k: "hello", view: this.view });
    const asked = this.sequence;
    this.isAnswered = false;
    this.later(PATIENCE_MS, () => {
      if (this.isAnswered || this.sequence !== asked) return;
      this.say(BUSY);
      this.enable(false);
    });
  }

  /** @param {Message} message */
  hear(message) {
    if (message.v !== VERSION) return;
    if (message.k === "state" && message.view === this.view) this.restart(message);
    else if (message.k === "rows" && message.seq === this.sequence + 1) this.update(message);
    else if (message.k === "rows" && message.seq > this.sequence + 1 && this.isAnswered) {
      this.hello(); // a message was lost
    }
  }

  /** @param {Message} message */
  restart(message) {
    this.isAnswered = true;
    this.root.hidden = false;
    this.rows.clear();
    this.body.replaceChildren();
    this.say("");
    this.enable(true);
    if (TWIN.test(message.twin)) {
      this.hiding.textContent =
        `.${message.twin}, .jp-OutputArea-child:has(.${message.twin}) { display: none; }`;
    }
    this.offer(message.d.snippets ?? {});
    this.update({ ...message, d: { ...message.d, rows: [...message.d.rows].reverse() } });
  }

  /** @param {Message} message its rows are the oldest first */
  update(message) {
    this.sequence = message.seq;
    this.show(message.d.facts);
    for (const row of message.d.rows) this.put(row);
    this.empty.hidden = this.rows.size > 0;
  }

  /** @param {Facts} facts */
  show(facts) {
    this.url = facts.url;
    this.address.textContent = facts.url;
    this.state.textContent = facts.status;
    this.root.dataset.status = facts.status;
    this.root.setAttribute("aria-label", `Server on port ${facts.port}`);
    this.stop.setAttribute("aria-label", `Stop the server on port ${facts.port}`);
    this.stop.disabled = facts.status !== "running" || this.isStopAsked;
    this.connect.hidden = this.tabs.childElementCount === 0 || facts.status !== "running";
    if (facts.status === "stopped" && this.isStopAsked) this.say("Stopped.");
    this.isStopAsked &&= facts.status !== "stopped";
    const parts = [
      facts.models.join(", "), facts.apis.join(" and "), facts.has_key ? "asks for a key" : "no key",
      `${facts.running} running`, `${facts.waiting} waiting`,
      `${facts.requests.toLocaleString("en")} ${facts.requests === 1 ? "request" : "requests"}`,
      facts.tokens_per_s ? `${speed(facts.tokens_per_s)} tokens/s` : "",
    ];
    const shown = parts.filter(Boolean).map((text) => make("span", { text }));
    this.summary.replaceChildren(...shown);
  }

  /**
   * Show a request: a new row at its place, the newest on top, or the old one anew.
   * @param {Row} row
   */
  put(row) {
    const cells = COLUMNS.map(([, isNumber, text]) =>
      make("td", { text: text(row), ...(isNumber ? { class: "llamanb-number" } : {}) }));
    cells[CLIENT].title = [row.agent, row.address].filter(Boolean).join(" at ");
    cells[STATUS].title = row.note;
    cells[STATUS].classList.add("llamanb-status");
    const drawn = make("tr", { "data-state": row.state }, ...cells);
    const known = this.rows.get(row.number);
    const newest = Math.max(0, ...this.rows.keys());
    if (known) known.replaceWith(drawn);
    else if (row.number > newest) this.body.prepend(drawn);
    else return; // one of those that were dropped
    this.rows.set(row.number, drawn);
    if (this.rows.size > MOST_ROWS) this.dropOldest();
  }

  dropOldest() {
    const oldest = Math.min(...this.rows.keys());
    this.rows.get(oldest)?.remove();
    this.rows.delete(oldest);
  }

  /** @param {Record<string, string>} snippets */
  offer(snippets) {
    this.snippets = snippets;
    const names = Object.keys(snippets);
    this.tabs.replaceChildren(...names.map((name) => {
      const title = Object.hasOwn(TITLES, name) ? TITLES[/** @type {keyof TITLES} */ (name)] : name;
      const tab = this.button(title, title, () => this.choose(name));
      tab.setAttribute("role", "tab");
      tab.dataset.name = name;
      return tab;
    }));
    this.choose(names.includes(this.chosen) ? this.chosen : (names[0] ?? ""));
  }

  /** @param {string} name */
  choose(name) {
    this.chosen = name;
    this.snippet.textContent = this.snippets[name] ?? "";
    this.snippet.setAttribute("aria-label", name);
    for (const tab of /** @type {HTMLElement[]} */ ([...this.tabs.children])) {
      const isChosen = tab.dataset.name === name;
      tab.setAttribute("aria-selected", String(isChosen));
      tab.tabIndex = isChosen ? 0 : -1;
    }
  }

  /** @param {KeyboardEvent} event */
  moveTab(event) {
    const tabs = /** @type {HTMLElement[]} */ ([...this.tabs.children]);
    const steps = { ArrowRight: 1, ArrowLeft: -1, Home: -tabs.length, End: tabs.length };
    if (!Object.hasOwn(steps, event.key)) return;
    const step = steps[/** @type {keyof steps} */ (event.key)];
    const at = tabs.findIndex((tab) => tab.dataset.name === this.chosen);
    const isOneStep = Math.abs(step) === 1;
    const to = isOneStep ? (at + step + tabs.length) % tabs.length : step < 0 ? 0 : tabs.length - 1;
    event.preventDefault();
    tabs[to].focus();
    this.choose(tabs[to].dataset.name ?? "");
  }

  /** @param {string} text */
  async copied(text) {
    const isCopied = await copy(text, this.root);
    this.say(isCopied ? "Copied." : "The browser does not allow it: select the text to copy it.");
    if (isCopied) this.later(SHOWN_MS, () => this.note.textContent === "Copied." && this.say(""));
  }

  askToStop() {
    this.isStopAsked = true;
    this.stop.disabled = true;
    this.say("Stopping…");
    this.send({ k: "stop" });
    this.later(PATIENCE_MS, () => {
      if (this.root.dataset.status === "running") this.say(STOP_WAITS);
    });
  }

  /** @param {boolean} isOn */
  enable(isOn) {
    for (const one of [this.stop, this.copyAddress, this.copySnippet]) one.disabled = !isOn;
  }

  /** @param {string} text */
  say(text) {
    this.note.textContent = text;
  }

  /**
   * @param {number} wait in milliseconds
   * @param {() => void} then
   */
  later(wait, then) {
    const timer = window.setTimeout(() => {
      this.timers.delete(timer);
      then();
    }, wait);
    this.timers.add(timer);
  }

  close() {
    this.model.off("msg:custom", this.heard);
    this.model.off("comm_live_update", this.lost);
    for (const timer of this.timers) window.clearTimeout(timer);
    this.send({ k: "bye", view: this.view });
    this.root.remove();
  }
}

/** @param {{model: Model, el: HTMLElement}} place */
function render({ model, el }) {
  const panel = new Panel(model);
  el.append(panel.root);
  return () => panel.close();
}

export default { render };
