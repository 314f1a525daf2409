/** The report in a tab of its own. */
import { studio } from '../../session';
import { download, release } from './download';

/** Where the browser opens no tab, the report is saved instead. */
export async function openReport(name: string): Promise<string> {
  // Opened before the report is there: after a wait, a browser would take it for an advertisement.
  const tab = window.open('', '_blank');
  try {
    const blob = await studio.exportReport();
    if (!tab || tab.closed) {
      download(blob, name);
      return `The browser opened no tab; saved as ${name} instead.`;
    }
    const url = URL.createObjectURL(blob);
    tab.location.href = url;
    release(url);
    return 'Opened in a tab of its own.';
  } catch (error) {
    tab?.close();
    throw error;
  }
}
