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

