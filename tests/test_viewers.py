"What is written for other programs can be read by them: outlines, GeoJSON, colour tables, segmentations, layers."

import json
import subprocess
import sys
import time

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from skimage.draw import polygon as fill

from cuts.io.pixels import ImageError
from cuts.io.viewers import geojson, labels_of_geojson, napari_layers, outlines, slicer_colors, snap_labels
from cuts.io.image import Image
from cuts.io.reading import as_image, read_image, read_labels, read_placed_labels
from cuts.io.labels import label_palette
from cuts.io.segments import encode_segments
from cuts.io.writing import write_labels

plain = settings(max_examples=150, deadline=None)
maps = arrays(
    np.int32, array_shapes(min_dims=2, max_dims=2, max_side=12), elements=st.integers(0, 3), fill=st.nothing()
)
names = st.dictionaries(st.integers(0, 300), st.text(max_size=12) | st.text("\"'\n\r\t #_\\:", max_size=6))


def rings_of(regions):
    "Every ring of the outlines of a map: number → polygons."
    return [ring for polygons in regions.values() for polygon in polygons for ring in polygon]


def area(ring):
    return (ring[:-1, 0] * ring[1:, 1] - ring[1:, 0] * ring[:-1, 1]).sum() / 2


def filled(polygons, shape):
    "The pixels whose middle lies in an odd number of rings."
    mask = np.zeros(shape, bool)
    for ring in (np.asarray(ring) for polygon in polygons for ring in polygon):
        mask[fill(ring[:, 1] - 0.5, ring[:, 0] - 0.5, shape)] ^= True
    return mask


def color(n):
    return tuple(label_palette(n + 1)[n].tolist())


# ---------- outlines


@plain
@given(maps)
def test_outlines_enclose_their_regions(labels):
    from scipy.ndimage import label

    polygons_of = outlines(labels)
    assert list(polygons_of) == [n for n in np.unique(labels).tolist() if n]
    for number, polygons in polygons_of.items():
        mask = labels == number
        assert np.array_equal(filled(polygons, mask.shape), mask)
        assert sum(area(ring) for polygon in polygons for ring in polygon) == mask.sum()
        assert len(polygons) == label(mask)[1]  # pieces are connected over edges
        for polygon in polygons:
            assert label(filled([polygon], mask.shape))[1] == 1
            assert area(polygon[0]) > 0
            assert all(area(hole) < 0 for hole in polygon[1:])


@plain
@given(maps)
def test_rings_are_closed_turn_at_every_corner_and_never_touch_themselves(labels):
    H, W = labels.shape
    for ring in rings_of(outlines(labels)):
        assert ring.dtype.kind == "i"
        assert ring.shape[1] == 2
        assert len(ring) >= 5
        assert (ring >= 0).all()
        assert (ring <= (W, H)).all()
        assert np.array_equal(ring[0], ring[-1])
        along = np.diff(ring, axis=0) != 0
        assert (along.sum(1) == 1).all()  # along the edges of pixels
        assert (along[:, 0] != np.roll(along[:, 0], 1)).all()  # no corner that is none
        assert len(np.unique(ring[:-1], axis=0)) == len(ring) - 1


@plain
@given(maps)
def test_edges_are_all_borders_of_pixels(labels):
    "The rings are as long as the borders are, neither shorter nor longer."
    length = sum(np.abs(np.diff(ring, axis=0)).sum() for ring in rings_of(outlines(labels)))
    x = np.pad(labels, 1)
    neighbours = ((x[1:], x[:-1]), (x[:, 1:], x[:, :-1]))
    assert length == sum(((a != b) * ((a > 0).astype(int) + (b > 0))).sum() for a, b in neighbours)


