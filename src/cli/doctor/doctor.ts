// `slowlane doctor`: prints the report. Its exit code says whether training is possible.

import { EXIT } from '../terminal/cli-error.js';
import { Interrupted, listenForInterrupt } from '../terminal/interrupt.js';
import { doctorText } from './doctor-text.js';
import { examine } from './examine.js';
import { probeStarter } from './probes.js';

export interface DoctorRequest {
  readonly json: boolean;
  /** Seconds for one probe. */
  readonly timeout: number;
}

/** Resolves to the exit code. */
export async function doctor({ json, timeout }: DoctorRequest, version: string): Promise<number> {
  const interrupt = listenForInterrupt();
  try {
    if (process.stderr.isTTY) process.stderr.write('Trying engines and copies, some seconds …\n');
    const report = await examine({
      probe: probeStarter(1000 * timeout, interrupt.signal),
      slowlane: version,
      node: process.versions.node,
      system: `${process.platform} ${process.arch}`,
    });
    console.log(
      json ? JSON.stringify(report, null, 2) : doctorText(report, process.stdout.columns),
    );
    return report.trains ? 0 : EXIT.failed;
  } catch (error) {
    if (!(error instanceof Interrupted)) throw error;
    process.stderr.write(`slowlane: ${error.message}\n`);
    return error.exitCode;
  } finally {
    interrupt.release();
  }
}
