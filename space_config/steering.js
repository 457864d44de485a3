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

// ---- drawing

const pixelOf = (source, width, height, x, y) => {
  const scratch = Object.assign(document.createElement("canvas"), { width: 1, height: 1 });
  const context = scratch.getContext("2d");
  context.drawImage(source, Math.min(width - 1, Math.floor(x * width)), Math.min(height - 1, Math.floor(y * height)),
    1, 1, 0, 0, 1, 1);
  return `#${[...context.getImageData(0, 0, 1, 1).data].slice(0, 3).map((v) => v.toString(16).padStart(2, "0")).join("")}`;
};

const draw = () => {
  const { clientWidth: width, clientHeight: height } = canvas;
  const scale = window.devicePixelRatio || 1;
  const size = [Math.round(width * scale), Math.round(height * scale)];
  if (canvas.width !== size[0] || canvas.height !== size[1]) [canvas.width, canvas.height] = size;
  const context = canvas.getContext("2d");
  context.setTransform(scale, 0, 0, scale, 0, 0);
  context.clearRect(0, 0, width, height);
  const shorter = Math.min(width, height);
  const line = (color, thick) => { context.strokeStyle = color; context.lineWidth = thick; context.stroke(); };
  for (const item of state.drawn.items) {
    const [[x, y], ...rest] = item.points;
    if (rest.length) {  // a stroke: a thin line, so that the color beneath is seen
      context.beginPath();
      context.moveTo(x * width, y * height);
      for (const [nextX, nextY] of rest) context.lineTo(nextX * width, nextY * height);
      line("rgb(0 0 0 / 55%)", 3);
      line(item.color, 1.5);
    }
    const isSelected = item.id === state.selected;
    context.beginPath();
    context.arc(x * width, y * height, Math.max(4, Math.min(7, item.radius * shorter)), 0, 2 * Math.PI);
    context.fillStyle = item.color;
    context.fill();
    line("#000", isSelected ? 5 : 3);
    line("#fff", isSelected ? 2.5 : 1.2);
  }
  if (canvas.matches(":focus-visible")) {
    const [x, y] = [state.cursor[0] * width, state.cursor[1] * height];
    context.beginPath();
    context.moveTo(x - 12, y); context.lineTo(x + 12, y); context.moveTo(x, y - 12); context.lineTo(x, y + 12);
    line("#000", 3);
    line("#fff", 1.2);
  }
  ring.hidden = !(state.suggest && state.suggestion);
  if (!ring.hidden) [ring.style.left, ring.style.top] = state.suggestion.map((share) => `${share * 100}%`);
};

const placeOf = (event, target = canvas) => {
  const box = target.getBoundingClientRect();
  return [round((event.clientX - box.left) / box.width), round((event.clientY - box.top) / box.height)];
};

const grabbed = ([x, y], reach) => {
  const { clientWidth: width, clientHeight: height } = canvas;
  const away = ({ points: [[left, top]] }) => Math.hypot((left - x) * width, (top - y) * height);
  return [...state.drawn.items].reverse().find((item) => away(item) <= reach) ?? null;
};

let gesture = null;

canvas.addEventListener("pointerdown", (event) => {
  if (event.button !== 0 || gesture || !isOn()) return;
  event.preventDefault();
  canvas.focus({ focusVisible: false });
  const at = placeOf(event);
  if (state.dropping) {
    if (result.naturalWidth)
      pickUp(pixelOf(result, result.naturalWidth, result.naturalHeight, ...at), "the picture");
    return;
  }
  canvas.setPointerCapture(event.pointerId);
  const item = grabbed(at, event.pointerType === "touch" ? TOUCH_PX : GRAB_PX);
  if (item) {
    select(item.id);
    gesture = { pointer: event.pointerId, kind: "move", item: copy(item), from: at, before: copy(state.drawn), done: false };
  } else if (!full(1)) {
    state.selected = null;
    hold();
    const fresh = { id: nextId++, color: state.color, radius: state.radius, points: [at] };
    state.drawn.items = [...state.drawn.items, fresh];
    gesture = { pointer: event.pointerId, kind: "stroke", id: fresh.id };
    changedNow();
  }
});

