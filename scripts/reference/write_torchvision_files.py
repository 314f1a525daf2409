"""Weight files as torchvision's users have them: ResNet-18 and -50, written by PyTorch in each of its formats.

    python write_torchvision_files.py OUT
    node scripts/checkTorchvisionFiles.mjs OUT

The weights are the formula's, so test/fixtures/logits holds the logits that each file must give. The files are large
(45 and 98 MB each) and are not committed.
"""

import os
import sys
import types

sys.modules.setdefault("torchvision._meta_registrations", types.ModuleType("torchvision._meta_registrations"))

import torch  # noqa: E402
from safetensors.torch import save_file  # noqa: E402
from torchvision.models import resnet  # noqa: E402

from seeded import fnv1a, seeded_state_dict  # noqa: E402

out = sys.argv[1]
os.makedirs(out, exist_ok=True)
for arch in ["resnet18", "resnet50"]:
    model = getattr(resnet, arch)().eval()
    state = seeded_state_dict({key: tuple(value.shape) for key, value in model.state_dict().items()}, fnv1a(arch))
    model.load_state_dict({key: torch.from_numpy(value) for key, value in state.items()})
    torch.save(model.state_dict(), os.path.join(out, f"{arch}.pth"))
    torch.save(model.state_dict(), os.path.join(out, f"{arch}-legacy.pth"), _use_new_zipfile_serialization=False)
    torch.save(model.to(memory_format=torch.channels_last).state_dict(), os.path.join(out, f"{arch}-channels-last.pth"))
    save_file({key: value.contiguous() for key, value in model.state_dict().items()}, os.path.join(out, f"{arch}.safetensors"))
    print(arch)
