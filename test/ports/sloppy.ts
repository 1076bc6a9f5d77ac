// Rewrites our update kernels with arithmetic that WGSL allows and a driver on x86 never shows: products fused into sums,
// quotients off by 2 units in the last place and roots by 3, subnormal numbers flushed to 0.

const BITS = { f32: 'u32', 'vec4<f32>': 'vec4<u32>' } as const;

/** Code that is not an update kernel stays as it is. */
export function sloppy(code: string): string {
  const value = /alias Value = (.*);/.exec(code)?.[1] as keyof typeof BITS | undefined;
  if (value === undefined) return code;
  return withFlushed(withUnits(withFused(code), BITS[value]), BITS[value]);
}

/** Each sum of which a product is one side becomes an fma. */
function withFused(code: string): string {
  const products = new Map<string, readonly [string, string]>();
  const listed = code.matchAll(/let (\w+) = ([\w.]+) \* ([\w.]+);/g);
  for (const [, name = '', a = '', b = ''] of listed) products.set(name, [a, b]);
  return code.replace(
    /let (\w+) = ([\w.]+) ([+-]) ([\w.]+);/g,
    (sum: string, name: string, a: string, sign: string, b: string) => {
      const minus = sign === '-' ? '-' : '';
      const first = products.get(a);
      if (first !== undefined) {
        return `let ${name} = fma(Value(${first[0]}), Value(${first[1]}), ${minus}Value(${b}));`;
      }
      const second = products.get(b);
      if (second === undefined) return sum;
      return `let ${name} = fma(${minus}Value(${second[0]}), Value(${second[1]}), Value(${a}));`;
    },
  );
}

/** By how much a result is off, its own bits decide. */
function withUnits(code: string, bits: string): string {
  const whole = bits.replace('u32', 'i32');
  const offBy = `fn off_by(x: Value, n: i32) -> Value {
  let b = bitcast<Bits>(x);
  let hash = (b * 2654435761u) >> ${bits}(16u);
  let units = ${whole}(hash % ${bits}(u32(2 * n + 1))) - ${whole}(n);
  let magnitude = b & ${bits}(0x7fffffffu);
  let is_usual = (magnitude > ${bits}(0x00800010u)) & (magnitude < ${bits}(0x7f7ffff0u));
  return select(x, bitcast<Value>(bitcast<${whole}>(b) + units), is_usual);
}
`;
  return code
    .replace(/let (\w+) = ([\w.]+) \/ ([\w.]+);/g, 'let $1 = off_by(Value($2) / Value($3), 2);')
    .replace(/let (\w+) = sqrt\(([\w.]+)\);/g, 'let $1 = off_by(sqrt(Value($2)), 3);')
    .replace('struct Numbers', `${offBy}struct Numbers`);
}

function withFlushed(code: string, bits: string): string {
  const flush = `fn flushed(x: Value) -> Value {
  let b = bitcast<Bits>(x);
  let is_subnormal = (b & ${bits}(0x7f800000u)) == ${bits}(0u);
  return select(x, bitcast<Value>(b & ${bits}(0x80000000u)), is_subnormal);
}
`;
  return code
    .replace(/let (t\d+) = (.*);/g, 'let $1 = flushed(Value($2));')
    .replace('struct Numbers', `${flush}struct Numbers`);
}
