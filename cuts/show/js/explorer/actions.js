// What each button does, by the name in its `data-do`.
import { proposedMark } from "./draft.js";
import { explain } from "./status.js";

const ZOOM = 1.5;

export const ACTIONS = {
  add: explorer => explorer.setSign(1),
  subtract: explorer => explorer.setSign(-1),
  box: explorer => explorer.setTool("box"),
  lasso: explorer => explorer.setTool("lasso"),
  undo: ({ session }) => session.travel("back"),
  redo: ({ session }) => session.travel("forth"),
  clear: clearMarks,
  auto: ({ session }) => session.change({ auto: !session.state.auto }),
  shrink: ({ session }) => session.grow(-1),
  grow: ({ session }) => session.grow(1),
  propose: proposeHere,
  connected: ({ session }) => session.change({ connected: !session.state.connected }),
  crumbs: ({ session }) => session.change({ crumbs: !session.state.crumbs }),
  persistent: ({ session }) => session.set({ show: session.state.show === "persistent" ? "level" : "persistent" }),
  outlines: ({ session }) => session.set({ outlines: !session.state.outlines }),
  in: explorer => explorer.zoom(ZOOM),
  out: explorer => explorer.zoom(1 / ZOOM),
  fit: showWhole,
  phate: togglePhate,
  export: writeFile,
};

function clearMarks(explorer) {
  const { session } = explorer;
  const cleared = session.ownMarks();
  if (cleared.length) session.change({ marks: session.state.marks.filter(mark => !cleared.includes(mark)) });
  explorer.setSign(1);
}

// What is selected in other images, looked for in this one.
async function proposeHere(explorer) {
  const { session } = explorer, { image } = session.state;
  try {
    const { mark, names } = await proposedMark(session);
    if (session.state.image !== image) return;
    session.mark(mark);
    explorer.say(`Proposed from the selection in ${names.join(" and ")}, as one structure. Correct it by clicks.`);
  } catch (error) {
    explorer.say(explain(error), true);
  }
}

function showWhole(explorer) {
  explorer.picture.viewport.reset();
  explorer.redraw();
}

// PHATE coordinates, computed when they are first asked for, or those that came with the image.
async function togglePhate(explorer) {
  const button = explorer.controls.button("phate"), { image, state } = explorer.session;
  if (!image.phate) explorer.say("PHATE is computed; this takes some seconds …");
  button.disabled = true;
  try {
    image.phate ||= await explorer.host.phate(state.image);
    image.spread = !image.spread;
    explorer.say();
    explorer.redraw();
  } catch (error) {
    explorer.say(explain(error), true);
  }
  button.disabled = false;
  button.setAttribute("aria-pressed", !!explorer.session.image.spread);
}

async function writeFile(explorer) {
  const { controls } = explorer, button = controls.button("export"), what = controls.choice("what").value;
  if (what === "mask" && !explorer.session.selection.any)
    return explorer.say("There is no selection yet to export: click a structure first.", true);
  button.disabled = true;
  explorer.say("Writing …");
  try {
    await explorer.export(what, controls.choice("format").value);
  } catch (error) {
    explorer.say(explain(error), true);
  }
  button.disabled = false;
}
