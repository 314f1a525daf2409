/** Opens a weights file of any format Graft reads, by what is in it; other files are refused by what they are. */
import { WeightsError } from '../errors';
import { readRange } from './byteSource';
import type { ByteSource } from './byteSource';
import { openSafetensors } from './safetensors';
import type { WeightsFile } from './weightsFile';

const TORCH_EXTENSION = /\.(pth|pt|ckpt|bin|pth\.tar)$/i;
const SAFETENSORS_EXTENSION = /\.safetensors$/i;
const READS = 'Graft reads .safetensors and files of torch.save (.pth, .pt)';

/**
 * Opens weights: safetensors, or a PyTorch checkpoint of any age. Only the table of contents is read.
 * @throws WeightsError for a file that is empty, truncated, damaged or hostile, of another format, or of another
 * format than its name says.
 */
export async function openWeights(source: ByteSource): Promise<WeightsFile> {
  if (source.size === 0) throw new WeightsError(`${source.name}: is empty (0 bytes). Download or copy it again.`);
  const head = await readRange(source, 0, Math.min(source.size, 512), 'the first bytes');
  const format = detect(head, source);
  if (format !== 'safetensors' && SAFETENSORS_EXTENSION.test(source.name)) {
    throw new WeightsError(`${source.name}: is named .safetensors but is a PyTorch checkpoint. Rename it to .pth if you trust it.`);
  }
  if (format === 'safetensors' && TORCH_EXTENSION.test(source.name) && head[8] === 0x7b) {
    throw new WeightsError(`${source.name}: is named as a PyTorch checkpoint but is safetensors. Rename it to .safetensors.`);
  }
  if (format === 'safetensors') return openSafetensors(source);
  const { openTorchFile } = await import('./torchFile');
  return openTorchFile(source, format);
}

/** The reader for these first bytes. @throws WeightsError that names what the file is instead. */
function detect(head: Uint8Array, source: ByteSource): 'safetensors' | 'zip' | 'pickle' {
  const text = Array.from(head, (byte) => String.fromCharCode(byte)).join('');
  // Of everything here only safetensors has an opening brace at byte 8 after a length that fits the file.
  if (head.length > 8 && head[8] === 0x7b && head[5] === 0 && head[6] === 0 && head[7] === 0) return 'safetensors';
  if (text.startsWith('PK\x03\x04') || text.startsWith('PK\x05\x06')) return 'zip';
  const other = foreign(text);
  if (other) throw new WeightsError(`${source.name}: is ${other}`);
  // Protocols 2 and later open with 0x80 and a small number; 0 and 1 with the magic number in digits.
  if ((head[0] === 0x80 && head[1] >= 2 && head[1] <= 5) || text.startsWith('L11954')) return 'pickle';
  if (SAFETENSORS_EXTENSION.test(source.name)) return 'safetensors';
  const start = Array.from(head.subarray(0, 8), (byte) => byte.toString(16).padStart(2, '0')).join(' ');
  throw new WeightsError(`${source.name}: is not a weights file: it begins with bytes ${start}. ${READS}.`);
}

/** What the file is, and what to do, for things commonly found in a weights file's place. */
function foreign(text: string): string | undefined {
  const trimmed = text.replace(/^\xef\xbb\xbf/, '').trimStart();
  if (/^<(!doctype|html|head|body)/i.test(trimmed)) return 'a web page saved under this name: the download was not the file itself. Download it again from its direct link.';
  if (/^<(\?xml|Error)/i.test(trimmed)) return 'an XML message from a server, saved under this name. Download the file again.';
  if (text.startsWith('version https://git-lfs')) return "a git-lfs pointer, not the weights. Run 'git lfs pull' in its repository.";
  if (trimmed.startsWith('{')) return 'a JSON file, not weights. If it is an index of several files, give one of those.';
  if (text.startsWith('\x1f\x8b')) return 'packed with gzip. Unpack it with gunzip first.';
  if (text.startsWith('\x89HDF')) return `an HDF5 file (.h5, Keras). ${READS}.`;
  if (text.startsWith('\x93NUMPY')) return `a NumPy array (.npy). ${READS}.`;
  if (text.startsWith('GGUF')) return `a GGUF file. ${READS}.`;
  if (text.slice(4, 8) === 'TFL3') return `a TensorFlow Lite model. ${READS}.`;
  if (text.slice(257, 262) === 'ustar') return `a tar archive. ${READS}; a tar from PyTorch 0.1 must be saved again.`;
  if (/^\x08[\x01-\x0f][\x12\x1a\x2a\x3a\x42]/.test(text)) return `an ONNX model. ${READS}; export the state dict from the framework that made it.`;
  return undefined;
}
