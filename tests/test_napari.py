"The panel in napari: what its buttons do, in a viewer without a window; and in its window, where there is a screen."

import json
import os
import shutil
import subprocess
import sys
import time
from importlib.metadata import entry_points
from pathlib import Path

import numpy as np
import pytest
from repository import root

REASON = 'needs napari: pip install "cuts-segmentation[napari]"'
pytest.importorskip("napari", reason=REASON)
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
pytest.importorskip("qtpy.QtWidgets", reason=f"{REASON}, and the libraries of Qt", exc_type=ImportError)

from app_model.types import KeyBinding  # noqa: E402 (after the platform is chosen)
from napari.components import ViewerModel  # noqa: E402
from napari.utils.notifications import notification_manager  # noqa: E402
from npe2 import PluginManifest  # noqa: E402
from qtpy.compat import isalive  # noqa: E402
from qtpy.QtCore import QEvent  # noqa: E402
from qtpy.QtWidgets import QApplication, QFileDialog  # noqa: E402

import cuts  # noqa: E402
from cuts.data.phantoms import nested_phantom  # noqa: E402
from cuts.data.volume_phantoms import bodies_volume  # noqa: E402
from cuts.integrations.napari import panel  # noqa: E402
from cuts.integrations.napari_layers import CHANNELS_FIRST, TOGETHER, hint_of, mark_of_shape, placement  # noqa: E402
from cuts.integrations.napari_session import KEPT  # noqa: E402
from cuts.io.image import Image  # noqa: E402
from cuts.io.reading import as_image  # noqa: E402
from cuts.segmentation.picture import Segmentation  # noqa: E402

PICTURE, LABELS = nested_phantom((64, 64), 1)
VOLUME, ORGANS = bodies_volume(24, seed=1)
MANIFEST = root / "cuts" / "integrations" / "napari.yaml"


# A viewer with a panel -----------------------------------------------------------------------------------------------
FAULTS: list[BaseException] = []  # raised where Qt calls Python, which would end the process


@pytest.fixture(scope="module")
def app():
    return QApplication.instance() or QApplication([])


@pytest.fixture
def viewer(app, monkeypatch):
    FAULTS.clear()
    monkeypatch.setattr(sys, "excepthook", lambda kind, fault, trace: FAULTS.append(fault))
    notification_manager.records.clear()
    viewer = ViewerModel()
    yield viewer
    viewer.layers.clear()
    raise_faults()


def raise_faults():
    if FAULTS:
        raise FAULTS.pop()


@pytest.fixture
def opened(viewer):
    "The panel of a viewer."
    made = []

    def opened():
        made.append(panel(viewer))
        return made[-1].cuts

    yield opened
    for widget in filter(isalive, made):
        widget.cuts.worker.cancel()
        widget.deleteLater()
    let_go()


def let_go():
    "Let Qt delete what is to be deleted."
    for _ in range(3):
        QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
        QApplication.processEvents()


def until(is_so, seconds=120):
    "Let Qt work until something is so; the limit is that of a hang."
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, "it does not happen"
        QApplication.processEvents()
        raise_faults()
        time.sleep(0.01)


def wait(shown):
    "Until the thread is done."
    until(lambda: shown.worker.running is None)


def said():
    "What was told in notifications."
    return [record.message for record in notification_manager.records]


SEGMENTED: dict[str, Segmentation] = {}


def segmented(name):
    "The segmentation of the picture or of the volume, made once."
    if name not in SEGMENTED:
        volume = as_image(VOLUME, channel_axis="none", spacing=(2.0, 1.0, 1.0))
        SEGMENTED[name] = cuts.segment(PICTURE if name == "picture" else volume)
    return SEGMENTED[name]


@pytest.fixture
def pointing(viewer, opened):
    "A panel that looks at the segmented picture."
    layer = viewer.add_image(PICTURE, rgb=True, name="phantom", scale=(0.5, 0.25), translate=(3, 4))
    return begin(opened(), layer, segmented("picture"))


def begin(shown, layer, seg):
    shown.pointing.begin(seg, placement(layer, len(seg.spatial)))
    return shown


