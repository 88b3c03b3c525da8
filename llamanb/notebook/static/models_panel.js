// @ts-check
/**
 * The panel of models: what each does, its memory and context, Unload and Pin; what else runs.
 *
 * Everything comes as numbered messages; `models_talk.py` is the other side and says which there
 * are. Names go into the page with `textContent` alone.
 *
 * @typedef {{key: string, name: string, is_toy: boolean, is_default: boolean, file: string,
 *   path: string, quantization: string, state: string, memory: string, n_ctx: number,
 *   used: number[], tokens_per_s: number, running: number, waiting: number,
 *   is_pinned: boolean, ttl: string}} Row
 * @typedef {{title: string, texts: string[], more: number}} Others
 * @typedef {{models: Row[], others: Others[]}} Facts
 * @typedef {{text: string, is_error: boolean}} Notice
 * @typedef {{v: number, k: string, seq: number, view?: string, twins: string[], d: any}} Message
 * @typedef {{on: (name: string, heard: (message: any) => void) => void,
 *   off: (name: string, heard: (message: any) => void) => void,
 *   send: (message: object) => void}} Model
 */

const VERSION = 1;
const PATIENCE_MS = 1500;
const SHOWN_MS = 4000;
const SURE_MS = 3000;
const NEARLY_FULL = 0.9;
const TWIN = /^llamanb-twin-[0-9a-f]+$/;
// JupyterLab takes keys for its own ("x" cuts the cell) unless the focused element says no.
const OWN_KEYS = { "data-lm-suppress-shortcuts": "true" };
const BUSY = "The kernel does not answer: a cell is running, or it was restarted.";
const WAITS = "The kernel is busy: it will be done when the running cell ends.";
const STATES = {
  loading: "being loaded", idle: "in memory, nothing to do", busy: "answering",
  evicted: "out of memory; the next use loads it again", closed: "unloaded",
};

/** @type {[string, boolean, string][]} title, whether it is a number, what it means */
const COLUMNS = [
  ["Model", false, "name, file and numbers of the weights; * answers where none is named"],
  ["State", false, "what it does at this moment"],
  ["Memory", true, "weights, cache and buffers"],
  ["Context", true, "tokens in memory of the fullest sequence, of those it can hold"],
  ["Tokens/s", true, "mean of the last seconds of work"],
  ["Running", true, "requests being answered"],
  ["Waiting", true, "requests in the queue"],
  ["Kept", false, "how long it stays in memory without a request"],
  ["Actions", false, ""],
];

