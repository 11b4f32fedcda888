"use strict";
const $ = (selector, inside = document) => inside.querySelector(selector);
const make = (name, text = "", classes = "") => {
  const element = document.createElement(name);
  element.textContent = text;
  if (classes) element.className = classes;
  return element;
};
const svg = (name, attributes = {}, text = "") => {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const key in attributes) element.setAttribute(key, attributes[key]);
  element.textContent = text;
  return element;
};

// --- The server ---

const address = new URL(location.href), token = address.searchParams.get("token") ?? sessionStorage.getItem("token");
if (token) {  // need not stay in the address bar, but must outlast a reload
  sessionStorage.setItem("token", token);
  address.searchParams.delete("token");
  history.replaceState(null, "", address);
}

/** The server does not answer. */
class Silence extends Error {
  constructor() { super("charnn play does not answer: has it ended?"); }
}

async function ask(path, options = {}) {
  const headers = {...options.headers};
  if (token) headers["X-Charnn-Token"] = token;
  const answer = await fetch(path, {...options, headers}).catch(error => { throw error.name === "AbortError" ? error : new Silence(); });
  if (!answer.ok) throw Error((await answer.json().catch(() => ({error: answer.statusText}))).error);
  return answer;
}

/** Calls `use` with each line of JSON that answers a request for a text. */
async function stream(request, signal, use) {
  const body = JSON.stringify({...request, stream: true, echo: true, expected: 8});
  const answer = await ask("api/write", {method: "POST", headers: {"Content-Type": "application/json"}, body, signal});
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let ended = false;
  for (let waiting = ""; ;) {
    const {value, done} = await reader.read();
    if (signal.aborted) throw new DOMException("stopped", "AbortError");
    if (done && !ended) throw Error("the text broke off: try again");
    if (done) return;
    const lines = (waiting + value).split("\n");
    waiting = lines.pop();
    for (const line of lines.map(JSON.parse)) {
      ended ||= "end" in line || "error" in line;
      use(line);
    }
  }
}

function trouble(error) {
  const place = $("#trouble");
  place.hidden = !error;
  place.textContent = error ? error.message : "";
}

// --- A text, shaded by its surprise, with what was expected at each place ---

const named = symbol => symbol === "\n" ? "line break" : symbol === " " ? "space" : symbol === "\t" ? "tab" :
  /\p{C}/u.test(symbol) ? "U+" + symbol.codePointAt(0).toString(16).padStart(4, "0") : symbol;
const percent = share => (100 * share).toFixed(1) + " %";

class View {
  /** `go`, if given, is called with the text up to a character from where to go on. */
  constructor(pane, go) {
    this.text = $(".text", pane);
    this.cost = $(".cost", pane);
    this.bars = $(".bars", pane);
    this.goButton = $(".go", pane);
    this.hint = this.cost.textContent;
    this.go = go;
    this.clear();
    const place = event => event.target.place;
    this.text.addEventListener("click", event => { if (place(event) >= 0) this.select(place(event)); });
    this.text.addEventListener("pointerover", event => {
      if (event.pointerType === "mouse" && place(event) >= 0 && !this.held) this.explain(place(event));
    });
    this.text.addEventListener("pointerleave", () => this.explain(this.on));
    this.text.addEventListener("keydown", event => {
      const to = {ArrowLeft: this.on - 1, ArrowRight: this.on + 1, Home: 0, End: this.symbols.length - 1}[event.key];
      if (event.key === "Enter" && this.go && this.on >= 0) this.go(this.upTo(this.on));
      if (to === undefined) return;
      event.preventDefault();
      this.select(Math.max(0, Math.min(to, this.symbols.length - 1)));
    });
    if (go) this.goButton.addEventListener("click", () => go(this.upTo(this.on)));
  }

  clear() {
    this.symbols = [];
    this.bits = 0;
    this.on = -1;
    this.text.replaceChildren();
    this.cost.textContent = this.hint;
    this.bars.replaceChildren();
    this.goButton.hidden = true;
  }

  /** `given`: the first so many symbols of the text were not written by the network. */
  append(symbols, given) {
    const some = document.createDocumentFragment();
    const follows = this.text.scrollTop + this.text.clientHeight > this.text.scrollHeight - 40;
    for (const symbol of symbols) {
      const element = make("i", symbol[0] === "\n" ? "\u21b5\n" : symbol[0], "s" + Math.max(0, Math.min(9, Math.floor(symbol[1]))));
      if (this.symbols.length < given) element.classList.add("given");
      element.place = this.symbols.length;
      this.symbols.push(symbol);
      this.bits += symbol[1];
      some.append(element);
    }
    this.text.append(some);
    if (follows) this.text.scrollTop = this.text.scrollHeight;
    if (this.on < 0 && symbols.length) this.explain(this.symbols.length - 1);
  }

  upTo(place) { return this.symbols.slice(0, place + 1).map(symbol => symbol[0]).join(""); }

  select(place) {
    if (!this.symbols[place]) return;
    if (this.on >= 0) this.text.children[this.on].classList.remove("on");
    this.on = place;
    this.text.children[place].classList.add("on");
    this.text.children[place].scrollIntoView({block: "nearest"});
    this.goButton.hidden = !this.go;
    this.explain(place);
  }

  /** Shows what was expected at a place. Bars keep their elements, so that they move. */
  explain(place) {
    const symbol = this.symbols[place];
    if (!symbol) return;
    const [text, bits, expected] = symbol;
    this.cost.textContent = `${named(text)}: ${bits.toFixed(1)} bits, a chance of ${percent(2 ** -bits)}. Expected here:`;
    const rest = [1, 2].map(i => Math.max(0, 1 - expected.reduce((sum, one) => sum + one[i], 0)));
    const rows = [...expected, ["all others", ...rest]];
    while (this.bars.children.length > rows.length) this.bars.lastChild.remove();
    rows.forEach(([name, plain, drawn], i) => {
      const row = this.bars.children[i] ?? this.bars.appendChild(barRow());
      const [label, track, number] = row.children;
      row.classList.toggle("drawn", i < expected.length && name === text);
      row.dataset.share = plain;
      label.textContent = i < expected.length ? named(name) : "others";
      track.children[0].style.width = 100 * plain + "%";
      track.children[1].style.width = 100 * drawn + "%";
      number.textContent = Math.abs(plain - drawn) < 5e-4 ? percent(plain) : `${percent(plain)} \u2192 ${(100 * drawn).toFixed(1)}`;
    });
  }
}

function barRow() {
  const row = make("li"), track = make("span", "", "track");
  track.append(make("span"), make("span", "", "drawn"));
  row.append(make("span"), track, make("span", "", "number"));
  return row;
}
