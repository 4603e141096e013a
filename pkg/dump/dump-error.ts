/** A dump that cannot be read, or that does not have what is asked of it. The message names the file and the field. */
export class DumpError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'DumpError';
  }
}
