/**
 * Colours for 0 to 1 that look evenly spaced: a path through OKLCH (B. Ottosson, 2020) whose lightness only rises, from
 * a dark violet over red to a light yellow. Read without colour it is a grey ramp.
 */

/** 256 colours, red, green, blue of each. */
export const HEAT: Uint8ClampedArray = (() => {
  const table = new Uint8ClampedArray(256 * 3);
  for (let i = 0; i < 256; i++) table.set(heatColour(i / 255), i * 3);
  return table;
})();

export function heatColour(t: number): [number, number, number] {
  const lightness = 0.22 + 0.74 * t;
  const chroma = 0.09 + 0.12 * Math.sin(Math.PI * Math.min(1, t * 1.15)) * (1 - 0.3 * t);
  return oklch(lightness, chroma, 290 + 180 * t);
}

/** As CSS, for a legend. */
export function heatGradient(): string {
  const stops = Array.from({ length: 9 }, (_, i) => `rgb(${heatColour(i / 8).map(Math.round).join(' ')})`);
  return `linear-gradient(to right, ${stops.join(', ')})`;
}

function oklch(lightness: number, chroma: number, degrees: number): [number, number, number] {
  const angle = (degrees * Math.PI) / 180;
  const [a, b] = [chroma * Math.cos(angle), chroma * Math.sin(angle)];
  const l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3;
  return [
    4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
    -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
    -0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s,
  ].map((linear) => 255 * gamma(Math.min(1, Math.max(0, linear)))) as [number, number, number];
}

function gamma(linear: number): number {
  return linear <= 0.0031308 ? 12.92 * linear : 1.055 * linear ** (1 / 2.4) - 0.055;
}

/** The heat as a picture: where there is little, it lets what lies below through. */
export function heatPicture(heat: Float32Array, size: number): ImageData {
  const picture = new ImageData(size, size);
  for (let i = 0; i < size * size; i++) {
    const value = Math.min(1, Math.max(0, heat[i]));
    const at = Math.round(value * 255) * 3;
    picture.data.set([HEAT[at], HEAT[at + 1], HEAT[at + 2], Math.round(255 * value)], i * 4);
  }
  return picture;
}

/** Where the heat is, in words: `in the upper left`; null where there is none. */
export function heatPlace(heat: Float32Array, size: number): string | null {
  let [total, x, y] = [0, 0, 0];
  heat.forEach((value, i) => {
    const weight = Math.max(0, value) ** 2; // the hottest part counts most
    total += weight;
    x += weight * ((i % size) + 0.5);
    y += weight * (Math.floor(i / size) + 0.5);
  });
  if (total <= 1e-9) return null;
  const third = (sum: number): number => Math.min(2, Math.floor((3 * sum) / total / size));
  const [column, row] = [third(x), third(y)];
  if (row === 1 && column === 1) return 'in the middle';
  return `in the ${[['upper', '', 'lower'][row], ['left', '', 'right'][column]].filter(Boolean).join(' ')} part`;
}