/** @param {number} number */
function count(number) {
  return number.toLocaleString("en");
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
 * Give an element this text, without touching the page where it has it already.
 * @param {HTMLElement} element
 * @param {string} text
 */
function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/**
 * Give an element this attribute, without touching the page where it has it already.
 * @param {HTMLElement} element
 * @param {string} name
 * @param {string} value
 */
function mark(element, name, value) {
  if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}

/**
 * @param {string} text
 * @param {() => void} pressed
 */
function button(text, pressed) {
  const made = make("button", { type: "button", text, ...OWN_KEYS });
  made.addEventListener("click", (event) => {
    if (event.detail < 2) pressed(); // the second press of a double click is none of its own
  });
  return /** @type {HTMLButtonElement} */ (made);
}

/** One model: a row that is drawn once, so that a button keeps its focus. */
class ModelLine {
  /**
   * @param {Row} row
   * @param {Panel} panel
   */
  constructor(row, panel) {
    this.row = row;
    this.panel = panel;
    this.isAsked = false; // Unload was pressed once
    this.timer = 0;
    this.name = make("span", { class: "llamanb-name" });
    this.file = make("span", { class: "llamanb-file" });
    this.state = make("span");
    this.fill = make("span", { class: "llamanb-fill" });
    this.meter = make("span", { class: "llamanb-meter", role: "meter", "aria-valuemin": "0" },
      this.fill);
    this.context = make("span");
    this.unload = button("Unload", () => this.askToUnload());
    this.pin = button("Pin", () => this.askToPin());
    const contents = [
      [this.name, this.file], [this.state], [], [this.context, this.meter], [], [], [], [],
      [this.unload, this.pin],
    ];
    this.cells = contents.map((parts, index) => make(index ? "td" : "th", {
      ...(index ? {} : { scope: "row" }),
      ...(COLUMNS[index][1] ? { class: "llamanb-number" } : {}),
    }, ...parts));
    this.root = make("tr", {}, ...this.cells);
    this.show(row);
  }

  /** @param {Row} row */
  show(row) {
    this.row = row;
    const state = Object.hasOwn(STATES, row.state)
      ? STATES[/** @type {keyof STATES} */ (row.state)] : "";
    mark(this.root, "data-state", row.state);
    write(this.name, `${row.name}${row.is_toy ? " (toy)" : ""}${row.is_default ? " *" : ""}`);
    write(this.file, [row.file, row.quantization].filter(Boolean).join(" · "));
    mark(this.file, "title", row.path);
    write(this.state, row.state);
    mark(this.state, "title", state);
    write(this.cells[2], row.memory || "–");
    this.showContext(row);
    const speed = row.tokens_per_s.toLocaleString("en", { maximumFractionDigits: 1 });
    write(this.cells[4], row.tokens_per_s ? speed : "–");
    write(this.cells[5], count(row.running));
    write(this.cells[6], count(row.waiting));
    write(this.cells[7], row.is_pinned ? "pinned" : row.ttl || "–");
    this.showButtons();
  }

  /** @param {Row} row */
  showContext(row) {
    const used = Math.max(0, ...row.used);
    this.meter.hidden = row.n_ctx === 0;
    write(this.context, row.n_ctx ? `${count(used)} / ${count(row.n_ctx)}` : "–");
    if (!row.n_ctx) return;
    const share = Math.min(1, used / row.n_ctx);
    this.fill.style.width = `${(100 * share).toFixed(1)}%`;
    mark(this.meter, "data-full", String(share >= NEARLY_FULL));
    mark(this.meter, "aria-label", `Context of ${row.name}`);
    mark(this.meter, "aria-valuenow", String(used));
    mark(this.meter, "aria-valuemax", String(row.n_ctx));
    mark(this.meter, "aria-valuetext", `${count(used)} of ${count(row.n_ctx)} tokens`);
    mark(this.meter, "title", `tokens of each sequence: ${row.used.map(count).join(", ")}`);
  }

  showButtons() {
    const { name, is_pinned: isPinned } = this.row;
    write(this.unload, this.isAsked ? "Really?" : "Unload");
    mark(this.unload, "aria-label",
      this.isAsked ? `Press again to unload ${name}` : `Unload ${name}`);
    mark(this.unload, "data-asked", String(this.isAsked));
    write(this.pin, isPinned ? "Unpin" : "Pin");
    mark(this.pin, "aria-label", `${isPinned ? "Unpin" : "Pin"} ${name}`);
    mark(this.pin, "title", isPinned ? "Let it be evicted when it is idle" : "Never evict it");
  }

  askToUnload() {
    window.clearTimeout(this.timer);
    if (this.isAsked) {
      this.panel.ask("unload", this.row.key);
    } else {
      this.panel.say(`Press again within 3 seconds to unload ${this.row.name}.`);
      this.timer = window.setTimeout(() => this.calm(), SURE_MS);
    }
    this.isAsked = !this.isAsked;
    this.showButtons();
  }

  /** Forget that Unload was pressed. */
  calm() {
    this.isAsked = false;
    this.showButtons();
    this.panel.say("");
  }

  askToPin() {
    this.panel.ask(this.row.is_pinned ? "unpin" : "pin", this.row.key);
  }

  close() {
    window.clearTimeout(this.timer);
    this.root.remove();
  }
}

/** One view of the panel: drawn, filled by messages, closed. */
class Panel {
  /** @param {Model} model */
  constructor(model) {
    this.model = model;
    this.view = Math.random().toString(36).slice(2);
    this.sequence = -1;
    this.isAnswered = false;
    /** @type {Map<string, ModelLine>} */
    this.lines = new Map();
    /** @type {Set<number>} */
    this.timers = new Set();
    this.hiding = document.createElement("style");
    this.body = make("tbody");
    this.table = make("table", {}, make("thead", {}, this.heads()), this.body);
    this.empty = make("div", { class: "llamanb-empty" },
      document.createTextNode("No models: "), make("code", { text: "%llama load demo" }),
      document.createTextNode(" loads one."));
    this.note = make("div", { class: "llamanb-note", role: "status" });
    this.others = make("dl", { class: "llamanb-others" });
    this.scroll = make("div", {
      class: "llamanb-scroll", role: "region", tabindex: "0", "aria-label": "Models", ...OWN_KEYS,
    }, this.table);
    this.root = make("section", { class: "llamanb-models", "aria-label": "Models of this kernel" },
      this.hiding, this.scroll, this.empty, this.note, this.others);
    this.root.hidden = true; // until the kernel answers, the saved table says more
    this.heard = (/** @type {Message} */ message) => this.hear(message);
    this.lost = () => this.hello();
    model.on("msg:custom", this.heard);
    model.on("comm_live_update", this.lost);
    this.hello();
  }

  heads() {
    return make("tr", {}, ...COLUMNS.map(([text, isNumber, title]) => make("th", {
      scope: "col", text, title, ...(isNumber ? { class: "llamanb-number" } : {}),
    })));
  }

  /** @param {object} message */
  send(message) {
    try {
      this.model.send({ v: VERSION, view: this.view, ...message });
    } catch {
      this.say(BUSY, true); // the channel to the kernel is closed
    }
  }

  /** Ask for everything; a busy kernel answers later. */
  hello() {
    this.isAnswered = false;
    this.send({ k: "hello" });
    const asked = this.sequence;
    this.later(PATIENCE_MS, () => {
      if (!this.isAnswered && this.sequence === asked) this.say(BUSY, true);
    });
  }

  /**
   * Let the kernel do something with a model.
   * @param {"unload" | "pin" | "unpin"} kind
   * @param {string} name
   */
  ask(kind, name) {
    this.say("…");
    this.send({ k: kind, name });
    this.later(PATIENCE_MS, () => {
      if (this.note.textContent === "…") this.say(WAITS);
    });
  }

  /** @param {Message} message */
  hear(message) {
    if (message.v !== VERSION) return;
    const isMine = message.view === this.view;
    if (message.k === "state" && isMine) this.restart(message);
    else if (message.k === "notice" && isMine) this.notice(message.d);
    else if (message.k === "figures" && message.seq === this.sequence + 1) this.update(message);
    else if (message.k === "figures" && message.seq > this.sequence + 1 && this.isAnswered) {
      this.hello(); // a message was lost
    }
  }

  /** @param {Message} message */
  restart(message) {
    this.isAnswered = true;
    this.root.hidden = false;
    this.say("");
    const names = message.twins.filter((name) => TWIN.test(name));
    this.hiding.textContent = names.map((name) =>
      `.${name}, .jp-OutputArea-child:has(.${name}) { display: none; }`).join("\n");
    this.update(message);
  }

  /** @param {Message} message */
  update(message) {
    this.sequence = message.seq;
    /** @type {Facts} */
    const { models, others } = message.d;
    const keys = new Set(models.map((row) => row.key));
    for (const [key, line] of this.lines) {
      if (keys.has(key)) continue;
      line.close();
      this.lines.delete(key);
    }
    models.forEach((row, index) => this.put(row, index));
    this.scroll.hidden = models.length === 0;
    this.empty.hidden = models.length > 0;
    this.showOthers(others);
  }

  /**
   * @param {Row} row
   * @param {number} index where it stands
   */
  put(row, index) {
    const known = this.lines.get(row.key);
    const line = known ?? new ModelLine(row, this);
    this.lines.set(row.key, line);
    if (known) known.show(row);
    const there = this.body.children[index] ?? null;
    if (there !== line.root) this.body.insertBefore(line.root, there);
  }

  /** @param {Others[]} others */
  showOthers(others) {
    const shown = others.map(({ title, texts, more }) => make("div", {},
      make("dt", { text: title }),
      ...texts.map((text) => make("dd", { text })),
      ...(more ? [make("dd", { text: `and ${count(more)} more` })] : [])));
    this.others.replaceChildren(...shown);
    this.others.hidden = others.length === 0;
  }

  /** @param {Notice} said */
  notice(said) {
    this.say(said.text, said.is_error);
    if (said.is_error) return;
    this.later(SHOWN_MS, () => this.note.textContent === said.text && this.say(""));
  }

  /**
   * @param {string} text
   * @param {boolean} [isError]
   */
  say(text, isError = false) {
    write(this.note, text);
    mark(this.note, "data-error", String(isError));
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
    for (const line of this.lines.values()) line.close();
    this.send({ k: "bye" });
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
