/** TensorFlow's ops on resources, by the numbers of tensors in the addon. */
import type { Binding, OpAttribute, TensorFlowBackend } from '../../tfjs/tensorflow-backend.js';

export class Ops {
  readonly #backend: TensorFlowBackend;
  readonly #dtype: OpAttribute;
  readonly #type: OpAttribute;
  #empty: number | null = null;

  constructor(backend: TensorFlowBackend) {
    this.#backend = backend;
    const { TF_ATTR_TYPE: type, TF_FLOAT: value } = backend.binding;
    this.#dtype = { name: 'dtype', type, value };
    this.#type = { name: 'T', type, value };
  }

  /** A resource for values of any shape. It lives as long as TensorFlow does: use few, again and again. */
  resource(name: string): number {
    const { TF_ATTR_STRING, TF_ATTR_SHAPE } = this.#binding;
    return this.one('VarHandleOp', [
      { name: 'container', type: TF_ATTR_STRING, value: '' },
      { name: 'shared_name', type: TF_ATTR_STRING, value: name },
      { name: 'shape', type: TF_ATTR_SHAPE, value: [] },
      this.#dtype,
    ]);
  }

  /** The resource shares the tensor's memory. */
  assign(resource: number, tensor: number): void {
    const any = { name: 'validate_shape', type: this.#binding.TF_ATTR_BOOL, value: false };
    this.#binding.executeOp('AssignVariableOp', [this.#dtype, any], [resource, tensor], 0);
  }

  /** A tensor over the resource's memory. */
  read(resource: number): number {
    return this.one('ReadVariableOp', [this.#dtype], [resource]);
  }

  /** Empties the resource. */
  release(resource: number): void {
    this.#empty ??= this.#binding.createTensor([0], this.#binding.TF_FLOAT, new Float32Array(0));
    this.assign(resource, this.#empty);
  }

  scalar(value: number): number {
    return this.#binding.createTensor([], this.#binding.TF_FLOAT, Float32Array.of(value));
  }

  /** The same values in memory of their own. */
  copy(tensor: number): number {
    return this.one('Snapshot', [this.#type], [tensor]);
  }

  product(a: number, b: number): number {
    return this.one('Mul', [this.#type], [a, b]);
  }

  /** One of the ops `ResourceApply…`. Writes in place what no other tensor shares, and copies the rest first. */
  apply(op: string, flags: Readonly<Record<string, boolean>>, inputs: readonly number[]): void {
    const type = this.#binding.TF_ATTR_BOOL;
    const given = Object.entries({ use_locking: false, ...flags });
    const attributes = given.map(([name, value]) => ({ name, type, value }));
    this.#binding.executeOp(op, [this.#type, ...attributes], inputs, 0);
  }

  /** An op on a resource and tensors that knows no other attribute than their type. */
  applyTo(resource: number, op: string, tensors: readonly number[]): void {
    this.#binding.executeOp(op, [this.#dtype], [resource, ...tensors], 0);
  }

  free(tensor: number): void {
    this.#binding.deleteTensor(tensor);
  }

  /** Runs an op of one output. */
  one(name: string, attributes: readonly OpAttribute[], inputs: readonly number[] = []): number {
    const [output] = this.#binding.executeOp(name, attributes, inputs, 1);
    if (output === undefined) throw new Error(`TensorFlow's op ${name} gave nothing.`);
    return output.id;
  }

  get #binding(): Binding {
    return this.#backend.binding;
  }
}
