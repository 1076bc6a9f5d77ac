// What the bus can do: bytes from pinned host memory to the device and back into pinned host memory, piece
// by piece, by the GPU's own copies alone. Nothing on the main thread touches them: the floor of any sync.

import { mapped } from '../../engines/webgpu/waiting.js';
import { stagingOf } from '../../slow/quantized-layout.js';
import type { BareDevice } from '../devices/devices.js';

/** In what goes up, so that what comes down can be told from memory that nobody wrote. */
const MARK = 1;

/** Times of one round after the other, each from an idle device until it is done. */
export interface BusRounds {
  /** Over the bus in one round: up and down. */
  readonly bytes: number;
  /** Left out of `ms`: page faults. */
  readonly firstMs: number;
  readonly ms: readonly number[];
}

/** `pieces`: bytes of each. Throws if the device failed, or did not copy. */
export async function timeBus(
  device: BareDevice,
  pieces: readonly number[],
  rounds: number,
): Promise<BusRounds> {
  const buffers = new PieceBuffers(device.device, pieces);
  await buffers.touch();
  const timed = async () => {
    const start = performance.now();
    buffers.submitRound();
    await device.finished();
    return performance.now() - start;
  };
  const firstMs = await timed();
  const ms: number[] = [];
  while (ms.length < rounds) ms.push(await timed());
  await buffers.checkArrived();
  buffers.destroy();
  return { bytes: 2 * sum(pieces), firstMs, ms };
}

interface Piece {
  readonly up: GPUBuffer;
  readonly down: GPUBuffer;
  readonly staging: GPUBuffer;
}

class PieceBuffers {
  readonly #device: GPUDevice;
  readonly #pieces: readonly Piece[];
  readonly #staging: readonly GPUBuffer[];

  constructor(device: GPUDevice, pieces: readonly number[]) {
    this.#device = device;
    const { MAP_WRITE, MAP_READ, COPY_SRC, COPY_DST } = GPUBufferUsage;
    const make = (size: number, usage: number) => device.createBuffer({ size, usage });
    const { count, bytes } = stagingOf(pieces.map((size) => ({ bytes: size })));
    const staging = Array.from({ length: count }, () => make(bytes, COPY_SRC | COPY_DST));
    this.#staging = staging;
    this.#pieces = pieces.map((bytes, i) => ({
      up: make(bytes, MAP_WRITE | COPY_SRC),
      down: make(bytes, MAP_READ | COPY_DST),
      staging: staging[i % staging.length] as GPUBuffer,
    }));
  }

  /** Memory that nobody has written may have no pages yet. */
  async touch(): Promise<void> {
    for (const { up } of this.#pieces) {
      await mapped(this.#device, up, GPUMapMode.WRITE);
      new Uint8Array(up.getMappedRange()).fill(MARK);
      up.unmap();
    }
  }

  submitRound(): void {
    const encoder = this.#device.createCommandEncoder();
    for (const { up, down, staging } of this.#pieces) {
      encoder.copyBufferToBuffer(up, 0, staging, 0, up.size);
      encoder.copyBufferToBuffer(staging, 0, down, 0, up.size);
    }
    this.#device.queue.submit([encoder.finish()]);
  }

  /** Copies that did not happen would be the fastest. */
  async checkArrived(): Promise<void> {
    for (const { down } of this.#pieces) {
      await mapped(this.#device, down, GPUMapMode.READ);
      const bytes = new Uint8Array(down.getMappedRange());
      const hasArrived = bytes[0] === MARK && bytes.at(-1) === MARK;
      down.unmap();
      if (!hasArrived) throw new Error('What came back over the bus is not what went up.');
    }
  }

  destroy(): void {
    for (const { up, down } of this.#pieces) {
      up.destroy();
      down.destroy();
    }
    for (const buffer of this.#staging) buffer.destroy();
  }
}

function sum(bytes: readonly number[]): number {
  return bytes.reduce((total, one) => total + one, 0);
}
