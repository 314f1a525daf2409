"""Expected values for test/data*.test.ts, from Pillow, torch and torchvision.

Usage: python scripts/reference/make_preprocess_reference.py [output.json]
Needs: numpy, pillow, torch, torchvision. The result is committed; the tests need no Python.

Images are made by a formula that the tests repeat, so only hashes of the exact 8-bit results and a few floats are
stored. JPEG decoders may round differently, hence its tolerance. Small encoded files (every BMP flavour, CMYK, 16-bit, palettes, alpha) are stored whole, in base64, beside the
hash of what Pillow decodes them to.
"""

import base64
import hashlib
import io
import json
import struct
import sys
import types
import zlib

import numpy as np
import PIL
from PIL import Image, ImageEnhance

try:
    import torchvision
except RuntimeError:  # torchvision's operators do not match this torch; the transforms need none of them
    for name in [n for n in sys.modules if n.startswith("torchvision")]:
        del sys.modules[name]
    sys.modules["torchvision._meta_registrations"] = types.ModuleType("torchvision._meta_registrations")
    import torchvision
from torchvision import transforms as T
from torchvision.transforms import InterpolationMode

FILTERS = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}
MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]


def pattern(width, height):
    """Noise on a gradient: sharp edges to overshoot at and smooth parts to round."""
    y, x, c = np.meshgrid(
        np.arange(height, dtype=np.uint32), np.arange(width, dtype=np.uint32), np.arange(3, dtype=np.uint32), indexing="ij"
    )
    noise = ((x * np.uint32(73856093)) ^ (y * np.uint32(19349663)) ^ (c * np.uint32(83492791))) * np.uint32(2654435761)
    smooth = (x * (c + np.uint32(1)) + y * np.uint32(2)) & np.uint32(255)
    pixels = np.where((x // 16 + y // 16) % 2 == 0, noise >> np.uint32(24), smooth).astype(np.uint8)
    return Image.fromarray(np.ascontiguousarray(pixels))


def sha(data):
    return hashlib.sha256(data).hexdigest()


def resize_cases():
    for size, to in [
        ((64, 48), (32, 24)), ((64, 48), (128, 96)), ((37, 53), (19, 91)), ((53, 37), (91, 19)), ((1, 1), (7, 5)),
        ((7, 5), (1, 1)), ((300, 2), (11, 9)), ((2, 300), (9, 11)), ((3, 300), (9, 11)), ((3, 301), (9, 11)), ((3, 301), (2, 400)), ((100, 75), (100, 30)), ((100, 75), (30, 75)),
        ((100, 75), (100, 75)), ((501, 333), (224, 225)), ((33, 65), (34, 66)),
    ]:
        for name, filter in FILTERS.items():
            out = pattern(*size).resize(to, filter)
            yield {"from": size, "to": to, "interpolation": name, "sha256": sha(np.asarray(out).tobytes())}


def preprocess_cases():
    for size, resize, crop in [
        ((500, 375), 256, 224), ((375, 500), 232, 224), ((1, 1), 256, 224), ((640, 3), 64, 56), ((3, 640), 64, 56),
        ((97, 101), 256, 224), ((100, 100), 37, 30), ((101, 100), 33, 48), ((61, 60), 47, 32), ((60, 61), 49, 32),
        ((1999, 17), 40, 32), ((3, 640), 2, 2), ((640, 3), 2, 3), ((50, 70), 20, 25),
    ]:
        for name in FILTERS:
            before = T.Compose([T.Resize(resize, interpolation=InterpolationMode(name)), T.CenterCrop(crop)])
            pixels = before(pattern(*size))
            tensor = T.Normalize(MEAN, STD)(T.ToTensor()(pixels)).permute(1, 2, 0).contiguous().numpy()
            at = [int(i) for i in np.linspace(0, tensor.size - 1, 7)]
            yield {
                "from": size, "resizeSize": resize, "cropSize": crop, "interpolation": name,
                "pixels": sha(np.asarray(pixels).tobytes()), "tensor": sha(tensor.tobytes()),
                "at": at, "values": [float(tensor.reshape(-1)[i]) for i in at],
            }


def crop_cases():
    for size, box, to in [((90, 70), (13, 7, 40, 50), 32), ((90, 70), (0, 0, 5, 3), 24), ((90, 70), (89, 69, 1, 1), 8)]:
        x, y, w, h = box
        out = T.functional.resized_crop(pattern(*size), y, x, h, w, [to, to])
        yield {"from": size, "box": box, "to": to, "sha256": sha(np.asarray(out).tobytes())}


def color_cases():
    enhancers = {"brightness": ImageEnhance.Brightness, "contrast": ImageEnhance.Contrast, "saturation": ImageEnhance.Color}
    for name, enhancer in enhancers.items():
        for factor in [0.0, 0.37, 0.9, 1.0, 1.21, 1.8]:
            out = enhancer(pattern(61, 43)).enhance(factor)
            yield {"adjust": name, "from": (61, 43), "factor": factor, "sha256": sha(np.asarray(out).tobytes())}


def png16(width, height, color_type, samples):
    """A 16-bit PNG by hand: Pillow does not write 16-bit RGB."""
    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in samples.reshape(height, -1))
    header = struct.pack(">IIBBBBB", width, height, 16, color_type, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def decode_cases():
    image = pattern(13, 11)
    grey = image.convert("L")
    alpha = image.copy()
    alpha.putalpha(grey)
    palette = image.quantize(23)

    def case(name, encoded, tolerance=0):
        decoded = np.asarray(Image.open(io.BytesIO(encoded)).convert("RGB"))
        return {
            "name": name, "width": decoded.shape[1], "height": decoded.shape[0], "tolerance": tolerance,
            "file": base64.b64encode(encoded).decode(), "rgb": base64.b64encode(decoded.tobytes()).decode(),
        }

    def save(image, format, **options):
        file = io.BytesIO()
        image.save(file, format, **options)
        return file.getvalue()

    yield case("1 bit.bmp", save(image.convert("1"), "BMP"))
    yield case("palette.bmp", save(palette, "BMP"))
    yield case("grey.bmp", save(grey, "BMP"))
    yield case("rgb.bmp", save(image, "BMP"))
    yield case("rgba.bmp", save(alpha, "BMP"))
    bottom_up = save(image, "BMP")
    rows = [bottom_up[54:][i * 40:(i + 1) * 40] for i in range(11)]
    top_down = bottom_up[:22] + struct.pack("<i", -11) + bottom_up[26:54] + b"".join(reversed(rows))
    yield case("top-down.bmp", top_down)
    rgb565 = (np.asarray(image).astype(np.uint16) >> np.array([3, 2, 3], np.uint16)) << np.array([11, 5, 0], np.uint16)
    body = b"".join(row.astype("<u2").tobytes() + b"\0\0" for row in rgb565.sum(2, dtype=np.uint16)[::-1])
    info = struct.pack("<IiiHHIIiiII", 40, 13, 11, 1, 16, 3, len(body), 2835, 2835, 0, 0)
    masks = struct.pack("<III", 0xF800, 0x07E0, 0x001F)
    yield case("565.bmp", b"BM" + struct.pack("<IHHI", 66 + len(body), 0, 0, 66) + info + masks + body)
    yield case("grey.png", save(grey, "PNG"))
    yield case("grey alpha.png", save(alpha.convert("LA"), "PNG"))
    yield case("alpha.png", save(alpha, "PNG"))
    yield case("palette.png", save(palette, "PNG"))
    yield case("palette with transparency.png", save(palette, "PNG", transparency=3))
    wide = np.asarray(image).astype(np.uint16) * 256 + np.asarray(image)[::-1]
    yield case("16-bit.png", png16(13, 11, 2, wide))
    yield case("rgb.jpg", save(image, "JPEG", quality=90), tolerance=2)
    yield case("grey.jpg", save(grey, "JPEG", quality=90), tolerance=2)
    yield case("cmyk.jpg", save(image.convert("CMYK"), "JPEG", quality=95), tolerance=2)
    yield case("cmyk.tif", save(image.convert("CMYK"), "TIFF"))
    yield case("rgb.gif", save(palette, "GIF"))
    yield case("lossless.webp", save(image, "WEBP", lossless=True))


def main():
    out = sys.argv[1] if len(sys.argv) > 1 else "test/fixtures/preprocess.json"
    reference = {
        "source": f"Pillow {PIL.__version__}, torchvision {torchvision.__version__.split('+')[0]}",
        "mean": MEAN, "std": STD,
        "resize": list(resize_cases()), "preprocess": list(preprocess_cases()), "crop": list(crop_cases()),
        "color": list(color_cases()), "decode": list(decode_cases()),
    }
    with open(out, "w") as file:
        json.dump(reference, file, indent=1)
        file.write("\n")


main()