def press(viewer, key):
    viewer.keymap[KeyBinding.from_str(key)](viewer)


def middle_of(region):
    return np.argwhere(LABELS[1] == region).mean(0).round()


def corners_of(region):
    "The corners of the box around a region of the phantom."
    places = np.argwhere(LABELS[1] == region)
    (r0, c0), (r1, c1) = places.min(0), places.max(0)
    return np.array([[r0, c0], [r0, c1], [r1, c1], [r1, c0]], float)


def drawing(shown):
    return shown.pointing.session.drawing


def mask(shown):
    return shown.pointing.session.mask


# The plugin ----------------------------------------------------------------------------------------------------------
def test_manifest_names_what_is_there():
    manifest = PluginManifest.from_file(MANIFEST)
    manifest.validate_imports()
    assert manifest.name == "cuts-segmentation"
    assert [widget.display_name for widget in manifest.contributions.widgets] == ["CUTS"]


def test_manifest_reads_what_the_package_reads():
    from cuts.io.reading import READERS

    patterns = PluginManifest.from_file(MANIFEST).contributions.readers[0].filename_patterns
    elsewhere = {".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".npy", ".zarr"}  # napari reads these itself
    assert {pattern.removeprefix("*") for pattern in patterns} == set(READERS) - elsewhere


def test_the_package_tells_napari_of_its_manifest():
    mine = [entry for entry in entry_points(group="napari.manifest") if entry.name == "cuts-segmentation"]
    if not mine:
        pytest.skip("the package was installed before it had a manifest: install it again")
    assert mine[0].value == "cuts.integrations:napari.yaml"


def test_samples_open(viewer):
    contributions = PluginManifest.from_file(MANIFEST).contributions
    commands = {command.id: command for command in contributions.commands}
    for sample in contributions.sample_data:
        module, _, function = commands[sample.command].python_name.partition(":")
        for data, settings, kind in getattr(sys.modules.get(module) or __import__(module, fromlist=[""]), function)():
            getattr(viewer, f"add_{kind}")(data, **settings)
    assert len(viewer.layers) == 10
    assert viewer.layers["head"].scale.tolist() == [2, 1, 1]


def test_files_open(viewer, tmp_path):
    from cuts.integrations.napari_files import reader

    segmented("picture").save(tmp_path / "phantom.npz")
    for data, settings, kind in reader(str(tmp_path / "phantom.npz"))(str(tmp_path / "phantom.npz")):
        getattr(viewer, f"add_{kind}")(data, **settings)
    assert np.array_equal(viewer.layers["persistent"].data, segmented("picture").persistent)


# Segment and learn ---------------------------------------------------------------------------------------------------
def test_segment_in_a_thread(viewer, opened):
    shown = opened()
    viewer.add_image(PICTURE, rgb=True, name="phantom")
    shown.controls.segment.changed.emit(True)
    assert not shown.controls.segment.enabled
    assert shown.controls.cancel.enabled
    wait(shown)
    assert said() == []
    assert shown.controls.segment.enabled
    level = shown.controls.regions.value
    assert np.array_equal(viewer.layers["CUTS regions"].data, segmented("picture").labels(level))
    assert viewer.layers.selection.active.name == "CUTS clicks"


def test_scale_of_the_layer_is_the_spacing(viewer, opened):
    shown = opened()
    affine = np.diag([1.0, 3.0, 1.0, 1.0])
    settings = dict(scale=(2, 1, 1), translate=(5, 0, 0), affine=affine, units=("mm",) * 3)
    layer = viewer.add_image(VOLUME[:12], name="bodies", **settings)
    shown.segment()
    wait(shown)
    image = shown.pointing.session.seg.image
    assert (image.spacing, image.unit) == ((2, 3, 1), "mm")
    for other in (x for x in viewer.layers if x is not layer):
        assert other.scale.tolist() == [2, 1, 1]
        assert other.translate.tolist() == [5, 0, 0]
        assert np.array_equal(other.affine.affine_matrix, affine)
        assert [str(unit) for unit in other.units] == ["millimeter"] * 3


def test_channels(viewer, opened):
    shown = opened()
    channels = np.moveaxis(PICTURE[..., :2], -1, 0)
    viewer.add_image(channels, channel_axis=0, name=["a", "b"])
    viewer.add_image(channels, name="both", scale=(1, 0.5, 0.5))
    shown.controls.image.value = "b"
    assert TOGETHER in shown.controls.way.choices
    shown.controls.way.value = TOGETHER
    shown.segment()
    wait(shown)
    together = shown.pointing.session.seg.image
    shown.controls.image.value = "both"
    shown.controls.way.value = CHANNELS_FIRST
    shown.segment()
    wait(shown)
    first = shown.pointing.session.seg.image
    assert np.array_equal(together.data, first.data)
    assert (first.n_channels, first.spacing) == (2, (0.5, 0.5))
    assert viewer.layers["CUTS mask"].scale.tolist() == [0.5, 0.5]
    assert said() == []


def test_choices_follow_the_layers(viewer, opened):
    shown = opened()
    layer = viewer.add_image(PICTURE, rgb=True, name="phantom")
    viewer.add_image(VOLUME, name="bodies")
    viewer.add_labels(LABELS[1], name="no image")
    assert tuple(shown.controls.image.choices) == ("phantom", "bodies")
    assert not shown.pointing.controls.keep.enabled
    del viewer.layers["bodies"]
    if "renamed" in viewer.layers.events.emitters:
        layer.name = "another name"
    assert tuple(shown.controls.image.choices) == (layer.name,)


def test_learn_and_use_a_model(viewer, opened, tmp_path):
    shown = opened()
    viewer.add_image(PICTURE[:32, :32], rgb=True, name="phantom")
    viewer.add_image(PICTURE[..., 0], name="grey")
    shown.controls.image.value, shown.controls.epochs.value = "phantom", 2
    shown.learn()
    wait(shown)
    assert shown.controls.model.value == "1 layer, 2 epochs"
    shown.save_model(tmp_path / "mine")
    shown.use_model()
    assert shown.model is None
    shown.load_model(tmp_path / "mine.safetensors")
    assert shown.controls.model.value == "mine.safetensors"
    shown.segment()
    wait(shown)
    expected = cuts.segment(PICTURE[:32, :32], tmp_path / "mine.safetensors")
    assert np.array_equal(viewer.layers["CUTS regions"].data, expected.labels(shown.controls.regions.value))
    shown.controls.image.value = "grey"
    shown.segment()
    wait(shown)
    assert len(said()) == 1
    assert "1 channel" in said()[0]


def test_errors_are_told_in_words(viewer, opened, tmp_path):
    shown = opened()
    shown.controls.segment.changed.emit(True)
    assert "no image layer to segment" in said()[-1]
    viewer.add_image(np.full((32, 32), np.nan), name="holes", contrast_limits=(0, 1))
    shown.controls.segment.changed.emit(True)
    wait(shown)
    assert said()[-1].startswith("holes: ")
    assert "NaN" in said()[-1]
    viewer.add_image(np.zeros((2, 2, 3, 16, 16)), name="films")
    shown.controls.image.value = "films"
    shown.controls.segment.changed.emit(True)
    wait(shown)
    assert "films: 5 axes" in said()[-1]
    (tmp_path / "broken.safetensors").write_bytes(b"nothing")
    shown.attempt(shown.load_model, tmp_path / "broken.safetensors")
    assert "broken.safetensors" in said()[-1]
    assert shown.controls.segment.enabled
    assert shown.pointing.session is None


def test_a_fault_in_the_thread_is_told_and_logged(viewer, opened, monkeypatch, caplog):
    shown = opened()
    viewer.add_image(PICTURE, rgb=True)

    def broken(image, model):
        raise ZeroDivisionError("a fault of ours")

    monkeypatch.setattr("cuts.integrations.napari_work.segment", broken)
    shown.segment()
    wait(shown)
    assert said() == ["ZeroDivisionError: a fault of ours"]
    assert "a fault of ours" in caplog.text


def test_cancel_frees_the_window_and_drops_the_result(viewer, opened, monkeypatch):
    import threading

    shown, is_free, is_begun = opened(), threading.Event(), threading.Event()
    viewer.add_image(PICTURE, rgb=True, name="phantom")

    def slow(image, model):
        is_begun.set()
        assert is_free.wait(60)
        return segmented("picture")

    segmented("picture")
    monkeypatch.setattr("cuts.integrations.napari_work.segment", slow)
    shown.segment()
    until(is_begun.is_set)
    shown.controls.cancel.changed.emit(True)
    assert shown.controls.segment.enabled
    assert shown.controls.status.value == "cancelled"
    shown.segment()  # waits for the first one to end
    is_free.set()
    wait(shown)
    assert [x.name for x in viewer.layers].count("CUTS mask") == 1
    assert said() == []


def test_learning_can_be_cancelled(viewer, opened):
    shown = opened()
    viewer.add_image(PICTURE[:32, :32], rgb=True)
    shown.controls.epochs.value = 10_000
    shown.learn()
    until(lambda: "epoch" in shown.controls.status.value)
    worker = shown.worker.running
    shown.controls.cancel.changed.emit(True)
    until(lambda: not worker.is_running)
    assert shown.model is None
    assert said() == []


# Granularity ---------------------------------------------------------------------------------------------------------
def test_the_slider_changes_the_regions(viewer, pointing):
    seg, c, regions = segmented("picture"), pointing.controls, viewer.layers["CUTS regions"]
    for i in (0, 4, 11):
        c.level.value = i
        assert c.regions.value == pointing.pointing.numbers[i]
        assert np.array_equal(regions.data, seg.labels(c.regions.value))
    c.regions.value = 7
    assert np.array_equal(regions.data, seg.labels(7))
    assert pointing.pointing.numbers[c.level.value] == 7
    c.finer.changed.emit(True)
    assert c.regions.value == min(k for k in seg.levels if k > 7)
    c.coarser.changed.emit(True)
    assert c.regions.value == max(k for k in seg.levels if k < min(k for k in seg.levels if k > 7))
    c.persistent.value = True
    assert np.array_equal(regions.data, seg.persistent)
    c.persistent.value = False
    assert np.array_equal(regions.data, seg.labels(c.regions.value))


def test_the_regions_come_back_when_they_were_deleted(viewer, pointing):
    del viewer.layers["CUTS regions"]
    pointing.controls.level.value = 3
    assert np.array_equal(viewer.layers["CUTS regions"].data, segmented("picture").labels(4))


# Marks ---------------------------------------------------------------------------------------------------------------
def test_a_click_is_the_mask_of_a_point(viewer, pointing):
    place = middle_of(2)
    drawing(pointing).clicks.add(place)
    assert np.array_equal(mask(pointing), segmented("picture").mask(place))
    n = mask(pointing).sum()
    assert f"{n:,} pixels" in pointing.controls.said.value


def test_a_negative_click_takes_away(viewer, pointing):
    seg, place = segmented("picture"), middle_of(2)
    drawing(pointing).clicks.add(place)
    beside = np.argwhere(mask(pointing) & (LABELS[1] != 2))[0]
    press(viewer, "N")
    assert pointing.controls.sign.value == "not this"
    drawing(pointing).clicks.add(beside)
    assert np.array_equal(mask(pointing), seg.mask(place, beside))
    assert not mask(pointing)[tuple(beside)]
    clicks = drawing(pointing).clicks
    assert clicks.features["sign"].tolist() == [1, -1]
    assert not np.array_equal(clicks.face_color[0], clicks.face_color[1])
    assert [str(symbol) for symbol in clicks.symbol] == ["disc", "cross"]


def test_turning_the_sign_changes_no_mark_that_is_there(viewer, pointing):
    clicks = drawing(pointing).clicks
    clicks.add(middle_of(2))
    clicks.selected_data = {0}
    pointing.pointing.turn_sign()
    assert clicks.features["sign"].tolist() == [1]
    assert str(clicks.symbol[0]) == "disc"


def test_only_negative_marks_select_nothing(viewer, pointing):
    pointing.pointing.turn_sign()
    drawing(pointing).clicks.add(middle_of(2))
    assert not mask(pointing).any()
    assert pointing.controls.said.value == "No mark says yet what it is."


def test_a_box(viewer, pointing):
    corners = corners_of(2)
    drawing(pointing).shapes.add_rectangles(corners)
    (r0, c0), (r1, c1) = corners[0].astype(int), corners[2].astype(int) + 1
    assert np.array_equal(mask(pointing), segmented("picture").mask((r0, c0, r1, c1)))


def test_a_scribble(viewer, pointing):
    line = middle_of(2) + [[-4, 0], [4, 0]]
    drawing(pointing).shapes.add_paths(line)
    stroke = hint_of(mark_of_shape(line, "path"), (64, 64))["hint"]
    assert np.array_equal(mask(pointing), segmented("picture").mask(stroke, sparse=True))


def test_an_outline(viewer, pointing):
    drawing(pointing).shapes.add_ellipses(corners_of(2))
    outline = hint_of(mark_of_shape(corners_of(2), "ellipse"), (64, 64))["hint"]
    assert np.array_equal(mask(pointing), segmented("picture").mask(outline))


def test_marks_of_both_layers_are_read_in_their_order(viewer, pointing):
    drawing(pointing).shapes.add_rectangles(corners_of(2))
    drawing(pointing).clicks.add(middle_of(3))
    drawing(pointing).shapes.add_paths(middle_of(1) + [[-2, 0], [2, 0]])
    assert [mark.kind for mark in drawing(pointing).marks()] == ["box", "point", "scribble"]


def test_moving_and_deleting_a_mark(viewer, pointing):
    seg, clicks = segmented("picture"), drawing(pointing).clicks
    clicks.add(middle_of(2))
    clicks.data = middle_of(3)[None]
    assert np.array_equal(mask(pointing), seg.mask(middle_of(3)))
    clicks.selected_data = {0}
    clicks.remove_selected()
    assert not mask(pointing).any()
    pointing.pointing.undo()
    assert np.array_equal(mask(pointing), seg.mask(middle_of(3)))
    pointing.pointing.undo()
    assert np.array_equal(mask(pointing), seg.mask(middle_of(2)))


def test_a_mark_beside_the_image_is_told_and_taken_back(viewer, pointing):
    clicks = drawing(pointing).clicks
    clicks.add(middle_of(2))
    clicks.add((90, 10))
    assert "lies outside the image" in said()[-1]
    assert len(clicks.data) == 1
    assert np.array_equal(mask(pointing), segmented("picture").mask(middle_of(2)))
    drawing(pointing).shapes.add_rectangles(np.array([[3.1, 3.1], [3.1, 3.2], [3.2, 3.2], [3.2, 3.1]]))
    assert "box" in said()[-1]
    assert len(drawing(pointing).shapes.data) == 0


def test_growth_and_connected(viewer, pointing):
    drawing(pointing).clicks.add(middle_of(2))
    n = mask(pointing).sum()
    pointing.controls.growth.value = -4
    assert mask(pointing).sum() < n
    pointing.controls.growth.value = 0
    pointing.controls.connected.value = True
    assert np.array_equal(mask(pointing), segmented("picture").mask(middle_of(2), connected=True))
    pointing.controls.growth.value = 3
    pointing.pointing.clear()
    assert pointing.controls.growth.value == 0


# Undo and keep -------------------------------------------------------------------------------------------------------
def test_undo_takes_back_step_by_step(viewer, pointing):
    shapes, clicks = drawing(pointing).layers
    seen = [mask(pointing)]
    clicks.add(middle_of(2))
    seen.append(mask(pointing))
    shapes.add_rectangles(corners_of(3))
    seen.append(mask(pointing))
    pointing.pointing.turn_sign()
    shapes.add_paths(middle_of(1) + [[-2, 0], [2, 0]])
    seen.append(mask(pointing))
    pointing.pointing.clear()
    for expected in reversed(seen):
        press(viewer, "U")
        assert np.array_equal(mask(pointing), expected)
    assert [len(clicks.data), len(shapes.data)] == [0, 0]
    press(viewer, "U")
    assert said()[-1] == "There is nothing to take back."


def test_undone_marks_keep_kind_sign_and_colour(viewer, pointing):
    shapes = drawing(pointing).shapes
    shapes.add_rectangles(corners_of(2))
    pointing.pointing.turn_sign()
    shapes.add_paths(middle_of(3) + [[-2, 0], [2, 0]])
    colours, kinds = shapes.edge_color.copy(), list(shapes.shape_type)
    pointing.pointing.clear()
    pointing.pointing.undo()
    assert list(shapes.shape_type) == kinds == ["rectangle", "path"]
    assert shapes.features["sign"].tolist() == [1, -1]
    assert np.array_equal(shapes.edge_color, colours)


def test_keep_numbers_masks_and_can_be_undone(viewer, pointing):
    clicks = drawing(pointing).clicks
    masks = []
    for region in (2, 3):
        clicks.add(middle_of(region))
        masks.append(mask(pointing))
        press(viewer, "K")
        assert len(clicks.data) == 0
        assert not mask(pointing).any()
    labels = viewer.layers[KEPT]
    first, second = masks
    expected = np.where(first, 1, np.where(second, 2, 0))
    assert np.array_equal(labels.data, expected)
    assert labels.scale.tolist() == [0.5, 0.25]
    assert labels.translate.tolist() == [3, 4]
    pointing.pointing.undo()
    assert np.array_equal(labels.data, np.where(first, 1, 0))
    assert np.array_equal(mask(pointing), second)
    pointing.controls.over.value = True
    pointing.pointing.keep()
    assert np.array_equal(labels.data, np.where(second, 2, np.where(first, 1, 0)))


def test_keep_in_labels_that_are_there(viewer, pointing):
    mine = viewer.add_labels(np.zeros((64, 64), np.uint8), name="mine")
    viewer.add_labels(np.zeros((9, 9), np.uint8), name="of another image")
    assert tuple(pointing.controls.target.choices) == (KEPT, "mine")
    pointing.controls.target.value = "mine"
    drawing(pointing).clicks.add(middle_of(2))
    pointing.controls.keep.changed.emit(True)
    assert np.array_equal(mine.data, segmented("picture").mask(middle_of(2)))
    assert KEPT not in viewer.layers


def test_nothing_to_keep_is_told(viewer, pointing):
    press(viewer, "K")
    assert "nothing is selected" in said()[-1]
    assert KEPT not in viewer.layers


def test_layers_that_were_deleted_come_back(viewer, pointing):
    for name in ("CUTS clicks", "CUTS mask"):
        del viewer.layers[name]
    pointing.controls.click.changed.emit(True)
    assert viewer.layers.selection.active is drawing(pointing).clicks
    drawing(pointing).clicks.add(middle_of(2))
    assert viewer.layers["CUTS mask"].data.any()


# Volumes -------------------------------------------------------------------------------------------------------------
def test_marks_in_a_volume(viewer, opened):
    seg = segmented("volume")
    layer = viewer.add_image(VOLUME, name="bodies", scale=(2, 1, 1))
    shown = begin(opened(), layer, seg)
    place = np.argwhere(ORGANS == 1).mean(0).round()
    drawing(shown).clicks.add(place)
    assert np.array_equal(mask(shown), seg.mask(place))
    assert mask(shown).any((1, 2)).sum() > 1
    assert "voxels" in shown.controls.said.value
    shown.pointing.clear()
    plane = int(place[0])
    inside = np.argwhere(np.isin(ORGANS[plane], (1, 2, 3, 4)))
    (r0, c0), (r1, c1) = inside.min(0), inside.max(0)
    drawing(shown).shapes.add_rectangles(
        np.array([[plane, r0, c0], [plane, r0, c1], [plane, r1, c1], [plane, r1, c0]], float)
    )
    assert np.array_equal(mask(shown), seg.mask((r0, c0, r1 + 1, c1 + 1), plane=plane))
    assert shown.pointing.session.keep() == 1
    assert viewer.layers[KEPT].data.shape == VOLUME.shape
    shown.controls.level.value = 2
    assert np.array_equal(viewer.layers["CUTS regions"].data, seg.labels(3))


def test_a_box_across_planes_is_told(viewer, opened):
    layer = viewer.add_image(VOLUME, name="bodies", scale=(2, 1, 1))
    shown = begin(opened(), layer, segmented("volume"))
    drawing(shown).shapes.add_rectangles(np.array([[2, 9, 4], [2, 9, 12], [8, 9, 12], [8, 9, 4]], float))
    assert "Turn the axes back" in said()[-1]
    assert len(drawing(shown).shapes.data) == 0


# Another image, files ------------------------------------------------------------------------------------------------
def test_another_image_replaces_all_but_what_was_kept(viewer, pointing):
    drawing(pointing).clicks.add(middle_of(2))
    pointing.pointing.keep()
    layer = viewer.add_image(VOLUME, name="bodies", scale=(2, 1, 1))
    begin(pointing, layer, segmented("volume"))
    names = sorted(x.name for x in viewer.layers if x.name.startswith("CUTS"))
    assert names == sorted([KEPT, "CUTS clicks", "CUTS mask", "CUTS regions", "CUTS shapes"])
    drawing(pointing).clicks.add(np.argwhere(ORGANS == 1).mean(0).round())
    pointing.pointing.keep()
    assert viewer.layers[f"{KEPT} [1]"].data.shape == VOLUME.shape


def test_save_and_open_a_segmentation(viewer, pointing, tmp_path):
    pointing.save_segmentation(str(tmp_path / "mine"))
    pointing.save_segmentation(str(tmp_path / "mine.tif"))
    pointing.open_segmentation(tmp_path / "mine.npz")
    session = pointing.pointing.session
    assert isinstance(session.seg.image, Image)
    drawing(pointing).clicks.add(middle_of(2))
    assert np.array_equal(mask(pointing), segmented("picture").mask(middle_of(2)))
    pointing.attempt(pointing.save_segmentation, str(tmp_path / "mine.docx"))
    assert "unknown ending" in said()[-1]


def test_buttons_ask_for_a_path(viewer, pointing, tmp_path, monkeypatch):
    answers = iter([(str(tmp_path / "mine.npz"), ""), ("", "")])
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: next(answers))
    for _ in range(2):  # a path, and a dialog that is dismissed
        pointing.controls.save.changed.emit(True)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.npz"]
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(tmp_path / "mine.npz"), ""))
    before = pointing.pointing.session
    pointing.controls.open.changed.emit(True)
    assert pointing.pointing.session is not before
    pointing.controls.load.changed.emit(True)
    assert "Expected a model" in said()[-1]


