/** Graft's public API, for browsers and Node alike. Importing it touches no GPU. */

export {
  DataError, DeviceError, DeviceLostError, DtypeError, GraftError, OutOfMemoryError, ShapeError, StateDictError, TrainingError, UsageError,
  WeightsError,
} from './errors';

// Device
export { defaultGpu, openGpu, type OpenGpuOptions } from './gpu/device';
export { Gpu } from './gpu/gpu';
export type { AdapterFacts } from './gpu/adapter';
export type { MemoryReport } from './gpu/buffers';
export type { CaptureMemory } from './gpu/capture';
export { formatProfile, type KernelTime } from './gpu/profiler';

// Tensors
export { f32, sizeOf, toFloat32, type Dtype, type HostArray, type HostTensor } from './hostTensor';
export { Tensor, capture, keep, scope, type Captured, type FloatDtype, type Layout, type TensorDtype } from './tensor';

// Autograd
export { backward } from './autograd/backward';
export { noGrad } from './autograd/op';
export { recompute } from './autograd/recompute';
export { conv2d, type ConvOptions } from './autograd/ops/conv';
export { add, dropout, gelu, mul, relu, sigmoid, tanh } from './autograd/ops/elementwise';
export { linear, matmul } from './autograd/ops/linear';
export { crossEntropy, logSoftmax, mseLoss, softmax } from './autograd/ops/loss';
export { batchNorm, layerNorm, type BatchNormFollow, type BatchNormOptions, type RunningStatistics } from './autograd/ops/norm';
export { adaptiveAvgPool2d, avgPool2d, maxPool2d, type PoolOptions } from './autograd/ops/pool';
export { cast, cat, flatten, mean, reshape, sum } from './autograd/ops/shape';

// Layers and models
export { BatchNorm2d } from './layers/batchNorm2d';
export { Conv2d, type Conv2dOptions } from './layers/conv2d';
export { Linear } from './layers/linear';
export { Sequential } from './layers/sequential';
export {
  AdaptiveAvgPool2d, AvgPool2d, Dropout, Flatten, GELU, MaxPool2d, ReLU, Sigmoid, Tanh, type PoolLayerOptions,
} from './layers/stateless';
export { Buffer, Counter, Module, Parameter, trainReport, type LoadReport, type StateDict, type TrainReport } from './layers/module';
export { ARCHITECTURES, ResNet, architectureName, createModel, type ArchitectureName, type Recompute, type ResNetOptions, type StageName } from './models/resnet';

// Optimisers
export { Optimizer, type AdamWOptions, type OptimizerOptions, type SgdOptions } from './optim/optimizer';
export { cosineRate, oneCycleRate, rateAt, scheduleName, type ScheduleName } from './optim/schedule';

// Weights
export { blobSource, bytesSource, type ByteSource } from './weights/byteSource';
export { Download, download, sha256, type DownloadOptions, type DownloadProgress } from './weights/download';
export { readAll, type TensorInfo, type WeightsFile, type WeightsFormat } from './weights/weightsFile';
export { openWeights } from './weights/open';
export { serializeSafetensors, type SafetensorsOptions } from './weights/safetensors';
export { convertFloat, hasNonFinite } from './weights/tensorBytes';
export { mapNames, withTorchvisionNames, type NameMapping } from './weights/names';
export { detectArchitecture, shapesOf, type Architecture } from './weights/architecture';
export {
  PUBLISHED_WEIGHTS, findPublishedWeights, imagenetClasses, publishedWeights, type PublishedPreprocessing, type PublishedWeights,
} from './weights/manifest';
export { SEEDED_FORMULA, seededInputs, seededStateDict, seededValues } from './weights/seeded';

// Data
export { Random, shuffle } from './random';
export type { Box, Pixels } from './data/pixels';
export { resize, type Interpolation } from './data/resize';
export { IMAGENET_PREPROCESSING, checkPreprocessing, preprocess, view, type Preprocessing } from './data/preprocess';
export { STANDARD_AUGMENTATION, checkAugmentation, type AugmentDraw, type Augmentation } from './data/augment';
export { ImageError, createDataset, split, type AugmentOptions, type Dataset, type Item } from './data/dataset';
export type { DataReport, ImageCollection } from './data/collection';
export { fromFiles, type FromFilesOptions, type LabelledFile } from './data/blobDataset';
export { imageFolder } from './data/browserFolder';
export { decodeBlob } from './data/decodeBrowser';
export { batches, type Batch } from './data/loader';

// Transfer learning
export { Classifier, classifierFrom, parseModelCard, randomClassifier, type LoadOptions, type ModelCard } from './transfer/classifier';
export { describeNetwork, type NetworkPart } from './transfer/describe';
export { embed, type EmbedOptions, type Embedded } from './transfer/embed';
export { evaluate, type EvaluateOptions } from './transfer/evaluate';
export type { FeatureStore, Features } from './transfer/featureCache';
export { fineTune } from './transfer/fineTune';
export { gradCam, type GradCam, type GradCamOptions } from './transfer/gradCam';
export { load, type LoadBlobOptions } from './transfer/load';
export { estimateMemory, type MemoryEstimate } from './transfer/memory';
export { fineTuneWithRecovery, type Recovered, type RecoveryOptions } from './transfer/recovery';
export { planCost, type Arithmetic, type PlanCost } from './transfer/planCost';
export { PRECISIONS, applyPrecision, precisionOf, type Precision } from './transfer/precision';
export { expectedSeconds, measureSpeed, refineSpeed, rehearseSpeed, type Speed } from './transfer/speed';
export type {
  CheckpointStore, EpochRecord, Evaluation, FineTuneOptions, FineTuneResult, MemoryUse, Prediction, ProgressEvent, Recipe,
} from './transfer/types';

// Tuning
export { modelWork, problemsOf } from './transfer/modelWork';
export { browserTuningStore } from './tune/browserStore';
export { observeProblems, type Problem } from './tune/problems';
export { applyTuning, choicesHash, forgetTuning, keepResults, type TuningStore } from './tune/table';
export type { TuneEvent, TuneReport, TuneResult } from './tune/report';
export { tune } from './tune/onDemand';
export type { TuneOptions } from './tune/tuner';

// Fixtures
export { validateFixture } from './validate/validate';
export { exitCode, formatVerdicts, verdictsToJson, worstCheck, type Check, type Verdict } from './validate/verdict';
export { FIXTURE_FORMAT, type FixtureFile } from './validate/fixture';
