/** PyTorch's own formats, in one piece that is fetched when the first such file is opened: most pages never meet one. */
import type { ByteSource } from './byteSource';
import { openLegacyPth } from './legacyPth';
import { openPth } from './pth';
import type { WeightsFile } from './weightsFile';

/** `zip`: of PyTorch 1.6 and later; `pickle`: older. @throws WeightsError for what is damaged or hostile. */
export function openTorchFile(source: ByteSource, format: 'zip' | 'pickle'): Promise<WeightsFile> {
  return format === 'zip' ? openPth(source) : openLegacyPth(source);
}
