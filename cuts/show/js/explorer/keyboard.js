// Keys. Each function below handles one kind, and returns whether a key was of that kind; the first to do so has it.
import { ACTIONS } from "./actions.js";
import { markOf } from "./draft.js";
import { clamp } from "./numbers.js";

const LETTERS = {
  a: "add", s: "subtract", b: "box", l: "lasso", e: "propose", z: "undo", y: "redo", p: "persistent", o: "outlines",
  f: "auto", c: "connected", k: "crumbs", "[": "shrink", "]": "grow",
};
const FAR = 10;         // pixels that the cursor moves at once with Shift

const EVERYWHERE = [moveInRow, clear, undoOrRedo];
const OUTSIDE_FIELDS = [moveCursor, markCursor, changeLevel, changePlane, changeLevelUpright, act];

export function handleKey(explorer, event) {
  if (event.isComposing || !explorer.session.plane) return;
  const { key, target } = event, ctrl = event.ctrlKey || event.metaKey;
  const across = { ArrowRight: 1, ArrowLeft: -1 }[key] || 0, up = { ArrowUp: 1, ArrowDown: -1 }[key] || 0;
  const press = { key, target, ctrl, across, up, arrow: across || up, alt: event.altKey, shift: event.shiftKey };
  const field = target.matches?.("select, input:not(#level):not(#plane)");     // which needs the keys itself
  const handlers = field || ctrl ? EVERYWHERE : [...EVERYWHERE, ...OUTSIDE_FIELDS];
  if (!handlers.some(handle => handle(explorer, press))) return;
  event.preventDefault();
  event.stopPropagation();
}

// From one image, or one bar, to the next.
function moveInRow(explorer, { target, arrow, across, up }) {
  const row = target.closest?.(".strip, .barcode");
  if (!row || !arrow) return false;
  const entries = [...row.querySelectorAll("button, rect[data-node]")];
  const next = entries[entries.indexOf(target) + (across || -up)];
  if (next) {
    target.setAttribute("tabindex", -1);
    next.setAttribute("tabindex", 0);
    next.focus();
    if (next.dataset.image) explorer.session.open(+next.dataset.image);
  }
  return true;
}

function clear(explorer, { key }) {
  if (key !== "Escape" || !explorer.session.ownMarks().length) return false;
  ACTIONS.clear(explorer);
  return true;
}

function undoOrRedo(explorer, { key, ctrl, shift }) {
  if (!ctrl || key.toLowerCase() !== "z") return false;
  ACTIONS[shift ? "redo" : "undo"](explorer);
  return true;
}

function moveCursor(explorer, { target, alt, shift, arrow, across, up }) {
  const { canvas, cursor } = explorer.picture, [H, W] = explorer.session.view.spatial;
  if (!alt || !arrow || target !== canvas) return false;
  const step = shift ? FAR : 1, [row, col] = cursor || [H >> 1, W >> 1];
  explorer.moveCursor([clamp(row - up * step, 0, H - 1), clamp(col + across * step, 0, W - 1)]);
  return true;
}

function markCursor(explorer, { key, target }) {
  const { canvas, cursor } = explorer.picture;
  if (key !== "Enter" || target !== canvas || !cursor) return false;
  explorer.session.mark(markOf({ path: [cursor], sign: explorer.sign, tool: "brush" }, explorer.session));
  return true;
}

function changeLevel(explorer, { target, shift, across }) {
  if (!across || target.id === "plane") return false;
  if (shift) explorer.session.toSalientLevel(across);
  else explorer.session.setLevel(explorer.session.level + across);
  return true;
}

function changePlane(explorer, { up }) {
  const { depth } = explorer.session.view;
  if (!up || depth === 1) return false;
  explorer.session.open(explorer.session.state.image, clamp(explorer.session.wantedPlane + up, 0, depth - 1));
  return true;
}

function changeLevelUpright(explorer, { target, up }) {
  if (!up || target.id !== "level") return false;
  explorer.session.setLevel(explorer.session.level + up);
  return true;
}

function act(explorer, { key, alt }) {
  const action = LETTERS[key.toLowerCase()];
  if (!action || alt) return false;
  const { disabled, hidden } = explorer.controls.button(action);
  if (!disabled && !hidden) ACTIONS[action](explorer);
  return true;
}