canvas.addEventListener("pointermove", (event) => {
  if (!gesture || event.pointerId !== gesture.pointer) return;
  for (const each of event.getCoalescedEvents?.() ?? [event]) extend(placeOf(each));
});

const extend = (at) => {
  const { clientWidth: width, clientHeight: height } = canvas;
  if (gesture.kind === "move") {
    const dx = at[0] - gesture.from[0], dy = at[1] - gesture.from[1];
    if (!gesture.done && Math.hypot(dx * width, dy * height) < 3) return;
    if (!gesture.done) {
      past = [...past.slice(-MAX_UNDO + 1), gesture.before];
      future = [];
      gesture.done = true;
    }
    state.drawn.items = state.drawn.items.map((item) =>
      item.id === gesture.item.id ? { ...item, points: moved(gesture.item, dx, dy) } : item);
    changedNow();
    return;
  }
  // A point for each radius of the way, so that a stroke is whole and its points are few.
  const item = state.drawn.items.find((each) => each.id === gesture.id);
  if (!item) return;
  const step = Math.max(3, item.radius * Math.min(width, height));
  let [x, y] = item.points.at(-1);
  const points = [];
  for (;;) {
    const dx = (at[0] - x) * width, dy = (at[1] - y) * height, away = Math.hypot(dx, dy);
    if (away < step || full(points.length + 1)) break;
    [x, y] = [x + dx / away * step / width, y + dy / away * step / height];
    points.push([round(x), round(y)]);
  }
  if (!points.length) return;
  state.drawn.items = state.drawn.items.map((each) =>
    each.id === item.id ? { ...each, points: [...each.points, ...points] } : each);
  changedNow();
};

for (const end of ["pointerup", "pointercancel"])
  canvas.addEventListener(end, (event) => {
    if (!gesture || event.pointerId !== gesture.pointer) return;
    if (gesture.kind === "stroke") {
      const item = state.drawn.items.find((each) => each.id === gesture.id);
      if (item) say(item.points.length > 1 ? `A stroke of ${item.points.length} points.` : "A point.");
    }
    gesture = null;
    render();
  });

canvas.addEventListener("keydown", (event) => {
  const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
  const item = selectedItem();
  if (way) {
    const [dx, dy] = way.map((each) => each * (event.shiftKey ? 0.1 : 0.02));
    if (item) edit(item.id, (each) => ({ points: moved(each, dx, dy) }));
    else state.cursor = [round(state.cursor[0] + dx), round(state.cursor[1] + dy)];
    const [x, y] = item ? selectedItem().points[0] : state.cursor;
    say(`${percent(x)} %, ${percent(y)} %`);
  } else if (event.key === "Enter" || event.key === " ") {
    if (state.dropping && result.naturalWidth)
      pickUp(pixelOf(result, result.naturalWidth, result.naturalHeight, ...state.cursor), "the picture");
    else addPoint(...state.cursor);
  } else if ((event.key === "Delete" || event.key === "Backspace") && item) remove(item.id);
  else if (event.key === "Escape") { select(null); setDropping(false); }
  else return;
  event.preventDefault();
  draw();
});
canvas.addEventListener("focus", draw);
canvas.addEventListener("blur", draw);
new ResizeObserver(draw).observe(canvas);

// ---- the list, the palette, the exemplar

const make = (tag, attributes = {}, ...children) => {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes))
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else made.setAttribute(name, value);
  made.append(...children);
  return made;
};

const rows = new Map();  // kept from one change to the next: a row that is typed in must stay

const makeRow = (id) => {
  const number = (name, axis) => make("input", {
    type: "number", min: 0, max: 100, step: 0.1, name, "aria-label": `${name} in percent`,
    onchange: (event) => {
      const item = state.drawn.items.find((each) => each.id === id), share = Number(event.target.value) / 100;
      if (!event.target.validity.valid || event.target.value === "" || share < 0 || share > 1)
        complain(`${name} must be a number from 0 to 100, in percent.`);
      else if (item) {
        const by = share - item.points[0][axis];
        edit(id, (each) => ({ points: moved(each, axis ? 0 : by, axis ? by : 0) }));
      }
    },
  });
  const row = make("li", {},
    make("button", { type: "button", class: "steer-name", onclick: () => select(state.selected === id ? null : id) }),
    make("input", { type: "color", "aria-label": "its color", onchange: (event) =>
      edit(id, () => ({ color: event.target.value })) }),
    number("x", 0), number("y", 1),
    make("button", { type: "button", class: "steer-remove", onclick: () => {
      const next = row.nextElementSibling ?? row.previousElementSibling;
      remove(id);
      (next?.querySelector(".steer-remove") ?? canvas).focus();
    } }, "Remove"));
  return row;
};