def test_a_closed_panel_hears_nothing_of_layers(viewer, opened):
    shown = opened()
    shown.native.deleteLater()
    let_go()
    assert not isalive(shown.native)
    viewer.add_image(PICTURE, rgb=True)
    assert said() == []


# In the window -------------------------------------------------------------------------------------------------------
XVFB = all(map(shutil.which, ("xvfb-run", "xauth")))
SCREEN = [] if os.environ.get("DISPLAY") else ["xvfb-run", "-a", "-s", "-screen 0 1400x900x24"]


@pytest.mark.skipif(sys.platform != "linux" or not (XVFB or not SCREEN), reason="needs a screen, or Xvfb with xauth")
def test_in_the_window(tmp_path):
    environment = {k: x for k, x in os.environ.items() if k != "QT_QPA_PLATFORM"} | {
        "PYTHONPATH": os.pathsep.join([str(root), os.environ.get("PYTHONPATH", "")]),
        "NAPARI_CONFIG": str(tmp_path / "settings.yaml"),
    }
    script = Path(__file__).with_name("napari_window.py")
    command = [*SCREEN, sys.executable, str(script), str(tmp_path)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600)
    if "could not connect to display" in done.stderr or "no Qt platform plugin" in done.stderr:
        pytest.skip("Qt cannot use the screen: libraries of xcb are missing")
    assert done.returncode == 0, done.stderr[-3000:]
    report = json.loads((tmp_path / "report.json").read_text())
    assert any("CUTS" in text for text in report["menu"])
    assert report["samples"] == 6
    assert report["click"] == report["expected"] > 0
    assert report["kept"] == [0, 1]
    assert (report["drawn"], report["signs"]) == (["rectangle", "path"], [1, -1])
    assert report["undone"] == ["rectangle"]
    assert report["clicks"] == [-1]
    assert report["wrong"] == []
