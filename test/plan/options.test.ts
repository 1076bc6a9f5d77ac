// What plan() says to wrong options.

import { plan, type PlanOptions } from 'slowlane';
import { describe, expect, test } from 'vitest';

describe('wrong options say what was received and what is allowed', () => {
  const good = { weights: '350M', vramBudget: '4GiB' };
  test.each([
    [{ weights: 'many' }, 'weights must be a number of parameters', '"many" (string)'],
    [{ weights: 0 }, 'weights must be', 'got 0'],
    [{ weights: [] }, 'at least one weight', '[] (array)'],
    [{ weights: [{ shape: [1.5] }] }, 'weights[0] must be { shape: [512, 512] }', '1.5'],
    [{ weights: undefined }, 'either weights', 'got neither'],
    [{ model: {} }, 'either weights', 'got both'],
    [{ weights: undefined, model: {} }, 'a tf.LayersModel', '{}'],
    [{ vramBudget: undefined }, 'needs a vramBudget', "'4GiB'"],
    [{ vramBudget: '4' }, 'a size with its unit', '"4" (string)'],
    [{ vramBudget: 'auto' }, 'needs deviceMemoryBytes', 'got deviceMemoryBytes undefined'],
    [{ hostBudget: -1 }, 'hostBudget must be', 'got -1'],
    [{ inner: 'adan' }, "Did you mean 'adam'?", '"adan" (string)'],
    [{ batchSize: 0 }, 'batchSize must be a whole number ≥ 1', 'got 0'],
    [{ syncPeriod: 1.5 }, 'syncPeriod must be a whole number ≥ 1', 'got 1.5'],
    [{ layers: 0 }, 'layers must be', 'got 0'],
    [{ bus: 'pcie4-16' }, "Did you mean 'pcie4x16'?", '"pcie4-16" (string)'],
    [{ bus: 'usb' }, "a speed ('12GB/s'", '"usb" (string)'],
    [{ gradients: 'drop' }, "'keep' or 'release'", '"drop" (string)'],
    [{ slow: 'host:int4' }, "'host:f32'", '"host:int4" (string)'],
    [{ k: 5 }, "Did you mean 'syncPeriod'?", "'k'"],
  ])('%j', (wrong, allowed, received) => {
    const request = () => plan({ ...good, ...wrong } as PlanOptions);
    expect(request).toThrow(allowed);
    expect(request).toThrow(received);
  });

  test("vramBudget: 'auto' is what the driver reports", () => {
    const made = plan({ weights: '1M', vramBudget: 'auto', deviceMemoryBytes: 123 * 2 ** 20 });
    expect(made.vramBudgetBytes).toBe(123 * 2 ** 20);
  });
});
