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