@plain
@given(maps)
def test_polygons_are_valid_for_geometry_libraries(labels):
    shapely = pytest.importorskip("shapely.geometry")
    for feature in json.loads(geojson(labels))["features"]:
        assert shapely.shape(feature["geometry"]).is_valid


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int16, np.uint16, np.int64, np.uint64])
def test_outlines_of_any_integers(dtype):
    labels = np.array([[0, 1, 1], [1, 0, 1]]).astype(dtype)
    polygons_of = outlines(labels)
    assert list(polygons_of) == [1]
    assert type(next(iter(polygons_of))) is int
    assert [[ring.tolist() for ring in polygon] for polygon in polygons_of[1]] == [
        [[[1, 0], [3, 0], [3, 2], [2, 2], [2, 1], [1, 1], [1, 0]]],
        [[[0, 1], [1, 1], [1, 2], [0, 2], [0, 1]]],
    ]


def test_outlines_of_large_numbers_and_single_pixels():
    assert list(outlines(np.array([[2**40, 0, 7]]))) == [7, 2**40]
    assert outlines(np.array([[3]]))[3][0][0].tolist() == [[0, 0], [1, 0], [1, 1], [0, 1], [0, 0]]
    assert outlines(np.zeros((5, 4), int)) == {}


@pytest.mark.parametrize(
    ("labels", "error", "message"),
    [
        (np.ones((2, 2, 2), int), ValueError, r"\[2, 2, 2\], expected \[H,W\]"),
        (np.zeros((0, 3), int), ValueError, "not empty"),
        (np.array([[-1]]), ValueError, "from -1"),
        (np.ones((2, 2)), TypeError, "float64"),
        (np.array([["a"]]), TypeError, "whole numbers"),
    ],
)
def test_what_has_no_outlines_is_refused(labels, error, message):
    with pytest.raises(error, match=message):
        outlines(labels)
    if labels.ndim < 3:
        with pytest.raises(error, match=message.replace("not empty", r"\[D,H,W\] and not empty")):
            geojson(labels)


