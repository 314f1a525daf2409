/** Classifies pictures with a model that lies beside the page: here Graft's glyph base, copied to public/ by vite.config.ts. */
import { decodeBlob, load, preprocess } from 'graft-gpu';

const find = <T extends HTMLElement>(selector: string): T => document.querySelector<T>(selector)!;
const status = find('#status');
const tell = (error: unknown): void => { status.textContent = (error as Error).message; };

try {
  // Pipelines compile while the weights arrive, so the first answer is as quick as any.
  const model = await load(`${import.meta.env.BASE_URL}model/`, {
    onProgress: ({ receivedBytes, totalBytes }) => (status.textContent = `${receivedBytes} of ${totalBytes ?? '?'} bytes`),
  });
  status.textContent = `Ready on ${model.gpu.adapter.description || model.gpu.adapter.vendor}.`;

  find<HTMLInputElement>('#picture').onchange = async ({ target }) => {
    const [picture] = (target as HTMLInputElement).files ?? [];
    if (!picture) return;
    try {
      const probabilities = await model.predict(preprocess(await decodeBlob(picture), model.preprocessing), 1);
      const best = [...probabilities.keys()].sort((a, b) => probabilities[b] - probabilities[a]).slice(0, 3);
      find('#answers').replaceChildren(...best.map((i) => Object.assign(document.createElement('li'), { textContent: `${model.classes[i]}: ${(100 * probabilities[i]).toFixed(1)} %` })));
    } catch (error) {
      tell(error);
    }
  };
} catch (error) {
  tell(error);
}
