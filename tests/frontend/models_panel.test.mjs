/** The page's side of the panel of models, without a browser and without a kernel. */

import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";

import { WidgetModel, draw, load, newPage } from "./dom.mjs";

const { default: widget } = await load("models_panel");

const TWIN = "llamanb-twin-0123456789abcdef";
const EVIL = "<img src=x onerror=alert(1)>";

let model, panel, clock;

function row(key, more = {}) {
  return {
    key, name: key, is_toy: false, is_default: false, file: `${key}.gguf`, path: `/m/${key}.gguf`,
    quantization: "Q8_0", state: "idle", memory: "1.5 MiB", n_ctx: 1000, used: [10, 250],
    tokens_per_s: 0, running: 0, waiting: 0, is_pinned: false, ttl: "", ...more,
  };
}

function sayState(seq, models, others = []) {
  model.say({ v: 1, k: "state", seq, view: viewName(), twins: [TWIN], d: { models, others } });
}

function sayFigures(seq, models, others = []) {
  model.say({ v: 1, k: "figures", seq, twins: [TWIN], d: { models, others } });
}

function viewName() {
  return model.sentOf("hello")[0].view;
}

function names() {
  return [...panel.el.querySelectorAll(".llamanb-name")].map((one) => one.textContent);
}

function buttons() {
  return [...panel.el.querySelectorAll("button")];
}

function note() {
  return panel.el.querySelector("[role=status]").textContent;
}

/** Hold the page's timers back: `clock.pass()` lets those that are due happen. */
class Clock {
  constructor() {
    this.waiting = new Map();
    window.setTimeout = (then, wait) => {
      const timer = this.waiting.size + 1;
      this.waiting.set(timer, { then, wait });
      return timer;
    };
    window.clearTimeout = (timer) => this.waiting.set(timer, { then() {}, wait: Infinity });
  }

  pass(wait) {
    for (const one of this.waiting.values()) {
      if (one.wait > wait) continue;
      one.wait = Infinity;
      one.then();
    }
  }
}

beforeEach(async () => {
  newPage();
  clock = new Clock();
  model = new WidgetModel();
  panel = await draw(widget, model);
});

afterEach(() => panel.close());

test("rows follow the models: new, changed, gone, in their order", () => {
  sayState(0, [row("a"), row("b")]);
  const [first] = panel.el.querySelectorAll("tbody tr");
  sayFigures(1, [row("c"), row("a", { is_default: true, is_toy: true })]);
  assert.deepEqual(names(), ["c", "a (toy) *"]);
  assert.equal(panel.el.querySelectorAll("tbody tr")[1], first);
  sayFigures(2, []);
  assert.ok(!panel.el.querySelector(".llamanb-empty").hidden);
});

test("a button keeps its focus while figures change", () => {
  sayState(0, [row("a")]);
  buttons()[1].focus();
  sayFigures(1, [row("a", { used: [900, 0], state: "busy", is_pinned: true })]);
  assert.equal(document.activeElement, buttons()[1]);
  assert.equal(buttons()[1].textContent, "Unpin");
});

test("the bar shows the fullest sequence", () => {
  sayState(0, [row("a")]);
  const meter = panel.el.querySelector("[role=meter]");
  assert.equal(meter.getAttribute("aria-valuetext"), "250 of 1,000 tokens");
  assert.equal(meter.firstElementChild.style.width, "25.0%");
  sayFigures(1, [row("a", { n_ctx: 0, used: [] })]);
  assert.ok(meter.hidden);
});

test("unload wants a second press within three seconds", () => {
  sayState(0, [row("a")]);
  const [unload] = buttons();
  unload.click();
  assert.match(note(), /Press again/);
  assert.equal(unload.getAttribute("aria-label"), "Press again to unload a");
  clock.pass(3000);
  assert.equal(unload.textContent, "Unload");
  assert.equal(note(), "");
  unload.click();
  unload.click();
  assert.deepEqual(model.sentOf("unload").map((one) => one.name), ["a"]);
});

test("a double click does not unload", () => {
  sayState(0, [row("a")]);
  for (const detail of [1, 2]) {
    buttons()[0].dispatchEvent(new MouseEvent("click", { detail, bubbles: true }));
  }
  assert.deepEqual(model.sentOf("unload"), []);
});

test("pin and unpin name the model by its key", () => {
  sayState(0, [row("a", { name: "shown otherwise" })]);
  buttons()[1].click();
  sayFigures(1, [row("a", { is_pinned: true })]);
  buttons()[1].click();
  assert.deepEqual([model.sentOf("pin")[0].name, model.sentOf("unpin")[0].name], ["a", "a"]);
});

test("what the kernel answers is said to the view that asked", () => {
  sayState(0, [row("a")]);
  buttons()[1].click();
  model.say({ v: 1, k: "notice", seq: 0, view: "other", d: { text: "no", is_error: true } });
  assert.equal(note(), "…");
  clock.pass(1500);
  assert.match(note(), /busy/);
  model.say({ v: 1, k: "notice", seq: 0, view: viewName(), d: { text: EVIL, is_error: true } });
  assert.equal(note(), EVIL);
  assert.equal(panel.el.querySelector("[role=status]").dataset.error, "true");
});

test("a view that missed figures asks for everything, once", () => {
  sayState(3, [row("a")]);
  sayFigures(5, [row("b")]);
  sayFigures(6, [row("b")]);
  assert.equal(model.sentOf("hello").length, 2);
  assert.deepEqual(names(), ["a"]);
});

test("names are text, wherever they stand", () => {
  sayState(0, [row(EVIL, { file: EVIL, path: EVIL, quantization: EVIL, state: EVIL, ttl: EVIL })],
    [{ title: "Chats", texts: [EVIL], more: 2 }]);
  assert.equal(panel.el.querySelectorAll("img, script").length, 0);
  assert.equal(panel.el.querySelector("dd").textContent, EVIL);
  assert.equal(panel.el.querySelector("dd:last-child").textContent, "and 2 more");
});

test("only names of ours become part of a style", () => {
  model.say({ v: 1, k: "state", seq: 0, view: viewName(), twins: [TWIN, "x{} * { display: none }"],
    d: { models: [], others: [] } });
  const style = panel.el.querySelector("style").textContent;
  assert.ok(style.includes(TWIN) && !style.includes("*"));
});