def ragged(side, n, seed=0):
    "A map of n regions with ragged borders and specks along them."
    rng = np.random.default_rng(seed)
    blocks = rng.integers(1, n + 1, (side // 32 + 1, side // 32 + 1))
    y, x = np.mgrid[:side, :side] + rng.integers(0, 3, (2, side, side))
    return blocks[y // 32, x // 32]


def test_large_maps_are_outlined_in_seconds():
    labels = ragged(2048, 300)
    before = time.perf_counter()
    polygons_of = outlines(labels)
    assert time.perf_counter() - before < 30  # 2 s on an idle core
    assert len(polygons_of) == 300
    assert np.array_equal(filled(polygons_of[17], labels.shape), labels == 17)
    assert sum(map(area, rings_of(polygons_of))) == labels.size


# ---------- GeoJSON


@plain
@given(maps)
def test_geojson_gives_the_map_back(labels):
    painted = np.zeros_like(labels)
    for feature in json.loads(geojson(labels))["features"]:
        geometry, number = feature["geometry"], int(feature["properties"]["name"].removeprefix("region "))
        assert (geometry["type"] == "Polygon") == (
            len(outlines(labels)[number]) == 1
        )  # QuPath takes no multipolygon of one
        polygons = [geometry["coordinates"]] if geometry["type"] == "Polygon" else geometry["coordinates"]
        assert all(type(c) is int for polygon in polygons for ring in polygon for point in ring for c in point)
        painted[filled(polygons, labels.shape)] = number
    assert np.array_equal(painted, labels)


@plain
@given(names)
def test_geojson_with_any_names(names):
    numbers = np.array([[n for n in names if n] or [1]])
    features = json.loads(geojson(numbers, names).encode("utf-8"))["features"]
    assert len(features) == numbers.size
    for feature in features:
        p = feature["properties"]
        assert p["name"].strip()
        assert "\n" not in p["name"]
        assert p["classification"]["name"] == p["name"]
        assert p["objectType"] == "annotation"
        assert p["isLocked"] is False
        assert len(p["classification"]["color"]) == 3


def test_planes_of_a_volume():
    volume = np.zeros((4, 5, 6), int)
    volume[1, 1:3, 2:4] = 2
    volume[3] = 1
    features = json.loads(geojson(volume, {2: "lesion"}, classification=False))["features"]
    assert [(f["geometry"]["plane"], f["properties"]["name"], f["properties"]["color"]) for f in features] == [
        ({"c": -1, "z": 1, "t": 0}, "lesion", list(color(2))),
        ({"c": -1, "z": 3, "t": 0}, "region 1", list(color(1))),
    ]
    assert all("classification" not in f["properties"] for f in features)
    assert "plane" not in json.loads(geojson(volume[1]))["features"][0]["geometry"]


@plain
@given(maps)
def test_geojson_comes_back_as_labels(labels):
    names = {2: "a lesion", 3: "region 1"}
    back, called = labels_of_geojson(geojson(labels, names), labels.shape, names)
    there = [n for n in np.unique(labels).tolist() if n]
    names = {n: names.get(n, f"region {n}") for n in there}
    if 1 in there and 3 in there:  # two regions of one name are one class
        assert list(called.values()) == list(dict.fromkeys(names[n] for n in sorted(there, key=lambda n: n == 1)))
        assert np.array_equal(back == 3, (labels == 3) | (labels == 1))
    else:
        assert np.array_equal(back != 0, labels != 0)
        assert np.array_equal(back == 2, labels == 2)
        assert set(called.values()) == set(names.values())


@pytest.mark.parametrize(
    ("geometry", "message"),
    [
        ({"type": "Point", "coordinates": [1, 2]}, "a Point, which encloses no pixels"),
        ({"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 1], [0, 0]]], "plane": {"z": 3}}, "plane 3, but"),
    ],
)
def test_annotations_that_are_no_regions(geometry, message):
    feature = {"type": "Feature", "geometry": geometry, "properties": {}}
    for text in (feature, [feature], {"type": "FeatureCollection", "features": [feature]}):
        with pytest.raises(ValueError, match=message):
            labels_of_geojson(json.dumps(text), (2, 8, 9))


def polygon(*corners):
    return {"type": "Polygon", "coordinates": [[list(corner) for corner in corners]]}


def feature_of(geometry, **properties):
    return {"type": "Feature", "geometry": geometry, "properties": properties}


SQUARE = polygon((0, 0), (2, 0), (2, 2), (0, 2), (0, 0))
NO_FEATURES = [
    feature_of(None),
    {"type": "Feature"},
    3,
    None,
    "x",
    [],
    feature_of(polygon()),
    feature_of({"type": "Polygon", "coordinates": []}),
    feature_of({"type": "Polygon", "coordinates": None}),
    feature_of({"type": "Polygon"}),
    feature_of(polygon((0, 0), (1, 1))),
    feature_of(polygon((0,), (1,), (2,))),
    feature_of(polygon((0, 0), (1, 1), (2,))),
    feature_of(polygon((np.nan, 0), (2, 0), (2, 2))),
    feature_of(polygon((np.inf, 0), (2, 0), (2, 2))),
    feature_of(polygon((-1e300, 0), (1e300, 0), (2, 2))),
    feature_of(polygon((10**30, 0), (2, 0), (2, 2))),
    feature_of(polygon(("1", 0), (2, 0), (2, 2))),
    feature_of({"type": "GeometryCollection", "geometries": [SQUARE]}),
    feature_of({"type": ["Polygon"], "coordinates": []}),
    *(feature_of(SQUARE | {"plane": {"z": z}}) for z in ("x", None, 0.5, -1, np.nan, [0])),
    feature_of(SQUARE | {"plane": 3}),
    {"type": "Feature", "geometry": SQUARE, "properties": "x"},
    feature_of(SQUARE, classification="Tumor"),
    feature_of(SQUARE, classification={"names": 5}),
    feature_of(SQUARE, classification={"names": [5]}),
    feature_of(SQUARE, name=5),
    feature_of(SQUARE, name=[5]),
]


@pytest.mark.parametrize("bad", NO_FEATURES)
def test_hostile_features_are_told_by_their_number(bad):
    with pytest.raises(ImageError, match="GeoJSON: feature 2: "):
        labels_of_geojson(json.dumps([feature_of(SQUARE), bad]), (8, 9))


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, "3", "null", '"x"', '{"features": null}'])
def test_texts_that_are_no_geojson(text):
    with pytest.raises(ImageError, match="GeoJSON: .*Export it anew"):
        labels_of_geojson(text, (8, 9))


def test_what_other_programs_write_too():
    "A byte-order mark, heights, no properties, a plane of null, and nothing at all."
    high = polygon((0, 0, 1), (2, 0, 1), (2, 2, 1), (0, 2, 1))
    for feature in (feature_of(high), {"geometry": SQUARE, "properties": None}, feature_of(SQUARE | {"plane": None})):
        labels, called = labels_of_geojson("\ufeff" + json.dumps([feature]), (8, 9))
        assert called == {1: "no class"}
        assert labels.sum() == labels[:2, :2].sum() == 4
    assert labels_of_geojson("\ufeff[]", (8, 9))[1] == {}


def test_regions_keep_their_numbers_in_any_order():
    labels = np.zeros((8, 9), int)
    labels[:3, :3], labels[4:, 4:] = 1, 2
    features = json.loads(geojson(labels))["features"]
    new = feature_of(polygon((0, 6), (2, 6), (2, 8), (0, 8)), classification={"name": "tumour"})
    for order in ([new, *features], [*features, new], [features[1], new, features[0]]):
        back, called = labels_of_geojson(json.dumps(order), labels.shape)
        assert called == {1: "region 1", 2: "region 2", 3: "tumour"}
        assert ((back == labels) | (back == 3)).all()
    back, called = labels_of_geojson(geojson(labels, {2: "a\nlesion "}), labels.shape, {2: "a\nlesion "})
    assert called == {1: "region 1", 2: "a lesion"}
    assert (back == labels).all()


@pytest.mark.parametrize("names", [{0: "a"}, {-3: "a"}, {2**31: "a"}, {"1": "a"}, {1.5: "a"}, {1: "a", 2: "a"}])
def test_names_that_number_nothing(names):
    with pytest.raises(ImageError, match="names: "):
        labels_of_geojson("[]", (8, 9), names)
    with pytest.raises(ImageError, match="no number is left"):
        labels_of_geojson(json.dumps([feature_of(SQUARE)]), (8, 9), {2**31 - 1: "a"})


def test_annotations_as_qupath_exports_them():
    "Ids, measurements and a class of two names beside what is read; floating corners; later ones lie above."
    ring = [[1.2, 1.3], [5.2, 1.3], [5.2, 4.3], [1.2, 4.3], [1.2, 1.3]]
    about = {"objectType": "annotation", "classification": {"names": ["Tumor", "Positive"], "color": [200, 0, 0]}}
    annotations = [
        {"type": "Feature", "id": "4f0e2a4e-0d05-4e4b-8a8c-8a7c8b1d2c11", "geometry": g, "properties": p}
        for g, p in (
            ({"type": "Polygon", "coordinates": [ring]}, about | {"measurements": {"Area µm^2": 12.0}}),
            ({"type": "Polygon", "coordinates": [(np.array(ring) + 2).tolist()]}, {"objectType": "annotation"}),
        )
    ]
    labels, called = labels_of_geojson(json.dumps(annotations), (8, 9), {7: "Tumor: Positive"})
    assert called == {7: "Tumor: Positive", 8: "no class"}
    assert (labels == 7).sum() == 12 - 2
    assert (labels == 8).sum() == 12


def test_levels_resolve_into_a_hierarchy():
    "Each outline of a finer level lies in one of a coarser level, as QuPath's Resolve hierarchy wants it."
    shapely = pytest.importorskip("shapely.geometry")
    fine = ragged(96, 6)
    coarse = np.where(fine < 3, 1, np.where(fine < 6, 2, 3))
    parents, children = (
        [shapely.shape(f["geometry"]) for f in json.loads(geojson(x))["features"]] for x in (coarse, fine)
    )
    assert [round(shape.area) for shape in parents] == [(coarse == n).sum() for n in np.unique(coarse)]
    assert all(sum(parent.covers(child) for parent in parents) == 1 for child in children)


# ---------- segmentations of 3D Slicer

SLANTED = np.array([[0, 0.1, -0.7, 9], [0.1, -0.5, 0, 8], [3, 0.1, 0, 7], [0, 0, 0, 1.0]])
SEGMENTS = np.random.default_rng(3).integers(0, 6, (5, 9, 8)) * (np.arange(9) > 2)[:, None]
SCANS = {
    "slanted": as_image(np.random.default_rng(0).random((5, 9, 8)), affine=SLANTED, channel_axis="none"),
    "in millimetres": as_image(np.random.default_rng(0).random((5, 9, 8)), spacing=(3, 0.5, 0.7), channel_axis="none"),
    "without a place": None,
}


def written_segments(folder, kind, plane=False, names=None):
    "A segmentation in a file, and its labels."
    scan, labels, path = SCANS[kind], SEGMENTS[2] if plane else SEGMENTS, folder / "a.seg.nrrd"
    like = scan and (scan.plane(2) if plane else scan)
    path.write_bytes(encode_segments(labels, like, path, names))
    return path, labels


@pytest.mark.parametrize("kind", SCANS)
def test_slicerio_reads_segments(tmp_path, kind):
    slicerio = pytest.importorskip("slicerio")
    path, labels = written_segments(tmp_path, kind, names={2: "left ventricle: a|b"})
    theirs = slicerio.read_segmentation(str(path))
    assert theirs["containedRepresentationNames"] == ["Binary labelmap"]
    assert [s["labelValue"] for s in theirs["segments"]] == [1, 2, 3, 4, 5]
    assert [s["name"] for s in theirs["segments"]][:3] == ["region 1", "left ventricle: a|b", "region 3"]
    for segment in theirs["segments"]:
        n = segment["labelValue"]
        assert np.allclose(np.array(segment["color"]) * 255, color(n), atol=0.01)
        voxels = np.argwhere(theirs["voxels"] == n)
        assert segment["extent"] == np.stack([voxels.min(0), voxels.max(0)], 1).ravel().tolist()
        assert len(voxels) == (labels == n).sum()
    if kind == "slanted":
        own = np.diag([-1, -1, 1, 1]) @ SLANTED[:, [2, 1, 0, 3]]  # x, y, z; to the left and back
        places = [matrix @ [*np.argwhere(x == 3).mean(0), 1] for matrix, x in ((theirs["ijkToLPS"], theirs["voxels"]),)]
        assert np.allclose(places[0], own @ [*np.argwhere(labels == 3).mean(0)[::-1], 1])


@pytest.mark.parametrize("kind", SCANS)
def test_nrrd_reads_segments(tmp_path, kind):
    nrrd = pytest.importorskip("nrrd")
    path, labels = written_segments(tmp_path, kind, plane=True)
    voxels, header = nrrd.read(str(path))
    assert voxels.shape == (*labels.T.shape, 1)
    assert header["Segment4_LabelValue"] == "5"
    assert header["Segment0_Extent"].endswith("0 0")
    assert ("space directions" in header) == (kind != "without a place")


def slicer_node(path):
    "What 3D Slicer's own libraries make of a segmentation; and what saves it again."
    slicer = pytest.importorskip("slicer")
    if not hasattr(slicer, "vtkMRMLSegmentationStorageNode"):
        pytest.skip("a package slicer that is not 3D Slicer's")
    scene, logic = slicer.vtkMRMLScene(), slicer.vtkSlicerSegmentationsModuleLogic()
    logic.SetMRMLScene(scene)
    node, storage = scene.AddNewNodeByClass("vtkMRMLSegmentationNode"), slicer.vtkMRMLSegmentationStorageNode()
    storage.SetFileName(str(path))
    assert storage.ReadData(node)
    return (scene, logic), node, storage


@pytest.mark.parametrize("plane", [False, True])
@pytest.mark.parametrize("kind", SCANS)
def test_slicer_reads_segments_and_saves_them_again(tmp_path, kind, plane):
    "Rows 0 to 2 have no region: without the grid of the image Slicer would cut them away."
    path, labels = written_segments(tmp_path, kind, plane, {2: "Ödem “links”", 3: "a\\b: c|d"})
    _, node, storage = slicer_node(path)
    segments = node.GetSegmentation()
    theirs = [segments.GetNthSegment(i) for i in range(segments.GetNumberOfSegments())]
    assert [s.GetLabelValue() for s in theirs] == [1, 2, 3, 4, 5]
    assert [s.GetName() for s in theirs][:3] == ["region 1", "Ödem “links”", "a\\b: c|d"]
    assert all(np.allclose(np.array(s.GetColor()) * 255, color(s.GetLabelValue()), atol=0.01) for s in theirs)
    theirs[0].SetName("renamed")
    storage.SetFileName(str(tmp_path / "again.seg.nrrd"))
    assert storage.WriteData(node)
    back, _, affine = read_placed_labels(tmp_path / "again.seg.nrrd")
    assert np.array_equal(back, labels)
    if kind == "slanted":
        like = SCANS[kind].plane(2) if plane else SCANS[kind]
        assert np.allclose(affine, like.affine, atol=1e-5)


def test_slicer_reads_color_tables(tmp_path):
    slicer = pytest.importorskip("slicer")
    if not hasattr(slicer, "vtkMRMLColorTableStorageNode"):
        pytest.skip("a package slicer that is not 3D Slicer's")
    (tmp_path / "a.ctbl").write_text(slicer_colors([1, 4], {4: "Ödem 'x y"}))
    storage, table, rgba = slicer.vtkMRMLColorTableStorageNode(), slicer.vtkMRMLColorTableNode(), [0.0] * 4
    storage.SetFileName(str(tmp_path / "a.ctbl"))
    assert storage.ReadData(table)
    assert (table.GetColorName(1), table.GetColorName(4)) == ("region 1", "Ödem 'x y")
    table.GetColor(4, rgba)
    assert np.allclose(np.array(rgba) * 255, (*color(4), 255))


def test_segments_are_written_by_name(tmp_path):
    labels = SEGMENTS[2]
    for name in ("a.seg.nrrd", "A.SEG.NRRD"):
        write_labels(tmp_path / name, labels)
        assert b"Segment4_Name" in (tmp_path / name).read_bytes()
        assert np.array_equal(read_labels(tmp_path / name), labels)
    write_labels(tmp_path / "seg.nrrd", labels)
    assert b"Segment0" not in (tmp_path / "seg.nrrd").read_bytes()
    with pytest.raises(ValueError, match=r"a.seg.nrrd: 1001 regions, but a segmentation has up to 1000"):
        write_labels(tmp_path / "a.seg.nrrd", np.arange(1002)[None])


@plain
@given(names)
def test_any_names_of_segments(names):
    "A name is one line of the header, and no line of it ends the header."
    sitk = pytest.importorskip("SimpleITK")
    from tempfile import TemporaryDirectory

    numbers = np.array([[n for n in names if n] or [1]])
    with TemporaryDirectory() as folder:
        path = f"{folder}/a.seg.nrrd"
        with open(path, "wb") as file:
            file.write(encode_segments(numbers, None, path, names))
        theirs = sitk.ReadImage(path)
        assert np.array_equal(read_labels(path), numbers)
    assert sum(key.endswith("_LabelValue") for key in theirs.GetMetaDataKeys()) == numbers.size


# ---------- slides


def test_the_size_of_a_pixel_of_a_slide(tmp_path):
    "As the description of an OME-TIFF says it, and as the labels of it say it to whoever reads TIFF."
    ome_types, tifffile = pytest.importorskip("ome_types"), pytest.importorskip("tifffile")
    size = dict(PhysicalSizeX=0.25, PhysicalSizeXUnit="µm", PhysicalSizeY=0.5, PhysicalSizeYUnit="µm")
    pixels = np.zeros((64, 96, 3), np.uint8)
    with tifffile.TiffWriter(tmp_path / "a.ome.tif", ome=True) as file:
        file.write(pixels, subifds=1, metadata={"axes": "YXS", **size}, photometric="rgb")
        file.write(pixels[::2, ::2], subfiletype=1, photometric="rgb")
    theirs = ome_types.from_tiff(tmp_path / "a.ome.tif").images[0].pixels
    slide = read_image(tmp_path / "a.ome.tif")
    assert np.allclose(slide.spacing, [theirs.physical_size_y / 1000, theirs.physical_size_x / 1000])
    write_labels(tmp_path / "labels.tif", np.ones((64, 96), int), slide)
    with tifffile.TiffFile(tmp_path / "labels.tif") as file:
        tags = {name: file.pages[0].tags[name].value for name in ("XResolution", "YResolution", "ResolutionUnit")}
    assert tags["ResolutionUnit"] == 3  # centimetres
    per_um = [tags[f"{axis}Resolution"][0] / tags[f"{axis}Resolution"][1] / 10_000 for axis in "XY"]
    assert np.allclose(per_um, [4, 2])


# ---------- colour tables


def read_snap(text):
    "As ITK-SNAP reads: seven numbers, then what stands between two quotes."
    entries = {}
    for line in text.split("\n"):
        if not line or line[0] == "#":
            continue
        number, r, g, b, alpha, visible, mesh, rest = line.split(None, 7)
        before, name, after = rest.split('"')
        assert name
        assert not before
        assert not after
        entries[int(number)] = name, (int(r), int(g), int(b)), float(alpha), int(visible), int(mesh)
    return entries


def read_slicer(text):
    "As 3D Slicer reads: six words."
    entries = {}
    for line in text.split("\n"):
        if not line or line[0] == "#":
            continue
        number, name, *rgba = line.split()
        assert not name.startswith("'")
        assert not name.endswith("'")
        assert len(rgba) == 4
        entries[int(number)] = name.replace("_", " "), tuple(map(int, rgba))
    return entries


@plain
@given(names)
def test_any_names_in_colour_tables(names):
    for text in (snap_labels(names, names), slicer_colors(names, names)):
        text.encode("utf-8")
    snap, slicer = read_snap(snap_labels(names, names)), read_slicer(slicer_colors(names, names))
    assert list(snap) == list(slicer) == sorted({0, *names})
    assert snap[0] == ("Clear Label", (0, 0, 0), 0, 0, 0)
    assert slicer[0] == ("Background", (0, 0, 0, 0))
    for n in snap:
        if n:
            assert snap[n][1:] == (color(n), 1, 1, 1)
            assert slicer[n][1] == (*color(n), 255)


def test_plain_names_come_back():
    names = {3: "left ventricle", 4: "Ödem", 250: "a, b (c) #1"}
    assert [name for name, *_ in read_snap(snap_labels([3, 4, 5, 250], names)).values()] == [
        "Clear Label",
        "left ventricle",
        "Ödem",
        "region 5",
        "a, b (c) #1",
    ]
    assert [name for name, _ in read_slicer(slicer_colors([3, 4, 5, 250], names)).values()] == [
        "Background",
        "left ventricle",
        "Ödem",
        "region 5",
        "a, b (c) #1",
    ]
    table = snap_labels({3, 4}, names)
    assert snap_labels(iter([4, 3, 4]), names) == table
    assert snap_labels(np.array([[0, 3], [4, 3]], np.uint8), names) == table


def test_headers():
    lines = snap_labels([1]).split("\n")
    assert lines[0] == lines[13] == "#" * 48
    assert lines[1] == "# ITK-SnAP Label Description File"
    assert lines[3] == "# IDX   -R-  -G-  -B-  -A--  VIS MSH  LABEL"
    assert lines[14:] == [
        '    0     0    0    0        0  0  0    "Clear Label"',
        '    1   230  159    0        1  1  1    "region 1"',
        "",
    ]
    assert slicer_colors([1]) == "# Color table file\n# 2 values\n0 Background 0 0 0 0\n1 region_1 230 159 0 255\n"


@pytest.mark.parametrize(("table", "largest"), [(snap_labels, 65535), (slicer_colors, 10**6)])
def test_numbers_that_would_spoil_a_table(table, largest):
    assert f"\n{'' if table is slicer_colors else '  '}{largest} " in table([largest])
    with pytest.raises(ValueError, match=f"from 0 to {largest}"):
        table([largest + 1])
    with pytest.raises(ValueError, match="from -1"):
        table([-1, 2])
    with pytest.raises(TypeError, match="whole numbers"):
        table([1.5])
    with pytest.raises(TypeError, match="whole numbers"):
        table(["a"])


# ---------- napari

IMAGES = [
    np.zeros((20, 30), np.uint8),
    np.random.default_rng(0).random((20, 30, 3)),
    np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8),
    np.random.default_rng(0).random((2, 20, 30)),
    np.random.default_rng(0).random((4, 9, 20, 30)),
    np.random.default_rng(0).random((9, 20, 30)),
    np.random.default_rng(0).integers(-1000, 3000, (9, 20, 30, 3), dtype=np.int16),
]


def layers_of(x):
    image = as_image(x)
    image = as_image(x, spacing=(0.5, 0.25, 0.125)[: image.ndim], source="folder/eye.png")
    labels = np.random.default_rng(1).integers(0, 500, image.spatial)
    return image, labels, napari_layers(image, {"level 60": labels, "mask": labels > 250})


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("x", IMAGES, ids=lambda x: "×".join(map(str, x.shape)))
def test_layers_are_what_napari_expects(x):
    image, labels, layers = layers_of(x)
    (data, options, kind), *others = layers
    assert kind == "image"
    assert options["name"] == "eye.png"
    assert data.shape == {1: image.spatial, 3: (*image.spatial, 3)}.get(image.n_channels, image.data.shape)
    assert options["rgb"] == (image.n_channels == 3)
    assert options.get("channel_axis") == (0 if image.n_channels not in (1, 3) else None)
    if options["rgb"]:
        assert data.dtype == np.uint8 or data.min() >= 0 and data.max() <= 1
    else:
        assert options["contrast_limits"] == image.window
        assert np.array_equal(np.atleast_3d(data).ravel(), np.atleast_3d(image.values()).ravel())
    assert [(kind, s["name"], s["visible"]) for _, s, kind in others] == [
        ("labels", "level 60", True),
        ("labels", "mask", False),
    ]
    for _, s, _ in layers:
        assert s["scale"] == image.spacing
        assert s["units"] == ("mm",) * image.ndim
    colors = others[0][1]["colormap"]
    assert colors[0][3] == 0
    assert all(
        np.allclose(colors[n], (*np.array(color(n)) / 255, 1))
        for n in {*range(1, 256), *map(int, np.unique(labels))} - {0}
    )


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("x", IMAGES, ids=lambda x: "×".join(map(str, x.shape)))
def test_layers_in_napari(x):
    pytest.importorskip("napari")
    from napari.components import ViewerModel

    image, labels, layers = layers_of(x)
    viewer, n = ViewerModel(), 1 if image.n_channels in (1, 3) else image.n_channels
    for data, options, kind in layers:
        getattr(viewer, f"add_{kind}")(data, **options)
    assert len(viewer.layers) == n + 2
    for layer in viewer.layers:
        assert np.allclose(layer.scale, image.spacing)
        assert {str(u) for u in layer.units} == {"millimeter"}
    for k in (1, int(labels.max())):
        assert np.allclose(viewer.layers["level 60"].get_color(k)[:3], np.array(color(k)) / 255)


def test_layers_without_millimetres_and_of_the_wrong_shape():
    image = as_image(np.random.default_rng(0).random((6, 7)))
    assert "units" not in napari_layers(image, {})[0][1]
    with pytest.raises(ValueError, match=r"level: labels \[7, 6\], but the image"):
        napari_layers(image, {"level": np.ones((7, 6), int)})
    with pytest.raises(TypeError, match="level: float64"):
        napari_layers(image, {"level": np.ones((6, 7))})
    assert napari_layers(Image(image.data, source=""), {})[0][1]["name"] == "image"


# ---------- all of it


def test_importing_it_is_light():
    heavy = ("torch", "scipy", "skimage", "sklearn", "pandas", "matplotlib", "napari", "cuts.segmentation")
    code = f"import cuts.io.viewers, sys; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
