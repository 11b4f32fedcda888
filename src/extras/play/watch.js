"use strict";
// --- Watch ---

const curves = {run: "", cursor: "", steps: [], evals: [], warnings: [], first: null, end: null, age: 0, zoom: null, at: -1};

function forget(run) {
  Object.assign(curves, {run, cursor: "", steps: [], evals: [], warnings: [], first: null, end: null, zoom: null, at: -1});
}

function take(record) {
  const list = {step: curves.steps, eval: curves.evals, warning: curves.warnings}[record.event];
  if (record.event === "run") curves.first = record;
  curves.end = record.event === "end" ? record : null;
  if (!list) return;
  // A run that was resumed does some steps once more.
  while (list.length && list.at(-1).step >= record.step && record.event !== "warning") list.pop();
  list.push(record);
}

let polling = null, polls = 0;
async function poll() {
  clearTimeout(polling);
  const mine = ++polls;
  const run = runs.now;
  if (!run || $("#watch").hidden || document.hidden) return;
  if (curves.run !== run.name) forget(run.name);
  try {
    for (let more = true; more && curves.run === run.name;) {
      const query = new URLSearchParams({run: run.name, cursor: curves.cursor});
      const answer = await ask("api/records?" + query), text = await answer.text();
      if (mine !== polls) return;
      if (answer.headers.get("X-Anew") === "1") forget(run.name);
      curves.cursor = answer.headers.get("X-Cursor");
      curves.age = Number(answer.headers.get("X-Age"));
      more = answer.headers.get("X-More") === "1";
      for (const line of text.split("\n")) if (line) take(JSON.parse(line));
    }
    trouble();
    show();
  } catch (error) {
    if (mine !== polls) return;
    if (error instanceof Silence) trouble(error);
    else $("#state").textContent = error.message;
  }
  clearTimeout(polling);
  polling = setTimeout(poll, curves.end ? 4000 : 1000);
}

const clock = seconds => {
  const all = Math.round(seconds), two = n => String(n).padStart(2, "0");
  return all < 3600 ? `${Math.floor(all / 60)}:${two(all % 60)}` : `${Math.floor(all / 3600)}:${two(Math.floor(all / 60) % 60)}:${two(all % 60)}`;
};
const short = number => number < 1e4 ? number.toFixed(0) : number < 1e6 ? (number / 1e3).toFixed(0) + "k" : (number / 1e6).toFixed(1) + "M";

function show() {
  const last = curves.steps.at(-1), best = curves.evals.filter(e => Number.isFinite(e.loss)).reduce((a, b) => !a || b.loss < a.loss ? b : a, null);
  const silent = curves.age > 60 ? ` Nothing new for ${clock(curves.age)}: it may have been killed.` : "";
  $("#state").textContent = !curves.first ? "Waiting for the first step." :
    curves.end ? `Training has ended: ${curves.end.reason} at step ${curves.end.step}.` : "Training." + silent;
  const figures = [];
  if (last) {
    figures.push(["Step", last.last_step ? `${last.step} of ${last.last_step}` : last.step], ["Training loss", last.loss?.toFixed(4)]);
    if (best) figures.push(["Best validation", `${best.loss.toFixed(4)} (step ${best.step})`]);
    figures.push(["Learning rate", last.lr.toPrecision(3)], ["Gradient norm", last.grad_norm?.toFixed(2)],
                 ["Speed", short(last.chars_per_second) + " characters/s"], ["Epoch", last.epoch.toFixed(2)]);
    if (!curves.end && last.seconds_left > 0) figures.push(["Time left", clock(last.seconds_left)]);
  }
  $("#figures").replaceChildren(...figures.map(([name, value]) => {
    const pair = make("div");
    pair.append(make("dt", name), make("dd", value));
    return pair;
  }));
  $("#warnings").replaceChildren(...curves.warnings.map(w => make("p", `Step ${w.step}: ${w.message}`)));
  const shown = curves.evals.filter(e => e.sample).slice(-40).reverse(), there = [...$("#samples").children];
  if (there.map(one => one.dataset.step).join() !== shown.map(e => e.step).join())
    $("#samples").replaceChildren(...shown.map((e, i) => {
      const before = there.find(one => one.dataset.step === String(e.step));
      if (before) return before;
      const details = make("details");
      details.dataset.step = e.step;
      details.open = i === 0;
      details.append(make("summary", `Step ${e.step}, validation loss ${e.loss?.toFixed(4)}`), make("pre", e.sample));
      return details;
    }));
  draw();
}

/** As charnn plot: the mean of the values within 150 steps on both sides, fewer near the ends. Gaps stay. */
function smoothed(steps, values) {
  const reach = 150, n = steps.length, result = [];
  for (let i = 0, begin = 0; i < n; ++i) {
    const near = Math.min(reach, steps[i] - steps[0], steps[n - 1] - steps[i]);
    while (steps[begin] < steps[i] - reach) ++begin;
    let sum = 0, count = 0;
    for (let j = begin; j < n && steps[j] <= steps[i] + reach; ++j)
      if (Number.isFinite(values[j]) && Math.abs(steps[j] - steps[i]) <= near) sum += values[j], ++count;
    result.push(Number.isFinite(values[i]) ? sum / count : NaN);
  }
  return result;
}

