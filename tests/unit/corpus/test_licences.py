import pathlib

import pytest

from nested_ray.config.corpus import FolderSource
from nested_ray.corpus.licences import Licences, package_licence, recognise, stated_licence
from nested_ray.corpus.sources import open_source

MIT = (
    "Copyright (c) 2020 N\n\nPermission is hereby granted, free of charge, to any person obtaining a copy\n"
    'of this software and associated documentation files (the "Software"), to deal ...\n'
    "The above copyright notice and this permission notice shall be included in all\ncopies\n"
)
BSD2 = "Redistribution and use in source and binary forms, with or without\nmodification, are permitted"
BSD3 = BSD2 + "\n * Neither the name of the copyright holder nor the names"
GPL3 = "                    GNU GENERAL PUBLIC LICENSE\n                       Version 3, 29 June 2007\n"
LGPL21 = "                  GNU LESSER GENERAL PUBLIC LICENSE\n                       Version 2.1, February 1999\n"


@pytest.mark.parametrize(
    ("text", "spdx"),
    [
        (MIT, "MIT"),
        (BSD2, "BSD-2-Clause"),
        (BSD3, "BSD-3-Clause"),
        (GPL3 + "... GNU Affero General Public License ...", "GPL-3.0"),
        (LGPL21, "LGPL-2.1"),
        ("   GNU GENERAL PUBLIC LICENSE\n   Version 2, June 1991\n", "GPL-2.0"),
        ("    Apache License\n    Version 2.0, January 2004\n", "Apache-2.0"),
        ("Mozilla Public License Version 2.0\n====\n", "MPL-2.0"),
        ("Creative Commons Attribution 4.0 International Public License", "CC-BY-4.0"),
        ("Creative Commons Attribution-NonCommercial 4.0 International Public License", None),
        ("This is free and unencumbered software released into the public domain.", "Unlicense"),
        (MIT + "\n\nBundled parts:\n" + BSD3, "MIT"),
        ("All rights reserved.", None),
        ("", None),
    ],
)
def test_licence_texts_are_recognised(text, spdx):
    assert recognise(text) == spdx


def test_real_licence_of_the_running_python():
    with open_source(FolderSource(path=str(pathlib.__file__))).listing() as files:
        assert [file.path for file in files] == ["pathlib.py"]
    text = pathlib.Path(pathlib.__file__).with_name("LICENSE.txt")
    if text.exists():
        assert recognise(text.read_text()) == "PSF-2.0"


def test_stated_licence_is_taken_as_written():
    assert (
        stated_licence("# SPDX-License-Identifier: MIT OR Apache-2.0\nx = 1\n")
        == "MIT OR Apache-2.0"
    )
    assert stated_licence("/* SPDX-License-Identifier: GPL-2.0-only */\n") == "GPL-2.0-only"
    assert stated_licence("x = 1\n") is None


def test_nearest_licence_up_the_tree_counts_and_the_file_itself_first(write):
    root = write(
        {
            "LICENSE": MIT, "a.py": "", "pkg/deep/b.py": "", "vendor/COPYING.txt": GPL3,
            "vendor/c/d.py": "", "both/LICENSE-MIT": MIT, "both/LICENSE-APACHE": "Apache License Version 2.0, January 2004",
            "licenses.py": GPL3,
        }
    )  # fmt: skip
    source = open_source(FolderSource(path=str(root)))
    with source.listing() as files:
        licences = Licences(source, files)
        assert licences.of("a.py", "") == "MIT"
        assert licences.of("pkg/deep/b.py", "") == "MIT"
        assert licences.of("vendor/c/d.py", "") == "GPL-3.0"
        assert licences.of("both/x.py", "") == "Apache-2.0 AND MIT"
        assert licences.of("vendor/c/d.py", "# SPDX-License-Identifier: 0BSD\n") == "0BSD"


def test_folder_without_licence_has_none(write):
    source = open_source(FolderSource(path=str(write({"a/b.py": ""}))))
    with source.listing() as files:
        assert Licences(source, files).of("a/b.py", "") is None


def test_package_licence_comes_from_its_metadata():
    assert package_licence("typer") == "MIT"
    assert package_licence("yaml") == "MIT"  # imported by another name than PyYAML
    assert package_licence("no_such_package_here") is None
