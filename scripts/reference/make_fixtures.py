"""Makes every fixture under test/fixtures with PyTorch; docs/fixtures.md describes them.

    python scripts/reference/make_fixtures.py --out test/fixtures [--only ops,train,optim,seeded,logits,gradcam]

Needs torch, torchvision and numpy (CPU builds do). The numbers are computed in float64 from float32 arguments and
rounded to float32 once, so that a fixture's error is the engine's own and another machine makes the same files. The
table shows how much of its bound torch's own float32 would use.
"""

import argparse
import sys
import types

# Some CPU builds of torchvision lack the compiled operators that this module registers; none is needed here.
sys.modules["torchvision._meta_registrations"] = types.ModuleType("torchvision._meta_registrations")

import torch  # noqa: E402
import torchvision  # noqa: E402

from fixture_file import Report  # noqa: E402
from fixture_gradcam import make_gradcam  # noqa: E402
from fixture_ops import make_ops  # noqa: E402
from fixture_optim import make_optim  # noqa: E402
from fixture_seeded import make_seeded  # noqa: E402
from fixture_train import make_train  # noqa: E402
from make_logits import make_logits  # noqa: E402

MAKERS = {
    "ops": make_ops, "train": make_train, "optim": make_optim, "seeded": make_seeded, "logits": make_logits,
    "gradcam": make_gradcam,
}


def main():
    parser = argparse.ArgumentParser(description="Make the fixtures that PyTorch is the reference for.")
    parser.add_argument("--out", required=True, help="folder to write to, as test/fixtures")
    parser.add_argument("--only", default=",".join(MAKERS), help="comma-separated: " + ", ".join(MAKERS))
    options = parser.parse_args()
    torch.set_num_threads(1)
    source = f"torch {torch.__version__.split('+')[0]}, torchvision {torchvision.__version__.split('+')[0]}"
    report = Report(options.out)
    for name in options.only.split(","):
        MAKERS[name](options.out, source, report)
    report.print()


if __name__ == "__main__":
    main()
