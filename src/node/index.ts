/** Graft in Node: everything of the core, and what needs files, threads and the network. */

export * from '../index';
export { load, type LoadModelOptions } from './load';
export { folderKind, loadModelDir, readModelCard, saveModel, type FolderKind, type SaveOptions } from './modelDir';
export { diskCheckpointStore, diskFeatureStore, type StoreOptions } from './stores';
export { findImages, predictFiles, type FilePrediction, type PredictOptions } from './predict';
export { openFile } from './fileSource';
export { fetchWeights, type FetchOptions, type FetchProgress, type FetchedWeights } from './fetchWeights';
export { cacheDir } from './cacheDir';
export { diskTuningStore, loadTuning } from './tuneStore';
export { writeFileAtomic } from './writeFile';
export { imageFolder, type ImageFolder } from './imageFolder';
export { decodeBytes, decodeFile } from './decode';
export { thumbnail } from './thumbnail';
export { doctor, formatDoctor, type DoctorReport } from './doctor';
