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
