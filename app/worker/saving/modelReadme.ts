/** The README.md in an exported model: what the files are and how to load them elsewhere. */
import { ARCHITECTURES, type Classifier } from '../../../src/index';
import { architectureTitle } from '../../../src/report/report';

export function modelReadme({ network, classes, preprocessing }: Classifier, project: string, version: string): string {
  const { architecture, width } = network;
  const { resizeSize, cropSize, interpolation, mean, std } = preprocessing;
  return `# ${oneLine(project)}

${architectureTitle(network)}, ${classes.length} classes, saved by Graft ${version}.

- \`model.safetensors\`: the weights, under torchvision's names
- \`model.json\`: the classes in the order of the outputs, the preprocessing, and how it was trained
- \`report.html\`: how well it does (where the run is known); \`metrics.json\` has the same as numbers

## In Graft

Drop the zip, or the first two files, onto the studio's base; or, in this folder:

    graft predict . picture.jpg

## In PyTorch

    pip install torch torchvision safetensors pillow

\`\`\`python
import json, torch
from PIL import Image
from safetensors.torch import load_file
from torchvision.transforms import v2
${width === 64 ? `from torchvision.models import ${architecture}` : 'from torchvision.models.resnet import BasicBlock, Bottleneck, ResNet'}

card = json.load(open("model.json", encoding="utf-8"))
${width === 64 ? `model = ${architecture}(num_classes=${classes.length})` : narrow(architecture, width, classes.length)}
model.load_state_dict(load_file("model.safetensors"))
model.eval()

prepare = v2.Compose([
    v2.Resize(${resizeSize}, v2.InterpolationMode.${interpolation.toUpperCase()}), v2.CenterCrop(${cropSize}),
    v2.ToImage(), v2.ToDtype(torch.float32, scale=True),
    v2.Normalize([${mean.join(', ')}], [${std.join(', ')}]),
])
with torch.no_grad():
    shares = model(prepare(Image.open("picture.jpg").convert("RGB"))[None]).softmax(1)[0]
for share, index in zip(*shares.topk(min(5, len(shares)))):
    print(f"{share:.1%}  {card['classes'][index]}")
\`\`\`
`;
}

/** torchvision builds its networks 64 channels wide; for another width the layers are made anew. */
function narrow(architecture: keyof typeof ARCHITECTURES, width: number, classes: number): string {
  const { block, depths, groups = 1, widthPerGroup = 64 }: { readonly block: string; readonly depths: readonly number[]; readonly groups?: number; readonly widthPerGroup?: number } = ARCHITECTURES[architecture];
  const name = block === 'basic' ? 'BasicBlock' : 'Bottleneck';
  const extra = `${groups === 1 ? '' : `, groups=${groups}`}${widthPerGroup === 64 ? '' : `, width_per_group=${widthPerGroup}`}`;
  return `width, depths = ${width}, [${depths.join(', ')}]
model = ResNet(${name}, depths, num_classes=${classes}${extra})
model.inplanes = width
model.conv1 = torch.nn.Conv2d(3, width, 7, stride=2, padding=3, bias=False)
model.bn1 = torch.nn.BatchNorm2d(width)
for i, depth in enumerate(depths):
    setattr(model, f"layer{i + 1}", model._make_layer(${name}, width << i, depth, stride=1 if i == 0 else 2))
model.fc = torch.nn.Linear((width << 3) * ${name}.expansion, ${classes})`;
}

function oneLine(text: string): string {
  return text.replace(/[\s\u0000-\u001f\u007f]+/g, ' ').trim() || 'Model';
}