const renderList = () => {
  const list = byId("steer-list"), ids = new Set(state.drawn.items.map((item) => item.id));
  for (const [id, row] of rows) if (!ids.has(id)) { row.remove(); rows.delete(id); }
  state.drawn.items.forEach((item, index) => {
    if (!rows.has(item.id)) rows.set(item.id, makeRow(item.id));
    const row = rows.get(item.id);
    if (list.children[index] !== row) list.insertBefore(row, list.children[index] ?? null);
    const [name, color, x, y, away] = row.children;
    const word = item.points.length > 1 ? `Stroke ${index + 1}, ${item.points.length} points` : `Point ${index + 1}`;
    if (name.textContent !== word) name.textContent = word;
    name.setAttribute("aria-pressed", item.id === state.selected);
    away.setAttribute("aria-label", `Remove ${word}`);
    color.value = item.color;
    if (document.activeElement !== x) x.value = percent(item.points[0][0]);
    if (document.activeElement !== y) y.value = percent(item.points[0][1]);
  });
};

const renderPalette = () => {
  byId("steer-palette").replaceChildren(...state.drawn.palette.map(({ color }, index) => make("span", { class: "swatch" },
    make("button", { type: "button", class: "swatch-color", style: `background:${color}`, title: color,
      "aria-label": `Pick up ${color}`, onclick: () => pickUp(color, "the palette") }),
    make("button", { type: "button", class: "swatch-remove", "aria-label": `Remove ${color} from the palette`,
      onclick: () => commit((drawn) => { drawn.palette = drawn.palette.filter((_, other) => other !== index); }),
    }, "×"))));
};

const addToPalette = (color) => {
  const { palette } = state.drawn;
  if (!HEX.test(color)) complain(`A color of the palette must be #rrggbb, six hexadecimal digits, got "${color}".`);
  else if (palette.some((each) => each.color === color.toLowerCase())) complain(`${color} is in the palette.`);
  else if (palette.length >= props.limits.palette)
    complain(`A palette has at most ${props.limits.palette} colors; remove one first.`);
  else {
    commit((drawn) => { drawn.palette = [...drawn.palette, { color: color.toLowerCase(), weight: weightOf(palette) }]; });
    byId("steer-palette-hex").value = "";
  }
};
// As heavy as the others are in the mean: a picture's colors have shares, typed ones have none.
const weightOf = (palette) => palette.length
  ? palette.reduce((sum, each) => sum + (each.weight ?? 1), 0) / palette.length : 1;

const renderExemplar = () => {
  const { exemplar } = state.drawn, place = byId("steer-exemplar-picture");
  byId("steer-exemplar").hidden = !exemplar;
  if (!exemplar || place.dataset.path === exemplar.path || !exemplar.picture) return;
  const small = Object.assign(new Image(), { src: exemplar.picture });
  small.decode().then(() => {
    [place.width, place.height] = [small.naturalWidth, small.naturalHeight];
    place.getContext("2d").drawImage(small, 0, 0);
    place.dataset.path = exemplar.path;
    place.setAttribute("aria-label", `The exemplar, ${exemplar.name}`);
  });
};

const chosenFile = async (event) => {
  const file = event.target.files[0];
  event.target.value = "";  // the same file may be chosen again
  if (!file) return null;
  try {
    return { path: (await upload(file)).path, name: file.name };
  } catch {
    complain(`${file.name} could not be sent to the server; it may be too large. Try again.`);
    return null;
  }
};

