#!/usr/bin/env python
"""A picture of a scan and its segmentation as 3D Slicer draws them, made by 3D Slicer's own libraries.

xvfb-run -a python scripts/slicer_views.py SCAN SEGMENTATION PICTURE

They are not in the project's environment: install trame-slicer[standalone] into one of its own. The window around the
views is not Slicer's, so their coloured bars and the table of segments are drawn here; what the table says is asked of
the segmentation that Slicer has read.
"""

import argparse

import numpy as np
import vtk
from PIL import Image, ImageDraw, ImageFont
from trame_slicer.core import SlicerApp
from trame_slicer.views.direct_view_factory import DirectViewFactory
from trame_slicer.views.view_layout_definition import ViewLayoutDefinition
from vtk.util.numpy_support import vtk_to_numpy

SIDE, BAR, TABLE = (300, 250), 14, 190  # pixels: a view, its bar, the table
BARS = {"R": (243, 74, 51), "1": (116, 120, 190), "G": (109, 173, 74), "Y": (239, 214, 77)}  # of the Four-Up layout
PLACES = {"R": (0, 0), "1": (1, 0), "G": (0, 1), "Y": (1, 1)}  # column, row


def make_views(app) -> dict:
    "The four views of the layout that Slicer calls Four-Up."
    app.view_manager.register_factory(DirectViewFactory(True))
    kinds = {
        "R": ViewLayoutDefinition.axial_view(),
        "G": ViewLayoutDefinition.coronal_view(),
        "Y": ViewLayoutDefinition.sagittal_view(),
        "1": ViewLayoutDefinition.threed_view(background_color=("#c1c3e8", "#7478be")),
    }
    views = {name: app.view_manager.create_view(kind) for name, kind in kinds.items()}
    for view in views.values():
        view.update_size(*SIDE)
    return views


def load(app, scan: str, segmentation: str):
    "What Slicer makes of the two files."
    volume, segments = app.io_manager.load_volumes(scan)[0], app.io_manager.load_segmentation(segmentation)
    values = vtk_to_numpy(volume.GetImageData().GetPointData().GetScalars())
    volume.GetDisplayNode().AutoWindowLevelOff()
    volume.GetDisplayNode().SetWindowLevelMinMax(*np.percentile(values, [0.5, 99.5]))
    segments.CreateDefaultDisplayNodes()
    segments.GetDisplayNode().SetVisibility2DFill(False)  # outlines, so that the scan is seen
    segments.GetDisplayNode().SetSliceIntersectionThickness(1)
    segments.CreateClosedSurfaceRepresentation()  # the button Show 3D
    return volume, segments


def photograph(view) -> Image.Image:
    view.render()
    grab = vtk.vtkWindowToImageFilter()
    grab.SetInput(view.render_window())
    grab.ReadFrontBufferOff()
    grab.Update()
    pixels = grab.GetOutput()
    width, height, _ = pixels.GetDimensions()
    colors = vtk_to_numpy(pixels.GetPointData().GetScalars()).reshape(height, width, -1)
    return Image.fromarray(np.ascontiguousarray(colors[::-1, :, :3]))


def draw_table(draw, segments, x: int, font) -> None:
    "Names and colours of the segments, as Slicer has them."
    content = segments.GetSegmentation()
    draw.text((x, 6), segments.GetName(), fill="black", font=font)
    for i in range(content.GetNumberOfSegments()):
        segment, y = content.GetNthSegment(i), 30 + 22 * i
        draw.rectangle((x, y, x + 14, y + 14), fill=tuple(round(255 * c) for c in segment.GetColor()), outline="black")
        draw.text((x + 22, y + 1), segment.GetName(), fill="black", font=font)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("scan", "segmentation", "picture"):
        parser.add_argument(name)
    args = parser.parse_args()
    app = SlicerApp()
    views = make_views(app)
    volume, segments = load(app, args.scan, args.segmentation)
    (width, height), font = SIDE, ImageFont.load_default(13)
    page = Image.new("RGB", (2 * width + TABLE, 2 * (height + BAR)), "white")
    draw = ImageDraw.Draw(page)
    for name, view in views.items():
        if name != "1":
            view.set_background_volume_id(volume.GetID())
        view.fit_view_to_content()
        column, row = PLACES[name]
        x, y = column * width, row * (height + BAR)
        draw.rectangle((x, y, x + width - 1, y + BAR), fill=BARS[name])
        draw.text((x + 4, y - 1), name, fill="black", font=ImageFont.load_default(11))
        page.paste(photograph(view), (x, y + BAR))
    draw_table(draw, segments, 2 * width + 12, font)
    page.quantize(128, dither=Image.Dither.NONE).save(args.picture, optimize=True)


if __name__ == "__main__":
    main()
