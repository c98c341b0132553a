"The panel in the window of napari, by menu, mouse and keys; run by test_napari.py on a screen, which reads the report."

import json
import sys
import time
from pathlib import Path

import napari
import numpy as np
from napari._qt.dialogs.qt_notification import NapariQtNotification
from napari.utils.notifications import notification_manager
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication


def until(is_so, seconds=300):
    "Let Qt work until something is so; the limit is that of a hang."
    end = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > end:
            raise TimeoutError("it does not happen")
        settle(1)


def settle(n=10):
    "Let Qt work for a moment."
    for _ in range(n):
        QApplication.processEvents()
        time.sleep(0.02)


class Hand:
    "A mouse over the canvas, that is told pixels of the picture, and a keyboard."

    def __init__(self, viewer, layer):
        self.layer, self.canvas = layer, viewer.window._qt_viewer.canvas.native
        self.camera = getattr(viewer, "scene", viewer).camera

    def place(self, pixel):
        world = np.array(self.layer.data_to_world(pixel))[-2:]
        down, right = (world - np.array(self.camera.center)[-2:]) * self.camera.zoom
        return QPoint(round(self.canvas.width() / 2 + right), round(self.canvas.height() / 2 + down))

    def drag(self, *pixels):
        first, *rest = map(self.place, pixels)
        left, no_key = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
        QTest.mouseMove(self.canvas, first)
        settle()
        QTest.mousePress(self.canvas, left, no_key, first)
        for place in rest:
            QTest.mouseMove(self.canvas, place)
            settle()
        QTest.mouseRelease(self.canvas, left, no_key, (rest or [first])[-1])
        settle()

    def key(self, text, modifier=Qt.KeyboardModifier.NoModifier):
        QTest.keyClick(self.canvas, text, modifier)
        settle()


def texts(menu):
    return [action.text().replace("&", "") for action in menu.actions() if action.text()]


def menus(viewer):
    "Our entries in the menu of plugins, and how many samples the menu of files has from us."
    submenus = [action.menu() for action in viewer.window.file_menu.actions() if action.menu() is not None]
    ours = [action.menu() for menu in submenus for action in menu.actions() if action.text().replace("&", "") == "CUTS"]
    plugins = [text for text in texts(viewer.window.plugins_menu) if "CUTS" in text]
    return dict(menu=plugins, samples=sum(len(texts(menu)) for menu in ours))


def places_of(truth, region):
    "The middle of a region, and two corners of the box around it."
    places = np.argwhere(np.asarray(truth.data) == region)
    return places.mean(0).round(), places.min(0), places.max(0)


def draw(viewer, shown, truth, hand):
    "Click, keep, drag a box, a negative scribble, take it back, a negative click; what came of each."
    session = shown.pointing.session
    clicks, shapes = session.drawing.clicks, session.drawing.shapes
    hand.drag(places_of(truth, 2)[0])
    expected = int(session.seg.mask(clicks.data[0]).sum())
    report = dict(click=int(session.mask.sum()), expected=expected)
    hand.key("K")
    report["kept"] = np.unique(viewer.layers["CUTS labels"].data).tolist()
    _, low, high = places_of(truth, 4)
    shown.controls.box.native.click()
    hand.drag(low, (low + high) / 2, high)
    hand.key("N")
    shown.controls.scribble.native.click()
    middle = places_of(truth, 3)[0]
    hand.drag(*(middle + [0, i] for i in (-6, -3, 0, 3, 6)))
    report |= dict(drawn=list(shapes.shape_type), signs=shapes.features["sign"].tolist())
    hand.key("Z", Qt.KeyboardModifier.ControlModifier)
    report["undone"] = list(shapes.shape_type)
    shown.controls.click.native.click()
    hand.drag(high - [30, 6])
    return report | dict(clicks=clicks.features["sign"].tolist())


def main(folder):
    viewer = napari.Viewer(show=True)
    viewer.window.resize(1300, 860)
    report = menus(viewer)
    viewer.open_sample("cuts-segmentation", "nested")
    picture, truth = viewer.layers
    shown = viewer.window.add_plugin_dock_widget("cuts-segmentation", "CUTS")[1].cuts
    shown.controls.segment.native.click()
    until(lambda: shown.worker.running is None)
    settle()
    report |= draw(viewer, shown, truth, Hand(viewer, picture))
    wrong = [record.message for record in notification_manager.records if str(record.severity) != "info"]
    for told in viewer.window._qt_window.findChildren(NapariQtNotification):
        told.hide()
    settle()
    viewer.screenshot(str(Path(folder, "window.png")), canvas_only=False)
    Path(folder, "report.json").write_text(json.dumps(report | dict(wrong=wrong)))
    viewer.close()


if __name__ == "__main__":
    main(sys.argv[1])
