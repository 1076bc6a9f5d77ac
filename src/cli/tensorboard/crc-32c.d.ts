// crc-32 has types for its CRC-32 alone.
declare module 'crc-32/crc32c.js' {
  const crc32c: { readonly buf: (data: Uint8Array) => number };
  export default crc32c;
}