/** As charnn plot: the first steps may leave the loss axis if they would take more than half of it. */
function topOf(lists) {
  let low = Infinity, later = -Infinity, first = -Infinity;
  for (const points of lists)
    for (const point of points) {
      if (!Number.isFinite(point.loss)) continue;
      low = Math.min(low, point.loss);
      first = Math.max(first, point.loss);
      if (point.step > points.at(-1).step / 20) later = Math.max(later, point.loss);
    }
  return first - low > 2 * (later - low) && later > low ? later : Infinity;
}

function ticksOf(low, high, wanted) {
  const raw = (high - low || 1) / wanted, power = 10 ** Math.floor(Math.log10(raw));
  const spacing = power * [1, 2, 5, 10].find(digit => digit * power >= raw * (1 - 1e-9));
  const ticks = [];
  for (let i = Math.ceil(low / spacing - 1e-9); i * spacing <= high * (1 + 1e-9) + 1e-12; ++i) ticks.push(i * spacing);
  return ticks;
}
const tickText = value => Math.abs(value) >= 1e6 ? value / 1e6 + "M" : Math.abs(value) >= 1e4 ? value / 1e3 + "k" : String(+value.toPrecision(6));

/** The lowest and the highest point of each pixel, so that no spike is lost. */
function pathOf(xs, ys, x, y) {
  let path = "", pen = false, column = null, low = 0, high = 0;
  const flush = () => {
    if (column === null) return;
    path += `${pen ? "L" : "M"}${column} ${low.toFixed(1)}`;
    if (high !== low) path += `L${column} ${high.toFixed(1)}`;
    pen = true;
    column = null;
  };
  xs.forEach((value, i) => {
    if (!Number.isFinite(ys[i])) { flush(); pen = false; return; }
    const px = Math.round(x(value)), py = y(ys[i]);
    if (px !== column) flush(), column = px, low = high = py;
    low = Math.max(low, py);
    high = Math.min(high, py);
  });
  flush();
  return path;
}

const frame = {left: 58, right: 12};
function draw() {
  const charts = $("#charts"), width = Math.max(300, charts.clientWidth);
  const whole = [0, Math.max(1, curves.steps.at(-1)?.step ?? 1, curves.evals.at(-1)?.step ?? 1)];
  const [from, to] = curves.zoom ?? whole;
  $("#whole").disabled = !curves.zoom;
  const inside = point => point.step >= from && point.step <= to;
  const x = step => frame.left + (step - from) / (to - from) * (width - frame.left - frame.right);
  curves.x = {from, to, width};
  const steps = curves.steps.map(s => s.step), of = key => curves.steps.map(s => s[key]);
  const smooth = smoothed(steps, of("loss"));
  curves.smooth = smooth;
  const panel = (name, height, series, {top = Infinity, log = false} = {}) => {
    const scale = log ? Math.log10 : value => value, shown = [];
    for (const {xs, ys} of series)
      xs.forEach((at, i) => { if (at >= from && at <= to && Number.isFinite(scale(ys[i]))) shown.push(Math.min(top, ys[i])); });
    const picture = svg("svg", {viewBox: `0 0 ${width} ${height + 42}`, height: height + 42});
    let low = shown.reduce((a, b) => Math.min(a, b), Infinity), high = shown.reduce((a, b) => Math.max(a, b), -Infinity);
    if (!shown.length) [low, high] = log ? [0.1, 1] : [0, 1];
    if (high - low < 1e-9 * Math.abs(high)) [low, high] = [low * 0.9, high * 1.1];
    let ticks = log ? [] : ticksOf(low, high, Math.max(3, height / 40));
    if (log) for (let p = Math.floor(Math.log10(low)); p <= Math.ceil(Math.log10(high)); ++p) for (const d of high / low > 100 ? [1] : [1, 2, 5]) ticks.push(d * 10 ** p);
    else {
      const gap = (ticks[1] ?? high) - ticks[0] || 1;
      [low, high] = [Math.min(low, Math.floor(low / gap + 1e-9) * gap), Math.max(high, Math.ceil(high / gap - 1e-9) * gap)];
      ticks = ticksOf(low, high, Math.max(3, height / 40));
    }
    const y = value => 20 + height * (1 - (scale(Math.min(value, top, high)) - scale(low)) / (scale(high) - scale(low)));
    picture.append(svg("text", {x: frame.left, y: 13}, name));
    for (const tick of ticks.filter(t => t >= low * (1 - 1e-9) && t <= high * (1 + 1e-9))) {
      picture.append(svg("line", {class: "grid", x1: frame.left, x2: width - frame.right, y1: y(tick), y2: y(tick)}));
      picture.append(svg("text", {x: frame.left - 6, y: y(tick) + 4, "text-anchor": "end"}, tickText(tick)));
    }
    for (const tick of ticksOf(from, to, width / 110))
      picture.append(svg("text", {x: x(tick), y: height + 36, "text-anchor": "middle"}, tickText(tick)));
    for (const {xs, ys, style, dots} of series) {
      const kept = xs.map((at, i) => i).filter(i => inside({step: xs[i]}));
      picture.append(svg("path", {class: style, d: pathOf(kept.map(i => xs[i]), kept.map(i => ys[i]), x, y)}));
      if (dots && kept.length <= 60) for (const i of kept) if (Number.isFinite(ys[i])) picture.append(svg("circle", {cx: x(xs[i]), cy: y(ys[i]), r: 3}));
    }
    return picture;
  };
  const vals = {xs: curves.evals.map(e => e.step), ys: curves.evals.map(e => e.loss)};
  charts.replaceChildren(
    panel("loss (nats per character)", 230, [{xs: steps, ys: of("loss"), style: "c0 faint"}, {xs: steps, ys: smooth, style: "c0"},
                                             {...vals, style: "c1", dots: true}], {top: topOf([curves.steps, curves.evals])}),
    panel("learning rate", 90, [{xs: steps, ys: of("lr"), style: "c0"}]),
    panel("gradient norm", 90, [{xs: steps, ys: of("grad_norm"), style: "c0 faint"}, {xs: steps, ys: smoothed(steps, of("grad_norm")), style: "c0"}],
          {log: true}));
  point(curves.at);
}

