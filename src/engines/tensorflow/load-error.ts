/** Every way in which tfjs-node fails to load, as one error that says what to do. */
import { SlowlaneError } from '../../checks/errors.js';

/**
 * Why TensorFlow cannot be used:
 *
 * - `not-installed`: neither tfjs-node-gpu nor tfjs-node is installed;
 * - `no-addon`: the package is installed without its native addon, as when its install script failed;
 * - `no-libtensorflow`: the addon does not find libtensorflow;
 * - `wrong-libtensorflow`: it finds one that it was not built for;
 * - `no-cuda`: a library of CUDA or cuDNN is missing;
 * - `no-gpu`: everything was loaded, but TensorFlow uses no GPU although one was asked for;
 * - `node`: this version of Node is too new for the package;
 * - `failed`: anything else; the message has the original error.
 */
export type TensorFlowProblem =
  | 'not-installed'
  | 'no-addon'
  | 'no-libtensorflow'
  | 'wrong-libtensorflow'
  | 'no-cuda'
  | 'no-gpu'
  | 'node'
  | 'failed';

const REBUILD =
  `Build the addon against libtensorflow from the pip wheel (docs/tensorflow.md), or let the package download its own: ` +
  `npm rebuild PACKAGE`;

const REMEDIES: Readonly<Record<TensorFlowProblem, string>> = {
  'not-installed':
    'npm install @tensorflow/tfjs-node@4.22.0 (or tfjs-node-gpu); where its install script fails, docs/tensorflow.md ' +
    'has a way without it.',
  'no-addon': `${REBUILD}.`,
  'no-libtensorflow': `${REBUILD}. If libtensorflow was moved since, build again.`,
  'wrong-libtensorflow': `${REBUILD}.`,
  'no-cuda':
    'Install the CUDA and cuDNN that libtensorflow was built for (CUDA 11.2 and cuDNN 8.1 for the one that ' +
    'tfjs-node-gpu downloads), and name their folder in LD_LIBRARY_PATH; or use current ones from pip ' +
    '(docs/tensorflow.md).',
  'no-gpu':
    'Is there an NVIDIA GPU (nvidia-smi)? TensorFlow says on stderr which library of CUDA it misses: set ' +
    "TF_CPP_MIN_LOG_LEVEL=0 and look. Without device: 'gpu' it computes on the CPU.",
  node: 'Node 20 to 24 are known to work.',
  failed: `${REBUILD}.`,
};

/**
 * TensorFlow cannot be used: `problem` says why, `remedy` what to do.
 *
 * @hideconstructor
 */
export class TensorFlowLoadError extends SlowlaneError {
  /** The name of the class. */
  override readonly name = 'TensorFlowLoadError';
  /** What the problem is. */
  readonly problem: TensorFlowProblem;
  /** What failed. */
  readonly what: string;
  /** What to do. */
  readonly remedy: string;

  constructor(problem: TensorFlowProblem, packageName: string, failed: string, cause?: unknown) {
    const what = `TensorFlow can't be used: ${failed}`;
    const remedy = REMEDIES[problem].replaceAll('PACKAGE', packageName);
    super(
      problem === 'no-gpu' ? 'UNSUPPORTED' : 'PACKAGE_MISSING',
      `${what} ${remedy}`,
      { problem },
      { cause },
    );
    this.problem = problem;
    this.what = what;
    this.remedy = remedy;
  }
}

const MISSING_LIBRARY = /(lib[\w+.-]+): cannot open shared object file/;
const CUDA = /^lib(cuda|cudart|cudnn|cublas|cufft|curand|cusolver|cusparse|cupti|nccl|nv)/;
const WRONG_LIBRARY =
  /undefined symbol|version [`'"].*['"] not found|symbol lookup|ELF|file too short|not a valid|image not found/;
const NODE_TOO_NEW = /is not a function|NODE_MODULE_VERSION|Module did not self-register/;

/** What to throw for `error`, with which the import of `packageName` or its first op failed. */
export function loadError(error: unknown, packageName: string): TensorFlowLoadError {
  const said = error instanceof Error ? error.message : String(error);
  const make = (problem: TensorFlowProblem, what: string) =>
    new TensorFlowLoadError(problem, packageName, what, error);
  if (/native addon module .*can not be found/s.test(said)) {
    return make('no-addon', `${packageName} is installed without its native addon.`);
  }
  const [, library] = MISSING_LIBRARY.exec(said) ?? [];
  if (library !== undefined && CUDA.test(library)) {
    return make('no-cuda', `${packageName} needs ${library}, which is not on this machine.`);
  }
  if (library !== undefined) {
    return make('no-libtensorflow', `the addon of ${packageName} does not find ${library}.`);
  }
  if (WRONG_LIBRARY.test(said)) {
    return make(
      'wrong-libtensorflow',
      `${packageName} and its libtensorflow do not fit (${firstLine(said)}).`,
    );
  }
  if (error instanceof TypeError && NODE_TOO_NEW.test(said)) {
    return make(
      'node',
      `${packageName} does not work on Node ${process.versions.node} (${firstLine(said)}).`,
    );
  }
  return make('failed', `${packageName} could not be loaded (${firstLine(said)}).`);
}

function firstLine(text: string): string {
  return text.split('\n', 1)[0] ?? '';
}
