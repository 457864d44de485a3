// The easel: a person draws on the photograph, and sees at once what the model makes of it.
// Gradio runs this once, as the body of a function of (element, trigger, props, server, upload, watch).
// What a person did is in `state`; every change goes through `commit`, which can be undone, and asks for a preview.
// One preview runs at a time, and the latest state wins. When the person pauses, the full run follows.

const PAUSE_MS = 700, BUSY_MS = 300, WORDS_MS = 250, MAX_UNDO = 200, GRAB_PX = 9, TOUCH_PX = 18;
const HEX = /^#[0-9a-f]{6}$/i;
const byId = (id) => document.getElementById(id);
const easel = element.querySelector(".easel");
const picture = easel.querySelector(".easel-picture"), canvas = easel.querySelector("canvas");
const result = easel.querySelector(".easel-result"), doubt = easel.querySelector(".easel-doubt");
const ring = easel.querySelector(".easel-ring");

const nothing = () => ({ items: [], palette: [], exemplar: null });
const state = {
  photograph: null, model: null, settings: {},
  drawn: nothing(),  // what undo brings back; never changed in place once it was committed
  color: "#b5482f", radius: props.limits.radius,
  selected: null, cursor: [0.5, 0.5], dropping: false, suggest: false, doubt: false, suggestion: null,
};
let past = [], future = [], nextId = 1;
let running = false, wanted = false, changed = false, waiting = null, pause = null;

const takes = (name) => props.models[state.model]?.takes.includes(name) ?? false;
const isOn = () => state.photograph !== null && takes("hints");
const copy = (value) => JSON.parse(JSON.stringify(value));
const round = (value) => Math.round(Math.min(1, Math.max(0, value)) * 1e5) / 1e5;
const percent = (share) => Math.round(share * 1000) / 10;
const selectedItem = () => state.drawn.items.find((item) => item.id === state.selected) ?? null;
const hintsOf = (items) => items.flatMap(({ color, radius, points }) =>
  points.map(([x, y]) => ({ x, y, color, radius })));
const count = () => state.drawn.items.reduce((sum, item) => sum + item.points.length, 0);

// ---- what was said and noted

const say = (text) => { byId("steer-said").textContent = text; };
// What stands in the way of the last touch; it goes with the next change. Notes are those of the last preview.
const complain = (text) => { byId("steer-message").textContent = text; };
const showNotes = (notes, isError = false) => {
  const list = byId("steer-notes");
  list.replaceChildren(...notes.map((note) => Object.assign(document.createElement("li"), { textContent: note })));
  list.classList.toggle("is-error", isError);
};

// ---- asking the server

const directions = () => ({
  hints: takes("hints") ? hintsOf(state.drawn.items) : [],
  palette: takes("palette") ? state.drawn.palette : [],
  exemplar: takes("exemplar") ? state.drawn.exemplar?.path ?? null : null,
});

const ask = async (name, question) => {
  try {
    return await server[name](question) ?? { error: "The server gave no answer. Try again." };
  } catch {
    return { error: "The server could not be reached. Try again." };
  }
};

const refresh = (delay = 0) => {
  wanted = true;
  picture.ariaBusy = true;
  clearTimeout(pause);
  clearTimeout(waiting);
  waiting = setTimeout(pump, delay);
};

const pump = async () => {
  if (running || !wanted || !isOn()) return;
  running = true;
  wanted = false;
  const { photograph, model } = state;
  const start = performance.now();
  const answer = await ask("preview", {
    photograph, model, settings: state.settings, ...directions(), suggest: state.suggest, doubt: state.doubt,
  });
  running = false;
  if (photograph === state.photograph && model === state.model) {
    if (answer.busy) return refresh(BUSY_MS);
    await show(answer);
    easel.dataset.milliseconds = Math.round(performance.now() - start);
    easel.dataset.seconds = JSON.stringify(answer.seconds ?? {});
    easel.dataset.previews = Number(easel.dataset.previews ?? 0) + 1;
    if (!wanted && changed && answer.colored && !answer.error) pause = setTimeout(runInFull, PAUSE_MS);
  }
  picture.ariaBusy = wanted || running;
  if (wanted) pump();
};

const show = async (answer) => {
  showNotes(answer.error ? [answer.error] : answer.notes, Boolean(answer.error));
  if (answer.error) return;
  const fresh = Object.assign(new Image(), { src: answer.picture });
  await fresh.decode();
  result.src = answer.picture;
  picture.style.aspectRatio = `${fresh.naturalWidth} / ${fresh.naturalHeight}`;
  picture.style.setProperty("--shape", fresh.naturalWidth / fresh.naturalHeight);
  for (const id of ["steer-suggest", "steer-doubt"]) byId(id).hidden = !answer.guesses;
  state.suggestion = answer.suggestion ?? null;
  doubt.hidden = !answer.doubt;
  byId("steer-legend").textContent = "";
  if (answer.doubt) {
    doubt.src = answer.doubt.picture;
    byId("steer-legend").textContent = `Violet: here it guesses, from ${answer.doubt.low.toFixed(0)} (clear) to `
      + `${answer.doubt.high.toFixed(0)} Lab units (strong).`;
  }
  draw();
};

const runInFull = () => {
  if (running || wanted || !isOn()) return;
  changed = false;
  trigger("submit");
};

// ---- changing what is drawn

const hold = () => {
  past = [...past.slice(-MAX_UNDO + 1), copy(state.drawn)];
  future = [];
};

const changedNow = () => {
  changed = true;
  complain("");
  props.value = { photograph: state.photograph, ...directions() };
  render();
  refresh();
};

const commit = (change) => {
  hold();
  change(state.drawn);
  changedNow();
};

const travel = (from, to, word) => {
  if (!from.length) return;
  to.push(copy(state.drawn));
  state.drawn = from.pop();
  if (!selectedItem()) state.selected = null;
  changedNow();
  say(word);
};

const full = (more) => {
  const over = count() + more > props.limits.hints;
  if (over) complain(`At most ${props.limits.hints.toLocaleString("en")} points fit; remove some first.`);
  return over;
};

const addPoint = (x, y, color = state.color) => {
  if (full(1)) return;
  const item = { id: nextId++, color, radius: state.radius, points: [[round(x), round(y)]] };
  commit((drawn) => { drawn.items = [...drawn.items, item]; });
  say(`Point ${state.drawn.items.length} of ${color} at ${percent(x)} %, ${percent(y)} %.`);
};

const edit = (id, change) => commit((drawn) => {
  drawn.items = drawn.items.map((item) => item.id === id ? { ...item, ...change(item) } : item);
});

const remove = (id) => {
  if (state.selected === id) state.selected = null;
  commit((drawn) => { drawn.items = drawn.items.filter((item) => item.id !== id); });
  say("Removed.");
};

const moved = (item, dx, dy) => item.points.map(([x, y]) => [round(x + dx), round(y + dy)]);

const setColor = (color) => {
  if (!HEX.test(color)) return;
  state.color = color.toLowerCase();
  byId("steer-color").value = byId("steer-hex").value = state.color;
};

const select = (id) => {
  state.selected = id;
  const item = selectedItem();
  if (item) setColor(item.color);
  render();
};

const setDropping = (on) => {
  state.dropping = on;
  byId("steer-dropper").setAttribute("aria-pressed", on);
  canvas.classList.toggle("is-dropping", on);
};

const pickUp = (color, where) => {
  setColor(color);
  select(null);
  setDropping(false);
  setColor(color);
  say(`${color} picked up from ${where}.`);
};

