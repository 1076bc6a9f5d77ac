// What the bus can do: bytes from pinned host memory to the device and back into pinned host memory, piece
// by piece, by the GPU's own copies alone. Nothing on the main thread touches them: the floor of any sync.

import { busSeries } from './cells.js';
import type { BareDevice } from '../../src/bench/devices.js';
import type { Meters } from '../../src/bench/meters.js';
import type { CellOptions, Series } from './record.js';
import { parametersOf } from '../../src/bench/stack.js';

const MIB = 2 ** 20;
const PIECES_MIB = [4, 8] as const;
/** Pieces on the device at a time: a copy down may still run while the next one comes up. */
const STAGING_PIECES = 4;
const FORMATS = [
  { name: 'f16', bytesPerSlow: 2 },
  { name: 'f32', bytesPerSlow: 4 },
] as const;
const ROUNDS_PER_REPEAT = 4;

export async function measureBus(
  device: BareDevice,
  options: CellOptions,
  meters: Meters,
): Promise<Series[]> {
  const series: Series[] = [];
  for (const { name, bytesPerSlow } of FORMATS) {
    for (const pieceMib of PIECES_MIB) {
      const totalBytes = bytesPerSlow * parametersOf(options);
      const pieces = new Pieces(device.device, totalBytes, pieceMib * MIB);
      await pieces.touch();
      const timed = async () => {
        const start = performance.now();
        pieces.submitRound();
        await device.finished();
        return performance.now() - start;
      };
      meters.enter('warm-up');
      const firstMs = await timed();
      meters.enter('awaited');
      const ms: number[] = [];
      while (ms.length < ROUNDS_PER_REPEAT * options.repeats) ms.push(await timed());
      pieces.destroy();
      // Up and down: read and written once each, by the bus once each.
      series.push({ name: busSeries(name, pieceMib), bytes: 2 * totalBytes, firstMs, ms });
    }
  }
  return series;
}

/** What `measureBus` holds of buffers while it measures one format and piece. */
export function busBytes(totalBytes: number, pieceBytes: number) {
  const count = Math.ceil(totalBytes / pieceBytes);
  return {
    mappableBytes: 2 * totalBytes,
    deviceLocalBytes: Math.min(STAGING_PIECES, count) * Math.min(pieceBytes, totalBytes),
  };
}

class Pieces {
  readonly #device: GPUDevice;
  readonly #up: GPUBuffer[] = [];
  readonly #down: GPUBuffer[] = [];
  readonly #staging: GPUBuffer[] = [];

  constructor(device: GPUDevice, totalBytes: number, pieceBytes: number) {
    this.#device = device;
    const { MAP_WRITE, MAP_READ, COPY_SRC, COPY_DST } = GPUBufferUsage;
    const make = (size: number, usage: number) => device.createBuffer({ size, usage });
    for (let at = 0; at < totalBytes; at += pieceBytes) {
      const size = Math.min(pieceBytes, totalBytes - at);
      this.#up.push(make(size, MAP_WRITE | COPY_SRC));
      this.#down.push(make(size, MAP_READ | COPY_DST));
      if (this.#staging.length < STAGING_PIECES) {
        this.#staging.push(make(Math.min(pieceBytes, totalBytes), COPY_SRC | COPY_DST));
      }
    }
  }

  /** Memory that nobody has written may have no pages yet. */
  async touch(): Promise<void> {
    for (const buffer of this.#up) {
      await buffer.mapAsync(GPUMapMode.WRITE);
      new Uint8Array(buffer.getMappedRange()).fill(1);
      buffer.unmap();
    }
  }

  submitRound(): void {
    const encoder = this.#device.createCommandEncoder();
    for (const [i, up] of this.#up.entries()) {
      const staging = this.#staging[i % this.#staging.length];
      const down = this.#down[i];
      if (staging === undefined || down === undefined) continue;
      encoder.copyBufferToBuffer(up, 0, staging, 0, up.size);
      encoder.copyBufferToBuffer(staging, 0, down, 0, up.size);
    }
    this.#device.queue.submit([encoder.finish()]);
  }

  destroy(): void {
    for (const buffer of [...this.#up, ...this.#down, ...this.#staging]) buffer.destroy();
  }
}
