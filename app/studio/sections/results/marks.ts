/**
 * How classes are told apart on the map: by a colour and by a shape. The twelve colours were chosen for people who see
 * colours differently (M. Krzywinski's palette for twelve); with more classes colours repeat, pairs of both do not.
 */

const COLOURS = ['#008df9', '#e20134', '#009f81', '#ffc33b', '#8400cd', '#ff6e3a', '#00c2f9', '#ff5aaf', '#9f0162', '#00fccf', '#ffb2fd', '#a40122'];

/** Outlines around (0, 0) that fit into a circle of radius 1. */
const SHAPES: readonly (readonly (readonly [number, number])[] | 'circle')[] = [
  'circle',
  [[-0.8, -0.8], [0.8, -0.8], [0.8, 0.8], [-0.8, 0.8]],
  [[0, -1], [0.95, 0.75], [-0.95, 0.75]],
  [[0, -1.1], [1.1, 0], [0, 1.1], [-1.1, 0]],
  [[-0.35, -1], [0.35, -1], [0.35, -0.35], [1, -0.35], [1, 0.35], [0.35, 0.35], [0.35, 1], [-0.35, 1], [-0.35, 0.35], [-1, 0.35], [-1, -0.35], [-0.35, -0.35]],
  [[0, 1], [0.95, -0.75], [-0.95, -0.75]],
  Array.from({ length: 10 }, (_, i) => [Math.sin((i * Math.PI) / 5) * (i % 2 ? 0.5 : 1.1), -Math.cos((i * Math.PI) / 5) * (i % 2 ? 0.5 : 1.1)] as const),
];

export function colourOf(index: number): string {
  return COLOURS[index % COLOURS.length];
}

function shapeOf(index: number): (typeof SHAPES)[number] {
  return SHAPES[(index + Math.floor(index / COLOURS.length)) % SHAPES.length];
}

/** Adds the class's shape to the path. */
export function traceMark(context: CanvasRenderingContext2D, index: number, x: number, y: number, radius: number): void {
  const shape = shapeOf(index);
  context.beginPath();
  if (shape === 'circle') {
    context.arc(x, y, radius * 0.95, 0, 2 * Math.PI);
    return;
  }
  shape.forEach(([dx, dy], i) => (i === 0 ? context.moveTo(x + dx * radius, y + dy * radius) : context.lineTo(x + dx * radius, y + dy * radius)));
  context.closePath();
}

/** The shape as an SVG path in a box from -1.3 to 1.3. */
export function markPath(index: number): string {
  const shape = shapeOf(index);
  if (shape === 'circle') return 'M-0.95 0a0.95 0.95 0 1 0 1.9 0a0.95 0.95 0 1 0 -1.9 0z';
  return `${shape.map(([x, y], i) => `${i === 0 ? 'M' : 'L'}${x.toFixed(2)} ${y.toFixed(2)}`).join('')}z`;
}
