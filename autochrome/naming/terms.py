"""Basic color terms and where they lie: the anchors for naming a picture's main colors.

The terms are Berlin and Kay's eleven ("Basic Color Terms", 1969), with light and dark. The anchors come from the XKCD
color survey (R. Munroe, 2010, CC0): 222,500 people named colors shown on their own screens, and for each name the
survey gives the sRGB value at the center of its answers. Names of a basic term with a word that tells only light, dark,
strength or a neighbor ("dusty blue", "brownish red") stand under their basic term; "pale", "pastel", "powder" and
"baby" are light, "deep", "midnight" and "navy" dark. Muted anchors matter: photographs hold few of the vivid colors
that screens can show.
"""

COLOR_NAMES = ("red", "orange", "yellow", "green", "blue", "purple", "pink", "brown")
"""The terms that have a hue."""

ANCHORS: dict[str, str] = {
    "black": "070d0d 000000",
    "white": "ffffe4 ffffff",
    "grey": "929591 7d7f7c 95a3a6 978a84",
    "light grey": "d8dcd6",
    "dark grey": "363737",
    "red": (
        "af2f0d b9484e be013c f43605 b0054b aa2704 fe0002 d3494e bb3f3f 9f2305 9e3623 980002 ff000d f10c45 "
        "8f1402 e50000"
    ),
    "light red": "db5856 fe2f4a d9544d ff474c",
    "dark red": "7b0323 9a0200 840000",
    "green": (
        "bcf5a6 089404 699d4c 33b864 25ff29 2fef10 6ba353 6c7a0e 5fa052 76a973 658d6d 667c3e 657432 667e2c "
        "7bb274 39ad48 7a9703 6a6e09 82a67d 88b378 10a674 74a662 b0dd16 789b73 658b38 5ca904 4b5d16 3f9b0b "
        "677a04 01ff07 15b01a"
    ),
    "light green": "9af764 8cff9e cffdbc 61e160 d1ffbd b0ff9d c7fdb5 96f97b",
    "dark green": "35530a 044a05 062e03 002d04 3c4d03 02590f 0b4008 06470c 033500",
    "yellow": "c2b709 f1f33f bfac05 fdee73 feff7f d0c101 d5ab09 eedc5b c9b003 fec615 fffd01 cdc50a cdfd02 ffff14",
    "light yellow": "fffe71 fffe7a ffff84",
    "dark yellow": "d5b60a",
    "blue": (
        "0c06f7 5684ae 31668a 3c73a8 021bf9 4b57db 152eff 8b88f8 3f829d 4984b8 3b719f 475f94 0804f9 3b5b92 "
        "658cbb 010fcc 5a86ad 49759c 030aa7 0b8b87 5e819d 601ef9 2c6fbb 5a7d9a 5b7c99 6b8ba4 0165fc 0504aa "
        "75bbfd 0343df"
    ),
    "light blue": "d6fffe bdf6fe 8af1fe 3d7afd c6fcff d7fffe d5ffff a2bffe b1d1fc a2cffe d0fefe 95d0fc",
    "dark blue": "214761 00022e 000133 020035 040273 001146 00035b",
    "brown": (
        "7d7103 8b3103 b2713d 964e02 6b4247 876e4b 886806 b25f03 c4a661 b17261 7f5112 645403 b27a01 7a6a4f "
        "9b7a01 7f7053 696112 7f2b0a 653700"
    ),
    "light brown": "d3b683 b1916e ad8150",
    "dark brown": "410200 1d0200 411900 341c02",
    "orange": (
        "fe4b03 f0833a c14a09 c45508 f0944d ffab0f ff724c cd5909 c87606 d8863b ff5b00 f8481c cb7723 c04e01 f97306"
    ),
    "light orange": "ff964f ffa756 fdaa48",
    "dark orange": "dc4d01 c65102",
    "pink": (
        "ff0789 dd85d7 d1768f fb5581 c27e79 f36196 cd7584 c3909b de9dac c88d94 ca7b80 cc7a8b d5869d d58a94 "
        "ce5dae fe2c54 f7879a fe7b7c fe01b1 ff028d ff81c0"
    ),
    "light pink": "ffb2d0 fff4f2 ffbacd ffb7ce ffcfdc ffd1df",
    "dark pink": "cb0162 cb416b",
    "purple": (
        "952e8f 720058 9900fa 734a65 a442a0 805b87 895b7b 76424e 9e43a2 cb00f5 916e99 825f87 84597e 826d8c "
        "910951 887191 703be7 d648d7 4b006e be03fd 7e1e9c"
    ),
    "light purple": "ca9bf7 a552e6 f6cefc caa0ff b790d4 bf77f6",
    "dark purple": "280137 2a0134 36013f 35063e",
}
"""Term to the sRGB values (RRGGBB, hexadecimal) that people call so."""
