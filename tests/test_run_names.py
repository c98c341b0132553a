"The names of results: no two images share one, every image has one, and none leads elsewhere."

import os
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cuts.runs.folder import Run
from cuts.files.digests import digest
from cuts.files.names import output_name
from cuts.files.atomic import write_atomic

characters = st.characters(exclude_characters="/\0", exclude_categories=["Cs"])
any_part = st.text(characters, min_size=1, max_size=12).filter(lambda part: part not in (".", ".."))
ordinary = ["a", "b", "01.png", "01.tif", "01.png.npz"]
odd = [".npz", "a.npz~", "-rf", "~", "..npz"]
long = ["x" * 300, "x" * 301, "é" * 140 + ".png", "x" * 200 + ".npz"]
image_name = st.lists(any_part | st.sampled_from(ordinary + odd + long), min_size=1, max_size=3).map("/".join)


@settings(max_examples=300, deadline=None)
@given(st.sets(image_name, max_size=8), st.sampled_from([".npz", "_labels.nii.gz", ".PNG"]))
def test_no_two_names_share_a_place(names, suffix):
    outputs = [Path(output_name(n, suffix)) for n in names]
    assert len(set(outputs)) == len(names)
    assert not {p for o in outputs for p in o.parents} & set(outputs)  # no result where another's folder must be
    for o in outputs:
        assert o.name.endswith(suffix)
        assert not o.is_absolute()
        assert ".." not in o.parts
        assert max(len(os.fsencode(p)) for p in o.parts) <= 200


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere disks take fewer names")
@settings(max_examples=60, deadline=None)
@given(st.sets(image_name, max_size=5))
def test_every_name_can_be_written(tmp_path_factory, names):
    run = Run(tmp_path_factory.mktemp("names"))
    for n in names:
        file = run.file("out", output_name(n, ".npz"))
        write_atomic(file, n)
        run.record(n, "x", [file])
    for n in names:
        assert run.done(n, "x")
        assert (run.path / "out" / output_name(n, ".npz")).read_bytes().decode() == n


def test_names_from_a_disk_that_knows_no_unicode(tmp_path):
    name = os.fsdecode(b"caf\xe9.png")
    run = Run(tmp_path)
    file = run.file(output_name(name, ".npz"))
    try:
        write_atomic(file, "x")
    except OSError:
        pytest.skip("this disk takes only Unicode")
    run.record(name, "x", [file])
    assert run.done(name, "x")
    assert digest(name) != digest("café.png")


@pytest.mark.parametrize("name", ["../a.png", "a/../../b.png", "/a.png", "//a", "", ".", "..", "a/", "./a", "a\0b"])
def test_names_that_lead_elsewhere_are_refused(name):
    with pytest.raises(ValueError, match="relative path"):
        output_name(name, ".npz")
