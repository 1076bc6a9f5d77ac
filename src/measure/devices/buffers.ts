// Every GPUBuffer of a device, heard where it is made and destroyed.

export interface BufferListener {
  /** Asked before a buffer is made; may throw instead. */
  readonly onWish?: (bytes: number) => void;
  /** `bytes` more, or less if negative. */
  readonly onChange: (bytes: number, isMappable: boolean) => void;
}

/** Hears the bytes asked for; a buffer that is collected without `destroy()` counts for ever. */
export function listenToBuffers(device: GPUDevice, { onWish, onChange }: BufferListener): void {
  const create = device.createBuffer.bind(device);
  device.createBuffer = (descriptor) => {
    onWish?.(descriptor.size);
    const buffer = create(descriptor);
    const { size } = buffer;
    const isMappable = (buffer.usage & (GPUBufferUsage.MAP_READ | GPUBufferUsage.MAP_WRITE)) !== 0;
    onChange(size, isMappable);
    const destroy = buffer.destroy.bind(buffer);
    let isDestroyed = false;
    buffer.destroy = () => {
      if (!isDestroyed) onChange(-size, isMappable);
      isDestroyed = true;
      return destroy();
    };
    return buffer;
  };
}
