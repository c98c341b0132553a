"The explorer on a page, as a test sees and moves it."

import re

import numpy as np

SIDE = 96  # of the images that most tests show

FIND_EXPLORER = """() => {
  const find = node => {
    for (const child of node.querySelectorAll("*")) {
      if (child.explorer) return child.explorer;
      const inside = child.shadowRoot && find(child.shadowRoot);
      if (inside) return inside;
    }
  };
  return find(document);
}"""


class ExplorerPage:
    "The explorer on a page, and what stands behind it: `x` in the JavaScript of `of`."

    def __init__(self, page, shape=(SIDE, SIDE)):
        self.page, self.shape = page, shape
        page.locator(".count").wait_for()
        self.handle = page.evaluate_handle(FIND_EXPLORER)
        page.wait_for_function("x => x.session.selection && !x.drawing", arg=self.handle)

    def of(self, code):
        "The value of an expression of JavaScript in which `x` is the explorer."
        return self.page.evaluate(f"async x => {code}", self.handle)

    def text(self, name):
        return self.page.locator(f".{name}").inner_text()

    def do(self, name):
        self.page.locator(f'[data-do="{name}"]').click()

    def key(self, *keys):
        self.page.locator("#level").focus()
        for k in keys:
            self.page.keyboard.press(k)

    def place(self, row, col):
        "Where the middle of a pixel of the image lies on the page."
        box = self.page.locator(".picture").bounding_box()
        height, width = self.shape
        return box["x"] + (col + 0.5) * box["width"] / width, box["y"] + (row + 0.5) * box["height"] / height

    def click(self, row, col, **options):
        self.page.mouse.click(*self.place(row, col), **options)

    def paint(self, *places):
        self.page.mouse.move(*self.place(*places[0]))
        self.page.mouse.down()
        for p in places[1:]:
            self.page.mouse.move(*self.place(*p), steps=4)
        self.page.mouse.up()

    @property
    def hit(self):
        "Which leaves of the tree are selected."
        return np.array(self.of("Array.from(x.session.selection.leaves)"), bool)

    @property
    def pixels(self) -> int:
        "How many pixels are selected, as the page says it."
        return int(re.search(r"([\d,]+) pixels", self.text("status"))[1].replace(",", ""))

    def picture(self):
        "What stands on the canvas once all is drawn."
        self.page.wait_for_function("x => !x.drawing", arg=self.handle)
        return self.of("x.picture.canvas.toDataURL()")

    def agrees(self, explorer):
        "Page and Python select the same."
        explorer.state = self.of("x.session.state")
        mask = self.of("x.session.selection.mask && Array.from(x.session.selection.mask)")
        shown = np.array(mask, bool).reshape(self.shape) if mask else self.hit[explorer.segmentation.landmark_map]
        return np.array_equal(shown, explorer.mask)
