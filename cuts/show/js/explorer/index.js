// The explorer of a segmentation, one element for every place: a page or a site without a kernel (`mount`), and an
// anywidget in JupyterLab, Notebook, Voilà and VS Code (`default`). It is handed the tree and the landmark map once and
// cuts the tree itself. Notebook 41 says what is handed over, and checks that these files and Python answer alike.
//
//   session.js       what is looked at and meant, with its state and history (state.js) and the images (images.js)
//   views.js         how a volume is cut into planes, and what lies on each side
//   marks.js         what marks select; tree.js: its levels; pieces.js: what is connected, in volumes by cleaning.js;
//                    reader.js: what marks mean, from how leaves are related to them (graph.js), by a network
//                    (network.js)
//   explorer.js      the parts of the page around a session: style.css, template.html, theme.js (light or dark)
//   picture.js       the image, of which a part is in sight (viewport.js), of a large one in detail (detail.js), and
//                    what is laid over it (overlay.js)
//   embedding.js, barcode.js, strip.js   the landmarks, the structures, the images; drawing.js is what all draw with
//   leaving.js       a warning to those who close a page whose marks are kept nowhere
//   controls.js      buttons (what they do: actions.js) and sliders; pointer.js and keyboard.js: all other input
//   status.js        what is selected, in words (numbers.js)
//   host-page.js     data that lie in a page, and files that are made there (files.js)
//   host-widget.js   data and files by a kernel
import { Explorer } from "./explorer.js";
import { pageHost } from "./host-page.js";
import { WidgetHost } from "./host-widget.js";

export function mount(element, data) {
  return new Explorer(element, pageHost(data));
}

export default {
  render({ model, el }) {
    const host = new WidgetHost(model), explorer = new Explorer(el, host), stop = host.follow(explorer);
    return () => {
      explorer.destroy();
      stop();
    };
  },
};
