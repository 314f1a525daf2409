"""Maps of Grad-CAM by torchvision's ResNets and hooks: test/fixtures/gradcam.json (docs/fixtures.md)."""

import json
import os

import numpy as np
import torch

from fixture_file import error
from fixture_train import build
from seeded import FORMULA, fnv1a, seeded_inputs, seeded_state_dict

BOUND = 1e-3
# name, arch, width, image side, classes that are asked for (None: the likeliest); each in all four stages.
CASES = [
    ("gradcam_resnet18_w8", "resnet18", 8, 64, [None, 0, 1, 2, 3, 4]),
    ("gradcam_resnet50_w4", "resnet50", 4, 56, [None, 1]),
]
CLASSES = 5


def grad_cam(model, image, layer, class_index):
    """Selvaraju et al. (2017), section 3: the class's score, its gradient at the layer, means over places, ReLU."""
    kept = {}
    stage = getattr(model, layer)
    hooks = [
        stage.register_forward_hook(lambda _module, _inputs, output: kept.update(activations=output.detach())),
        stage.register_full_backward_hook(lambda _module, _grads, outputs: kept.update(gradient=outputs[0].detach())),
    ]
    logits = model(image)
    index = int(logits.argmax()) if class_index is None else class_index
    model.zero_grad()
    logits[0, index].backward()
    for hook in hooks:
        hook.remove()
    weights = kept["gradient"].mean(dim=(2, 3), keepdim=True)
    heat = torch.relu((weights * kept["activations"]).sum(dim=1))[0]
    most = heat.max()
    heat = heat / most if most > 0 else heat
    return index, float(torch.softmax(logits, dim=1)[0, index].detach()), heat.float().numpy()


def make_gradcam(out, source, report):
    cases, share = [], 0.0
    for name, arch, width, size, asked in CASES:
        seed = fnv1a(name)
        model = build({"arch": arch, "num_classes": CLASSES, "width": width}).eval()
        state = seeded_state_dict({key: tuple(value.shape) for key, value in model.state_dict().items()}, seed)
        model.load_state_dict({key: torch.from_numpy(value) for key, value in state.items()})
        image = torch.from_numpy(seeded_inputs((1, 3, size, size), seed))
        for layer in ["layer1", "layer2", "layer3", "layer4"]:
            for wanted in asked:
                index, probability, heat = grad_cam(model.double(), image.double(), layer, wanted)
                single = grad_cam(model.float(), image, layer, wanted)[2]
                share = max(share, error(single, heat) / BOUND)
                cases.append({
                    "arch": arch, "width": width, "classes": CLASSES, "seed": seed, "imageSize": size, "layer": layer,
                    "wanted": wanted, "classIndex": index, "probability": float(np.float32(probability)),
                    "size": list(heat.shape), "heat": [float(f"{value:.7g}") for value in heat.ravel()],
                })
    path = os.path.join(out, "gradcam.json")
    with open(path, "w") as file:
        file.write(f'{{"source": {json.dumps(source)}, "formula": "{FORMULA}", "cases": [\n')
        file.write(",\n".join(json.dumps(case, separators=(",", ":")) for case in cases))
        file.write("\n]}\n")
    empty = sum(1 for case in cases if not any(case["heat"]))
    report.add(path, share, 0, f"{len(cases)} maps, {empty} of them empty")
