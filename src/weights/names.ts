/**
 * Brings the tensor names of a ResNet file to torchvision's. timm's ResNets of the same architectures use the same
 * names; what differs in practice is what a training script wrapped around the model (`module.`, `backbone.`) and
 * what it called the classifier. Hugging Face's `ResNetForImageClassification` has names of its own, but the same
 * network, so it is mapped too.
 */
import { WeightsError } from '../errors';
import { quote } from './byteSource';
import { entryOf } from './weightsFile';
import type { WeightsFile } from './weightsFile';

export interface NameMapping {
  /** File name to torchvision name, in the file's order. */
  readonly names: ReadonlyMap<string, string>;
  /** Names in the file that belong to no part of the network chosen. */
  readonly dropped: readonly string[];
  /** What was done, a sentence each; empty when the names were torchvision's already. */
  readonly notes: readonly string[];
}

/** Classifiers' names, outermost first; `fc` is torchvision's. */
const HEADS = ['fc', 'head.fc', 'head', 'classifier', 'classifier.1', 'last_linear'];
const TRUNK = /^(conv1|bn1|layer[1-4]\.\d+)\./;

/** Maps names to torchvision's. Names of another architecture come back as they are. */
export function mapNames(fileNames: readonly string[]): NameMapping {
  const notes: string[] = [];
  const dropped: string[] = [];
  const names = new Map<string, string>();
  const huggingFace = fileNames.some((name) => name.endsWith('embedder.embedder.convolution.weight'));
  if (huggingFace) notes.push("Renamed Hugging Face's ResNet names to torchvision's.");
  const local = huggingFace ? renameHuggingFace(fileNames) : new Map(fileNames.map((name) => [name, name]));
  const prefixes = findPrefixes(new Set(local.values()));
  const prefix = prefixes[0] ?? '';
  if (prefix !== '') notes.push(`Left the prefix ${quote(prefix)} off the names.`);
  if (prefixes.length > 1) notes.push(`Took the network under ${quote(prefix)}; there is also ${prefixes.slice(1).map(quote).join(', ')}.`);
  const head = prefixes.length > 0 ? findHead(new Set(local.values()), prefix) : undefined;
  if (head !== undefined && head !== `${prefix}fc`) notes.push(`Took ${quote(head)} for the classifier, 'fc'.`);
  for (const [name, renamed] of local) {
    const target = prefixes.length === 0 ? renamed : torchvisionName(renamed, prefix, head);
    if (target === undefined) dropped.push(name);
    else names.set(name, target);
  }
  if (dropped.length > 0) notes.push(`Left out ${dropped.length} tensors that are not the network's, such as ${quote(dropped[0])}.`);
  return { names, dropped, notes };
}

/** Every prefix under which a ResNet lies: the one at the top first, then in the file's order. */
function findPrefixes(names: ReadonlySet<string>): string[] {
  const anchor = 'layer1.0.conv1.weight';
  const found = [...names].filter((name) => name === anchor || name.endsWith(`.${anchor}`)).map((name) => name.slice(0, -anchor.length));
  return found.sort((a, b) => Number(a !== '') - Number(b !== ''));
}

/** The classifier's name in full: under the prefix, or at one of the levels above it. */
function findHead(names: ReadonlySet<string>, prefix: string): string | undefined {
  for (let level = prefix; ; level = level.replace(/[^.]+\.$/, '')) {
    for (const head of HEADS) if (names.has(`${level}${head}.weight`)) return `${level}${head}`;
    if (level === '') return undefined;
  }
}

function torchvisionName(name: string, prefix: string, head: string | undefined): string | undefined {
  if (head !== undefined && (name === `${head}.weight` || name === `${head}.bias`)) return `fc${name.slice(head.length)}`;
  if (!name.startsWith(prefix)) return undefined;
  const rest = name.slice(prefix.length);
  // Under no prefix nothing is dropped: a name that does not fit is for the strict loader to report.
  return prefix === '' || TRUNK.test(rest) ? rest : undefined;
}

/** `resnet.encoder.stages.0.layers.1.layer.2.normalization.bias` to `layer1.1.bn3.bias`, and the like. */
function renameHuggingFace(fileNames: readonly string[]): Map<string, string> {
  const renamed = new Map<string, string>();
  for (const name of fileNames) {
    const target = name
      .replace(/^(.*\.)?embedder\.embedder\.convolution\./, 'conv1.')
      .replace(/^(.*\.)?embedder\.embedder\.normalization\./, 'bn1.')
      .replace(/^(.*\.)?encoder\.stages\.(\d)\.layers\.(\d+)\./, (_, __, stage: string, block: string) => `layer${Number(stage) + 1}.${block}.`)
      .replace(/\.layer\.(\d)\.convolution\./, (_, index: string) => `.conv${Number(index) + 1}.`)
      .replace(/\.layer\.(\d)\.normalization\./, (_, index: string) => `.bn${Number(index) + 1}.`)
      .replace('.shortcut.convolution.', '.downsample.0.')
      .replace('.shortcut.normalization.', '.downsample.1.');
    renamed.set(name, target);
  }
  return renamed;
}

/**
 * The same file with torchvision's names; its notes tell what was renamed. Tensors left out are not listed.
 * @throws WeightsError when two tensors would get one name.
 */
export function withTorchvisionNames(file: WeightsFile): WeightsFile {
  const mapping = mapNames(file.names);
  const original = new Map<string, string>();
  for (const [from, to] of mapping.names) {
    const other = original.get(to);
    if (other !== undefined) throw new WeightsError(`${file.name}: tensors ${quote(other)} and ${quote(from)} are both torchvision's ${quote(to)}. Keep one of them.`);
    original.set(to, from);
  }
  return {
    ...file,
    names: [...original.keys()],
    notes: [...file.notes, ...mapping.notes],
    info: (name) => file.info(entryOf(original, name, file.name)),
    read: async (name) => file.read(entryOf(original, name, file.name)),
  };
}
