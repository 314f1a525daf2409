/** Where a network looked in a picture. */
import {
  DataError, decodeBlob, describeNetwork, gradCam, preprocess, view, type Classifier, type Pixels, type StageName,
} from '../../../src/index';
import type { CamResult } from '../../shared/protocol';
import { enlarge } from './enlarge';

/**
 * Grad-CAM of one picture: for the class of that name, or for the most likely one, at the last stage that still tells
 * places apart. The map is enlarged to the square that
 * the network saw, which is the picture given back. Call it between two steps of a run, not in the middle of one.
 * @throws DataError for a class that the classifier does not have; ImageError for a picture that cannot be decoded.
 */
export async function explain(classifier: Classifier, picture: Blob | Pixels, className?: string): Promise<CamResult> {
  const { classes, preprocessing } = classifier;
  const classIndex = className === undefined ? undefined : classes.indexOf(className);
  if (classIndex === -1) throw new DataError(`this model has no class called '${className}'; it knows ${classes.join(', ')}`);
  const pixels = picture instanceof Blob ? await decodeBlob(picture, picture instanceof File ? picture.name : 'the picture') : picture;
  const found = await gradCam(classifier, preprocess(pixels, preprocessing), { layer: tellingStage(classifier), ...(classIndex !== undefined && { classIndex }) });
  const size = preprocessing.cropSize;
  return {
    name: classes[found.classIndex],
    probability: found.probability,
    size,
    heat: enlarge(found.heat, found.size, size),
    picture: await bitmapOf(view(pixels, preprocessing)),
  };
}

/** Cells along a side of a map that tells something: what a ResNet's last stage has of pictures of 224 pixels. */
const CELLS = 7;

/** The last stage with a map of so many cells: of small pictures the last one leaves 2 x 2, which say nothing of where. */
export function tellingStage({ network, precision, preprocessing: { cropSize } }: Classifier): StageName {
  if (precision === 'float16') return 'layer4'; // no gradient flows back through what is kept in f16
  const stages: readonly StageName[] = ['layer1', 'layer2', 'layer3', 'layer4'];
  const sides = new Map(describeNetwork(network, cropSize).map(({ stage, output: [side] }) => [stage, side]));
  return stages.findLast((stage) => (sides.get(stage) ?? 0) >= CELLS) ?? 'layer1';
}

function bitmapOf({ width, height, data }: Pixels): Promise<ImageBitmap> {
  const rgba = new Uint8ClampedArray(width * height * 4).fill(255);
  for (let from = 0, to = 0; from < data.length; from += 3, to += 4) rgba.set(data.subarray(from, from + 3), to);
  return createImageBitmap(new ImageData(rgba, width, height));
}
