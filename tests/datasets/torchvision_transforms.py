#!/usr/bin/python3
"""Writes goldens/transforms.json: what torchvision's functions make of two small pictures. Needs python3-torchvision."""
import json
from pathlib import Path

import torch
import torchvision.transforms.functional as F
from torchvision.transforms.functional import InterpolationMode as Mode

PICTURES = {
    "colour": torch.tensor([(i * i * 37 + i * 11 + 5) % 256 for i in range(3 * 6 * 7)]).reshape(3, 6, 7).to(torch.uint8),
    "grey": torch.tensor([(i * 53 + i * i * 3) % 200 + 20 for i in range(5 * 8)]).reshape(1, 5, 8).to(torch.uint8),
}
MODES = {"nearest": Mode.NEAREST, "bilinear": Mode.BILINEAR}
EXACT = ("posterize", "equalize")  # torchvision does these on bytes only


def filled(function, x, mode, fill):
    """`function(picture, fill)` with what lies outside at `fill`. Between pixels torchvision 0.14 weighs the edge of a picture
    twice when it is given a fill; the picture less the fill, zeros outside, weighs it once."""
    return function(x, [fill]) if mode == "nearest" else function(x - fill, None) + fill


def warp(x, angle, shift, scale, shear, mode, fill):
    return filled(lambda p, f: F.affine(p, angle, shift, scale, shear, MODES[mode], f), x, mode, fill)


CORNERS = [[0, 0], [6, 0], [6, 5], [0, 5]], [[1, 0], [5, 1], [6, 5], [0, 4]]


CASES = [
    ("hflip", [], F.hflip),
    ("vflip", [], F.vflip),
    ("pad", [2, 1, 3, 0, "constant", 0.5], lambda x: F.pad(x, [2, 1, 3, 0], 0.5, "constant")),
    ("pad", [2, 1, 3, 0, "edge", 0], lambda x: F.pad(x, [2, 1, 3, 0], padding_mode="edge")),
    ("pad", [2, 1, 3, 4, "reflect", 0], lambda x: F.pad(x, [2, 1, 3, 4], padding_mode="reflect")),
    ("crop", [1, 2, 3, 4], lambda x: F.crop(x, 1, 2, 3, 4)),
    ("crop", [-1, 3, 5, 6], lambda x: F.crop(x, -1, 3, 5, 6)),
    ("center", [3, 4], lambda x: F.center_crop(x, [3, 4])),
    ("center", [4, 3], lambda x: F.center_crop(x, [4, 3])),
    ("resize", [4, 3], lambda x: F.resize(x, [4, 3], antialias=True)),
    ("resize", [9, 11], lambda x: F.resize(x, [9, 11], antialias=True)),
    ("resize", [3, 20], lambda x: F.resize(x, [3, 20], antialias=True)),
    ("rotate", [30, "nearest", 0], lambda x: F.rotate(x, 30, Mode.NEAREST, fill=[0])),
    ("rotate", [-77, "bilinear", 0], lambda x: F.rotate(x, -77, Mode.BILINEAR)),
    *(("affine", [*arguments], lambda x, a=arguments: warp(x, a[0], [a[1], a[2]], a[3], [a[4], a[5]], a[6], a[7]))
      for arguments in ((0, 2, -1, 1, 0, 0, "nearest", 0.25), (25, 1, 1, 1.2, 10, 0, "bilinear", 0), (-10, 0, 2, 0.7, 0, 15, "nearest", 0))),
    ("perspective", [1, 0, 5, 1, 6, 5, 0, 4, "nearest", 0],
     lambda x: F.perspective(x, *CORNERS, Mode.NEAREST, [0])),
    ("perspective", [1, 0, 5, 1, 6, 5, 0, 4, "bilinear", 0.5],
     lambda x: filled(lambda p, f: F.perspective(p, *CORNERS, Mode.BILINEAR, f), x, "bilinear", 0.5)),
    ("erase", [1, 2, 3, 2, 0.75], lambda x: F.erase(x, 1, 2, 3, 2, torch.tensor(0.75))),
    ("grey", [3], lambda x: F.rgb_to_grayscale(x, 3) if x.shape[0] == 3 else x),
    ("brightness", [1.3], lambda x: F.adjust_brightness(x, 1.3)),
    ("contrast", [0.6], lambda x: F.adjust_contrast(x, 0.6)),
    ("contrast", [1.8], lambda x: F.adjust_contrast(x, 1.8)),
    ("saturation", [1.7], lambda x: F.adjust_saturation(x, 1.7)),
    ("hue", [0.2], lambda x: F.adjust_hue(x, 0.2)),
    ("hue", [-0.45], lambda x: F.adjust_hue(x, -0.45)),
    ("sharpness", [0.2], lambda x: F.adjust_sharpness(x, 0.2)),
    ("sharpness", [2.5], lambda x: F.adjust_sharpness(x, 2.5)),
    ("invert", [], F.invert),
    ("posterize", [3], lambda x: F.posterize(x, 3)),
    ("solarize", [0.5], lambda x: F.solarize(x, 0.5)),
    ("autocontrast", [], F.autocontrast),
    ("equalize", [], F.equalize),
    ("blur", [3, 5, 1.3], lambda x: F.gaussian_blur(x, [3, 5], [1.3, 1.3])),
    ("normalize", [0.3, 0.4], lambda x: F.normalize(x, [0.3] * x.shape[0], [0.4] * x.shape[0])),
]

cases = []
for name, arguments, function in CASES:
    for picture, pixels in PICTURES.items():
        if name == "perspective" and picture == "grey":
            continue  # its corners are those of the other picture
        out = function(pixels) if name in EXACT else function(pixels / 255)
        if name in EXACT:
            out = out / 255
        values = [float(f"{v:.8g}") for v in out.flatten().tolist()]
        cases.append({"name": name, "args": arguments, "picture": picture, "shape": list(out.shape), "values": values})
# An equalize whose step is not 0: each step needs 255 pixels and more.
large = torch.tensor([(i * 7 + i * i * 13 // 50) % 256 for i in range(24 * 32)]).reshape(1, 24, 32).to(torch.uint8)
PICTURES["large"] = large
cases.append({"name": "equalize", "args": [], "picture": "large", "shape": [1, 24, 32],
              "values": [float(f"{v:.8g}") for v in (F.equalize(large) / 255).flatten().tolist()]})
path = Path(__file__).parent / "goldens/transforms.json"
path.write_text(json.dumps({"pictures": {k: {"shape": list(v.shape), "bytes": v.flatten().tolist()} for k, v in PICTURES.items()}}) + "\n"
                + "\n".join(json.dumps(c) for c in cases) + "\n")
print(len(cases), "cases,", path.stat().st_size, "bytes")
