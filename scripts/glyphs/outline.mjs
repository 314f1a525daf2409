// Geometry of glyph outlines: bounds, random bending and placing inside the picture, SVG path text.

const coordinates = [['x', 'y'], ['x1', 'y1'], ['x2', 'y2']];

/** The commands with every point, control points too, sent through `move([x, y]) -> [x, y]`. */
function mapPoints(commands, move) {
  return commands.map((command) => {
    const moved = { type: command.type };
    for (const [x, y] of coordinates) {
      if (command[x] !== undefined) [moved[x], moved[y]] = move([command[x], command[y]]);
    }
    return moved;
  });
}

/** Bounds of all points; control points may lie a little outside the ink, which only adds margin. */
export function bounds(commands) {
  const box = { left: Infinity, top: Infinity, right: -Infinity, bottom: -Infinity };
  mapPoints(commands, ([x, y]) => {
    box.left = Math.min(box.left, x);
    box.right = Math.max(box.right, x);
    box.top = Math.min(box.top, y);
    box.bottom = Math.max(box.bottom, y);
    return [x, y];
  });
  return box;
}

/** Moved and scaled so that the longer side of the bounds is `extent` and their centre is (`x`, `y`). */
export function fitOutline(commands, extent, x, y) {
  const box = bounds(commands);
  const scale = extent / Math.max(box.right - box.left, box.bottom - box.top);
  const [midX, midY] = [(box.left + box.right) / 2, (box.top + box.bottom) / 2];
  return mapPoints(commands, ([px, py]) => [x + (px - midX) * scale, y + (py - midY) * scale]);
}

/**
 * Bends, slants, turns and places an outline at random inside a square picture of side `size`.
 * Returns the new commands and `extent`, the longer side of the glyph in pixels (26 to 56 of 64).
 */
export function placeOutline(random, commands, size) {
  const unit = fitOutline(commands, 1, 0, 0);
  const angle = random.normal() * 0.12;
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  const slant = random.chance(0.5) ? random.between(-0.3, 0.3) : 0;
  const stretch = random.between(0.8, 1.25);
  const [tiltX, tiltY] = [random.between(-0.25, 0.25), random.between(-0.25, 0.25)];
  const bend = random.between(0, 0.045);
  const waves = [0, 1].map(() => [random.between(3, 8), random.between(3, 8), random.between(0, 6.3)]);
  const bent = mapPoints(unit, ([x, y]) => {
    const bentX = x + bend * Math.sin(waves[0][0] * x + waves[0][1] * y + waves[0][2]);
    const bentY = y + bend * Math.sin(waves[1][0] * x + waves[1][1] * y + waves[1][2]);
    const slantX = bentX * stretch - slant * bentY;
    const depth = 1 + tiltX * slantX + tiltY * bentY;
    return [(slantX * cos - bentY * sin) / depth, (slantX * sin + bentY * cos) / depth];
  });
  const extent = random.between(26, 56);
  const centred = fitOutline(bent, extent, 0, 0);
  const box = bounds(centred);
  const margin = 3;
  const place = (low, high) => random.between(margin - low, size - margin - high);
  const [x, y] = [place(box.left, box.right), place(box.top, box.bottom)];
  return { extent, commands: mapPoints(centred, ([px, py]) => [px + x, py + y]) };
}

/** SVG path text, coordinates to a hundredth of a pixel. */
export function pathData(commands) {
  return commands
    .map((command) => command.type + [['x1', 'y1'], ['x2', 'y2'], ['x', 'y']]
      .filter(([x]) => command[x] !== undefined)
      .map(([x, y]) => `${command[x].toFixed(2)} ${command[y].toFixed(2)}`)
      .join(' '))
    .join('');
}