const render = () => {
  const on = isOn(), side = document.querySelector(".steer-side");
  easel.hidden = !on;
  if (side) side.hidden = !on;
  if (!on || !side) return;
  byId("steer-palette-part").hidden = !takes("palette");
  byId("steer-exemplar-part").hidden = !takes("exemplar");
  byId("steer-undo").disabled = !past.length;
  byId("steer-redo").disabled = !future.length;
  byId("steer-clear").disabled = !state.drawn.items.length;
  renderList();
  renderPalette();
  renderExemplar();
  draw();
};

// ---- sessions

const save = async () => {
  const answer = await ask("save_session", { ...directions(), prompt: takes("prompt") ? state.settings.prompt : "" });
  if (answer.error) return complain(answer.error);
  const address = URL.createObjectURL(new Blob([answer.text], { type: "application/json" }));
  make("a", { href: address, download: "autochrome-session.json" }).click();
  setTimeout(() => URL.revokeObjectURL(address), 60000);
  say("Session saved.");
};

// Hints in a row, of one color and radius, and no further apart than a stroke's points are: a stroke again.
const itemsOf = (hints) => hints.reduce((items, { x, y, color, radius }) => {
  const last = items.at(-1), [lastX, lastY] = last?.points.at(-1) ?? [];
  const shape = Number(picture.style.getPropertyValue("--shape")) || 1.5;
  const away = Math.hypot((x - lastX) * Math.max(1, shape), (y - lastY) * Math.max(1, 1 / shape));
  if (last && last.color === color && last.radius === radius && away <= 1.6 * Math.max(0.012, radius))
    last.points.push([x, y]);
  else items.push({ id: nextId++, color, radius, points: [[x, y]] });
  return items;
}, []);

const load = async (event) => {
  const file = event.target.files[0];
  if (!file) return;
  const text = await file.text();
  event.target.value = "";
  const answer = await ask("load_session", { text });
  if (answer.error) return complain(answer.error);
  const left = ["palette", "prompt"].filter((name) => answer[name]?.length && !takes(name));
  commit((drawn) => {
    drawn.items = itemsOf(answer.hints ?? []);
    if (takes("palette")) drawn.palette = answer.palette ?? [];
  });
  state.selected = null;
  const prompt = document.querySelector("#prompt textarea");
  if (takes("prompt") && prompt) {
    prompt.value = answer.prompt ?? "";
    prompt.dispatchEvent(new Event("input", { bubbles: true }));
  }
  say("Session loaded.");
  if (left.length) complain(`Left out: ${left.join(" and ")}. ${props.models[state.model].name} takes none.`);
};

// ---- buttons and fields

const press = (id, action) => byId(id).addEventListener("click", action);
const toggle = (id, name) => press(id, () => {
  state[name] = !state[name];
  byId(id).setAttribute("aria-pressed", state[name]);
  const wasChanged = changed;  // only looked at: no full run of its own
  refresh();
  changed = wasChanged;
});

const undo = () => travel(past, future, "Undone."), redo = () => travel(future, past, "Done again.");

let recoloring = false;
const recolor = (color, ends) => {
  setColor(color);
  const item = selectedItem();
  if (!item || !HEX.test(color)) return;
  if (!recoloring) hold();
  recoloring = !ends;
  state.drawn.items = state.drawn.items.map((each) => each.id === item.id ? { ...each, color: state.color } : each);
  changedNow();
};

