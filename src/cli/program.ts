/** The commands and their options. Each command's code is loaded when it runs, so that `--help` is quick. */
import { Command } from 'commander';
import { packageVersion } from '../node/packageRoot';
import { GPU_KINDS, number, numbers, oneOf } from './arguments';
import { addTrainingOptions } from './trainingOptions';
import { PRECISIONS } from '../transfer/precision';
import type { DemoFlags } from './commands/demo';
import type { EvaluateFlags } from './commands/evaluate';
import type { FetchFlags } from './commands/fetch';
import type { ConvertFlags } from './commands/files';
import type { FinetuneFlags } from './commands/finetune';
import type { PredictFlags } from './commands/predict';
import type { TuneFlags } from './commands/tune';
import type { ValidateFlags } from './commands/validate';

const MODEL = 'MODEL is a folder that graft wrote, a weights file (.pth, .pt, .safetensors), base, or a name such as resnet18';

/** The program; `done` gets each command's exit status. */
export function createProgram(done: (status: number) => void): Command {
  const program = new Command('graft')
    .description('Transfer learning on WebGPU: a pretrained network, your images, a model of your own.')
    .usage('COMMAND [options]')
    .version(packageVersion(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print help, of a command too')
    .option('--debug', 'on an error, print where it came from')
    .configureHelp({ showGlobalOptions: false, helpWidth: Math.min(process.stdout.columns ?? 96, 110) })
    .addHelpText('after', `
Examples:
  graft demo                                            the whole path, on what ships
  graft finetune photos --model resnet18                a new last layer; photos holds a folder for each label
  graft finetune photos --model resnet50 --plan layer4 --epochs 15 --augment
  graft finetune photos --model resnet18 --weights resnet18-f37072fd.pth --out mine
  graft predict runs/photos-head holiday.jpg            what is on it
  graft inspect model.safetensors                       what is in a weights file

Errors are one line and exit status 1; wrong usage is 2; Ctrl-C is 130, with the best model kept.`);
  program.exitOverride().configureOutput({ writeErr: () => undefined });
  const gpu = (command: Command): Command => command.option('--gpu <kind>', 'only a hardware adapter, or a software one (default: hardware where there is one)', oneOf('--gpu', GPU_KINDS));
  const batch = (command: Command): Command => command.option('--batch-size <n>', 'images in a pass', number('--batch-size', { least: 1, whole: true }));
  const precision = (command: Command): Command => command.option('--precision <type>', 'float16 keeps and computes all but the last layer in half the bytes (default: float32)', oneOf('--precision', PRECISIONS));
  const add = (name: string, group: string): Command => program.command(name).helpGroup(group).exitOverride().configureOutput({ writeErr: () => undefined });
  const train = 'Train and use:';
  const files = 'Weights files:';
  const check = 'Check:';

  gpu(add('demo', train)
    .description('fine-tune the base that ships on the sample images, beside training from scratch')
    .option('--epochs <n>', 'passes over the images, in both', number('--epochs', { least: 1, whole: true }), 20)
    .option('--seed <n>', 'another number gives other random choices', number('--seed', { least: 0, whole: true }), 0)
    .option('--model <model>', 'another pretrained model', 'base')
    .option('--data <folder>', 'another folder with train and test in it')
    .option('--out <folder>', 'where to write (default: runs/demo)'))
    .action(async (flags: DemoFlags) => done(await (await import('./commands/demo')).demo(flags)));

  addTrainingOptions(add('finetune', train)
    .description('train a pretrained network on a folder of images')
    .argument('<folder>', 'images, a folder for each label; or train, val and test with such folders in them')
    .optionsGroup('From what:')
    .option('--model <model>', 'resnet18, -34, -50, -101, -152, resnext50_32x4d, wide_resnet50_2; a model folder; a weights file; base', 'resnet18')
    .option('--weights <weights>', "the architecture's weights: a file, a published name, or random (default: the published ones)")
    .option('--width <n>', 'channels of the first stage, with --weights random (default: 64)', number('--width', { least: 1, whole: true }))
    .option('--validation-fraction <x>', 'share of each class to validate on, where the folder has no val (default: 0.2)', number('--validation-fraction', { least: 0, below: 1 })))
    .optionsGroup('What is written:')
    .option('--out <folder>', 'where to write (default: runs/FOLDER-PLAN, then -2, -3, …)')
    .option('--resume', 'go on from the checkpoint in the folder')
    .option('--force', 'write into a folder that is taken')
    .option('--no-cache', 'do not keep features of a frozen trunk on disk')
    .option('--profile', "print the GPU's time by kernel")
    .optionsGroup('Where it runs:')
    .option('--workers <n>', 'threads that decode images (default: one a core, at most 4)', number('--workers', { least: 0, below: 65, whole: true }))
    .option('--gpu <kind>', 'only a hardware adapter, or a software one (default: hardware where there is one)', oneOf('--gpu', GPU_KINDS))
    .optionsGroup('Options:')
    .addHelpText('after', `
Writes model.safetensors, model.json, metrics.json, report.html and checkpoint.safetensors (for --resume).
The best epoch by validation accuracy is kept. The first Ctrl-C stops cleanly and keeps it too.`)
    .action(async (folder: string, flags: FinetuneFlags) => done(await (await import('./commands/finetune')).finetune(folder, flags)));

  gpu(precision(batch(add('predict', train)
    .description('name what is on images')
    .argument('<model>', MODEL)
    .argument('<image...>', 'image files, or folders of them')
    .option('-k, --top-k <n>', 'classes to tell for each image', number('--top-k', { least: 1, whole: true }), 5)
    .option('--json', 'print JSON'))))
    .action(async (model: string, images: string[], flags: PredictFlags) => done(await (await import('./commands/predict')).predict(model, images, flags)));

  gpu(precision(batch(add('evaluate', train)
    .description('count how often a model is right on a folder of labelled images (its test part, where there is one)')
    .argument('<model>', MODEL)
    .argument('<folder>', 'images, a folder for each label')
    .option('--json', 'print JSON, with every prediction'))))
    .action(async (model: string, folder: string, flags: EvaluateFlags) => done(await (await import('./commands/evaluate')).evaluate(model, folder, flags)));

  add('fetch', files)
    .description("download published weights into the user's cache, resumed after a break, hash checked")
    .argument('[name]', 'resnet18, resnet50-11ad3fa6, ResNet50_Weights.IMAGENET1K_V2, …')
    .option('--list', 'list the weights there are')
    .option('--from <url>', 'download from there instead; the file name is appended')
    .option('--json', 'print JSON')
    .action(async (name: string | undefined, flags: FetchFlags) => done(await (await import('./commands/fetch')).fetchCommand(name, flags)));

  add('inspect', files)
    .description('list the tensors, metadata and architecture of a weights file')
    .argument('<file>', 'a .safetensors, .pth or .pt file, or a model folder')
    .option('--json', 'print JSON')
    .action(async (file: string, flags: { json?: boolean }) => done(await (await import('./commands/files')).inspect(file, flags)));

  add('convert', files)
    .description('write a PyTorch or safetensors file as safetensors')
    .argument('<in>', 'a .safetensors, .pth or .pt file')
    .argument('<out>', 'the .safetensors file to write')
    .option('--dtype <type>', 'store floating-point tensors as f32, f16 or bf16 (default: as they are)', oneOf('--dtype', ['f32', 'f16', 'bf16']))
    .option('--force', 'replace OUT if it exists')
    .action(async (from: string, to: string, flags: ConvertFlags) => done(await (await import('./commands/files')).convert(from, to, flags)));

  add('doctor', check)
    .description('show the adapter, its limits, what is missing and how to mend it')
    .option('--json', 'print JSON')
    .action(async (flags: { json?: boolean }) => done(await (await import('./commands/doctor')).doctor(flags)));

  gpu(add('tune', check)
    .description('measure which algorithms are fastest for a model on this adapter, and keep the answer')
    .argument('[model]', MODEL)
    .option('--plan <plan>', 'tune for training this as well: head, full, or the name of a part', 'head')
    .option('--batch-size <n,...>', 'images in a pass, one size or several (default: 1,32; with another plan than head: 32)', numbers('--batch-size', { least: 1, whole: true }))
    .option('--precision <type>', 'tune for what is not trained in float16 (default: float32)', oneOf('--precision', PRECISIONS))
    .option('--size <px>', "pixels of an image's side (default: the model's)", number('--size', { least: 1, whole: true }))
    .option('--budget <seconds>', 'start nothing new after so long (default: no limit); the same command goes on later', number('--budget', { above: 0 }))
    .option('--list', 'only list what there is to tune; without a model, what is tuned')
    .option('--reset', 'first forget what is tuned for this adapter')
    .option('--json', 'print JSON'))
    .addHelpText('after', `
Nobody has to: what is usual on an adapter is built in. What is tuned is kept in the cache folder ('graft doctor' shows
it) for this adapter and driver, and used by every command. Another algorithm rounds differently: runs before and after
tuning differ in the last digits.`)
    .action(async (model: string | undefined, flags: TuneFlags) => done(await (await import('./commands/tune')).tune(model, flags)));

  gpu(add('validate', check)
    .description('compare the engine with fixtures (docs/fixtures.md), for instance of PyTorch')
    .argument('<path...>', '.safetensors fixtures, or folders of them')
    .option('--json', 'print JSON')
    .option('--failures', 'list only what does not pass'))
    .addHelpText('after', '\nExit status: 0 when all pass, 1 when one fails, 2 when one could not be run.')
    .action(async (paths: string[], flags: ValidateFlags) => done(await (await import('./commands/validate')).validate(paths, flags)));

  program.commandsGroup('Help:').helpCommand('help [command]', 'print help of a command');
  return program;
}