/** Shows the values at the record number `at`, and a line through all charts. */
function point(at) {
  curves.at = at;
  const record = curves.steps[at];
  for (const picture of $("#charts").children) {
    $(".cursor", picture)?.remove();
    if (!record || record.step < curves.x.from || record.step > curves.x.to) continue;
    const {from, to, width} = curves.x, px = frame.left + (record.step - from) / (to - from) * (width - frame.left - frame.right);
    picture.append(svg("line", {class: "cursor", x1: px, x2: px, y1: 20, y2: picture.viewBox.baseVal.height - 22}));
  }
  if (!record) return $("#readout").textContent = "";
  const val = curves.evals.filter(e => e.step <= record.step).at(-1);
  $("#readout").textContent = `Step ${record.step}: training ${record.loss?.toFixed(4)}, smoothed ${curves.smooth[at]?.toFixed(4)}` +
    (val ? `, validation ${val.loss?.toFixed(4)} (step ${val.step})` : "") + `, rate ${record.lr.toPrecision(3)}, gradient norm ${record.grad_norm?.toFixed(2)}`;
}

const stepAt = event => {
  const box = $("#charts").getBoundingClientRect(), {from, to, width} = curves.x;
  const px = (event.clientX - box.left) * width / box.width;
  return Math.max(from, Math.min(to, from + (px - frame.left) / (width - frame.left - frame.right) * (to - from)));
};
const nearestTo = step => curves.steps.reduce((best, s, i) => Math.abs(s.step - step) < Math.abs((curves.steps[best]?.step ?? Infinity) - step) ? i : best, -1);
function zoomTo(range) {
  curves.zoom = range && range[1] - range[0] >= 1 ? range : null;
  draw();
}
let dragged = null;
$("#charts").addEventListener("pointerdown", event => { if (curves.x && event.button === 0) dragged = stepAt(event); });
$("#charts").addEventListener("pointermove", event => {
  if (!curves.x) return;
  const step = stepAt(event);
  point(nearestTo(step));
  for (const picture of $("#charts").children) {
    $(".zoom", picture)?.remove();
    if (dragged === null) continue;
    const {from, to, width} = curves.x, px = s => frame.left + (s - from) / (to - from) * (width - frame.left - frame.right);
    const [a, b] = [px(Math.min(step, dragged)), px(Math.max(step, dragged))];
    picture.append(svg("rect", {class: "zoom", x: a, width: b - a, y: 20, height: picture.viewBox.baseVal.height - 42}));
  }
});
addEventListener("pointerup", event => {
  if (dragged === null) return;
  const step = stepAt(event), range = [Math.min(step, dragged), Math.max(step, dragged)];
  dragged = null;
  document.querySelectorAll("#charts .zoom").forEach(one => one.remove());
  if (range[1] - range[0] > (curves.x.to - curves.x.from) / 50) zoomTo(range);
});
$("#charts").addEventListener("keydown", event => {
  if (!curves.x) return;
  const {from, to} = curves.x, centre = curves.steps[curves.at]?.step ?? (from + to) / 2;
  if (event.key === "ArrowRight" || event.key === "ArrowLeft") {
    event.preventDefault();
    point(Math.max(0, Math.min(curves.steps.length - 1, curves.at + (event.key === "ArrowRight" ? 1 : -1))));
  }
  if (event.key === "+") zoomTo([Math.max(0, centre - (to - from) / 4), centre + (to - from) / 4]);
  if (event.key === "-" || event.key === "Escape") zoomTo(null);
});
$("#whole").addEventListener("click", () => zoomTo(null));
addEventListener("resize", () => { if (!$("#watch").hidden && curves.x) draw(); });
document.addEventListener("visibilitychange", poll);