const wire = () => {
  press("steer-undo", undo);
  press("steer-redo", redo);
  press("steer-clear", () => { state.selected = null; commit((drawn) => { drawn.items = []; }); say("All points removed."); });
  press("steer-dropper", () => setDropping(!state.dropping));
  press("steer-another", () => trigger("clear"));
  toggle("steer-suggest", "suggest");
  toggle("steer-doubt", "doubt");
  ring.addEventListener("click", () => state.suggestion && addPoint(...state.suggestion));
  byId("steer-color").addEventListener("input", (event) => recolor(event.target.value, false));
  byId("steer-color").addEventListener("change", (event) => recolor(event.target.value, true));
  byId("steer-hex").addEventListener("change", (event) => {
    const color = event.target.value.trim();
    if (HEX.test(color)) recolor(color, true);
    else {
      complain(`A color must be #rrggbb, six hexadecimal digits, got "${color}".`);
      event.target.value = state.color;
    }
  });
  byId("steer-radius").addEventListener("input", (event) => { state.radius = Number(event.target.value) / 100; });
  byId("steer-add").addEventListener("submit", (event) => {
    event.preventDefault();
    const [x, y] = ["steer-x", "steer-y"].map((id) => byId(id));
    if ([x, y].some((field) => !field.validity.valid || field.value === ""))
      complain("x and y must be numbers from 0 to 100, in percent of width and height.");
    else addPoint(Number(x.value) / 100, Number(y.value) / 100);
  });
  press("steer-palette-add", () => addToPalette(byId("steer-palette-hex").value.trim()));
  byId("steer-palette-hex").addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    event.preventDefault();
    addToPalette(event.target.value.trim());
  });
  press("steer-palette-current", () => addToPalette(state.color));
  byId("steer-palette-file").addEventListener("change", async (event) => {
    const file = await chosenFile(event);
    const answer = file && await ask("main_colors", { path: file.path });
    if (answer?.error) complain(answer.error);
    else if (answer) commit((drawn) => { drawn.palette = answer.colors; });
  });
  byId("steer-exemplar-file").addEventListener("change", async (event) => {
    const file = await chosenFile(event);
    const answer = file && await ask("exemplar", { path: file.path });
    if (answer?.error) complain(answer.error);
    else if (answer) commit((drawn) => { drawn.exemplar = { ...file, picture: answer.picture }; });
  });
  press("steer-exemplar-remove", () => commit((drawn) => { drawn.exemplar = null; }));
  const small = byId("steer-exemplar-picture");
  small.addEventListener("click", (event) =>
    pickUp(pixelOf(small, small.width, small.height, ...placeOf(event, small)), "the exemplar"));
  press("steer-save", save);
  byId("steer-load").addEventListener("change", load);
  document.addEventListener("keydown", (event) => {
    const typing = event.target.matches?.("textarea, input:not([type=color], [type=range], [type=file])");
    if (!isOn() || typing || !canvas.offsetParent || !(event.ctrlKey || event.metaKey)) return;
    const key = event.key.toLowerCase();
    if (key !== "z" && key !== "y") return;
    event.preventDefault();
    if (key === "y" || event.shiftKey) redo(); else undo();
  });
};

// ---- what the rest of the page tells

const told = () => {
  const news = window.autochromeTold;
  if (!news) return;
  const isNew = news.photograph !== state.photograph, isOther = news.model !== state.model;
  const saidMore = !isOther && !isNew && (news.settings.prompt ?? "") !== (state.settings.prompt ?? "");
  const same = !isNew && !isOther && JSON.stringify(news.settings) === JSON.stringify(state.settings);
  Object.assign(state, news);
  if (isNew) {
    // Another photograph: its points are others. Palette and exemplar stay, for a series of pictures.
    state.drawn = { ...state.drawn, items: [] };
    [past, future] = [[], []];
  }
  if (isNew || isOther) {
    Object.assign(state, { selected: null, suggestion: null });
    changed = false;
    clearTimeout(pause);
    doubt.hidden = ring.hidden = true;
    props.value = isOn() ? { photograph: state.photograph, ...directions() } : null;
    render();
  }
  if (saidMore) changed = true;
  if (isOn() && !same) refresh(saidMore ? WORDS_MS : 0);
};

// A result of this session comes back, with what was drawn for it.
watch("value", () => {
  const value = props.value;
  if (!value?.photograph) return;
  const { exemplar } = state.drawn;
  Object.assign(state, { photograph: value.photograph, selected: null });
  state.drawn = {
    items: itemsOf(value.hints ?? []), palette: value.palette ?? [],
    exemplar: value.exemplar && exemplar?.path !== value.exemplar
      ? { path: value.exemplar, name: "of that result" } : value.exemplar ? exemplar : null,
  };
  [past, future] = [[], []];
  render();
  refresh();
});

const begin = () => {
  if (!byId("steer-list")) return requestAnimationFrame(begin);  // the tools beside may come a moment later
  wire();
  document.addEventListener("autochrome:told", told);
  told();
};
begin();
